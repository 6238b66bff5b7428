//! `evergrant connection why`: the answer in words.

use crate::catalog::{Application, AuthType};
use crate::connections::{Connection, ConnectionStatus, Named, OBSERVED, TimelineEntry};
use crate::http::api::evidence;
use crate::reason::{Confidence, Reason, Verdict};
use crate::verdict::Evidence;

/// Why a connection is as it is, sentence by sentence.
pub(super) fn answer(named: &Named, (timeline, of): (&[TimelineEntry], Option<&Application>)) -> Vec<String> {
    let c = &named.connection;
    let mut said = vec![standing(named)];
    if let Some((confidence, evidence)) = decided_by(c, timeline) {
        said.push(sure(confidence).to_owned());
        said.push(rule(evidence));
        if let Some(source) = evidence::source(&evidence.rule, of) {
            said.push(format!("Source of that rule: {source}."));
        }
    }
    if let Some(at) = c.last_ok_at {
        said.push(format!("The provider last accepted the credential at {}.", at.iso()));
    }
    said.extend(since_then(timeline));
    said.extend(remedy(c));
    if let Some(due) = c.schedule.due_at {
        said.push(format!("Evergrant itself looks at it next at {}.", due.iso()));
    }
    said
}

fn standing(named: &Named) -> String {
    let c = &named.connection;
    let whose = if named.linked_account_id.is_empty() {
        format!("The connection to {}", c.slug)
    } else {
        format!("The connection of {} to {}", named.linked_account_id, c.slug)
    };
    match (&c.status, &c.trouble) {
        (ConnectionStatus::ReauthRequired(flag), _) => format!(
            "{whose} has needed its customer since {}: {} ({}).",
            flag.since.iso(),
            in_words(flag.reason),
            flag.reason
        ),
        (ConnectionStatus::Disconnected { at }, _) => {
            format!(
                "{whose} was disconnected at {}; what was known of it is erased.",
                at.iso()
            )
        }
        (ConnectionStatus::Active, None) => format!("{whose} works: nobody needs to do anything."),
        (ConnectionStatus::Active, Some(trouble)) => {
            let reason = trouble.reason.map_or_else(
                || format!("the last observation was {}", trouble.verdict),
                |reason| format!("{} ({reason})", in_words(reason)),
            );
            let since = trouble.since.iso();
            format!("{whose} is served, and has had trouble since {since}: {reason}.")
        }
    }
}

/// What the present standing rests on.
fn decided_by<'a>(c: &'a Connection, timeline: &'a [TimelineEntry]) -> Option<(Confidence, &'a Evidence)> {
    if let Some(flag) = c.status.flag() {
        return Some((flag.confidence, &flag.evidence));
    }
    c.trouble.as_ref()?;
    let newest = timeline.iter().find(|entry| {
        let failed = entry.verdict.is_some_and(|verdict| verdict != Verdict::Ok);
        failed && (entry.kind == OBSERVED || entry.kind == "trouble")
    })?;
    Some((newest.confidence?, newest.evidence.as_ref()?))
}

const fn sure(confidence: Confidence) -> &'static str {
    match confidence {
        Confidence::Stated => "This was said in so many words (stated).",
        Confidence::Inferred => "This was concluded from the answer and from what else is known (inferred).",
    }
}

fn rule(evidence: &Evidence) -> String {
    let status = match evidence.status {
        0 => String::new(),
        status => format!(", HTTP {status}"),
    };
    if evidence.words.is_empty() {
        format!("Decided by the rule `{}`{status}.", evidence.rule)
    } else {
        format!("Decided by the rule `{}`{status}: {}", evidence.rule, evidence.words)
    }
}

/// What has been seen since the last change, and changed nothing.
fn since_then(timeline: &[TimelineEntry]) -> Option<String> {
    let unchanged: Vec<_> = timeline.iter().take_while(|entry| entry.kind == OBSERVED).collect();
    let newest = unchanged.first()?;
    let verdict = newest.verdict.map_or("nothing", Verdict::as_str);
    let rule = newest.evidence.as_ref().map_or("-", |evidence| evidence.rule.as_str());
    Some(format!(
        "Observations since then that changed nothing: {}; the last at {} was {verdict}, by `{rule}`.",
        unchanged.len(),
        newest.at.iso()
    ))
}

fn remedy(c: &Connection) -> Option<String> {
    let link = format!("`evergrant connection reauth-link {}`", c.id);
    let text = match (&c.status, &c.trouble) {
        (ConnectionStatus::ReauthRequired(flag), _) if flag.reason == Reason::OauthAppDeleted => format!(
            "What heals it: an OAuth client that exists (`evergrant app client set`); then it is tried, and what still does \
             not work needs a new consent ({link})."
        ),
        (ConnectionStatus::ReauthRequired(_), _) if c.auth_type == AuthType::Keybased => format!(
            "What heals it: a key that the provider accepts, from the customer ({link}); or the same key, if the provider \
             accepts it again and `evergrant connection check {}` finds that out.",
            c.id
        ),
        (ConnectionStatus::ReauthRequired(_), _) => format!(
            "What heals it: a new consent of the customer ({link}); or by itself, should the provider accept the grant again."
        ),
        (ConnectionStatus::Active, Some(trouble)) if trouble.verdict == Verdict::AppBroken => {
            "What heals it: a working OAuth \
             client (`evergrant app client set`, `evergrant incident list`); the customer can do nothing about it."
                .to_owned()
        }
        (ConnectionStatus::Active, Some(_)) => "What heals it: it is tried again by itself.".to_owned(),
        (ConnectionStatus::Active, None) | (ConnectionStatus::Disconnected { .. }, _) => return None,
    };
    Some(text)
}

/// A reason, for people (`docs/API.md`).
const fn in_words(reason: Reason) -> &'static str {
    match reason {
        Reason::ApiKeyInvalid => "the key is wrong, revoked or expired",
        Reason::TokenRevoked => "the grant was withdrawn, replaced, or is unknown to the provider",
        Reason::PasswordChanged => "the grant died with a change of password",
        Reason::UserDisabled => "the user who gave consent is disabled, deleted or suspended",
        Reason::RefreshTokenExpired => "the refresh token is past its lifetime or idle limit",
        Reason::AccessTokenExpired => "the access token has ended, and there is nothing to refresh it with",
        Reason::AppUninstalled => "the customer removed the app",
        Reason::OauthAppDeleted => "the OAuth client is gone",
        Reason::OauthClientSecretInvalid => "the provider refuses the OAuth client or its secret",
        Reason::MfaOrConsentRequired => "the provider demands an interactive step or an administrator",
        Reason::ScopeMissing => "a permission is lacking",
        Reason::RateLimited => "the provider asks for patience",
        Reason::ProviderOutage => "the provider is down, or answers nonsense",
        Reason::Network => "no answer arrived",
        Reason::BadRequest => "the request was at fault",
    }
}
