//! The lists' SQL.

use sqlx::{AnyConnection, Row as _};

use super::{After, Filter, Listed, Standing};
use crate::clock::Timestamp;
use crate::connections::look_up::store::named;
use crate::connections::row::{COLUMNS, columns};
use crate::error::Error;
use crate::ids::{AccountId, TenantId};
use crate::reason::Reason;

/// Whose end will come if nobody but us does anything, as `predict.rs` has it: one that each refresh moves comes only while
/// refreshing fails, and one that is flagged has ended.
macro_rules! will_end {
    () => {
        "status = 'active' AND (end_moves = 0 OR trouble_verdict IS NOT NULL)"
    };
}

// Each text leads with the columns of the index that it is for; the rest of the filter is looked at row by row.
macro_rules! page {
    ($lead:expr, $order:expr) => {
        concat!(
            "SELECT ",
            columns!(),
            ", (SELECT a.account_id FROM linked_accounts a WHERE a.tenant = connections.tenant \
             AND a.id = connections.account), expected_end FROM connections WHERE tenant = $1 AND disconnected_at IS NULL AND ",
            $lead,
            " AND ($3 = '' OR slug = $3) AND ($4 = '' OR account = $4) AND ($5 = '' OR status = $5) \
             AND ($6 = 0 OR trouble_verdict IS NOT NULL) AND ($7 = '' OR reason = $7 OR trouble_reason = $7) \
             AND ($8 < 0 OR (expected_end < $8 AND ",
            will_end!(),
            ")) AND $9 >= -1 ORDER BY ",
            $order,
            " LIMIT $10"
        )
    };
}
const ALL: &str = page!("id > $2", "id");
const AILING: &str = page!(
    "(status = 'reauth_required' OR trouble_verdict IS NOT NULL) AND id > $2",
    "id"
);
const OF_APPLICATION: &str = page!("slug = $3 AND id > $2", "id");
// An account has few connections: no other index may look tempting, hence the expressions that match none.
const OF_ACCOUNT: &str = page!("account = $4 AND id || '' > $2", "id");
const ENDING: &str = page!(
    concat!(
        "expected_end < $8 AND ",
        will_end!(),
        " AND (expected_end, id) > ($9, $2)"
    ),
    "expected_end, id"
);
const ENDING_OF_ACCOUNT: &str = page!("account = $4 AND (expected_end + 0, id) > ($9, $2)", "expected_end, id");

/// The query for a filter: the one whose index leaves the fewest rows.
#[must_use]
pub fn text_of(filter: &Filter) -> &'static str {
    let ails =
        filter.reason.is_some() || matches!(filter.standing, Some(Standing::Degraded | Standing::ReauthRequired));
    match (filter.ends_before, &filter.account, &filter.slug) {
        (Some(_), Some(_), _) => ENDING_OF_ACCOUNT,
        (Some(_), None, _) => ENDING,
        (None, Some(_), _) => OF_ACCOUNT,
        (None, None, _) if ails => AILING,
        (None, None, Some(_)) => OF_APPLICATION,
        (None, None, None) => ALL,
    }
}

/// A page of an environment's live connections.
pub async fn list(
    conn: &mut AnyConnection,
    tenant: &TenantId,
    filter: &Filter,
    limit: u16,
) -> Result<Vec<Listed>, Error> {
    let status = filter.standing.map_or("", |standing| match standing {
        Standing::Active | Standing::Degraded => "active",
        Standing::ReauthRequired => "reauth_required",
    });
    let after = filter.after.as_ref();
    let rows = sqlx::query(text_of(filter))
        .bind(tenant.as_str())
        .bind(after.map_or("", |after| after.id.as_str()))
        .bind(filter.slug.as_deref().unwrap_or_default())
        .bind(filter.account.as_ref().map_or("", AccountId::as_str))
        .bind(status)
        .bind(i64::from(filter.standing == Some(Standing::Degraded)))
        .bind(filter.reason.map_or("", Reason::as_str))
        .bind(filter.ends_before.map_or(-1, Timestamp::as_millis))
        .bind(after.and_then(|after| after.ends).map_or(-1, Timestamp::as_millis))
        .bind(i64::from(limit))
        .fetch_all(conn)
        .await?;
    rows.iter()
        .map(|row| {
            let named = named(row)?;
            let ends: Option<i64> = row.try_get(COLUMNS + 1)?;
            let ordered = filter.ends_before.and(ends);
            let place = After {
                ends: ordered.map(Timestamp::from_millis),
                id: named.connection.id.to_string(),
            };
            Ok(Listed { named, place })
        })
        .collect()
}
