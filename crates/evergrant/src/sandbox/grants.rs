//! The rules of OAuth, on the state alone: consent, codes, rotation, revocation. Time is a value.

use std::time::Duration;

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::model::{Account, CODE_LIFE, Client, Code, Death, Grant, Pending, State, Token, TokenKind, lookup};
use crate::clock::Timestamp;
use crate::ids;
use crate::secret::Secret;

/// The scope that asks for a refresh token.
pub(super) const OFFLINE: &str = "offline_access";

/// How long tokens live; see [`super::Settings`].
#[derive(Clone, Copy)]
pub(super) struct Lives {
    pub(super) access: Duration,
    pub(super) refresh: Option<Duration>,
    pub(super) leeway: Duration,
}

/// A refusal of the token endpoint (RFC 6749, section 5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TokenRefusal {
    pub(super) status: u16,
    pub(super) error: &'static str,
    pub(super) description: &'static str,
    /// The sandbox's own code, where the standard ones are too coarse.
    pub(super) code: Option<&'static str>,
}

impl TokenRefusal {
    pub(super) const fn new(error: &'static str, description: &'static str) -> Self {
        Self {
            status: 400,
            error,
            description,
            code: None,
        }
    }

    pub(super) const fn client(description: &'static str, code: Option<&'static str>) -> Self {
        Self {
            status: 401,
            error: "invalid_client",
            description,
            code,
        }
    }
}

/// What the token endpoint hands out.
#[derive(Debug)]
pub(super) struct Issued {
    pub(super) access: Secret,
    pub(super) refresh: Option<Secret>,
    pub(super) scope: String,
    pub(super) lives: Duration,
}

/// Whether `client` is who it says it is.
pub(super) fn authenticate(client: Option<&Client>, secret: &Secret) -> Result<(), TokenRefusal> {
    let client = client.ok_or(TokenRefusal::client("no such client", None))?;
    if client.deleted {
        return Err(TokenRefusal::client("client was deleted", Some("client_deleted")));
    }
    if client.secret_changed || client.secret != *secret {
        return Err(TokenRefusal::client("client secret is wrong", None));
    }
    Ok(())
}

/// The person allows it: a code for the client.
pub(super) fn allow(
    state: &mut State,
    pending: &Pending,
    account: &'static Account,
    keep: bool,
    now: Timestamp,
) -> Secret {
    let code = ids::random_token("sbx_code_");
    let offline_allowed = keep
        && state
            .clients
            .get(&pending.client_id)
            .is_some_and(|client| client.refresh_tokens);
    let wanted = pending.scope.split_ascii_whitespace();
    let scope: Vec<&str> = wanted.filter(|scope| *scope != OFFLINE || offline_allowed).collect();
    state.codes.insert(
        lookup(code.expose()),
        Code {
            client_id: pending.client_id.clone(),
            redirect_uri: pending.redirect_uri.clone(),
            challenge: pending.challenge.clone(),
            scope: scope.join(" "),
            account,
            expires_at: now.after(CODE_LIFE),
            spent_on: None,
        },
    );
    code
}

/// What a client presents with a code.
pub(super) struct Redemption<'a> {
    pub(super) client_id: &'a str,
    pub(super) code: &'a str,
    pub(super) redirect_uri: &'a str,
    pub(super) verifier: &'a str,
}

/// Redeems a code, once. A second try kills what the first one was given (RFC 6749, section 4.1.2).
pub(super) fn redeem(
    state: &mut State,
    given: &Redemption<'_>,
    lives: Lives,
    now: Timestamp,
) -> Result<Issued, TokenRefusal> {
    const WRONG: TokenRefusal = TokenRefusal::new("invalid_grant", "the code is unknown, expired or was used before");
    let hash = lookup(given.code);
    let code = state.codes.get(&hash).ok_or(WRONG)?;
    if code.client_id != given.client_id {
        return Err(WRONG);
    }
    if let Some(grant) = code.spent_on.clone() {
        kill(state, &grant, Death::Revoked);
        return Err(WRONG);
    }
    if code.expires_at <= now {
        return Err(WRONG);
    }
    if code.redirect_uri != given.redirect_uri {
        return Err(TokenRefusal::new(
            "invalid_grant",
            "redirect_uri is not the one of the authorization request",
        ));
    }
    if !verifies(given.verifier, &code.challenge) {
        return Err(TokenRefusal::new(
            "invalid_grant",
            "the PKCE code_verifier does not match",
        ));
    }
    let grant = Grant {
        client_id: code.client_id.clone(),
        account: code.account,
        scope: code.scope.clone(),
        created_at: now,
        death: None,
    };
    let id = state.add_grant(grant);
    if let Some(code) = state.codes.get_mut(&hash) {
        code.spent_on = Some(id.clone());
    }
    Ok(issue(state, &id, lives, now))
}

/// RFC 7636, section 4.6.
fn verifies(verifier: &str, challenge: &str) -> bool {
    let digest = digest::digest(&digest::SHA256, verifier.as_bytes());
    (43..=128).contains(&verifier.len()) && URL_SAFE_NO_PAD.encode(digest) == challenge
}

/// Trades a refresh token for a new pair; the old one is spent. A second use means that two parties hold it, so the
/// grant dies (RFC 9700, section 4.14.2).
pub(super) fn rotate(
    state: &mut State,
    client_id: &str,
    refresh_token: &str,
    lives: Lives,
    now: Timestamp,
) -> Result<Issued, TokenRefusal> {
    const REVOKED: TokenRefusal = TokenRefusal::new("invalid_grant", "refresh token revoked");
    const EXPIRED: TokenRefusal = TokenRefusal::new("invalid_grant", "refresh token expired");
    let hash = lookup(refresh_token);
    let token = state.tokens.get(&hash).ok_or(REVOKED)?;
    let TokenKind::Refresh { spent_at } = token.kind else {
        return Err(TokenRefusal::new("invalid_grant", "this is not a refresh token"));
    };
    let (id, expired) = (token.grant.clone(), token.expired(now));
    let grant = state.grants.get(&id).ok_or(REVOKED)?;
    if grant.client_id != client_id {
        return Err(REVOKED);
    }
    match grant.death {
        Some(Death::Revoked) => return Err(REVOKED),
        Some(Death::Expired) => return Err(EXPIRED),
        Some(Death::Uninstalled) => {
            return Err(TokenRefusal::new(
                "invalid_grant",
                "the app was uninstalled from this account",
            ));
        }
        None => {}
    }
    if spent_at.is_some_and(|at| at.after(lives.leeway) <= now) {
        kill(state, &id, Death::Revoked);
        return Err(REVOKED);
    }
    if expired {
        return Err(EXPIRED);
    }
    if let Some(token) = state.tokens.get_mut(&hash) {
        token.kind = TokenKind::Refresh {
            spent_at: spent_at.or(Some(now)),
        };
    }
    Ok(issue(state, &id, lives, now))
}

/// RFC 7009: a token of this client takes its whole grant along; any other is ignored.
pub(super) fn revoke(state: &mut State, client_id: &str, token: &str) {
    let Some(id) = state.tokens.get(&lookup(token)).map(|token| token.grant.clone()) else {
        return;
    };
    if state.grants.get(&id).is_some_and(|grant| grant.client_id == client_id) {
        kill(state, &id, Death::Revoked);
    }
}

fn kill(state: &mut State, grant: &str, death: Death) {
    if let Some(grant) = state.grants.get_mut(grant) {
        grant.death.get_or_insert(death);
    }
}

fn issue(state: &mut State, id: &str, lives: Lives, now: Timestamp) -> Issued {
    state.forget(now);
    let scope = state
        .grants
        .get(id)
        .map(|grant| grant.scope.clone())
        .unwrap_or_default();
    let mut add = |kind, prefix, life: Option<Duration>| {
        let value = ids::random_token(prefix);
        let token = Token {
            grant: id.to_owned(),
            kind,
            expires_at: life.map(|life| now.after(life)),
        };
        state.tokens.insert(lookup(value.expose()), token);
        value
    };
    let access = add(TokenKind::Access, "sbx_at_", Some(lives.access));
    let offline = scope.split_ascii_whitespace().any(|scope| scope == OFFLINE);
    let refresh = offline.then(|| add(TokenKind::Refresh { spent_at: None }, "sbx_rt_", lives.refresh));
    Issued {
        access,
        refresh,
        scope,
        lives: lives.access,
    }
}
