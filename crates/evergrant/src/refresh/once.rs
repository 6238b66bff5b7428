//! A refresh token that is not stored yet.

use std::collections::BTreeMap;

use evergrant_oauth::{TokenSet, reply};

use crate::app::App;
use crate::catalog::Application;
use crate::clients::{self, OAuthClient, Purpose};
use crate::connections::observation;
use crate::error::Error;
use crate::probes;
use crate::reason::Verdict;
use crate::secret::Secret;
use crate::tenants::Tenant;
use crate::verdict::{Auth, Circumstances, Phase, judge};

/// Uses a refresh token that is not stored yet: one that a team brings along. Refused means refused; nothing is stored here.
pub async fn exchange_once(
    app: &App,
    tenant: &Tenant,
    (application, client, inputs): (&Application, &OAuthClient, &BTreeMap<String, String>),
    refresh_token: &Secret,
) -> Result<TokenSet, Error> {
    let purpose = (application, inputs, Purpose::Refresh);
    let endpoint = clients::endpoint(app, tenant, client, purpose)
        .await?
        .ok_or(Error::Internal("no token endpoint"))?;
    let request = endpoint.refresh(refresh_token, None);
    let sent = request.sent.clone();
    let answer = app
        .egress
        .send(request.into())
        .await
        .map_err(|_| Error::ProviderUnavailable { retry_after: None })?;
    if let Ok(set) = reply::read(
        answer.status,
        &answer.body,
        &clients::scheme(application)?.reply_shape(),
        &sent,
    ) {
        return Ok(set);
    }
    let known = Circumstances {
        has_refresh_token: Some(true),
        ..Circumstances::default()
    };
    let judgement = judge(
        &observation(Auth::OAuth2, Phase::Refresh, Ok(&answer), known),
        &application.rules,
    );
    match judgement.verdict {
        Verdict::Transient | Verdict::Ok => Err(Error::ProviderUnavailable {
            retry_after: answer.retry_after(),
        }),
        _ => Err(Error::CredentialsRefused(probes::refusal(application, &judgement))),
    }
}
