//! What a customer's way through consent says of the team's OAuth client.
//!
//! A code that is refused because of the client is our own observation, and counts as every other. An error at the
//! callback stands in an address that the customer could have typed: it opens an incident, or confirms one, and never flags
//! anybody. Where a provider keeps the customer on a page of its own, nothing comes back to observe.

use crate::app::App;
use crate::catalog::Application;
use crate::connections::{self, observation};
use crate::egress::Reply;
use crate::error::Error;
use crate::incidents::{Sighting, Witness};
use crate::reason::{Confidence, Reason, Verdict};
use crate::tenants::Tenant;
use crate::verdict::{Auth, Circumstances, Evidence, Judgement, Phase, judge};

/// The answer to a code that was refused.
pub(super) async fn refused_code(app: &App, tenant: &Tenant, application: &Application, answer: &Reply) {
    let seen = observation(Auth::OAuth2, Phase::CodeExchange, Ok(answer), Circumstances::default());
    note(app, tenant, application, &judge(&seen, &application.rules)).await;
}

/// An error at the callback that blames our client (RFC 6749, section 4.1.2.1).
pub(super) async fn refused_at_callback(app: &App, tenant: &Tenant, application: &Application, code: &str) {
    if !matches!(code, "unauthorized_client" | "invalid_client" | "deleted_client") {
        return;
    }
    let judgement = Judgement {
        verdict: Verdict::AppBroken,
        reason: Some(Reason::OauthAppDeleted),
        confidence: Confidence::Inferred,
        evidence: Evidence {
            rule: "callback.client_refused".to_owned(),
            words: code.to_owned(),
            status: 302,
        },
    };
    note(app, tenant, application, &judgement).await;
}

/// That it cannot be taken down is no reason to fail the customer's page.
async fn note(app: &App, tenant: &Tenant, application: &Application, judgement: &Judgement) {
    let slug = application.slug.as_str();
    let Some(sighting) = Sighting::of(slug, Witness::Consent, judgement, app.now()) else {
        return;
    };
    let noted = async {
        let mut tx = app.db.begin().await?;
        let aftermath = connections::client_broken(&mut tx, tenant, &sighting).await?;
        tx.commit().await?;
        Ok::<_, Error>(aftermath)
    };
    match noted.await {
        Ok(aftermath) => connections::follow(app, tenant, slug, aftermath).await,
        Err(error) => tracing::error!(slug, %error, "trouble with an OAuth client was not taken down"),
    }
}
