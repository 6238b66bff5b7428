//! Live credentials on request, for back ends that make the calls themselves.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::header;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::connections::id_of;
use crate::app::App;
use crate::catalog::AuthType;
use crate::clock::Timestamp;
use crate::connections::{self, Access, Credential, Named, Which};
use crate::error::{Code, Error};
use crate::http::error::{ApiError, ErrorBody};
use crate::http::extract::{Params, Recipient, Segment};
use crate::refresh;
use crate::secret::Secret;
use crate::tenants::audit;

/// How long a credential must last unless the caller says otherwise.
const USUAL_VALIDITY: Duration = Duration::from_mins(5);
/// The longest that can be asked for.
const LONGEST_VALIDITY: u64 = 24 * 60 * 60;

/// For how long the credential is needed.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct CredentialQuery {
    /// Seconds that it must still be valid, 0 to 86400; 300 unless said otherwise. At most half a token's own life counts.
    #[param(value_type = Option<u32>, maximum = 86400)]
    min_validity: Option<String>,
}

/// The same, and of which kind.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct CustomerCredentialQuery {
    /// Seconds that it must still be valid, 0 to 86400; 300 unless said otherwise. At most half a token's own life counts.
    #[param(value_type = Option<u32>, maximum = 86400)]
    min_validity: Option<String>,
    /// `oauth2` or `keybased`, where the customer may have both; left out, the one that works, OAuth first.
    auth_type: Option<String>,
}

/// A credential that works now, and where it goes. Keep it no longer than its validity.
#[derive(Debug, Serialize, ToSchema)]
pub struct CredentialView {
    connection_id: String,
    linked_account_id: String,
    slug: String,
    /// `oauth2` or `keybased`.
    auth_type: &'static str,
    /// When the access token ends; `null` for keys, and where the provider does not say.
    expires_at: Option<String>,
    /// `access_token`, or the customer's own values by the names of their fields. Never a refresh token.
    values: BTreeMap<String, String>,
    /// Where the application's API is for this customer.
    base_url: String,
    /// What every call carries: the credential in its place, and fixed headers of the application. Names in lower case.
    headers: BTreeMap<String, String>,
    /// Query parameters that every call carries.
    query: BTreeMap<String, String>,
}

impl CredentialView {
    fn new(app: &App, named: Named, credential: &Credential) -> Result<Self, Error> {
        let connection = named.connection;
        let application = app.catalog.get(&connection.slug);
        let access = Access::of(application.ok_or(Error::NotFound("Application"))?, credential)?;
        let shown = |(name, value): (&str, Secret)| (name.to_owned(), value.expose().to_owned());
        let values = match credential {
            Credential::OAuth2(tokens) => {
                BTreeMap::from([("access_token".to_owned(), tokens.access_token.expose().to_owned())])
            }
            Credential::Keys(values) => {
                let values = values.iter();
                values
                    .map(|(name, value)| (name.clone(), value.expose().to_owned()))
                    .collect()
            }
        };
        Ok(Self {
            connection_id: connection.id.to_string(),
            linked_account_id: named.linked_account_id,
            slug: connection.slug,
            auth_type: connection.auth_type.as_str(),
            expires_at: connection.schedule.expires_at.map(Timestamp::iso),
            values,
            base_url: access.base.to_string(),
            headers: access.headers.into_iter().map(shown).collect(),
            query: access.query.into_iter().map(shown).collect(),
        })
    }
}

type Handed = ([(header::HeaderName, &'static str); 1], Json<CredentialView>);

/// A credential of one connection that works now, refreshed if it would not last.
#[utoipa::path(get, path = "/api/v2/public/connection/{id}/credential", tag = "credentials",
    params(("id" = String, Path, description = "The connection's id"), CredentialQuery), security(("api_key" = [])),
    responses((status = 200, body = CredentialView), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody),
        (status = 502, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn of_connection(
    State(app): State<App>,
    recipient: Recipient,
    Segment(id): Segment,
    Params(query): Params<CredentialQuery>,
) -> Result<Handed, ApiError> {
    let need = validity(query.min_validity.as_deref())?;
    hand_out(&app, &recipient, Which::Id(&id_of(&id)?), need).await
}

/// A credential of a customer for an application that works now, refreshed if it would not last.
#[utoipa::path(get, path = "/api/v2/public/application/{slug}/credential", tag = "credentials",
    params(("slug" = String, Path, description = "The application"), CustomerCredentialQuery),
    security(("api_key" = [], "linked_account" = [])),
    responses((status = 200, body = CredentialView), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody),
        (status = 502, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn of_customer(
    State(app): State<App>,
    recipient: Recipient,
    Segment(slug): Segment,
    Params(query): Params<CustomerCredentialQuery>,
) -> Result<Handed, ApiError> {
    let need = validity(query.min_validity.as_deref())?;
    let auth_type = auth_type(query.auth_type.as_deref())?;
    let linked_account_id = recipient.linked_account_id.as_deref().ok_or_else(|| Error::Invalid {
        code: Code::InvalidLinkedAccountId,
        message: "linked_account_id required".to_owned(),
    })?;
    super::applications::application(&app, &recipient.tenant, &slug)?;
    let which = Which::Of {
        linked_account_id,
        slug: &slug,
        auth_type,
    };
    hand_out(&app, &recipient, which, need).await
}

async fn hand_out(app: &App, to: &Recipient, which: Which<'_>, need: Duration) -> Result<Handed, ApiError> {
    let Named {
        connection,
        linked_account_id,
    } = Arc::unwrap_or_clone(connections::look_up(app, &to.tenant, which).await?);
    let (connection, credential) = refresh::live_of(app, &to.tenant, connection, need).await?;
    let id = connection.id.clone();
    let named = Named {
        connection,
        linked_account_id,
    };
    let view = CredentialView::new(app, named, &credential)?;
    audit::hand_out(app, &to.tenant, &to.key, &id).await?;
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(view)))
}

/// The kind that a caller names; an empty word names none.
pub(super) fn auth_type(word: Option<&str>) -> Result<Option<AuthType>, Error> {
    let wanted = word.filter(|word| !word.is_empty());
    wanted
        .map(|word| AuthType::parse(word).ok_or_else(|| Error::invalid("auth_type must be oauth2 or keybased")))
        .transpose()
}

fn validity(text: Option<&str>) -> Result<Duration, Error> {
    let Some(text) = text.filter(|text| !text.is_empty()) else {
        return Ok(USUAL_VALIDITY);
    };
    let seconds = text.parse().ok().filter(|seconds| *seconds <= LONGEST_VALIDITY);
    seconds.map(Duration::from_secs).ok_or_else(|| {
        Error::invalid(format!(
            "min_validity must be a whole number of seconds from 0 to {LONGEST_VALIDITY}"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_validity_is_whole_seconds_up_to_a_day() {
        for (text, seconds) in [(None, 300), (Some(""), 300), (Some("0"), 0), (Some("86400"), 86400)] {
            assert_eq!(validity(text).unwrap(), Duration::from_secs(seconds));
        }
        for wrong in ["86401", "-1", "1.5", "5m", " 5", "99999999999999999999"] {
            assert!(validity(Some(wrong)).is_err(), "{wrong}");
        }
    }
}
