//! Asking a provider whether a credential still works, with a call that truly needs it.
//!
//! What follows from an answer for a stored connection is decided in [`crate::refresh`]; here it is asked and judged.

use crate::app::App;
use crate::catalog::{Application, IdentitySource, Probe};
use crate::connections::{Access, Credential, observation};
use crate::egress::{Method, Reply, Request, Unreachable};
use crate::error::Error;
use crate::reason::Verdict;
use crate::secret::Secret;
use crate::verdict::{Auth, Circumstances, Judgement, Phase, judge};

/// Asks with a credential; `None` where the application has no call that proves anything.
pub async fn ask(app: &App, application: &Application, credential: &Credential) -> Result<Option<Reply>, Unreachable> {
    let Some(request) = request(application, credential).ok().flatten() else {
        return Ok(None);
    };
    app.egress.send(request).await.map(Some)
}

fn probe<'a>(application: &'a Application, credential: &Credential) -> Option<&'a Probe> {
    match credential {
        Credential::OAuth2(_) => application.oauth2.as_ref()?.probe.as_ref(),
        Credential::Keys(_) => application.keybased.as_ref()?.probe.as_ref(),
    }
}

fn request(application: &Application, credential: &Credential) -> Result<Option<Request>, Error> {
    let Some(probe) = probe(application, credential) else {
        return Ok(None);
    };
    let access = Access::of(application, credential)?;
    let method = if probe.method == "POST" {
        Method::POST
    } else {
        Method::GET
    };
    let mut request = Request::new(method, access.probe_url(probe)?);
    request
        .headers
        .push(("accept".to_owned(), Secret::from("application/json".to_owned())));
    if let Some(body) = &probe.body {
        request = request.header("content-type", Secret::from("application/json".to_owned()));
        request.body = Some(Secret::from(body.to_string()));
    }
    let carried = access.headers.into_iter();
    request
        .headers
        .extend(carried.map(|(name, value)| (name.to_owned(), value)));
    Ok(Some(request))
}

/// What an answer to a probe means.
pub(crate) fn judged(
    application: &Application,
    credential: &Credential,
    answer: Result<&Reply, Unreachable>,
    circumstances: Circumstances,
) -> Judgement {
    let auth = match credential {
        Credential::OAuth2(_) => Auth::OAuth2,
        Credential::Keys(_) => Auth::ApiKey,
    };
    let judgement = judge(
        &observation(auth, Phase::Probe, answer, circumstances),
        &application.rules,
    );
    let as_expected = probe(application, credential).is_none_or(|probe| met(probe, answer))
        && (!identity_from_probe(application, credential) || answer.is_ok_and(|reply| reply.json().is_some()));
    if judgement.verdict == Verdict::Ok && !as_expected {
        return Judgement {
            verdict: Verdict::Transient,
            reason: Some(crate::reason::Reason::ProviderOutage),
            confidence: crate::reason::Confidence::Inferred,
            evidence: crate::verdict::Evidence {
                rule: "probe.unexpected".to_owned(),
                ..judgement.evidence
            },
        };
    }
    judgement
}

/// Whether the application's file reads the external account out of the probe's answer. Such an answer is JSON: anything
/// else under a 2xx status is a captive portal's page, or a maintenance page, and proves nothing about the credential.
fn identity_from_probe(application: &Application, credential: &Credential) -> bool {
    let identity = match credential {
        Credential::OAuth2(_) => application.oauth2.as_ref().and_then(|scheme| scheme.identity.as_ref()),
        Credential::Keys(_) => application
            .keybased
            .as_ref()
            .and_then(|scheme| scheme.identity.as_ref()),
    };
    identity.is_some_and(|identity| identity.from == IdentitySource::Probe)
}

/// Whether an answer is what the probe is meant to bring. A page where data was asked for proves nothing: a proxy, a
/// maintenance notice or a login form says 200 to everybody.
fn met(probe: &Probe, answer: Result<&Reply, Unreachable>) -> bool {
    let Ok(reply) = answer else { return false };
    if probe.expect.is_empty() {
        return !is_page(&reply.body);
    }
    probe.is_met_by(reply.json().as_ref())
}

fn is_page(body: &[u8]) -> bool {
    let start = String::from_utf8_lossy(&body[..body.len().min(512)])
        .trim_start_matches('\u{feff}')
        .trim_start()
        .to_ascii_lowercase();
    start.starts_with("<!doctype html") || start.starts_with("<html")
}

/// Proves a credential before it is stored, and returns the answer's JSON. Where the application has no probe there is
/// nothing to prove it with.
pub async fn prove(
    app: &App,
    application: &Application,
    credential: &Credential,
) -> Result<Option<serde_json::Value>, Error> {
    if Access::of(application, credential).is_ok_and(|access| !access.fits_into_headers()) {
        return Err(Error::invalid(
            "a value holds characters that no HTTP header can carry, so it cannot be a key",
        ));
    }
    let Some(request) = request(application, credential)? else {
        return Ok(None);
    };
    let answer = app.egress.send(request).await;
    let known = Circumstances {
        has_refresh_token: Some(false),
        ..Circumstances::default()
    };
    let judgement = judged(application, credential, answer.as_ref().map_err(|error| *error), known);
    let status = judgement.evidence.status;
    match judgement.verdict {
        Verdict::Ok => Ok(answer.ok().as_ref().and_then(Reply::json)),
        // Alive, and lacking the permission for this one call: that is a matter between the customer and the provider.
        Verdict::OkButDenied if status == 403 => Ok(None),
        Verdict::Transient if judgement.reason != Some(crate::reason::Reason::AccessTokenExpired) => {
            let retry_after = answer.ok().as_ref().and_then(Reply::retry_after);
            Err(Error::ProviderUnavailable { retry_after })
        }
        _ => Err(Error::CredentialsRefused(refusal(application, &judgement))),
    }
}

/// The provider's reason, as far as it may be shown: redacted words, never its raw text.
pub(crate) fn refusal(application: &Application, judgement: &Judgement) -> String {
    let words = &judgement.evidence.words;
    let status = judgement.evidence.status;
    if words.is_empty() {
        format!("{} answered {status}", application.name)
    } else {
        format!("{} answered {status} ({words})", application.name)
    }
}
