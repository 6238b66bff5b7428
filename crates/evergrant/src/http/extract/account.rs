//! Which linked account a request is about, and by what right (contract, section 1).

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::request::Parts;

use super::{Admin, caller, header};
use crate::accounts::{self, LinkedAccount};
use crate::app::App;
use crate::error::{Code, Error};
use crate::http::error::ApiError;
use crate::ids::SessionId;
use crate::secret::Secret;
use crate::sessions::{self, Session};
use crate::tenants::{Scope, Tenant};

const LINKED_ACCOUNT: &str = "linked_account_id";

/// The one linked account that a request is about. It comes out of one of the three extractors of this module.
#[derive(Clone, Debug)]
pub struct Account {
    /// Its environment.
    pub tenant: Tenant,
    /// The account.
    pub account: LinkedAccount,
    /// The session that named it; none when an API key did.
    pub session: Option<SessionId>,
}

impl From<Session> for Account {
    fn from(session: Session) -> Self {
        Self {
            tenant: session.tenant,
            account: session.account,
            session: Some(session.id),
        }
    }
}

/// S: a session token.
#[derive(Clone, Debug)]
pub struct SessionAccount(pub Account);

/// K + LA: an API key, and `linked_account_id` as a header or else in the query.
#[derive(Clone, Debug)]
pub struct KeyAccount(pub Account);

/// K + LA for what changes something whatever its method: the key must have `write`, and need not have `read`.
#[derive(Clone, Debug)]
pub struct WriterAccount(pub Account);

/// K + LA, or S. A valid API key decides; the bearer is then not looked at (contract section 1, rule 4).
#[derive(Clone, Debug)]
pub struct AnyAccount(pub Account);

/// K or S, where a key needs no linked account.
#[derive(Clone, Debug)]
pub enum Caller {
    /// The team's back end.
    Key(Box<Admin>),
    /// A browser, for its own account.
    Session(Box<Account>),
}

impl FromRequestParts<App> for SessionAccount {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let Bearer(token) = Bearer::from_request_parts(parts, app).await?;
        Ok(Self(sessions::authenticate(app, token.expose()).await?.into()))
    }
}

impl FromRequestParts<App> for KeyAccount {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let admin = Admin::from_request_parts(parts, app).await?;
        Ok(Self(named_account(parts, app, admin.tenant).await?))
    }
}

impl FromRequestParts<App> for WriterAccount {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let admin = caller(parts, app).await?;
        admin.demand(Scope::Write)?;
        Ok(Self(named_account(parts, app, admin.tenant).await?))
    }
}

impl FromRequestParts<App> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let with_session = header(parts, "authorization").is_some();
        if header(parts, "x-api-key").is_some() {
            match Admin::from_request_parts(parts, app).await {
                Err(ApiError(Error::InvalidApiKey)) if with_session => {}
                decided => return Ok(Self::Key(Box::new(decided?))),
            }
        }
        let SessionAccount(account) = SessionAccount::from_request_parts(parts, app).await?;
        Ok(Self::Session(Box::new(account)))
    }
}

impl FromRequestParts<App> for AnyAccount {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        match Caller::from_request_parts(parts, app).await? {
            Caller::Key(admin) => Ok(Self(named_account(parts, app, admin.tenant).await?)),
            Caller::Session(account) => Ok(Self(*account)),
        }
    }
}

async fn named_account(parts: &Parts, app: &App, tenant: Tenant) -> Result<Account, Error> {
    let id = linked_account_id(parts)?.ok_or_else(|| Error::Invalid {
        code: Code::InvalidLinkedAccountId,
        message: "linked_account_id required".to_owned(),
    })?;
    let account = accounts::find(app, &tenant, &id).await?;
    Ok(Account {
        tenant,
        account,
        session: None,
    })
}

/// The token of `Authorization: Bearer`; the scheme word in any case (RFC 9110, section 11.1). Who it stands for has
/// not been asked.
#[derive(Clone, Debug)]
pub struct Bearer(pub Secret);

impl<S: Send + Sync> FromRequestParts<S> for Bearer {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let sent = parts.headers.get("authorization").ok_or(Error::MissingSessionToken)?;
        let value = sent.to_str().map_err(|_| Error::InvalidSessionToken)?.trim();
        let (scheme, token) = value.split_once(' ').unwrap_or((value, ""));
        let token = token.trim();
        if !value.is_empty() && !scheme.eq_ignore_ascii_case("bearer") {
            Err(Error::InvalidSessionToken.into())
        } else if token.is_empty() {
            Err(Error::MissingSessionToken.into())
        } else {
            Ok(Self(Secret::from(token.to_owned())))
        }
    }
}

/// The linked account that a request with an API key names: the header, or else the query.
pub fn linked_account_id(parts: &Parts) -> Result<Option<String>, Error> {
    if let Some(id) = account_header(&parts.headers)? {
        return Ok(Some(id));
    }
    let query = parts.uri.query().unwrap_or_default();
    let named = url::form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name == LINKED_ACCOUNT);
    only(named.map(|(_, id)| id.into_owned()))
}

/// The linked account that the header of that name names.
pub fn account_header(headers: &HeaderMap) -> Result<Option<String>, Error> {
    let sent = headers.get_all(LINKED_ACCOUNT).iter();
    only(sent.map(|value| accounts::account_id_of_header(value.as_bytes())))
}

/// The one id that is given. Of two, either may be what somebody else has put there.
fn only(ids: impl Iterator<Item = String>) -> Result<Option<String>, Error> {
    let mut ids = ids.filter(|id| !id.is_empty());
    let first = ids.next();
    if ids.any(|id| Some(id) != first) {
        return Err(Error::Invalid {
            code: Code::InvalidLinkedAccountId,
            message: "linked_account_id is there more than once, and not the same".to_owned(),
        });
    }
    Ok(first)
}
