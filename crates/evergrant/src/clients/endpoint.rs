//! How to speak to an application's token endpoints as the team's OAuth client.

use std::collections::BTreeMap;

use evergrant_oauth::TokenEndpoint;

use super::{OAuthClient, secret};
use crate::app::App;
use crate::catalog::{self, Application, OAuth2Scheme};
use crate::error::Error;
use crate::tenants::Tenant;

/// Which of an application's endpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Codes are exchanged.
    Exchange,
    /// Tokens are refreshed.
    Refresh,
    /// Tokens are revoked.
    Revoke,
}

/// The endpoint for a purpose; `None` where the application has none. `inputs` fill the file's address templates.
pub async fn endpoint(
    app: &App,
    tenant: &Tenant,
    client: &OAuthClient,
    (application, inputs, purpose): (&Application, &BTreeMap<String, String>, Purpose),
) -> Result<Option<TokenEndpoint>, Error> {
    let scheme = scheme(application)?;
    let (template, extra) = match purpose {
        Purpose::Exchange => (Some(scheme.token_url.as_str()), Some(&scheme.token_params)),
        Purpose::Refresh => (Some(scheme.refresh_endpoint()), Some(&scheme.refresh_params)),
        Purpose::Revoke => (scheme.revocation_url.as_deref(), None),
    };
    let Some(template) = template else { return Ok(None) };
    let url = catalog::expand(template, &scheme.inputs, inputs)?;
    let auth = scheme.client_auth(secret(app, tenant, client).await?);
    let extra = extra
        .into_iter()
        .flatten()
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    Ok(Some(TokenEndpoint {
        url,
        client_id: client.client_id.clone(),
        auth,
        body: scheme.body_format(),
        extra,
    }))
}

/// The application's OAuth scheme.
pub fn scheme(application: &Application) -> Result<&OAuth2Scheme, Error> {
    application.oauth2.as_ref().ok_or_else(|| {
        Error::invalid(format!(
            "`{}` cannot be connected by OAuth 2.0: save its key instead",
            application.slug
        ))
    })
}
