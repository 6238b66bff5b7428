//! What the browser brings back (RFC 6749, 4.1.2).

use crate::pkce::State;
use crate::secret::Secret;
use crate::text::{CODE_CHARS, DESCRIPTION_CHARS, clean};

/// The query of a callback, read. Nothing in it can be trusted until the state has been found.
#[derive(Debug)]
pub struct Callback {
    /// Names the request this answers, by its [`State::hash`].
    pub state: State,
    /// The server that answered, if it says so (RFC 9207). See [`Callback::check_issuer`].
    pub iss: Option<String>,
    /// Consent or refusal.
    pub outcome: Outcome,
}

/// How the person, or the provider, decided.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Consent was given.
    Granted {
        /// To be exchanged once, soon.
        code: Secret,
    },
    /// It was not: declined, or refused by the provider (RFC 6749, 4.1.2.1).
    Denied {
        /// The provider's code, such as `access_denied`: at most 256 characters, outside text.
        error: String,
        /// The provider's words: at most 512 characters, outside text.
        description: Option<String>,
    },
}

/// The request is not a callback of any authorisation of ours. Starting again is the only cure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CallbackError {
    /// Without a state there is no telling whose it is.
    #[error("the callback has no state")]
    MissingState,
    /// It says neither yes nor no.
    #[error("the callback has neither a code nor an error")]
    NoOutcome,
    /// A parameter came twice, which RFC 6749, 3.1 forbids: which one counts would be a guess.
    #[error("the callback repeats `{0}`")]
    Duplicated(&'static str),
    /// A value is longer than any real one.
    #[error("the callback's `{0}` is too long")]
    TooLong(&'static str),
}

/// Another server than the expected one answered: a mix-up, perhaps an attack (RFC 9207, 1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the callback comes from another issuer than the one asked")]
pub struct IssuerMismatch;

/// What is read, with the longest value accepted, in bytes. Errors are cut instead of refused.
const KNOWN: [(&str, usize); 5] = [
    ("state", 512),
    ("code", 8 * 1024),
    ("iss", 2 * 1024),
    ("error", 8 * 1024),
    ("error_description", 8 * 1024),
];

impl Callback {
    /// Reads the decoded query pairs of a callback.
    ///
    /// Unknown parameters are ignored (RFC 6749, 4.1.2) and empty ones count as absent (3.1). An
    /// error beside a code is a refusal.
    pub fn parse<N, V>(pairs: impl IntoIterator<Item = (N, V)>) -> Result<Self, CallbackError>
    where
        N: AsRef<str>,
        V: AsRef<str>,
    {
        let mut found: [Option<Secret>; KNOWN.len()] = Default::default();
        for (name, value) in pairs {
            let Some(at) = KNOWN.iter().position(|(known, _)| *known == name.as_ref()) else {
                continue;
            };
            let (known, longest) = KNOWN[at];
            if found[at].is_some() {
                return Err(CallbackError::Duplicated(known));
            }
            if value.as_ref().len() > longest {
                return Err(CallbackError::TooLong(known));
            }
            found[at] = Some(Secret::from(value.as_ref().to_owned()));
        }
        let [state, code, iss, error, description] = found.map(|v| v.filter(|v| !v.expose().is_empty()));

        let outcome = match (error, code) {
            (Some(error), _) => Outcome::Denied {
                error: clean(error.expose(), CODE_CHARS).unwrap_or_default(),
                description: description.and_then(|d| clean(d.expose(), DESCRIPTION_CHARS)),
            },
            (None, Some(code)) => Outcome::Granted { code },
            (None, None) => return Err(CallbackError::NoOutcome),
        };
        Ok(Self {
            state: state.map(State::from).ok_or(CallbackError::MissingState)?,
            iss: iss.map(|iss| iss.expose().to_owned()),
            outcome,
        })
    }

    /// Compares the issuer character by character, as RFC 9207, 2.4 demands, where one is expected
    /// and one was sent.
    ///
    /// A server known to send `iss` always must not be let off: there, check `iss.is_some()` too.
    pub fn check_issuer(&self, expected: Option<&str>) -> Result<(), IssuerMismatch> {
        match (expected, self.iss.as_deref()) {
            (Some(expected), Some(sent)) if expected != sent => Err(IssuerMismatch),
            _ => Ok(()),
        }
    }
}
