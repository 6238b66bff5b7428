//! What a judgement does to a connection's status. Pure.
//!
//! | judgement                              | `active`                | `reauth_required`    |
//! |----------------------------------------|-------------------------|----------------------|
//! | `ok`                                   | trouble ends            | healed               |
//! | `transient`, `config_error`            | trouble                 | stays                |
//! | `ok_but_denied`                        | stays                   | stays                |
//! | `reauth`                               | **flagged**             | stays, since kept    |
//! | `app_broken`, deletion stated          | **flagged**             | stays                |
//! | `app_broken` otherwise                 | trouble                 | stays                |
//!
//! A changed or expired client secret looks exactly like `invalid_client`, and the same grants work again once it is
//! mended: so only a deletion that the provider states in so many words flags (product, "The life of a connection").

use super::model::{Connection, ConnectionStatus, Flag, Trouble};
use crate::clock::Timestamp;
use crate::reason::{Confidence, Reason, Verdict};
use crate::verdict::Judgement;

/// What becomes of a connection.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// Nothing that matters to anyone.
    Nothing,
    /// Trouble is under way; it is tried again later.
    Troubled(Trouble),
    /// Trouble is over.
    Recovered,
    /// Only the customer can fix it now.
    Flagged(Flag),
    /// A flagged connection works again by itself.
    Healed,
}

/// Decides what `judgement`, reached at `now`, does to `connection`.
#[must_use]
pub fn transition(connection: &Connection, judgement: &Judgement, now: Timestamp) -> Change {
    match (&connection.status, flagging(judgement)) {
        (ConnectionStatus::Disconnected { .. }, _) | (ConnectionStatus::ReauthRequired(_), Some(_)) => Change::Nothing,
        (ConnectionStatus::Active, Some(reason)) => Change::Flagged(Flag {
            reason,
            since: now,
            confidence: judgement.confidence,
            evidence: judgement.evidence.clone(),
        }),
        (status, None) => match judgement.verdict {
            Verdict::Ok if matches!(status, ConnectionStatus::ReauthRequired(_)) => Change::Healed,
            Verdict::Ok if connection.trouble.is_some() => Change::Recovered,
            Verdict::Transient | Verdict::ConfigError | Verdict::AppBroken
                if matches!(status, ConnectionStatus::Active) =>
            {
                let since = connection.trouble.as_ref().map_or(now, |trouble| trouble.since);
                Change::Troubled(Trouble {
                    verdict: judgement.verdict,
                    reason: judgement.reason,
                    since,
                })
            }
            _ => Change::Nothing,
        },
    }
}

/// The reason to flag with, if this judgement is proof that only a new consent helps.
fn flagging(judgement: &Judgement) -> Option<Reason> {
    let reason = judgement.reason.filter(|reason| reason.may_flag())?;
    match judgement.verdict {
        Verdict::Reauth => Some(reason),
        Verdict::AppBroken => {
            (reason == Reason::OauthAppDeleted && judgement.confidence == Confidence::Stated).then_some(reason)
        }
        _ => None,
    }
}
