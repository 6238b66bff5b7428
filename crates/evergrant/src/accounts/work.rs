//! What is done with linked accounts.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use super::model::{
    Change, DefaultApp, Field, FieldFilter, LinkedAccount, MAX_CREDENTIALS, MAX_FIELDS, NewDefaultApp, Page, Record,
    check_credential_name, too_many_credentials, too_many_fields,
};
use super::spelling::unmistakable;
use super::store;
use crate::app::App;
use crate::clock::Timestamp;
use crate::db::Tx;
use crate::error::Error;
use crate::ids::{AccountId, RowId};
use crate::secret::Secret;
use crate::tenants::{self, Tenant};
use crate::vault::{Place, Sealed, Sealer};

/// The account with the caller's own id. One that could be taken for another's is not looked for.
pub async fn find(app: &App, tenant: &Tenant, account_id: &str) -> Result<LinkedAccount, Error> {
    unmistakable(account_id)?;
    store::find(&mut *app.db.read().await?, &tenant.id, account_id)
        .await?
        .ok_or_else(|| unknown(tenant, account_id))
}

/// Takes an account for the rest of the transaction; that it has been deleted since it was found is the caller's to be told.
pub async fn hold(tx: &mut Tx, tenant: &Tenant, account: &LinkedAccount) -> Result<(), Error> {
    if store::hold(tx, &tenant.id, &account.id).await? {
        Ok(())
    } else {
        Err(unknown(tenant, &account.account_id))
    }
}

/// An account's document.
pub async fn record(app: &App, tenant: &Tenant, account: LinkedAccount) -> Result<Record, Error> {
    let mut conn = app.db.read().await?;
    Ok(Record {
        fields: store::fields(&mut conn, &tenant.id, &account.id).await?,
        default_app: store::default_app(&mut conn, &tenant.id, &account.id).await?,
        account,
    })
}

/// One page of the accounts that match, the oldest first, and how many match in all.
pub async fn list(app: &App, tenant: &Tenant, filter: &FieldFilter, page: Page) -> Result<(Vec<Record>, u64), Error> {
    let mut conn = app.db.read().await?;
    let total = store::count(&mut conn, &tenant.id, filter).await?;
    let found = store::page(&mut conn, &tenant.id, filter, page).await?;
    let mut fields: HashMap<AccountId, Vec<Field>> = HashMap::new();
    for (account, field) in store::fields_of_page(&mut conn, &tenant.id, filter, page).await? {
        fields.entry(account).or_default().push(field);
    }
    let apps = store::default_apps_of_page(&mut conn, &tenant.id, filter, page).await?;
    let mut apps: HashMap<AccountId, DefaultApp> = apps.into_iter().collect();
    let records = found.into_iter().map(|account| Record {
        fields: fields.remove(&account.id).unwrap_or_default(),
        default_app: apps.remove(&account.id),
        account,
    });
    Ok((records.collect(), total))
}

/// Creates an account; a taken id is a mistake of the caller.
pub async fn create(app: &App, tenant: &Tenant, change: &Change) -> Result<Record, Error> {
    let sealer = tenants::sealer(app, tenant).await?;
    let mut tx = app.db.begin().await?;
    let Some(account) = insert(&mut tx, tenant, change, app.now()).await? else {
        return Err(Error::invalid(format!(
            "Linked account with id {} already exists in the {} environment",
            change.account_id(),
            tenant.environment
        )));
    };
    finish(tx, (&sealer, tenant), account, change, app.now()).await
}

/// Changes an account, or creates it; says whether it is new.
pub async fn upsert(app: &App, tenant: &Tenant, change: &Change) -> Result<(Record, bool), Error> {
    let sealer = tenants::sealer(app, tenant).await?;
    let now = app.now();
    let mut tx = app.db.begin().await?;
    if let Some(account) = insert(&mut tx, tenant, change, now).await? {
        return Ok((finish(tx, (&sealer, tenant), account, change, now).await?, true));
    }
    let touched = store::touch(&mut tx, &tenant.id, (change.account_id(), change.name()), now).await?;
    let account = touched.ok_or_else(|| unknown(tenant, change.account_id()))?;
    Ok((finish(tx, (&sealer, tenant), account, change, now).await?, false))
}

async fn insert(tx: &mut Tx, tenant: &Tenant, change: &Change, now: Timestamp) -> Result<Option<LinkedAccount>, Error> {
    let account = LinkedAccount {
        id: AccountId::new(now),
        account_id: change.account_id().to_owned(),
        name: change.name().map(str::to_owned),
        version: 0,
        created_at: now,
        updated_at: now,
    };
    let new = store::insert(tx, &tenant.id, &account).await?;
    Ok(new.then_some(account))
}

async fn finish(
    mut tx: Tx,
    (sealer, tenant): (&Sealer, &Tenant),
    account: LinkedAccount,
    change: &Change,
    now: Timestamp,
) -> Result<Record, Error> {
    for (key, value) in change.fields() {
        match value {
            Some(value) => {
                let field = new_field(key, value, now);
                store::put_field(&mut tx, &tenant.id, &account.id, &field).await?;
            }
            None => store::delete_field(&mut tx, &tenant.id, &account.id, key).await?,
        }
    }
    if let Some(wanted) = change.default_app() {
        let old = store::default_app(&mut tx, &tenant.id, &account.id).await?;
        let new = seal_app(sealer, old, wanted, now);
        store::put_default_app(&mut tx, &tenant.id, &account.id, &new).await?;
    }
    let record = Record {
        fields: store::fields(&mut tx, &tenant.id, &account.id).await?,
        default_app: store::default_app(&mut tx, &tenant.id, &account.id).await?,
        account,
    };
    if record.fields.len() > MAX_FIELDS {
        return Err(too_many_fields());
    }
    tx.commit().await?;
    Ok(record)
}

fn new_field(key: &str, value: &Value, now: Timestamp) -> Field {
    Field {
        id: RowId::new(now),
        key: key.to_owned(),
        value: value.clone(),
        created_at: now,
        updated_at: now,
    }
}

fn seal_app(sealer: &Sealer, old: Option<DefaultApp>, wanted: &NewDefaultApp, now: Timestamp) -> DefaultApp {
    let (id, created_at, app_id) = old.map_or_else(
        || (RowId::new(now), now, None),
        |old| (old.id, old.created_at, old.app_id),
    );
    let credentials = wanted
        .credentials
        .iter()
        .map(|(name, value)| (name.clone(), value.clone()));
    DefaultApp {
        sealed: seal(sealer, &id, &credentials.collect()),
        id,
        app_id: wanted.app_id.clone().or(app_id),
        created_at,
        updated_at: now,
    }
}

/// Deletes an account with its fields, default app and session tokens, within the caller's transaction, which has ended
/// its connections before.
pub async fn delete(
    tx: &mut Tx,
    tenant: &Tenant,
    account: &LinkedAccount,
    (by, now): (&str, Timestamp),
) -> Result<(), Error> {
    if !store::delete(tx, &tenant.id, &account.id).await? {
        return Err(unknown(tenant, &account.account_id));
    }
    tenants::store::audit(tx, &tenant.id, (by, "account.delete", account.id.as_str()), now).await
}

/// Sets one credential of the default app; says whether it is new.
pub async fn put_credential(
    app: &App,
    (tenant, account): (&Tenant, &LinkedAccount),
    name: &str,
    value: Secret,
) -> Result<bool, Error> {
    check_credential_name(name)?;
    change_credentials(app, tenant, account, |credentials| {
        let new = credentials.insert(name.to_owned(), value).is_none();
        if credentials.len() > MAX_CREDENTIALS {
            return Err(too_many_credentials());
        }
        Ok(new)
    })
    .await
}

/// Removes one credential of the default app.
pub async fn delete_credential(app: &App, tenant: &Tenant, account: &LinkedAccount, name: &str) -> Result<(), Error> {
    change_credentials(app, tenant, account, |credentials| {
        credentials
            .remove(name)
            .map(drop)
            .ok_or_else(|| Error::CredentialNotFound(name.to_owned()))
    })
    .await
}

async fn change_credentials<T>(
    app: &App,
    tenant: &Tenant,
    account: &LinkedAccount,
    change: impl FnOnce(&mut Credentials) -> Result<T, Error>,
) -> Result<T, Error> {
    let sealer = tenants::sealer(app, tenant).await?;
    let now = app.now();
    let mut tx = app.db.begin().await?;
    let touched = store::touch(&mut tx, &tenant.id, (&account.account_id, None), now).await?;
    let account = touched.ok_or_else(|| unknown(tenant, &account.account_id))?;
    let found = store::default_app(&mut tx, &tenant.id, &account.id).await?;
    let mut found = found.ok_or_else(|| Error::DefaultAppNotFound(account.account_id.clone()))?;
    let mut credentials = open(&sealer, &found)?;
    let said = change(&mut credentials)?;
    found.sealed = seal(&sealer, &found.id, &credentials);
    found.updated_at = now;
    store::put_default_app(&mut tx, &tenant.id, &account.id, &found).await?;
    tx.commit().await?;
    Ok(said)
}

type Credentials = BTreeMap<String, Secret>;

fn place(id: &RowId) -> Place<'_> {
    Place {
        table: "default_apps",
        id: id.as_str(),
        column: "sealed_credentials",
    }
}

fn seal(sealer: &Sealer, id: &RowId, credentials: &Credentials) -> Sealed {
    let plain: BTreeMap<&str, &str> = credentials
        .iter()
        .map(|(name, value)| (name.as_str(), value.expose()))
        .collect();
    let plain = zeroize::Zeroizing::new(serde_json::to_vec(&plain).expect("a map of texts is JSON"));
    sealer.seal(place(id), &plain)
}

fn open(sealer: &Sealer, app: &DefaultApp) -> Result<Credentials, Error> {
    let plain = sealer.open(place(&app.id), &app.sealed)?;
    let texts: BTreeMap<String, String> = serde_json::from_slice(plain.expose()).map_err(|_| Error::Corrupt {
        table: "default_apps",
        id: app.id.to_string(),
    })?;
    Ok(texts
        .into_iter()
        .map(|(name, value)| (name, Secret::from(value)))
        .collect())
}

fn unknown(tenant: &Tenant, account_id: &str) -> Error {
    Error::AccountNotFound {
        id: account_id.to_owned(),
        org: tenant.org.to_string(),
        environment: tenant.environment.as_str(),
    }
}
