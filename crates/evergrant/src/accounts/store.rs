//! The linked accounts' SQL.

use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row as _};

use super::model::{DefaultApp, Field, FieldFilter, LinkedAccount, Page};
use super::spelling::is_account_id;
use crate::clock::Timestamp;
use crate::error::Error;
use crate::ids::{AccountId, RowId, TenantId};
use crate::vault::Sealed;

const INSERT: &str = "INSERT INTO linked_accounts (id, tenant, account_id, name, version, created_at, updated_at) \
    VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (tenant, account_id) DO NOTHING";

/// Adds an account; says `false` when its `account_id` is taken.
pub async fn insert(conn: &mut AnyConnection, tenant: &TenantId, account: &LinkedAccount) -> Result<bool, Error> {
    let done = sqlx::query(INSERT)
        .bind(account.id.as_str())
        .bind(tenant.as_str())
        .bind(&account.account_id)
        .bind(account.name.as_deref())
        .bind(account.version)
        .bind(account.created_at.as_millis())
        .bind(account.updated_at.as_millis())
        .execute(conn)
        .await?;
    Ok(done.rows_affected() == 1)
}

const FIND: &str = "SELECT id, account_id, name, version, created_at, updated_at FROM linked_accounts \
    WHERE tenant = $1 AND account_id = $2";

/// The account with the caller's own id.
pub async fn find(
    conn: &mut AnyConnection,
    tenant: &TenantId,
    account_id: &str,
) -> Result<Option<LinkedAccount>, Error> {
    if !is_account_id(account_id) {
        return Ok(None);
    }
    let row = sqlx::query(FIND)
        .bind(tenant.as_str())
        .bind(account_id)
        .fetch_optional(conn)
        .await?;
    row.as_ref().map(account).transpose()
}

const GET: &str = "SELECT id, account_id, name, version, created_at, updated_at FROM linked_accounts \
    WHERE tenant = $1 AND id = $2";

/// The account with our id.
pub async fn get(conn: &mut AnyConnection, tenant: &TenantId, id: &AccountId) -> Result<Option<LinkedAccount>, Error> {
    let row = sqlx::query(GET)
        .bind(tenant.as_str())
        .bind(id.as_str())
        .fetch_optional(conn)
        .await?;
    row.as_ref().map(account).transpose()
}

const TOUCH: &str = "UPDATE linked_accounts SET name = COALESCE($1, name), version = version + 1, updated_at = $2 \
    WHERE tenant = $3 AND account_id = $4 RETURNING id, account_id, name, version, created_at, updated_at";

/// Counts a change of an account, with a new name where one is given. It comes first in every transaction that
/// changes what belongs to the account: on PostgreSQL its row lock makes such changes take turns.
pub async fn touch(
    conn: &mut AnyConnection,
    tenant: &TenantId,
    change: (&str, Option<&str>),
    now: Timestamp,
) -> Result<Option<LinkedAccount>, Error> {
    let (account_id, name) = change;
    let row = sqlx::query(TOUCH)
        .bind(name)
        .bind(now.as_millis())
        .bind(tenant.as_str())
        .bind(account_id)
        .fetch_optional(conn)
        .await?;
    row.as_ref().map(account).transpose()
}

const HOLD: &str = "UPDATE linked_accounts SET version = version WHERE tenant = $1 AND id = $2";

/// Takes an account for the rest of the transaction, so that it cannot be deleted meanwhile; says whether it is there.
pub async fn hold(conn: &mut AnyConnection, tenant: &TenantId, id: &AccountId) -> Result<bool, Error> {
    let done = sqlx::query(HOLD)
        .bind(tenant.as_str())
        .bind(id.as_str())
        .execute(conn)
        .await?;
    Ok(done.rows_affected() == 1)
}

const DELETE: &str = "DELETE FROM linked_accounts WHERE tenant = $1 AND id = $2";

/// Removes an account with its fields, default app and session tokens; says whether it was there.
pub async fn delete(conn: &mut AnyConnection, tenant: &TenantId, id: &AccountId) -> Result<bool, Error> {
    let done = sqlx::query(DELETE)
        .bind(tenant.as_str())
        .bind(id.as_str())
        .execute(conn)
        .await?;
    Ok(done.rows_affected() == 1)
}

fn account(row: &AnyRow) -> Result<LinkedAccount, Error> {
    Ok(LinkedAccount {
        id: AccountId::trusted(row.try_get(0)?),
        account_id: row.try_get(1)?,
        name: row.try_get(2)?,
        version: row.try_get(3)?,
        created_at: Timestamp::from_millis(row.try_get(4)?),
        updated_at: Timestamp::from_millis(row.try_get(5)?),
    })
}

/// Which accounts a list shows; `$2` to `$4` are [`Wanted`].
macro_rules! matching {
    () => {
        "FROM linked_accounts a WHERE a.tenant = $1 AND (($2 = '' AND $3 = '') OR EXISTS \
            (SELECT 1 FROM account_fields w WHERE w.tenant = a.tenant AND w.account = a.id \
                AND ($2 = '' OR w.key_name = $2) AND ($3 = '' OR w.key_value IN ($3, $4))))"
    };
}

/// A filter as the statements take it: empty texts do not filter, and no name and no stored value is empty.
struct Wanted {
    name: String,
    as_text: String,
    as_written: String,
}

impl Wanted {
    /// `None` where nothing can match: PostgreSQL refuses to look for a NUL.
    fn of(filter: &FieldFilter) -> Option<Self> {
        let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        let (name, value) = (given(&filter.name), given(&filter.value));
        let nul = [&name, &value].into_iter().flatten().any(|text| text.contains('\0'));
        (!nul).then(|| Self {
            name: name.unwrap_or_default(),
            as_text: value
                .clone()
                .map(|text| serde_json::Value::from(text).to_string())
                .unwrap_or_default(),
            as_written: value.unwrap_or_default(),
        })
    }
}

const COUNT: &str = concat!("SELECT COUNT(*) ", matching!());

/// How many accounts match.
pub async fn count(conn: &mut AnyConnection, tenant: &TenantId, filter: &FieldFilter) -> Result<u64, Error> {
    let Some(wanted) = Wanted::of(filter) else { return Ok(0) };
    let row = sqlx::query(COUNT)
        .bind(tenant.as_str())
        .bind(wanted.name)
        .bind(wanted.as_text)
        .bind(wanted.as_written)
        .fetch_one(conn)
        .await?;
    Ok(u64::try_from(row.try_get::<i64, _>(0)?).unwrap_or(0))
}

const PAGE: &str = concat!(
    "SELECT a.id, a.account_id, a.name, a.version, a.created_at, a.updated_at ",
    matching!(),
    " ORDER BY a.id LIMIT $5 OFFSET $6"
);

/// One page of the accounts that match, the oldest first.
pub async fn page(
    conn: &mut AnyConnection,
    tenant: &TenantId,
    filter: &FieldFilter,
    page: Page,
) -> Result<Vec<LinkedAccount>, Error> {
    let rows = rows_of_page(conn, PAGE, (tenant, filter, page)).await?;
    rows.iter().map(account).collect()
}

const FIELDS_OF_PAGE: &str = concat!(
    "SELECT id, key_name, key_value, created_at, updated_at, account FROM account_fields \
    WHERE tenant = $1 AND account IN (SELECT a.id ",
    matching!(),
    " ORDER BY a.id LIMIT $5 OFFSET $6) ORDER BY created_at, key_name"
);

/// The fields of the accounts that [`page`] shows, each with its account.
pub async fn fields_of_page(
    conn: &mut AnyConnection,
    tenant: &TenantId,
    filter: &FieldFilter,
    page: Page,
) -> Result<Vec<(AccountId, Field)>, Error> {
    let rows = rows_of_page(conn, FIELDS_OF_PAGE, (tenant, filter, page)).await?;
    rows.iter()
        .map(|row| Ok((AccountId::trusted(row.try_get(5)?), field(row)?)))
        .collect()
}

const DEFAULT_APPS_OF_PAGE: &str = concat!(
    "SELECT id, app_id, sealed_credentials, created_at, updated_at, account FROM default_apps \
    WHERE tenant = $1 AND account IN (SELECT a.id ",
    matching!(),
    " ORDER BY a.id LIMIT $5 OFFSET $6)"
);

/// The default apps of the accounts that [`page`] shows, each with its account.
pub async fn default_apps_of_page(
    conn: &mut AnyConnection,
    tenant: &TenantId,
    filter: &FieldFilter,
    page: Page,
) -> Result<Vec<(AccountId, DefaultApp)>, Error> {
    let rows = rows_of_page(conn, DEFAULT_APPS_OF_PAGE, (tenant, filter, page)).await?;
    rows.iter()
        .map(|row| Ok((AccountId::trusted(row.try_get(5)?), default_app_row(row)?)))
        .collect()
}

async fn rows_of_page(
    conn: &mut AnyConnection,
    statement: &'static str,
    (tenant, filter, page): (&TenantId, &FieldFilter, Page),
) -> Result<Vec<AnyRow>, Error> {
    let Some(wanted) = Wanted::of(filter) else {
        return Ok(Vec::new());
    };
    Ok(sqlx::query(statement)
        .bind(tenant.as_str())
        .bind(wanted.name)
        .bind(wanted.as_text)
        .bind(wanted.as_written)
        .bind(i64::from(page.size))
        .bind(page.offset())
        .fetch_all(conn)
        .await?)
}

const FIELDS: &str = "SELECT id, key_name, key_value, created_at, updated_at FROM account_fields \
    WHERE tenant = $1 AND account = $2 ORDER BY created_at, key_name";

/// The fields of one account, the oldest first.
pub async fn fields(conn: &mut AnyConnection, tenant: &TenantId, account: &AccountId) -> Result<Vec<Field>, Error> {
    let rows = sqlx::query(FIELDS)
        .bind(tenant.as_str())
        .bind(account.as_str())
        .fetch_all(conn)
        .await?;
    rows.iter().map(field).collect()
}

fn field(row: &AnyRow) -> Result<Field, Error> {
    let id: String = row.try_get(0)?;
    let text: String = row.try_get(2)?;
    let value = serde_json::from_str(&text).map_err(|_| Error::Corrupt {
        table: "account_fields",
        id: id.clone(),
    })?;
    Ok(Field {
        id: RowId::trusted(id),
        key: row.try_get(1)?,
        value,
        created_at: Timestamp::from_millis(row.try_get(3)?),
        updated_at: Timestamp::from_millis(row.try_get(4)?),
    })
}

const PUT_FIELD: &str = "INSERT INTO account_fields (id, tenant, account, key_name, key_value, created_at, updated_at) \
    VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (tenant, account, key_name) \
    DO UPDATE SET key_value = excluded.key_value, updated_at = excluded.updated_at";

/// Sets a field; one of that key keeps its id and age.
pub async fn put_field(
    conn: &mut AnyConnection,
    tenant: &TenantId,
    account: &AccountId,
    field: &Field,
) -> Result<(), Error> {
    sqlx::query(PUT_FIELD)
        .bind(field.id.as_str())
        .bind(tenant.as_str())
        .bind(account.as_str())
        .bind(&field.key)
        .bind(field.value.to_string())
        .bind(field.created_at.as_millis())
        .bind(field.updated_at.as_millis())
        .execute(conn)
        .await?;
    Ok(())
}

const DELETE_FIELD: &str = "DELETE FROM account_fields WHERE tenant = $1 AND account = $2 AND key_name = $3";

/// Removes a field, if it is there.
pub async fn delete_field(
    conn: &mut AnyConnection,
    tenant: &TenantId,
    account: &AccountId,
    key: &str,
) -> Result<(), Error> {
    sqlx::query(DELETE_FIELD)
        .bind(tenant.as_str())
        .bind(account.as_str())
        .bind(key)
        .execute(conn)
        .await?;
    Ok(())
}

const DEFAULT_APP: &str = "SELECT id, app_id, sealed_credentials, created_at, updated_at FROM default_apps \
    WHERE tenant = $1 AND account = $2";

/// The default app of an account.
pub async fn default_app(
    conn: &mut AnyConnection,
    tenant: &TenantId,
    account: &AccountId,
) -> Result<Option<DefaultApp>, Error> {
    let row = sqlx::query(DEFAULT_APP)
        .bind(tenant.as_str())
        .bind(account.as_str())
        .fetch_optional(conn)
        .await?;
    row.as_ref().map(default_app_row).transpose()
}

fn default_app_row(row: &AnyRow) -> Result<DefaultApp, Error> {
    Ok(DefaultApp {
        id: RowId::trusted(row.try_get(0)?),
        app_id: row.try_get(1)?,
        sealed: Sealed::from_bytes(row.try_get(2)?),
        created_at: Timestamp::from_millis(row.try_get(3)?),
        updated_at: Timestamp::from_millis(row.try_get(4)?),
    })
}

const PUT_DEFAULT_APP: &str = "INSERT INTO default_apps \
    (id, tenant, account, app_id, sealed_credentials, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7) \
    ON CONFLICT (id) DO UPDATE SET app_id = excluded.app_id, \
    sealed_credentials = excluded.sealed_credentials, updated_at = excluded.updated_at";

/// Adds or replaces a default app. The sealed map is bound to the row's id, so that a second one for the same
/// account is a duplicate, not a replacement.
pub async fn put_default_app(
    conn: &mut AnyConnection,
    tenant: &TenantId,
    account: &AccountId,
    app: &DefaultApp,
) -> Result<(), Error> {
    sqlx::query(PUT_DEFAULT_APP)
        .bind(app.id.as_str())
        .bind(tenant.as_str())
        .bind(account.as_str())
        .bind(app.app_id.as_deref())
        .bind(app.sealed.as_bytes())
        .bind(app.created_at.as_millis())
        .bind(app.updated_at.as_millis())
        .execute(conn)
        .await?;
    Ok(())
}
