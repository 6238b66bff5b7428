//! Rows as connections: the one place that knows the columns' order.

use std::time::Duration;

use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::model::{Connection, ConnectionStatus, EndBasis, Expected, Flag, Schedule, Trouble};
use super::store::TimelineEntry;
use crate::catalog::AuthType;
use crate::clock::Timestamp;
use crate::error::Error;
use crate::ids::{AccountId, ConnectionId, TenantId};
use crate::reason::{Confidence, Reason, Verdict};
use crate::vault::Sealed;
use crate::verdict::Evidence;

/// Every column that makes a [`Connection`], in the order in which [`connection`] reads them.
macro_rules! columns {
    () => {
        "id, tenant, account, slug, auth_type, status, reason, since, confidence, evidence, trouble_verdict, \
         trouble_reason, trouble_since, failures, identifier, version, fence, sealed_credential, has_refresh_token, \
         issued_at, expires_at, refresh_issued_at, refresh_expires_at, due_at, last_ok_at, reply_lost_at, \
         connected_at, created_at, updated_at, disconnected_at, \
         retry_wait, expected_end, end_basis, end_moves, tell_at, told_end"
    };
}
pub(crate) use columns;

/// How many they are; what a query selects besides stands behind them.
pub(super) const COLUMNS: usize = count(columns!());

const fn count(columns: &str) -> usize {
    let (bytes, mut at, mut count) = (columns.as_bytes(), 0, 1);
    while at < bytes.len() {
        if bytes[at] == b',' {
            count += 1;
        }
        at += 1;
    }
    count
}

pub(super) fn evidence_text(evidence: &Evidence) -> String {
    serde_json::to_string(evidence).unwrap_or_default()
}

pub(super) fn timeline_entry(row: &AnyRow, id: &ConnectionId) -> Result<TimelineEntry, Error> {
    let text = |at: usize| row.try_get::<Option<String>, _>(at);
    let corrupt = || Error::Corrupt {
        table: "timeline",
        id: id.to_string(),
    };
    Ok(TimelineEntry {
        at: Timestamp::from_millis(row.try_get(0)?),
        kind: row.try_get(1)?,
        verdict: text(2)?
            .map(|word| Verdict::parse(&word).ok_or_else(corrupt))
            .transpose()?,
        reason: text(3)?
            .map(|word| Reason::parse(&word).ok_or_else(corrupt))
            .transpose()?,
        confidence: text(4)?
            .map(|word| Confidence::parse(&word).ok_or_else(corrupt))
            .transpose()?,
        evidence: text(5)?.and_then(|text| serde_json::from_str(&text).ok()),
    })
}

/// A row of [`columns`] as a connection; one which makes no sense is [`Error::Corrupt`].
pub(crate) fn connection(row: &AnyRow) -> Result<Connection, Error> {
    let id: String = row.try_get(0)?;
    let corrupt = || Error::Corrupt {
        table: "connections",
        id: id.clone(),
    };
    let text = |at: usize| row.try_get::<Option<String>, _>(at);
    let time = |at: usize| Ok::<_, Error>(row.try_get::<Option<i64>, _>(at)?.map(Timestamp::from_millis));
    let must = |at: usize| Ok::<_, Error>(Timestamp::from_millis(row.try_get(at)?));
    let auth_type: String = row.try_get(4)?;
    Ok(Connection {
        id: ConnectionId::trusted(id.clone()),
        tenant: TenantId::trusted(row.try_get(1)?),
        account: AccountId::trusted(row.try_get(2)?),
        slug: row.try_get(3)?,
        auth_type: AuthType::parse(&auth_type).ok_or_else(corrupt)?,
        status: status(row)?.ok_or_else(corrupt)?,
        trouble: match (text(10)?, time(12)?) {
            (Some(verdict), Some(since)) => Some(Trouble {
                verdict: Verdict::parse(&verdict).ok_or_else(corrupt)?,
                reason: text(11)?
                    .map(|word| Reason::parse(&word).ok_or_else(corrupt))
                    .transpose()?,
                since,
            }),
            _ => None,
        },
        failures: u32::try_from(row.try_get::<i64, _>(13)?).map_err(|_| corrupt())?,
        identifier: text(14)?
            .map(|text| serde_json::from_str(&text).map_err(|_| corrupt()))
            .transpose()?,
        version: row.try_get(15)?,
        fence: row.try_get(16)?,
        sealed: row.try_get::<Option<Vec<u8>>, _>(17)?.map(Sealed::from_bytes),
        schedule: Schedule {
            has_refresh_token: row.try_get::<i64, _>(18)? == 1,
            issued_at: time(19)?,
            expires_at: time(20)?,
            refresh_issued_at: time(21)?,
            refresh_expires_at: time(22)?,
            due_at: time(23)?,
            retry_wait: (row.try_get::<Option<i64>, _>(30)?)
                .map(|wait| u64::try_from(wait).map(Duration::from_millis).map_err(|_| corrupt()))
                .transpose()?,
            expected: Expected {
                end: time(31)?,
                basis: EndBasis::parse(&row.try_get::<String, _>(32)?).ok_or_else(corrupt)?,
                moves: row.try_get::<i64, _>(33)? == 1,
            },
            tell_at: time(34)?,
            told_end: time(35)?,
        },
        last_ok_at: time(24)?,
        reply_lost_at: time(25)?,
        connected_at: must(26)?,
        created_at: must(27)?,
        updated_at: must(28)?,
    })
}

fn status(row: &AnyRow) -> Result<Option<ConnectionStatus>, Error> {
    let word: String = row.try_get(5)?;
    let text = |at: usize| row.try_get::<Option<String>, _>(at);
    let flag = || -> Result<Option<Flag>, Error> {
        let parts = (text(6)?, row.try_get::<Option<i64>, _>(7)?, text(8)?, text(9)?);
        let (Some(reason), Some(since), Some(confidence), Some(evidence)) = parts else {
            return Ok(None);
        };
        let Some(reason) = Reason::parse(&reason) else {
            return Ok(None);
        };
        let Some(confidence) = Confidence::parse(&confidence) else {
            return Ok(None);
        };
        let Ok(evidence) = serde_json::from_str(&evidence) else {
            return Ok(None);
        };
        Ok(Some(Flag {
            reason,
            since: Timestamp::from_millis(since),
            confidence,
            evidence,
        }))
    };
    Ok(match word.as_str() {
        "active" => Some(ConnectionStatus::Active),
        "reauth_required" => flag()?.map(ConnectionStatus::ReauthRequired),
        "disconnected" => row
            .try_get::<Option<i64>, _>(29)?
            .map(|at| ConnectionStatus::Disconnected {
                at: Timestamp::from_millis(at),
            }),
        _ => None,
    })
}
