//! Generic knowledge about API calls: RFC 6750, 3.1, and everything else that APIs answer.
//!
//! An API call is the caller's own business too: an answer may speak of somebody else's account, of a page token, of a
//! record that failed. So only 401 speaks of our credential by itself; 403 needs words about it; any other status
//! needs words that can mean nothing else.

use super::body::{MOST_BYTES, Shape};
use super::generic::{client_trouble, our_fault, our_request, outage, passing, stated_cause};
use super::model::{Auth, Observation, Phase};
use super::resolve::Finding;
use super::rules::Meaning;
use super::signals::Signals;
use super::words;
use crate::reason::{Reason, Verdict};

/// Finds the meaning of an API's answer.
pub(super) fn find(seen: &Observation, signals: &Signals) -> Finding {
    match seen.status {
        200..=299 if !signals.says_failed => return successful(seen, signals),
        300..=399 => return redirected(seen),
        _ => {}
    }
    if let Some(finding) = passing(seen, signals) {
        return finding;
    }
    // A probe carries nothing but the credential: there is no other token that its 401 could speak of.
    let sent_alone = seen.phase == Phase::Probe && seen.status == 401;
    if let Some(words) = words::OTHER_TOKEN.found(signals).filter(|_| !sent_alone) {
        return our_request("generic.call.other_token", signals).with_words(words);
    }
    let refused = refusing_words(seen, signals);
    if let Some(finding) = outage(seen, signals).filter(|_| seen.status != 401 || refused.is_none()) {
        return finding;
    }
    if let Some(words) = our_fault(signals).or_else(|| malformed(signals)) {
        return our_request("generic.call.our_request", signals).with_words(words);
    }
    if seen.status == 402 {
        return denied(
            "generic.call.plan",
            None,
            words::PLAN.found(signals).unwrap_or_default(),
        );
    }
    if seen.status != 404 {
        let finding = lacking(seen, signals).or_else(|| dead(seen, signals, refused));
        if let Some(finding) = finding {
            return finding;
        }
    }
    if let Some(words) = words::PLAN.found(signals) {
        return denied("generic.call.plan", None, words);
    }
    match seen.status {
        400 | 405 | 406 | 411..=417 | 422 | 431 => our_request("generic.call.our_request", signals),
        404 => denied("generic.call.not_found", None, String::new()),
        _ => {
            let forbidden = words::FORBIDDEN.found(signals);
            let reason = forbidden.as_ref().map(|_| Reason::ScopeMissing);
            denied(
                "generic.call.denied",
                reason,
                forbidden.or_else(|| signals.quotable_code()).unwrap_or_default(),
            )
        }
    }
}

fn denied(rule: &str, reason: Option<Reason>, words: String) -> Finding {
    Finding::stated(rule, Verdict::OkButDenied, reason, words)
}

/// Words by which the answer refuses the credential, as far as its status lets them mean that.
fn refusing_words(seen: &Observation, signals: &Signals) -> Option<String> {
    if signals.shape == Shape::Html {
        return None;
    }
    if matches!(seen.status, 401 | 403) {
        let expired = || words::EXPIRED.found(signals).filter(|_| seen.status == 401);
        // A revoked invitation or licence is no matter of our credential.
        let speaks_of_it = seen.status == 401 || words::CREDENTIAL.in_text(signals).is_some();
        let revoked = || words::REVOKED.found(signals).filter(|_| speaks_of_it);
        let said = words::REFUSED.found(signals).or_else(revoked);
        said.or_else(|| words::SURELY_REFUSED.found(signals)).or_else(expired)
    } else {
        // A record, a job or an integration that failed may quote the refusal of somebody else's credential.
        words::SURELY_REFUSED
            .found(signals)
            .filter(|_| words::THIRD_PARTY.in_text(signals).is_none())
    }
}

/// The credential lives; a permission, a plan or the team's registration is lacking.
fn lacking(seen: &Observation, signals: &Signals) -> Option<Finding> {
    if let Some(words) = words::SCOPE.found(signals) {
        return Some(denied("generic.call.scope", Some(Reason::ScopeMissing), words));
    }
    if seen.circumstances.other_calls_succeed == Some(true) {
        return Some(Finding::inferred(
            "generic.call.others_succeed",
            Verdict::OkButDenied,
            Some(Reason::ScopeMissing),
        ));
    }
    // "Invalid subscription key" speaks of the key, not of the subscription.
    if let Some(words) = words::PLAN
        .found(signals)
        .filter(|_| words::REFUSED.in_text(signals).is_none())
    {
        return Some(denied("generic.call.plan", None, words));
    }
    if seen.status == 403
        && let Some(words) = words::REGISTRATION.found(signals)
    {
        return Some(Finding::stated(
            "generic.call.app_not_registered",
            Verdict::AppBroken,
            None,
            words,
        ));
    }
    None
}

/// The credential, the account or the client behind it is refused.
fn dead(seen: &Observation, signals: &Signals, refused: Option<String>) -> Option<Finding> {
    if let Some(words) = words::WHOSE_KEY.in_text(signals).filter(|_| seen.auth == Auth::ApiKey) {
        let reason = Some(Reason::OauthClientSecretInvalid);
        return Some(Finding::inferred("generic.call.whose_key", Verdict::AppBroken, reason).with_words(words));
    }
    if let Some(finding) = cause(seen, signals).filter(|_| is_ours(seen, signals) || refused.is_some()) {
        return Some(finding);
    }
    if let Some(finding) = client_trouble(seen, signals).filter(|_| seen.auth == Auth::OAuth2 && is_ours(seen, signals))
    {
        return Some(finding);
    }
    let forbidden = signals.first_code(&["access_denied", "forbidden"]).is_some();
    if seen.status == 403 && (refused.is_none() || forbidden) {
        let reason = words::FORBIDDEN.found(signals).map(|_| Reason::ScopeMissing);
        return Some(Finding::inferred(
            "generic.call.forbidden",
            Verdict::OkButDenied,
            reason,
        ));
    }
    if refused.is_none() && seen.status != 401 {
        return None;
    }
    let finding = refusal(signals, refused.unwrap_or_default());
    Some(match words::THIRD_PARTY.in_text(signals) {
        Some(_) => finding.unsure(),
        None => finding,
    })
}

/// Under 401 and 403 answers speak of our credential, unless they are pages for people.
fn is_ours(seen: &Observation, signals: &Signals) -> bool {
    matches!(seen.status, 401 | 403) && signals.shape != Shape::Html
}

/// A stated cause. A refresh, where one is possible, is tried first: it is the better witness.
fn cause(seen: &Observation, signals: &Signals) -> Option<Finding> {
    let elsewhere = seen.status == 403 && words::SOMEBODY_ELSE.in_text(signals).is_some();
    let finding = stated_cause(signals).filter(|_| !elsewhere)?;
    let known = &seen.circumstances;
    if seen.auth == Auth::OAuth2 && known.has_refresh_token == Some(true) && known.fresh_from_refresh != Some(true) {
        return Some(finding.meaning(Meaning::CredentialRefused));
    }
    Some(finding)
}

/// A refused credential, with the cause as far as the words go.
fn refusal(signals: &Signals, words: String) -> Finding {
    let ambiguous = words::ALTERNATIVES.in_text(signals).is_some();
    let (rule, meaning) = if ambiguous {
        ("generic.call.refused", Meaning::CredentialRefused)
    } else if words::REVOKED.found(signals).is_some() {
        ("generic.call.revoked", Meaning::CredentialRevoked)
    } else if words::EXPIRED.found(signals).is_some() {
        ("generic.call.expired", Meaning::CredentialExpired)
    } else {
        ("generic.call.refused", Meaning::CredentialRefused)
    };
    Finding::means(rule, meaning, words)
}

/// "Malformed", unless it is one guess among several.
fn malformed(signals: &Signals) -> Option<String> {
    let said = signals.has_text("malformed") && words::ALTERNATIVES.in_text(signals).is_none();
    said.then(|| "malformed".to_owned())
}

fn successful(seen: &Observation, signals: &Signals) -> Finding {
    let cut = seen.body.len() > MOST_BYTES;
    let lies = signals.shape == Shape::Html && seen.content_type.contains("json");
    if lies || (signals.shape == Shape::BrokenJson && !cut && seen.content_type.contains("json")) {
        return Finding::inferred("generic.call.garbage", Verdict::Transient, Some(Reason::ProviderOutage));
    }
    Finding::inferred("generic.call.success", Verdict::Ok, None)
}

/// APIs do not redirect to a login page while they accept the credential.
fn redirected(seen: &Observation) -> Finding {
    let target = seen.header("location").unwrap_or_default().to_ascii_lowercase();
    let to_login = ["login", "signin", "sign-in", "sign_in", "/auth"]
        .iter()
        .any(|part| target.contains(part));
    let known = &seen.circumstances;
    if to_login && known.token_previously_worked == Some(true) {
        let words = "redirect to a login page".to_owned();
        return Finding::means("generic.call.sent_to_login", Meaning::CredentialRefused, words);
    }
    if to_login {
        return Finding::inferred(
            "generic.call.sent_to_login",
            Verdict::Transient,
            Some(Reason::ProviderOutage),
        );
    }
    Finding::inferred("generic.call.redirect", Verdict::Ok, None)
}
