//! What an answer says about the credential.

use std::time::Duration;

use http::{HeaderMap, Response, StatusCode, header};

use super::compressed::readable;
use crate::app::App;
use crate::catalog::Application;
use crate::connections::{Change, Connection, circumstances, transition};
use crate::egress::Download;
use crate::reason::{Confidence, Reason, Verdict};
use crate::verdict::{Circumstances, Evidence, Judgement, Observation, Phase, judge};

/// How much of an answer is looked at.
const MOST: usize = 64 * 1024;
/// How long an answer is waited for, so that it can be looked at.
const PATIENCE: Duration = Duration::from_secs(2);

/// Looks at an answer that [`speaks`]. The answer stays whole.
pub(super) async fn look(
    app: &App,
    (application, connection): (&Application, &Connection),
    answer: &mut Response<Download>,
    fresh_from_refresh: Option<bool>,
) -> Judgement {
    let compressed = answer.body_mut().peek(MOST, PATIENCE).await;
    let body = readable(answer.headers(), compressed, MOST);
    let seen = Observation {
        headers: texts(answer.headers()),
        content_type: text(answer.headers(), header::CONTENT_TYPE)
            .unwrap_or_default()
            .to_owned(),
        body,
        circumstances: Circumstances {
            fresh_from_refresh,
            ..circumstances(connection, application, app.now())
        },
        ..Observation::answer(connection.auth_type.into(), Phase::ApiCall, answer.status().as_u16())
    };
    judge(&seen, &application.rules)
}

/// Whether an answer may speak of the credential. A success does where the application tells its errors under success, in JSON;
/// redirects are the caller's own business.
pub(super) fn speaks(application: &Application, answer: &Response<Download>) -> bool {
    match answer.status() {
        StatusCode::TOO_MANY_REQUESTS => false,
        status if status.is_client_error() || status.is_server_error() => true,
        status if status.is_success() => application.rules.speak_under_success() && is_json(answer.headers()),
        _ => false,
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = text(headers, header::CONTENT_TYPE).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    kind == "application/json" || kind.ends_with("+json")
}

/// Whether the credential was refused.
pub(super) fn is_refusal(connection: &Connection, judgement: &Judgement, app: &App) -> bool {
    judgement.verdict == Verdict::Reauth
        || judgement.reason == Some(Reason::AccessTokenExpired)
        || flags(connection, judgement, app)
}

/// Whether what was seen is proof that only the customer can help.
pub(super) fn flags(connection: &Connection, judgement: &Judgement, app: &App) -> bool {
    matches!(transition(connection, judgement, app.now()), Change::Flagged(_))
}

/// What a success that was not looked at means.
pub(super) fn success(status: StatusCode) -> Judgement {
    Judgement {
        verdict: Verdict::Ok,
        reason: None,
        confidence: Confidence::Inferred,
        evidence: Evidence {
            rule: "proxy.success".to_owned(),
            words: String::new(),
            status: status.as_u16(),
        },
    }
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn texts(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |(name, value): (&header::HeaderName, &header::HeaderValue)| {
        Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
    };
    headers.iter().filter_map(text).collect()
}
