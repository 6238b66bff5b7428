//! What everyone's answers mean: RFC 6749, RFC 6750, common practice, wording by meaning.
//!
//! Each phase asks its questions in a fixed order, the harmless ones first: an answer that can be read as passing
//! trouble, as our own mistake or as a missing permission is never read as the death of a grant.

use super::body::Shape;
use super::calls;
use super::model::{Auth, Observation, Phase};
use super::resolve::Finding;
use super::rules::Meaning;
use super::signals::Signals;
use super::words::{self, Concept};
use crate::reason::{Reason, Verdict};

/// Finds the meaning of an answer that no rule of the application knows.
pub(super) fn find(seen: &Observation, signals: &Signals) -> Finding {
    match seen.phase {
        Phase::Refresh | Phase::CodeExchange => token_endpoint(seen, signals),
        Phase::AuthorizeCallback => callback(signals),
        Phase::ApiCall | Phase::Probe => calls::find(seen, signals),
    }
}

/// Passing trouble, by status or by words; the same in every phase.
pub(super) fn passing(seen: &Observation, signals: &Signals) -> Option<Finding> {
    let transient = |rule: &str, reason| Finding::inferred(rule, Verdict::Transient, Some(reason));
    let throttled = words::RATE_LIMITED
        .found(signals)
        .filter(|_| !matches!(seen.status, 402 | 404));
    if seen.status == 429 || throttled.is_some() {
        let words = throttled.unwrap_or_default();
        return Some(transient("generic.rate_limited", Reason::RateLimited).with_words(words));
    }
    if matches!(seen.status, 407 | 408 | 511) {
        return Some(transient("generic.network.gateway", Reason::Network));
    }
    if seen.status >= 500 {
        return Some(transient("generic.outage.status", Reason::ProviderOutage));
    }
    if seen.status >= 400
        && let Some(words) = words::GATEWAY.in_text(signals)
    {
        return Some(transient("generic.network.gateway", Reason::Network).with_words(words));
    }
    None
}

/// We did not send the credential, or not well. "Missing or invalid" is no such thing: we know that we send it.
pub(super) fn our_fault(signals: &Signals) -> Option<String> {
    words::OUR_FAULT
        .found(signals)
        .filter(|_| words::MISSING_OR_WORSE.in_text(signals).is_none())
}

/// The provider's own trouble, said under a status that does not.
pub(super) fn outage(seen: &Observation, signals: &Signals) -> Option<Finding> {
    let said = words::OUTAGE
        .found(signals)
        .or_else(|| words::CONFLICT.found(signals).filter(|_| seen.status == 409));
    said.map(|words| {
        Finding::stated(
            "generic.outage.said",
            Verdict::Transient,
            Some(Reason::ProviderOutage),
            words,
        )
    })
}

/// Causes that the provider states and that only the customer can mend.
pub(super) fn stated_cause(signals: &Signals) -> Option<Finding> {
    let causes: [(&str, &Concept, Reason); 4] = [
        (
            "generic.password_changed",
            &words::PASSWORD_CHANGED,
            Reason::PasswordChanged,
        ),
        (
            "generic.interaction_required",
            &words::INTERACTION,
            Reason::MfaOrConsentRequired,
        ),
        ("generic.user_disabled", &words::USER_DISABLED, Reason::UserDisabled),
        ("generic.app_uninstalled", &words::UNINSTALLED, Reason::AppUninstalled),
    ];
    causes.into_iter().find_map(|(rule, concept, reason)| {
        let words = concept.found(signals)?;
        Some(Finding::stated(rule, Verdict::Reauth, Some(reason), words))
    })
}

/// RFC 6749, 5.1 and 5.2, with what servers make of them.
fn token_endpoint(seen: &Observation, signals: &Signals) -> Finding {
    let succeeded = (200..300).contains(&seen.status);
    if succeeded && signals.has_token {
        return Finding::inferred("generic.token.success", Verdict::Ok, None);
    }
    if let Some(finding) = passing(seen, signals) {
        return finding;
    }
    if succeeded && !signals.says_failed {
        return unreadable_success(signals);
    }
    if signals.shape == Shape::Html || (300..400).contains(&seen.status) {
        // A login page or a firewall in front of the token endpoint proves nothing about the grant.
        return Finding::inferred(
            "generic.token.not_an_answer",
            Verdict::Transient,
            Some(Reason::ProviderOutage),
        );
    }
    // Whoever says `invalid_grant` has looked at the grant; "try again" then means the customer.
    let looked_at = signals.oauth_error.as_deref() == Some("invalidgrant");
    if let Some(finding) = outage(seen, signals).filter(|_| !looked_at) {
        return finding;
    }
    if seen.phase == Phase::CodeExchange {
        return client_trouble(seen, signals).unwrap_or_else(|| our_request("generic.exchange.refused", signals));
    }
    refused_refresh(seen, signals)
}

/// A success without tokens.
fn unreadable_success(signals: &Signals) -> Finding {
    if signals.shape == Shape::BrokenJson {
        return Finding::inferred("generic.token.cut_short", Verdict::Transient, Some(Reason::Network));
    }
    Finding::inferred(
        "generic.token.no_token",
        Verdict::Transient,
        Some(Reason::ProviderOutage),
    )
}

fn refused_refresh(seen: &Observation, signals: &Signals) -> Finding {
    if let Some(words) = our_fault(signals)
        && words::DEAD_GRANT.in_text(signals).is_none()
    {
        return our_request("generic.refresh.our_request", signals).with_words(words);
    }
    if let Some(finding) = stated_cause(signals) {
        return finding;
    }
    // The words of a dead grant win over the code, which some servers choose freely; a client's failure by its
    // own code wins over everything that the description may add.
    if let Some(finding) = other_client(signals).filter(|_| words::ALTERNATIVES.in_text(signals).is_none()) {
        return finding;
    }
    let client_code = signals.oauth_error.as_deref() == Some("invalidclient");
    if !client_code && let Some(words) = words::DEAD_GRANT.found(signals) {
        return dead_grant(signals, words);
    }
    if let Some(finding) = client_trouble(seen, signals) {
        return finding;
    }
    let ended = words::EXPIRED.found(signals).or_else(|| words::REVOKED.found(signals));
    if let Some(words) = ended.filter(|_| words::NOT_THE_GRANT.in_text(signals).is_none()) {
        return dead_grant(signals, words);
    }
    let unauthorized = signals.shape == Shape::Json && signals.has_text("unauthorized");
    match (
        seen.status,
        signals.oauth_error.is_some() || signals.says_failed || unauthorized,
    ) {
        // RFC 6749, 5.2: 401 is for failed client authentication.
        (401, true) => {
            let reason = Some(Reason::OauthClientSecretInvalid);
            let words = signals.quotable_code().unwrap_or_default();
            Finding::inferred("generic.client.unauthorized", Verdict::AppBroken, reason).with_words(words)
        }
        (400..=499, true) | (400 | 404 | 405 | 415 | 422, false) | (200..=299, _) => {
            our_request("generic.refresh.our_request", signals)
        }
        // Refused without a word: no proof of anything.
        _ => Finding::inferred(
            "generic.refresh.unexplained",
            Verdict::Transient,
            Some(Reason::ProviderOutage),
        ),
    }
}

/// Refused for the client's sake, though the code speaks of the grant.
fn other_client(signals: &Signals) -> Option<Finding> {
    let broken = |rule: &str, reason, words| Finding::stated(rule, Verdict::AppBroken, Some(reason), words);
    if let Some(words) = words::OTHER_CLIENT.found(signals) {
        return Some(broken("generic.client.other", Reason::OauthClientSecretInvalid, words));
    }
    let words = words::SERVICE_ACCOUNT.found(signals)?;
    Some(broken("generic.client.service_account", Reason::OauthAppDeleted, words))
}

/// A dead grant, with the cause as far as the words go.
fn dead_grant(signals: &Signals, words: String) -> Finding {
    let ambiguous = words::ALTERNATIVES.in_text(signals).is_some();
    let (rule, meaning) = if ambiguous {
        ("generic.refresh.invalid_grant", Meaning::GrantDead)
    } else if words::REVOKED.found(signals).is_some() {
        ("generic.refresh.revoked", Meaning::GrantRevoked)
    } else if words::EXPIRED.found(signals).is_some() {
        ("generic.refresh.expired", Meaning::GrantExpired)
    } else {
        ("generic.refresh.invalid_grant", Meaning::GrantDead)
    };
    Finding::means(rule, meaning, words)
}

/// The team's OAuth client is refused. Typed-in client credentials are the customer's, and so is their repair.
pub(super) fn client_trouble(seen: &Observation, signals: &Signals) -> Option<Finding> {
    let broken = |rule: &str, reason, words: String| {
        if seen.auth == Auth::ApiKey {
            return Finding::stated(rule, Verdict::Reauth, Some(Reason::ApiKeyInvalid), words);
        }
        Finding::stated(rule, Verdict::AppBroken, Some(reason), words)
    };
    // `invalid_client` with an alternative beside "not found" states nothing: a changed secret reads the same.
    let unsure = words::ALTERNATIVES.in_text(signals).is_some()
        || ["no client authentication", "client_id or", "client id or"]
            .iter()
            .any(|or| signals.has_text(or));
    if !unsure && let Some(words) = words::CLIENT_DELETED.found(signals) {
        return Some(broken("generic.client.deleted", Reason::OauthAppDeleted, words));
    }
    if !unsure && let Some(words) = words::CLIENT_UNKNOWN.found(signals) {
        return Some(broken("generic.client.unknown", Reason::OauthAppDeleted, words).unsure());
    }
    if let Some(words) = words::CLIENT_SECRET.found(signals) {
        return Some(broken("generic.client.secret", Reason::OauthClientSecretInvalid, words));
    }
    let unauthorized = signals.oauth_error.as_deref() == Some("unauthorizedclient");
    unauthorized.then(|| {
        broken(
            "generic.client.unauthorized",
            Reason::OauthClientSecretInvalid,
            "unauthorized_client".to_owned(),
        )
    })
}

pub(super) fn our_request(rule: &str, signals: &Signals) -> Finding {
    let words = signals.quotable_code().unwrap_or_default();
    Finding::inferred(rule, Verdict::ConfigError, Some(Reason::BadRequest)).with_words(words)
}

/// RFC 6749, 4.1.2.1: nothing here says anything about a stored grant.
fn callback(signals: &Signals) -> Finding {
    let code = signals.oauth_error.clone().unwrap_or_default();
    let (rule, verdict, reason) = match code.as_str() {
        "" => ("generic.callback.none", Verdict::Ok, None),
        "servererror" | "temporarilyunavailable" => (
            "generic.callback.outage",
            Verdict::Transient,
            Some(Reason::ProviderOutage),
        ),
        "accessdenied" => ("generic.callback.denied", Verdict::OkButDenied, None),
        "interactionrequired" | "loginrequired" | "consentrequired" | "accountselectionrequired" => (
            "generic.callback.interaction",
            Verdict::OkButDenied,
            Some(Reason::MfaOrConsentRequired),
        ),
        // The client is known, and not allowed to ask this way.
        "unauthorizedclient" => (
            "generic.callback.client_not_allowed",
            Verdict::AppBroken,
            Some(Reason::OauthClientSecretInvalid),
        ),
        "invalidclient" | "deletedclient" | "invalidclientid" => (
            "generic.callback.client_refused",
            Verdict::AppBroken,
            Some(Reason::OauthAppDeleted),
        ),
        "adminpolicyenforced" | "policyenforced" => (
            "generic.callback.policy",
            Verdict::OkButDenied,
            Some(Reason::MfaOrConsentRequired),
        ),
        _ => (
            "generic.callback.refused",
            Verdict::ConfigError,
            Some(Reason::BadRequest),
        ),
    };
    Finding::stated(rule, verdict, reason, signals.quotable_code().unwrap_or_default())
}
