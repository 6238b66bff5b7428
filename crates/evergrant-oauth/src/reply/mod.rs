//! What the token endpoint said (RFC 6749, 5).
//!
//! [`read`] is strict about one thing only: a success has a usable access token and nothing that
//! says no. Everything else that servers do differently is tolerated, because the request cannot be
//! repeated: a refresh token that the server has rotated is lost with the reply.
//!
//! Reading order: [`read`] here, `body` (bytes to members), `fault` (members that say no), `tokens`
//! (members to a [`TokenSet`]).

mod body;
mod fault;
#[cfg(test)]
mod tests;
mod tokens;

pub use tokens::{Extras, TokenSet};

use serde_json::{Map, Value};

use crate::secret::Secret;

/// The largest reply read, in bytes: no real one comes near.
pub const LARGEST_BODY: usize = 64 * 1024;

/// Where a provider puts the tokens.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReplyShape {
    /// A JSON pointer (RFC 6901) to the object that holds them, such as `/authed_user`. `None`: the
    /// reply itself. Where the reply has nothing at that place, the reply itself is looked at: some
    /// servers nest the first reply and not the refreshed one.
    pub tokens_at: Option<String>,
}

/// No tokens were given. What that means is not said here.
///
/// Neither variant can hold a token: the texts are those of an error, cleaned, with every token of
/// the reply and every secret of the request hidden.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// The server said no, in words that were understood.
    #[error("the token endpoint said no (status {status}, {})", code.as_deref().unwrap_or("no code"))]
    Rejected {
        /// The HTTP status; errors under 200 are common.
        status: u16,
        /// `error` or what stands for it, at most 256 characters of outside text.
        code: Option<String>,
        /// `error_description` or what stands for it, at most 512 characters of outside text.
        description: Option<String>,
    },
    /// The reply was neither tokens nor an error: a proxy's page, a reply cut short, nothing at all.
    /// A rotation may have happened all the same.
    #[error("the token endpoint's reply was not understood (status {status})")]
    Unintelligible {
        /// The HTTP status.
        status: u16,
    },
}

/// Reads the reply to an exchange or a refresh.
///
/// The content type is not asked for: servers send JSON as `text/html` and pages as JSON, so the
/// body decides. `sent` is [`HttpRequest::sent`](crate::HttpRequest::sent): servers repeat what
/// they refuse, and an error must not hold it.
pub fn read(status: u16, body: &[u8], shape: &ReplyShape, sent: &[Secret]) -> Result<TokenSet, TokenError> {
    let Some(mut members) = body::members(body) else {
        return Err(TokenError::Unintelligible { status });
    };
    let success = (200..300).contains(&status);
    let holder = shape
        .tokens_at
        .as_deref()
        .filter(|at| members.at(at).is_some())
        .unwrap_or_default();

    let has_token = members.at(holder).is_some_and(tokens::has_access_token);
    let said_no = [Some(members.as_map()), members.at(holder)]
        .into_iter()
        .flatten()
        .any(fault::says_no);
    if success && has_token && !said_no {
        return tokens::take(&mut members, holder).ok_or(TokenError::Unintelligible { status });
    }
    let certain = !success || said_no;
    Err(rejection(status, certain, &members, holder, sent))
}

fn rejection(status: u16, certain: bool, members: &Extras, holder: &str, sent: &[Secret]) -> TokenError {
    let places = || [Some(members.as_map()), members.at(holder)].into_iter().flatten();
    let certain = certain || places().any(fault::names_a_fault);
    let code = places().find_map(|place| fault::code(place, status));
    let description = places().find_map(fault::description);
    if !certain || (code.is_none() && description.is_none() && !places().any(fault::says_no)) {
        return TokenError::Unintelligible { status };
    }
    let tokens = tokens::texts(members.as_map());
    let hidden = || sent.iter().chain(&tokens);
    let fit = |text: String, limit| crate::text::clean(&crate::text::hide(&text, hidden()), limit);
    TokenError::Rejected {
        status,
        code: code.and_then(|text| fit(text, crate::text::CODE_CHARS)),
        description: description.and_then(|text| fit(text, crate::text::DESCRIPTION_CHARS)),
    }
}

type Object = Map<String, Value>;
