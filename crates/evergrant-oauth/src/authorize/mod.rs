//! Asking for consent: the URL the person is sent to ([`AuthorizationRequest`]), and what they come
//! back with ([`Callback`]).

mod callback;
#[cfg(test)]
mod tests;

pub use callback::{Callback, CallbackError, IssuerMismatch, Outcome};

use url::Url;

use crate::encode::percent;
use crate::pkce::{Challenge, State};

/// One authorisation request of the code flow (RFC 6749, 4.1.1).
#[derive(Debug, Clone)]
pub struct AuthorizationRequest {
    /// The authorisation endpoint. A query it has is kept (RFC 6749, 3.1), a fragment is not.
    pub endpoint: Url,
    /// The client's public name at the provider.
    pub client_id: String,
    /// Sent exactly as written: providers compare it as text.
    pub redirect_uri: String,
    /// What to ask for. Empty: the parameter is left out and the provider's default applies.
    pub scopes: Vec<String>,
    /// A space by the RFC; some providers want a comma.
    pub scope_separator: String,
    /// `scope` by the RFC; Slack, for one, asks for a person's scopes as `user_scope`.
    pub scope_parameter: String,
    /// Comes back with the callback.
    pub state: State,
    /// The public half of PKCE (RFC 7636, 4.3), unless the provider is known to fail on it.
    pub challenge: Option<Challenge>,
    /// What else the provider wants, such as `prompt`. A name may repeat (`resource`, RFC 8707), but
    /// one that the protocol or the endpoint's own query uses is left out.
    pub extra: Vec<(String, String)>,
}

impl AuthorizationRequest {
    /// A request by the RFC's defaults; the remaining fields are open for what the provider wants.
    #[must_use]
    pub fn new(endpoint: Url, client_id: String, redirect_uri: String, state: State) -> Self {
        Self {
            endpoint,
            client_id,
            redirect_uri,
            scopes: Vec::new(),
            scope_separator: " ".to_owned(),
            scope_parameter: "scope".to_owned(),
            state,
            challenge: None,
            extra: Vec::new(),
        }
    }

    /// The URL to send the person's browser to. It holds the state: do not log it.
    #[must_use]
    pub fn url(&self) -> Url {
        let own = self.own_parameters();
        let is_own = |name: &str| name == self.scope_parameter || OWN_NAMES.contains(&name);
        let kept = without(self.endpoint.query().unwrap_or_default(), is_own);
        let fixed = |name: &str| is_own(name) || names(&kept).any(|kept| kept == name);

        let mut query = kept.clone();
        let extra = self.extra.iter().filter(|(name, _)| !fixed(name));
        let pairs = own.iter().map(|(n, v)| (*n, v.as_str()));
        for (name, value) in pairs.chain(extra.map(|(n, v)| (n.as_str(), v.as_str()))) {
            if !query.is_empty() {
                query.push('&');
            }
            query.push_str(&percent(name));
            query.push('=');
            query.push_str(&percent(value));
        }
        let mut url = self.endpoint.clone();
        url.set_query(Some(&query));
        url.set_fragment(None);
        url
    }

    fn own_parameters(&self) -> Vec<(&str, String)> {
        let mut own = vec![
            ("response_type", "code".to_owned()),
            ("client_id", self.client_id.clone()),
            ("redirect_uri", self.redirect_uri.clone()),
            ("state", self.state.expose().to_owned()),
        ];
        if !self.scopes.is_empty() {
            own.push((&self.scope_parameter, self.scopes.join(&self.scope_separator)));
        }
        if let Some(challenge) = &self.challenge {
            own.push(("code_challenge", challenge.as_str().to_owned()));
            own.push(("code_challenge_method", "S256".to_owned()));
        }
        own
    }
}

/// Reserved whether or not they are sent: an extra `code_challenge` would break the exchange.
const OWN_NAMES: [&str; 6] = [
    "response_type",
    "client_id",
    "redirect_uri",
    "state",
    "code_challenge",
    "code_challenge_method",
];

/// The pairs of `query` in their own spelling, but for those whose (decoded) name is `unwanted`.
fn without(query: &str, unwanted: impl Fn(&str) -> bool) -> String {
    let kept = query.split('&').filter(|pair| !pair.is_empty());
    let kept: Vec<&str> = kept.filter(|pair| !names(pair).any(|name| unwanted(&name))).collect();
    kept.join("&")
}

fn names(query: &str) -> impl Iterator<Item = std::borrow::Cow<'_, str>> {
    url::form_urlencoded::parse(query.as_bytes()).map(|(name, _)| name)
}
