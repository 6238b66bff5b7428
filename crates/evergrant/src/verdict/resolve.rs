//! From a meaning to a verdict: what the circumstances decide.

use std::time::Duration;

use super::body::head;
use super::model::{Auth, Circumstances, Evidence, Judgement, Observation, Phase};
use super::redact::{LONGEST, redact};
use super::rules::{Conclusion, Meaning, Rule};
use crate::reason::{Confidence, Reason, Verdict};

/// What a rule, or generic knowledge, found in an answer.
#[derive(Debug)]
pub(super) struct Finding {
    conclusion: Conclusion,
    /// The provider said so in words or by a code; else we conclude it.
    stated: bool,
    rule: String,
    words: String,
}

impl Finding {
    /// The finding of an application's own rule.
    pub(super) fn of(rule: &Rule, words: String) -> Self {
        Self {
            conclusion: rule.conclusion,
            stated: rule.confidence == Confidence::Stated,
            rule: rule.name.clone(),
            words,
        }
    }

    /// The same, concluded instead of stated.
    pub(super) fn unsure(self) -> Self {
        Self { stated: false, ..self }
    }

    /// A verdict that the provider's words state.
    pub(super) fn stated(rule: &str, verdict: Verdict, reason: Option<Reason>, words: String) -> Self {
        Self {
            conclusion: Conclusion::Fixed(verdict, reason),
            stated: true,
            rule: rule.to_owned(),
            words,
        }
    }

    /// A verdict that is concluded, from a status or from what is missing.
    pub(super) fn inferred(rule: &str, verdict: Verdict, reason: Option<Reason>) -> Self {
        Self {
            conclusion: Conclusion::Fixed(verdict, reason),
            stated: false,
            rule: rule.to_owned(),
            words: String::new(),
        }
    }

    /// A meaning that the circumstances will turn into a verdict.
    pub(super) fn means(rule: &str, meaning: Meaning, words: String) -> Self {
        Self {
            conclusion: Conclusion::Means(meaning),
            stated: true,
            rule: rule.to_owned(),
            words,
        }
    }

    /// The same with a meaning in place of its verdict.
    pub(super) fn meaning(self, meaning: Meaning) -> Self {
        Self {
            conclusion: Conclusion::Means(meaning),
            ..self
        }
    }

    /// The same with other words.
    pub(super) fn with_words(self, words: String) -> Self {
        Self { words, ..self }
    }
}

/// What the circumstances decide whatever the answer says. A success is never called into question.
pub(super) fn by_circumstances(seen: &Observation) -> Option<Finding> {
    use Reason::{BadRequest, Network, ProviderOutage};
    let known = &seen.circumstances;
    let passing = |rule: &str, reason| Some(Finding::inferred(rule, Verdict::Transient, Some(reason)));
    if seen.status == 0 || seen.fault.is_some() {
        let fault = seen.fault.map_or("no answer", super::NetworkFault::as_str);
        let finding = Finding::inferred("generic.network.no_answer", Verdict::Transient, Some(Network));
        return Some(finding.with_words(fault.to_owned()));
    }
    if seen.status < 300 {
        return None;
    }
    if known.redirects_to_provider == Some(false) && seen.status < 400 {
        return passing("generic.network.foreign_redirect", Network);
    }
    if known.works_from_elsewhere == Some(true) {
        return passing("generic.network.we_are_refused", Network);
    }
    if known.request_misbuilt == Some(true) && seen.status < 500 {
        return Some(Finding::inferred(
            "generic.request.misbuilt",
            Verdict::ConfigError,
            Some(BadRequest),
        ));
    }
    if known.many_refused_at_once == Some(true) && matches!(seen.status, 401 | 403) {
        return passing("generic.outage.many_at_once", ProviderOutage);
    }
    None
}

/// The judgement of a finding under the observation's circumstances.
pub(super) fn judgement(seen: &Observation, finding: Finding) -> Judgement {
    let (verdict, reason, stated) = match finding.conclusion {
        Conclusion::Fixed(verdict, reason) => (verdict, reason, finding.stated),
        Conclusion::Means(meaning) => {
            let (verdict, reason, stated) = resolve(seen, meaning);
            // A bare status states nothing.
            (verdict, reason, stated && finding.stated && !finding.words.is_empty())
        }
    };
    Judgement {
        verdict,
        reason,
        confidence: if stated {
            Confidence::Stated
        } else {
            Confidence::Inferred
        },
        evidence: Evidence {
            rule: finding.rule,
            words: told(seen, verdict, redact(&finding.words)),
            status: seen.status,
        },
    }
}

/// What the reader of a dead grant's evidence must know besides the provider's words: that it may have been our own second
/// use of a refresh token, forced by a lost reply, that ended it (RFC 9700, 4.14.2).
const REPLY_LOST: &str = "our previous refresh's reply was lost, so the provider may have rotated without us";

fn told(seen: &Observation, verdict: Verdict, words: String) -> String {
    let ours = seen.phase == Phase::Refresh && seen.circumstances.reply_lost == Some(true);
    match (ours && verdict == Verdict::Reauth, words.is_empty()) {
        (false, _) => words,
        (true, true) => REPLY_LOST.to_owned(),
        (true, false) => {
            let words = head(&words, LONGEST - REPLY_LOST.len() - 2);
            format!("{}; {REPLY_LOST}", words.trim_end())
        }
    }
}

type Resolved = (Verdict, Option<Reason>, bool);

fn resolve(seen: &Observation, meaning: Meaning) -> Resolved {
    let known = &seen.circumstances;
    match seen.phase {
        Phase::ApiCall | Phase::Probe => match seen.auth {
            Auth::ApiKey => (Verdict::Reauth, Some(Reason::ApiKeyInvalid), true),
            Auth::OAuth2 => refused_token(known, meaning),
        },
        Phase::Refresh => {
            let (reason, stated) = dead_grant(known, meaning);
            (Verdict::Reauth, Some(reason), stated)
        }
        // A code that is refused was ours to use in time and once; no grant exists yet that could be dead.
        Phase::CodeExchange | Phase::AuthorizeCallback => (Verdict::ConfigError, Some(Reason::BadRequest), false),
    }
}

/// Access tokens younger than this may simply not have reached every server of the provider yet.
const SETTLING: Duration = Duration::from_mins(1);

/// A refused access token is proof only when nothing can replace it, or when it has just been replaced.
fn refused_token(known: &Circumstances, meaning: Meaning) -> Resolved {
    let refresh = (
        Verdict::Transient,
        Some(Reason::AccessTokenExpired),
        meaning == Meaning::CredentialExpired,
    );
    let settling = (Verdict::Transient, Some(Reason::ProviderOutage), false);
    let revoked = matches!(meaning, Meaning::CredentialRevoked | Meaning::GrantRevoked);
    let expired = matches!(meaning, Meaning::CredentialExpired | Meaning::GrantExpired);
    if known.newer_token_stored == Some(true) {
        return refresh;
    }
    if known.fresh_from_refresh == Some(true) {
        // "Expired" contradicts the refresh that has just succeeded: the provider is not of one mind yet.
        return if expired {
            settling
        } else {
            (Verdict::Reauth, Some(Reason::TokenRevoked), revoked)
        };
    }
    // A token that was accepted before has arrived; its refusal now is no matter of settling.
    if known.access_token_age.is_some_and(|age| age < SETTLING) && known.token_previously_worked != Some(true) {
        return settling;
    }
    match known.has_refresh_token {
        Some(false) if expired || (known.access_token_outlived() && !revoked) => {
            (Verdict::Reauth, Some(Reason::AccessTokenExpired), expired)
        }
        Some(false) => (Verdict::Reauth, Some(Reason::TokenRevoked), revoked),
        None if revoked => (Verdict::Reauth, Some(Reason::TokenRevoked), true),
        Some(true) | None => refresh,
    }
}

/// Why a refresh token died. What the provider states wins over what the calendar suggests.
fn dead_grant(known: &Circumstances, meaning: Meaning) -> (Reason, bool) {
    match meaning {
        Meaning::GrantExpired | Meaning::CredentialExpired => (Reason::RefreshTokenExpired, true),
        _ if known.password_changed_since == Some(true) => (Reason::PasswordChanged, false),
        Meaning::GrantRevoked | Meaning::CredentialRevoked => (Reason::TokenRevoked, true),
        _ if known.refresh_token_outlived() || known.session_ended == Some(true) => {
            (Reason::RefreshTokenExpired, false)
        }
        _ => (Reason::TokenRevoked, false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_reply_is_told_with_a_dead_grant_and_with_nothing_else() {
        let mut seen = Observation::answer(Auth::OAuth2, Phase::Refresh, 400);
        let words = || "invalid_grant".to_owned();
        assert_eq!(told(&seen, Verdict::Reauth, words()), "invalid_grant");
        seen.circumstances.reply_lost = Some(true);
        assert_eq!(
            told(&seen, Verdict::Reauth, words()),
            format!("invalid_grant; {REPLY_LOST}")
        );
        assert_eq!(told(&seen, Verdict::Reauth, String::new()), REPLY_LOST);
        let long = told(&seen, Verdict::Reauth, "word ".repeat(40));
        assert!(long.len() <= LONGEST && long.ends_with(REPLY_LOST), "{long}");
        assert_eq!(told(&seen, Verdict::Transient, words()), "invalid_grant");
        let probe = Observation {
            phase: Phase::Probe,
            ..seen
        };
        assert_eq!(told(&probe, Verdict::Reauth, words()), "invalid_grant");
    }
}
