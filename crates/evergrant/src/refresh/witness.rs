//! A second witness for an OAuth client that only one connection has seen refused.
//!
//! A connection that is alone with its application has nobody to confirm what it sees. When it has seen the client refused
//! twice, the token endpoint is asked with a refresh token that nobody was ever given: a client that works is told that the
//! grant is unknown, one that does not is refused before anybody looks at the grant.

use evergrant_oauth::TokenEndpoint;

use crate::app::App;
use crate::catalog::Application;
use crate::connections::{self, observation};
use crate::error::Error;
use crate::ids::random_token;
use crate::incidents::{self, Sighting, Witness};
use crate::reason::Verdict;
use crate::secret::Secret;
use crate::tenants::Tenant;
use crate::verdict::{Auth, Circumstances, Judgement, Phase, judge};

/// Looks twice, where what was seen blames the client and nobody else has seen it. It fails nobody.
pub(super) async fn look_twice(
    app: &App,
    tenant: &Tenant,
    (application, endpoint): (&Application, &TokenEndpoint),
    seen: &Judgement,
) {
    if seen.verdict != Verdict::AppBroken {
        return;
    }
    if let Err(error) = ask(app, tenant, (application, endpoint)).await {
        tracing::warn!(slug = application.slug, %error, "nobody confirms what was seen of an OAuth client yet");
    }
}

async fn ask(app: &App, tenant: &Tenant, (application, endpoint): (&Application, &TokenEndpoint)) -> Result<(), Error> {
    let slug = application.slug.as_str();
    let open = incidents::store::find_open(&mut *app.db.read().await?, &tenant.id, slug).await?;
    if open.is_none_or(|incident| incident.confirmed_at.is_some() || incident.observations < 2) {
        return Ok(());
    }
    let nobodys: Secret = random_token("");
    let answer = app.egress.send(endpoint.refresh(&nobodys, None).into()).await;
    let known = Circumstances {
        has_refresh_token: Some(true),
        ..Circumstances::default()
    };
    let answer = answer.as_ref().map_err(|error| *error);
    let judgement = judge(
        &observation(Auth::OAuth2, Phase::Refresh, answer, known),
        &application.rules,
    );
    let Some(sighting) = Sighting::of(slug, Witness::Probe, &judgement, app.now()) else {
        return Ok(());
    };
    let mut tx = app.db.begin().await?;
    let aftermath = connections::client_broken(&mut tx, tenant, &sighting).await?;
    tx.commit().await?;
    connections::follow(app, tenant, slug, aftermath).await;
    Ok(())
}
