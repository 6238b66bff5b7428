//! What is done with tenants: creating them, their keys, and finding out whose key a request carries.

use std::sync::Arc;

use super::model::{AccountSwitch, ApiKey, Environment, EnvironmentRow, NewKey, Organisation, Scope, Scopes, Tenant};
use super::store;
use crate::app::App;
use crate::db::{Glance, Tx};
use crate::error::Error;
use crate::ids::{ApiKeyId, DataKeyId, OrgId, TenantId, sha256_hex};
use crate::secret::Secret;
use crate::vault::{DataKey, Place, Sealer};

const MAX_NAME: usize = 100;

/// Creates an organisation with both environments and its first data key.
pub async fn create_organisation(app: &App, name: &str) -> Result<Organisation, Error> {
    let name = checked_name(name)?;
    let mut tx = app.db.begin().await?;
    let made = insert_organisation(app, &mut tx, name.clone()).await;
    let org = made.map_err(|error| {
        if error.is_duplicate() {
            Error::Conflict(format!("an organisation `{name}` exists already"))
        } else {
            error
        }
    })?;
    tx.commit().await?;
    Ok(org)
}

/// Creates the organisation `default` on an empty database; says whether it did.
pub async fn ensure_default(app: &App) -> Result<bool, Error> {
    let mut tx = app.db.begin().await?;
    if !store::organisations(&mut tx).await?.is_empty() {
        return Ok(false);
    }
    match insert_organisation(app, &mut tx, "default".to_owned()).await {
        Ok(_) => tx.commit().await.map(|()| true),
        Err(error) if error.is_duplicate() => Ok(false),
        Err(error) => Err(error),
    }
}

async fn insert_organisation(app: &App, tx: &mut Tx, name: String) -> Result<Organisation, Error> {
    let now = app.now();
    let org = Organisation {
        id: OrgId::new(now),
        name,
        created_at: now,
    };
    store::insert_organisation(tx, &org).await?;
    let (key, wrapped) = app.keyring.new_data_key(&org.id, DataKeyId::new(now));
    store::insert_data_key(tx, &org.id, (key.id(), &wrapped), now).await?;
    for environment in Environment::ALL {
        let tenant = Tenant {
            id: TenantId::new(now),
            org: org.id.clone(),
            environment,
        };
        store::insert_environment(tx, &tenant, now).await?;
    }
    Ok(org)
}

/// What seals and opens a tenant's values. The organisation's data keys are unwrapped once and kept in memory.
pub async fn sealer(app: &App, tenant: &Tenant) -> Result<Sealer, Error> {
    let cached = app
        .data_keys
        .read()
        .ok()
        .and_then(|keys| keys.get(&tenant.org).cloned());
    let keys = match cached {
        Some(keys) => keys,
        None => Box::pin(load_data_keys(app, &tenant.org)).await?,
    };
    Ok(Sealer::new(tenant.id.clone(), keys))
}

async fn load_data_keys(app: &App, org: &OrgId) -> Result<Arc<Vec<DataKey>>, Error> {
    let wrapped = store::data_keys(&mut *app.db.read().await?, org).await?;
    let open = |(id, wrapped): (DataKeyId, Vec<u8>)| app.keyring.open_data_key(org, id, &wrapped);
    let keys: Vec<DataKey> = wrapped
        .into_iter()
        .map(open)
        .collect::<Result<_, _>>()
        .map_err(|_| Error::Sealed { table: "data_keys" })?;
    if keys.is_empty() {
        return Err(Error::Internal("an organisation without a data key"));
    }
    let keys = Arc::new(keys);
    if let Ok(mut cache) = app.data_keys.write() {
        cache.insert(org.clone(), keys.clone());
    }
    Ok(keys)
}

/// Makes an API key. The first one with the scope `sign` becomes the environment's signing key.
pub async fn create_key(app: &App, environment: &EnvironmentRow, name: &str, scopes: Scopes) -> Result<NewKey, Error> {
    let tenant = environment.tenant.clone();
    let made = NewKey::generate(tenant.clone(), checked_name(name)?, scopes, app.now());
    let sealed = if scopes.has(Scope::Sign) {
        let sealer = sealer(app, &tenant).await?;
        Some(sealer.seal(key_place(&made.key.id), made.value.expose().as_bytes()))
    } else {
        None
    };
    let hash = sha256_hex(made.value.expose().as_bytes());
    let mut tx = app.db.begin().await?;
    store::insert_key(&mut tx, &made.key, &hash, sealed.as_ref()).await?;
    let signs = store::get_environment(&mut tx, &tenant.id).await?.signing_key.is_some();
    if scopes.has(Scope::Sign) && !signs {
        store::set_signing_key(&mut tx, &tenant.id, &made.key.id).await?;
    }
    store::audit(
        &mut tx,
        &tenant.id,
        ("operator", "key.create", made.key.id.as_str()),
        app.now(),
    )
    .await?;
    tx.commit().await?;
    Ok(made)
}

/// Names the key that signs webhooks from now on.
pub async fn name_signing_key(app: &App, tenant: &TenantId, key: &ApiKeyId) -> Result<(), Error> {
    let mut tx = app.db.begin().await?;
    if store::sealed_key(&mut tx, tenant, key).await?.is_none() {
        return Err(Error::invalid(
            "only a live key with the scope `sign` can sign; make one with `evergrant key create --scopes sign`",
        ));
    }
    store::set_signing_key(&mut tx, tenant, key).await?;
    store::audit(&mut tx, tenant, ("operator", "key.sign", key.as_str()), app.now()).await?;
    tx.commit().await
}

/// Revokes a key at once, on every node. The signing key stays until another is named.
pub async fn revoke_key(app: &App, tenant: &TenantId, key: &ApiKeyId) -> Result<(), Error> {
    let mut tx = app.db.begin().await?;
    if store::revoke_key(&mut tx, tenant, key, app.now()).await? {
        store::audit(&mut tx, tenant, ("operator", "key.revoke", key.as_str()), app.now()).await?;
        return tx.commit().await;
    }
    if store::get_environment(&mut tx, tenant).await?.signing_key.as_ref() == Some(key) {
        return Err(Error::Conflict(
            "this key signs the environment's webhooks: name another with `evergrant key sign`, then revoke it"
                .to_owned(),
        ));
    }
    let revoked = store::keys(&mut tx, tenant)
        .await?
        .into_iter()
        .any(|known| known.id == *key);
    if revoked {
        Ok(())
    } else {
        Err(Error::NotFound("API key"))
    }
}

/// The value that signs the environment's webhooks, where one is named.
pub async fn signing_key(app: &App, tenant: &Tenant) -> Result<Option<Secret>, Error> {
    let mut conn = app.db.read().await?;
    let Some(id) = store::get_environment(&mut conn, &tenant.id).await?.signing_key else {
        return Ok(None);
    };
    let Some(sealed) = store::sealed_key(&mut conn, &tenant.id, &id).await? else {
        return Ok(None);
    };
    drop(conn);
    sealer(app, tenant).await?.open_text(key_place(&id), &sealed).map(Some)
}

/// Whose key this is.
pub async fn authenticate(app: &App, value: &str) -> Result<Arc<ApiKey>, Error> {
    authenticate_since(app, (app.db.glance(), value)).await
}

/// The same as of a moment of this request, or later.
pub async fn authenticate_since(app: &App, (glance, value): (Glance, &str)) -> Result<Arc<ApiKey>, Error> {
    let hash = sha256_hex(value.as_bytes());
    let found = store::find_key(&app.db, glance, &hash).await?;
    found.ok_or(Error::InvalidApiKey)
}

fn key_place(id: &ApiKeyId) -> Place<'_> {
    Place {
        table: "api_keys",
        id: id.as_str(),
        column: "sealed_value",
    }
}

fn checked_name(name: &str) -> Result<String, Error> {
    let name = name.trim();
    if name.is_empty() || name.len() > MAX_NAME || name.chars().any(char::is_control) {
        return Err(Error::invalid(format!(
            "a name has 1 to {MAX_NAME} characters and no control characters"
        )));
    }
    Ok(name.to_owned())
}

/// Replaces the origins that hosted pages may lead back to and be framed by; both lists come out of [`origin`].
pub async fn set_origins(
    app: &App,
    tenant: &Tenant,
    (returns, frames): (&[String], &[String]),
    by: &str,
) -> Result<(), Error> {
    let mut tx = app.db.begin().await?;
    store::set_origins(&mut tx, &tenant.id, returns, frames).await?;
    store::audit(
        &mut tx,
        &tenant.id,
        (by, "origins.set", tenant.environment.as_str()),
        app.now(),
    )
    .await?;
    tx.commit().await
}

/// Sets what happens when a customer reconnects with another account than before.
pub async fn set_account_switch(app: &App, tenant: &Tenant, policy: AccountSwitch, by: &str) -> Result<(), Error> {
    let mut tx = app.db.begin().await?;
    store::set_account_switch(&mut tx, &tenant.id, policy).await?;
    let entry = (by, "account-switch.set", policy.as_str());
    store::audit(&mut tx, &tenant.id, entry, app.now()).await?;
    tx.commit().await
}

/// Reads an origin (RFC 6454): scheme, host and port, nothing else. Plain http only on this machine.
pub fn origin(text: &str) -> Result<String, Error> {
    let wrong =
        || Error::invalid("an origin is https://host or https://host:port, without a path (http only for localhost)");
    let url = url::Url::parse(text.trim()).map_err(|_| wrong())?;
    // A policy is a list of words with wildcards and semicolons, both of which URLs allow in a host.
    let named = match url.host() {
        Some(url::Host::Domain(name)) => name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-')),
        Some(url::Host::Ipv4(_) | url::Host::Ipv6(_)) => true,
        None => false,
    };
    let local = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
    if !named || !bare || url.password().is_some() || !(url.scheme() == "https" || (url.scheme() == "http" && local)) {
        return Err(wrong());
    }
    Ok(url.origin().ascii_serialization())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_one_origin_and_no_piece_of_a_policy() {
        for (good, read) in [
            ("https://app.example", "https://app.example"),
            ("https://App.example:8443/", "https://app.example:8443"),
            ("https://b\u{fc}cher.example", "https://xn--bcher-kva.example"),
            ("https://203.0.113.7", "https://203.0.113.7"),
            ("https://[2001:db8::1]:444", "https://[2001:db8::1]:444"),
            ("http://localhost:3000", "http://localhost:3000"),
        ] {
            assert_eq!(origin(good).unwrap(), read);
        }
        for bad in [
            "https://*",
            "https://*.com",
            "https://*.app.example",
            "https://a;sandbox",
            "https://a;frame-src",
            "https://a,b",
            "https://a'b",
            "https://a_b",
            "https://%2a",
            "https://app.example/x",
            "http://app.example",
            "https://u@app.example",
            "data:text/html,x",
        ] {
            assert!(origin(bad).is_err(), "{bad}");
        }
    }
}
