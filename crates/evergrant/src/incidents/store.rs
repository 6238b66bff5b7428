//! The incidents' SQL.

use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row as _};

use super::model::{ClosedBy, Closing, DISBELIEF, Incident, QUIET, Sighting, Witness, next_try_after};
use crate::clock::Timestamp;
use crate::error::Error;
use crate::ids::{IncidentId, TenantId};
use crate::reason::Reason;

macro_rules! columns {
    () => {
        "id, tenant, slug, reason, evidence, observations, opened_at, last_seen_at, confirmed_at, deleted_at, \
         next_try_at, closed_at, closed_by"
    };
}

const DISBELIEVED: &str = "SELECT id FROM incidents WHERE tenant = $1 AND slug = $2 AND closed_by = 'works_again' \
    AND (closed_at > $3 OR (refuted = 1 AND witness = $4 AND closed_at > $5)) LIMIT 1";

/// Whether a sighting is the tail of an incident that has just ended, or the word of a witness that others refuted.
pub async fn is_disbelieved(conn: &mut AnyConnection, tenant: &TenantId, seen: &Sighting<'_>) -> Result<bool, Error> {
    let row = sqlx::query(DISBELIEVED)
        .bind(tenant.as_str())
        .bind(seen.slug)
        .bind(seen.now.before(QUIET).as_millis())
        .bind(seen.witness.as_str())
        .bind(seen.now.before(DISBELIEF).as_millis())
        .fetch_optional(conn)
        .await?;
    Ok(row.is_some())
}

const OPEN: &str = concat!(
    "INSERT INTO incidents (id, tenant, slug, reason, evidence, witness, observations, opened_at, last_seen_at, \
       stated_by, deleted_at, next_try_at, refuted) \
     VALUES ($1, $2, $3, $4, $5, $6, 1, $7, $7, $8, $9, $10, 0) ON CONFLICT DO NOTHING RETURNING ",
    columns!()
);

/// Opens an incident, unless one is open: the partial index decides among those who see it at the same moment.
pub async fn open(conn: &mut AnyConnection, tenant: &TenantId, seen: &Sighting<'_>) -> Result<Option<Incident>, Error> {
    let row = sqlx::query(OPEN)
        .bind(IncidentId::new(seen.now).as_str())
        .bind(tenant.as_str())
        .bind(seen.slug)
        .bind(seen.reason.as_str())
        .bind(serde_json::to_string(seen.evidence).unwrap_or_default())
        .bind(seen.witness.as_str())
        .bind(seen.now.as_millis())
        .bind(seen.deletion_stated.then(|| seen.witness.as_str()))
        .bind(is_the_teams_word(seen).then(|| seen.now.as_millis()))
        .bind(first_try(seen).as_millis())
        .fetch_optional(conn)
        .await?;
    row.as_ref().map(incident).transpose()
}

/// A customer's browser may say anything, so that its word alone holds nobody back.
fn first_try(seen: &Sighting<'_>) -> Timestamp {
    match seen.witness {
        Witness::Consent => seen.now,
        Witness::Connection(_) | Witness::Probe | Witness::Team => {
            seen.now.after(next_try_after(std::time::Duration::ZERO))
        }
    }
}

fn is_the_teams_word(seen: &Sighting<'_>) -> bool {
    seen.deletion_stated && matches!(seen.witness, Witness::Team)
}

// A statement becomes a fact when a second witness hears it, or when it is the team's own ($6).
const SEE_AGAIN: &str = concat!(
    "UPDATE incidents SET observations = observations + 1, last_seen_at = $1, \
       confirmed_at = COALESCE(confirmed_at, CASE WHEN witness <> $4 THEN $1 END), \
       reason = CASE WHEN $5 = 1 THEN 'oauth_app_deleted' ELSE reason END, \
       deleted_at = COALESCE(deleted_at, CASE WHEN $6 = 1 OR ($5 = 1 AND stated_by <> $4) THEN $1 END), \
       stated_by = COALESCE(stated_by, CASE WHEN $5 = 1 THEN $4 END) \
     WHERE tenant = $2 AND slug = $3 AND closed_at IS NULL RETURNING ",
    columns!()
);

/// Adds a sighting to the open incident, if there is one.
pub async fn see_again(
    conn: &mut AnyConnection,
    tenant: &TenantId,
    seen: &Sighting<'_>,
) -> Result<Option<Incident>, Error> {
    let row = sqlx::query(SEE_AGAIN)
        .bind(seen.now.as_millis())
        .bind(tenant.as_str())
        .bind(seen.slug)
        .bind(seen.witness.as_str())
        .bind(i64::from(seen.deletion_stated))
        .bind(i64::from(is_the_teams_word(seen)))
        .fetch_optional(conn)
        .await?;
    row.as_ref().map(incident).transpose()
}

const CLOSE: &str = concat!(
    "UPDATE incidents SET closed_at = $1, closed_by = $2, \
       refuted = CASE WHEN confirmed_at IS NULL AND witness <> $5 THEN 1 ELSE 0 END \
     WHERE tenant = $3 AND slug = $4 AND closed_at IS NULL RETURNING ",
    columns!()
);

/// Closes the open incident of an application, if there is one, and returns it. `witness` is who found the client working.
pub async fn close(
    conn: &mut AnyConnection,
    tenant: &TenantId,
    (slug, witness): (&str, Witness<'_>),
    closing: Closing,
) -> Result<Option<Incident>, Error> {
    let row = sqlx::query(CLOSE)
        .bind(closing.at.as_millis())
        .bind(closing.by.as_str())
        .bind(tenant.as_str())
        .bind(slug)
        .bind(witness.as_str())
        .fetch_optional(conn)
        .await?;
    row.as_ref().map(incident).transpose()
}

const FIND_OPEN: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM incidents WHERE tenant = $1 AND slug = $2 AND closed_at IS NULL"
);

/// The open incident of an application.
pub async fn find_open(conn: &mut AnyConnection, tenant: &TenantId, slug: &str) -> Result<Option<Incident>, Error> {
    let row = sqlx::query(FIND_OPEN)
        .bind(tenant.as_str())
        .bind(slug)
        .fetch_optional(conn)
        .await?;
    row.as_ref().map(incident).transpose()
}

const CLAIM_TRY: &str = "UPDATE incidents SET next_try_at = $1 WHERE tenant = $2 AND id = $3 AND next_try_at <= $4";

/// Takes the right to find out whether an incident is over; says whether nobody else had.
pub async fn claim_try(
    conn: &mut AnyConnection,
    incident: &Incident,
    (now, next): (Timestamp, Timestamp),
) -> Result<bool, Error> {
    let done = sqlx::query(CLAIM_TRY)
        .bind(next.as_millis())
        .bind(incident.tenant.as_str())
        .bind(incident.id.as_str())
        .bind(now.as_millis())
        .execute(conn)
        .await?;
    Ok(done.rows_affected() == 1)
}

const TRY_NOW: &str =
    "UPDATE incidents SET next_try_at = $1 WHERE tenant = $2 AND slug = $3 AND closed_at IS NULL AND next_try_at > $1";

/// Lets the next refresh find out at once: the team has mended something.
pub async fn try_now(conn: &mut AnyConnection, tenant: &TenantId, slug: &str, now: Timestamp) -> Result<(), Error> {
    sqlx::query(TRY_NOW)
        .bind(now.as_millis())
        .bind(tenant.as_str())
        .bind(slug)
        .execute(conn)
        .await?;
    Ok(())
}

const GET: &str = concat!("SELECT ", columns!(), " FROM incidents WHERE tenant = $1 AND id = $2");

/// One incident.
pub async fn get(conn: &mut AnyConnection, tenant: &TenantId, id: &IncidentId) -> Result<Option<Incident>, Error> {
    let row = sqlx::query(GET)
        .bind(tenant.as_str())
        .bind(id.as_str())
        .fetch_optional(conn)
        .await?;
    row.as_ref().map(incident).transpose()
}

const LIST: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM incidents WHERE tenant = $1 AND ($2 = 0 OR closed_at IS NULL) ORDER BY opened_at DESC, id DESC LIMIT 100"
);

/// The newest hundred incidents of an environment, the newest first.
pub async fn list(conn: &mut AnyConnection, tenant: &TenantId, open_only: bool) -> Result<Vec<Incident>, Error> {
    let rows = sqlx::query(LIST)
        .bind(tenant.as_str())
        .bind(i64::from(open_only))
        .fetch_all(conn)
        .await?;
    rows.iter().map(incident).collect()
}

const PURGE: &str = "DELETE FROM incidents WHERE closed_at < $1";

/// Removes incidents that were closed before `before`, over all tenants.
pub async fn purge_of_all_tenants(conn: &mut AnyConnection, before: Timestamp) -> Result<u64, Error> {
    Ok(sqlx::query(PURGE)
        .bind(before.as_millis())
        .execute(conn)
        .await?
        .rows_affected())
}

fn incident(row: &AnyRow) -> Result<Incident, Error> {
    let id: String = row.try_get(0)?;
    let corrupt = || Error::Corrupt {
        table: "incidents",
        id: id.clone(),
    };
    let time = |at: usize| Ok::<_, Error>(row.try_get::<Option<i64>, _>(at)?.map(Timestamp::from_millis));
    let must = |at: usize| Ok::<_, Error>(Timestamp::from_millis(row.try_get(at)?));
    let (reason, evidence): (String, String) = (row.try_get(3)?, row.try_get(4)?);
    let closing = match (time(11)?, row.try_get::<Option<String>, _>(12)?) {
        (Some(at), Some(by)) => Some(Closing {
            at,
            by: ClosedBy::parse(&by).ok_or_else(corrupt)?,
        }),
        (None, None) => None,
        _ => return Err(corrupt()),
    };
    Ok(Incident {
        id: IncidentId::trusted(id.clone()),
        tenant: TenantId::trusted(row.try_get(1)?),
        slug: row.try_get(2)?,
        reason: Reason::parse(&reason).ok_or_else(corrupt)?,
        evidence: serde_json::from_str(&evidence).map_err(|_| corrupt())?,
        observations: row.try_get(5)?,
        opened_at: must(6)?,
        last_seen_at: must(7)?,
        confirmed_at: time(8)?,
        deleted_at: time(9)?,
        next_try_at: must(10)?,
        closing,
    })
}
