//! What goes into a judgement and what comes out.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::reason::{Confidence, Reason, Verdict};

/// How the connection authenticates. Personal tokens count as keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Auth {
    /// A grant with an access token and perhaps a refresh token.
    #[serde(rename = "oauth2")]
    OAuth2,
    /// A key, password or personal token that the customer typed in.
    ApiKey,
}

/// What we were doing when the answer came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// A request to the token endpoint with a refresh token.
    Refresh,
    /// A call of the application's API on the customer's behalf.
    ApiCall,
    /// The browser coming back from the authorisation endpoint.
    AuthorizeCallback,
    /// A request to the token endpoint with an authorisation code.
    CodeExchange,
    /// A call made only to learn whether the credential works; judged like [`Phase::ApiCall`].
    Probe,
}

impl Phase {
    /// A call that carries the credential itself.
    #[must_use]
    pub const fn is_call(self) -> bool {
        matches!(self, Self::ApiCall | Self::Probe)
    }

    /// Whether a rule written for `wanted` covers this phase: a probe is an API call too.
    #[must_use]
    pub fn is_covered_by(self, wanted: Self) -> bool {
        self == wanted || (self == Self::Probe && wanted == Self::ApiCall)
    }
}

/// Why no answer arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NetworkFault {
    /// The host name did not resolve.
    Dns,
    /// Nobody listens, or no route leads there.
    Unreachable,
    /// TLS could not be agreed upon.
    Tls,
    /// Nothing came in time.
    Timeout,
    /// The connection broke after the request went out: the provider may have acted on it.
    Broken,
    /// Anything else below HTTP.
    Other,
}

impl NetworkFault {
    /// The stable spelling.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Dns => "dns",
            Self::Unreachable => "unreachable",
            Self::Tls => "tls",
            Self::Timeout => "timeout",
            Self::Broken => "broken",
            Self::Other => "other",
        }
    }
}

/// What is known besides the answer. `None` means: not known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Circumstances {
    /// A refresh token is stored for the connection.
    pub has_refresh_token: Option<bool>,
    /// Time since the access token was issued.
    pub access_token_age: Option<Duration>,
    /// The access token's stated lifetime.
    pub access_token_lifetime: Option<Duration>,
    /// Time since the refresh token was issued.
    pub refresh_token_age: Option<Duration>,
    /// The refresh token's documented absolute lifetime.
    pub refresh_token_lifetime: Option<Duration>,
    /// Time since the refresh token last worked.
    pub idle_for: Option<Duration>,
    /// The provider's documented limit on disuse.
    pub idle_limit: Option<Duration>,
    /// The very same credential has been accepted before.
    pub token_previously_worked: Option<bool>,
    /// The refused access token was produced by a refresh moments ago: its refusal is proof.
    pub fresh_from_refresh: Option<bool>,
    /// The reply to our last refresh was lost, so the provider may have rotated without us.
    pub reply_lost: Option<bool>,
    /// A newer access token than the refused one is stored already.
    pub newer_token_stored: Option<bool>,
    /// The account's password was changed after the last successful refresh.
    pub password_changed_since: Option<bool>,
    /// The provider's own session behind the grant is idle or ended.
    pub session_ended: Option<bool>,
    /// Other calls with the same credential succeed at present.
    pub other_calls_succeed: Option<bool>,
    /// The same credential works from another network, so that we are what is refused.
    pub works_from_elsewhere: Option<bool>,
    /// Many connections of the application are refused at once.
    pub many_refused_at_once: Option<bool>,
    /// Where the answer is a redirect: whether it leads to the provider's own host.
    pub redirects_to_provider: Option<bool>,
    /// We sent the credential in a wrong way or to a wrong host, as its own configuration shows.
    pub request_misbuilt: Option<bool>,
}

impl Circumstances {
    /// Whether the access token is past its stated lifetime.
    #[must_use]
    pub fn access_token_outlived(&self) -> bool {
        reached(self.access_token_age, self.access_token_lifetime)
    }

    /// Whether the refresh token is at or past its lifetime or its idle limit.
    #[must_use]
    pub fn refresh_token_outlived(&self) -> bool {
        reached(self.refresh_token_age, self.refresh_token_lifetime) || reached(self.idle_for, self.idle_limit)
    }
}

fn reached(age: Option<Duration>, limit: Option<Duration>) -> bool {
    matches!((age, limit), (Some(age), Some(limit)) if age >= limit)
}

/// One answer of a provider, or the lack of one.
///
/// The body may hold tokens: the type cannot be serialised and prints only its outline.
#[derive(Clone)]
pub struct Observation {
    /// How the connection authenticates.
    pub auth: Auth,
    /// What we were doing.
    pub phase: Phase,
    /// HTTP status; 0 when no answer arrived.
    pub status: u16,
    /// Header names in lower case, with their values.
    pub headers: Vec<(String, String)>,
    /// As sent; it may lie.
    pub content_type: String,
    /// As received; only the first 64 KiB are looked at.
    pub body: Vec<u8>,
    /// Why no answer arrived.
    pub fault: Option<NetworkFault>,
    /// What is known besides.
    pub circumstances: Circumstances,
}

impl Observation {
    /// An answer with nothing but a status; fields are filled in by struct update.
    #[must_use]
    pub fn answer(auth: Auth, phase: Phase, status: u16) -> Self {
        Self {
            auth,
            phase,
            status,
            headers: Vec::new(),
            content_type: String::new(),
            body: Vec::new(),
            fault: None,
            circumstances: Circumstances::default(),
        }
    }

    /// No answer at all.
    #[must_use]
    pub fn fault(auth: Auth, phase: Phase, fault: NetworkFault) -> Self {
        Self {
            fault: Some(fault),
            ..Self::answer(auth, phase, 0)
        }
    }

    /// The first header of that lower-case name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

impl fmt::Debug for Observation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Observation")
            .field("auth", &self.auth)
            .field("phase", &self.phase)
            .field("status", &self.status)
            .field("body_bytes", &self.body.len())
            .field("fault", &self.fault)
            .finish_non_exhaustive()
    }
}

/// Why a verdict was reached; safe to store, send and show.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// A stable dotted name: `generic.refresh.invalid_grant`, `slack.token_revoked`.
    pub rule: String,
    /// The few words or codes that decided, redacted, at most 200 characters.
    pub words: String,
    /// The HTTP status; 0 when no answer arrived.
    pub status: u16,
}

impl Evidence {
    /// The same without what was secret in the request: some providers repeat it.
    #[must_use]
    pub fn without<'a>(mut self, secrets: impl IntoIterator<Item = &'a str>) -> Self {
        for secret in secrets.into_iter().filter(|secret| secret.len() >= 4) {
            self.words = self.words.replace(secret, "[redacted]");
            // Words are quoted in lower case.
            self.words = self.words.replace(&secret.to_lowercase(), "[redacted]");
        }
        self
    }
}

/// What one observation means.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judgement {
    /// What it means for the connection.
    pub verdict: Verdict,
    /// Why; always present with [`Verdict::Reauth`].
    pub reason: Option<Reason>,
    /// Whether the provider said so or we conclude it.
    pub confidence: Confidence,
    /// Which rule, which words.
    pub evidence: Evidence,
}
