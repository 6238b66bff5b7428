//! What an incident is.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::ids::{ConnectionId, IncidentId, TenantId};
use crate::reason::{Confidence, Reason, Verdict};
use crate::verdict::{Evidence, Judgement};

/// How long after its closing requests that were on their way, and nodes of the provider that lag behind, open no new one.
pub(super) const QUIET: Duration = Duration::from_mins(5);
/// How long the only witness of an incident which others refuted is not believed alone.
pub(super) const DISBELIEF: Duration = Duration::from_hours(7 * 24);
/// How long closed incidents are kept.
pub const KEPT_AFTER_CLOSING: Duration = Duration::from_hours(90 * 24);
const SHORTEST_PAUSE: Duration = Duration::from_secs(30);
const LONGEST_PAUSE: Duration = Duration::from_mins(5);

/// One problem of an application in one environment.
#[derive(Clone, Debug, PartialEq)]
pub struct Incident {
    /// Its id.
    pub id: IncidentId,
    /// Whose it is.
    pub tenant: TenantId,
    /// The application.
    pub slug: String,
    /// What is known of the cause: a refused secret, or a client that is gone.
    pub reason: Reason,
    /// Which rule, which words; redacted.
    pub evidence: Evidence,
    /// How often it was seen.
    pub observations: i64,
    /// When it was first seen.
    pub opened_at: Timestamp,
    /// When it was last seen.
    pub last_seen_at: Timestamp,
    /// When a second, independent witness saw it.
    pub confirmed_at: Option<Timestamp>,
    /// Since when it is a fact that the OAuth client is gone.
    pub deleted_at: Option<Timestamp>,
    /// When the next refresh may find out whether it is over.
    pub next_try_at: Timestamp,
    /// Its end.
    pub closing: Option<Closing>,
}

/// How an incident ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closing {
    /// When.
    pub at: Timestamp,
    /// By what.
    pub by: ClosedBy,
}

/// What ends an incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClosedBy {
    /// The OAuth client worked again.
    Works,
    /// The team said so.
    Hand,
}

impl ClosedBy {
    /// The stable spelling.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Works => "works_again",
            Self::Hand => "hand",
        }
    }

    /// Reads it back.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Works, Self::Hand].into_iter().find(|by| by.as_str() == word)
    }
}

impl Incident {
    /// `suspected`, `confirmed` or `closed`.
    #[must_use]
    pub const fn state(&self) -> &'static str {
        match (self.closing, self.confirmed_at) {
            (Some(_), _) => "closed",
            (None, Some(_)) => "confirmed",
            (None, None) => "suspected",
        }
    }
}

/// Who sees something. Two are independent unless they are the same.
#[derive(Clone, Copy, Debug)]
pub enum Witness<'a> {
    /// A connection whose grant was refused.
    Connection(&'a ConnectionId),
    /// A customer on the way through the provider's consent.
    Consent,
    /// A request that only asks whether the client is known.
    Probe,
    /// The team itself.
    Team,
}

impl Witness<'_> {
    pub(super) fn as_str(&self) -> &str {
        match self {
            Self::Connection(id) => id.as_str(),
            Self::Consent => "consent",
            Self::Probe => "probe",
            Self::Team => "team",
        }
    }
}

/// One observation of trouble with an application as a whole.
#[derive(Debug)]
pub struct Sighting<'a> {
    /// The application.
    pub slug: &'a str,
    /// Who saw it.
    pub witness: Witness<'a>,
    /// What is wrong.
    pub reason: Reason,
    /// Whether the provider, or the team, says in so many words that the client is gone.
    pub deletion_stated: bool,
    /// Which rule, which words.
    pub evidence: &'a Evidence,
    /// When.
    pub now: Timestamp,
}

impl<'a> Sighting<'a> {
    /// What a judgement tells of the application as a whole, if anything.
    #[must_use]
    pub fn of(slug: &'a str, witness: Witness<'a>, judgement: &'a Judgement, now: Timestamp) -> Option<Self> {
        let reason = judgement
            .reason
            .filter(|reason| matches!(reason, Reason::OauthClientSecretInvalid | Reason::OauthAppDeleted))?;
        let deleted = reason == Reason::OauthAppDeleted && judgement.confidence == Confidence::Stated;
        (judgement.verdict == Verdict::AppBroken).then_some(Self {
            slug,
            witness,
            reason,
            deletion_stated: deleted,
            evidence: &judgement.evidence,
            now,
        })
    }
}

/// What became of a sighting.
#[derive(Clone, Debug, PartialEq)]
pub enum Seen {
    /// It is, or was already, an open incident.
    Open(Box<Incident>),
    /// It was counted as the tail of one that has just ended, or as the word of a witness that others refuted.
    Disbelieved,
}

/// How long after a try the next one may find out whether the incident is over: half a minute at first, an eighth of its
/// age later on, five minutes at most. `age` is the time since it opened.
#[must_use]
pub fn next_try_after(age: Duration) -> Duration {
    (age / 8).clamp(SHORTEST_PAUSE, LONGEST_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_incident_is_tried_every_five_minutes_and_a_young_one_every_half() {
        for (age, pause) in [(0, 30), (240, 30), (248, 31), (2400, 300), (1_000_000, 300)] {
            assert_eq!(next_try_after(Duration::from_secs(age)), Duration::from_secs(pause));
        }
    }

    #[test]
    fn only_what_concerns_the_client_as_a_whole_is_a_sighting() {
        let id = ConnectionId::new(Timestamp::from_millis(0));
        let judged = |verdict, reason, confidence| Judgement {
            verdict,
            reason,
            confidence,
            evidence: Evidence {
                rule: "r".to_owned(),
                words: String::new(),
                status: 401,
            },
        };
        let (stated, inferred) = (Confidence::Stated, Confidence::Inferred);
        let (secret, gone) = (Some(Reason::OauthClientSecretInvalid), Some(Reason::OauthAppDeleted));
        for (verdict, reason, confidence, wanted) in [
            (Verdict::AppBroken, secret, stated, Some(false)),
            (Verdict::AppBroken, gone, inferred, Some(false)),
            (Verdict::AppBroken, gone, stated, Some(true)),
            (Verdict::AppBroken, None, stated, None),
            (Verdict::Transient, secret, stated, None),
            (Verdict::Reauth, Some(Reason::TokenRevoked), stated, None),
        ] {
            let judgement = judged(verdict, reason, confidence);
            let witness = Witness::Connection(&id);
            let seen = Sighting::of("slack", witness, &judgement, Timestamp::from_millis(0));
            assert_eq!(seen.map(|seen| seen.deletion_stated), wanted, "{judgement:?}");
        }
    }
}
