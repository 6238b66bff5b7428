//! What is sent to the token and revocation endpoints.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use url::{Url, form_urlencoded};
use zeroize::Zeroizing;

use crate::pkce::Verifier;
use crate::secret::Secret;

/// How the client proves who it is (RFC 6749, 2.3.1).
#[derive(Debug, Clone)]
pub enum ClientAuth {
    /// In the `Authorization` header: what every server must support.
    Basic(Secret),
    /// In the body, as `client_secret`: what many servers support only.
    Post(Secret),
    /// Not at all: a public client, which gives its id alone.
    None,
}

/// How the parameters are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BodyFormat {
    /// `application/x-www-form-urlencoded`: the RFC's.
    #[default]
    Form,
    /// A flat JSON object of strings, which some providers want instead.
    Json,
}

/// What `token_type_hint` can say (RFC 7009, 2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenHint {
    /// The token to revoke is an access token.
    AccessToken,
    /// It is a refresh token; the server then ends the whole grant, or should.
    RefreshToken,
}

/// An endpoint that takes tokens or gives them, and how to speak to it.
#[derive(Debug, Clone)]
pub struct TokenEndpoint {
    /// The token endpoint; for [`TokenEndpoint::revoke`] the revocation endpoint.
    pub url: Url,
    /// The client's public name at the provider.
    pub client_id: String,
    /// How the client proves who it is.
    pub auth: ClientAuth,
    /// How the parameters are written.
    pub body: BodyFormat,
    /// What else the provider wants. A name that the request itself uses is left out.
    pub extra: Vec<(String, String)>,
}

/// A request to be sent as it is, over TLS, following no redirect: it holds credentials.
#[derive(Debug, Clone)]
pub struct HttpRequest {
    /// Always `POST` (RFC 6749, 3.2).
    pub method: &'static str,
    /// Where to.
    pub url: Url,
    /// Lower-case names with their values.
    pub headers: Vec<(&'static str, Secret)>,
    /// The encoded parameters.
    pub body: Secret,
    /// Every secret in this request, for [`crate::reply::read`] to hide should the answer repeat one.
    pub sent: Vec<Secret>,
}

/// The parameters of one request, in order; values may be secret.
type Parameters<'a> = Vec<(&'a str, &'a str)>;

impl TokenEndpoint {
    /// Exchanges a code for tokens (RFC 6749, 4.1.3; RFC 7636, 4.5).
    ///
    /// `redirect_uri` must be the text of the authorisation request.
    #[must_use]
    pub fn authorization_code(&self, code: &Secret, redirect_uri: &str, verifier: Option<&Verifier>) -> HttpRequest {
        let mut own = vec![
            ("grant_type", "authorization_code"),
            ("code", code.expose()),
            ("redirect_uri", redirect_uri),
        ];
        let mut sent = vec![code.clone()];
        if let Some(verifier) = verifier {
            own.push(("code_verifier", verifier.secret().expose()));
            sent.push(verifier.secret().clone());
        }
        self.request(own, sent)
    }

    /// Asks for a new access token (RFC 6749, 6).
    ///
    /// Leave `scope` out to keep what was granted; a wider one is refused.
    #[must_use]
    pub fn refresh(&self, refresh_token: &Secret, scope: Option<&str>) -> HttpRequest {
        let mut own = vec![
            ("grant_type", "refresh_token"),
            ("refresh_token", refresh_token.expose()),
        ];
        own.extend(scope.map(|scope| ("scope", scope)));
        self.request(own, vec![refresh_token.clone()])
    }

    /// Revokes a token (RFC 7009, 2.1). Any 2xx answer is success, also for a token long dead (2.2);
    /// there is nothing to read in it.
    #[must_use]
    pub fn revoke(&self, token: &Secret, hint: Option<TokenHint>) -> HttpRequest {
        let mut own = vec![("token", token.expose())];
        own.extend(hint.map(|hint| match hint {
            TokenHint::AccessToken => ("token_type_hint", "access_token"),
            TokenHint::RefreshToken => ("token_type_hint", "refresh_token"),
        }));
        self.request(own, vec![token.clone()])
    }

    fn request<'a>(&'a self, mut parameters: Parameters<'a>, mut sent: Vec<Secret>) -> HttpRequest {
        let media_type = match self.body {
            BodyFormat::Form => "application/x-www-form-urlencoded",
            BodyFormat::Json => "application/json",
        };
        let mut headers = vec![header("accept", "application/json"), header("content-type", media_type)];
        match &self.auth {
            ClientAuth::Basic(secret) => {
                let value = basic(&self.client_id, secret);
                sent.push(secret.clone());
                sent.extend(
                    value
                        .expose()
                        .split(' ')
                        .next_back()
                        .map(|pair| Secret::from(pair.to_owned())),
                );
                headers.push(("authorization", value));
            }
            ClientAuth::Post(secret) => {
                parameters.extend([
                    ("client_id", self.client_id.as_str()),
                    ("client_secret", secret.expose()),
                ]);
                sent.push(secret.clone());
            }
            ClientAuth::None => parameters.push(("client_id", &self.client_id)),
        }
        let own = parameters.len();
        for (name, value) in &self.extra {
            if parameters[..own].iter().all(|(taken, _)| taken != name) {
                parameters.push((name, value));
            }
        }
        HttpRequest {
            method: "POST",
            url: self.url.clone(),
            headers,
            body: self.encode(&parameters),
            sent,
        }
    }

    fn encode(&self, parameters: &Parameters<'_>) -> Secret {
        Secret::from(match self.body {
            BodyFormat::Form => {
                // Room for the worst case, so that growing leaves no half-written copy behind.
                let room = parameters
                    .iter()
                    .map(|(name, value)| 3 * (name.len() + value.len()) + 2)
                    .sum();
                form_urlencoded::Serializer::new(String::with_capacity(room))
                    .extend_pairs(parameters)
                    .finish()
            }
            BodyFormat::Json => {
                let object: BTreeMap<&str, &str> = parameters.iter().copied().collect();
                serde_json::to_string(&object).expect("a map from text to text is always JSON")
            }
        })
    }
}

/// RFC 6749, 2.3.1: id and secret are form-encoded *before* they are joined, so that a colon in the
/// id, or anything beyond ASCII, arrives intact.
fn basic(client_id: &str, secret: &Secret) -> Secret {
    let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let secret = Zeroizing::new(encoded(secret.expose()));
    let pair = Zeroizing::new(format!("{}:{}", encoded(client_id), *secret));
    Secret::from(format!("Basic {}", *Zeroizing::new(STANDARD.encode(pair.as_bytes()))))
}

fn header(name: &'static str, value: &str) -> (&'static str, Secret) {
    (name, Secret::from(value.to_owned()))
}

#[cfg(test)]
mod tests;
