//! What an OAuth client is.

use crate::clock::Timestamp;
use crate::error::Error;
use crate::ids::{ClientId, TenantId};
use crate::secret::Secret;
use crate::vault::{Place, Sealed};

const MAX_TEXT: usize = 1024;

/// The team's OAuth client for one application, its secret sealed.
#[derive(Clone, Debug)]
pub struct OAuthClient {
    /// Its row.
    pub id: ClientId,
    /// Whose it is.
    pub tenant: TenantId,
    /// For which application.
    pub slug: String,
    /// The public name of the client at the provider.
    pub client_id: String,
    /// The secret; a public client has none.
    pub sealed_secret: Option<Sealed>,
    /// What to ask for, where the team wants other scopes than the catalogue's.
    pub scopes: Option<Vec<String>>,
    /// When it was first set.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

impl OAuthClient {
    pub(super) fn place(id: &ClientId) -> Place<'_> {
        Place {
            table: "oauth_clients",
            id: id.as_str(),
            column: "sealed_secret",
        }
    }
}

/// An OAuth client as the team gives it.
#[derive(Clone, Debug)]
pub struct NewClient {
    /// The public name of the client at the provider.
    pub client_id: String,
    /// The secret; a public client has none.
    pub secret: Option<Secret>,
    /// What to ask for, where the team wants other scopes than the catalogue's.
    pub scopes: Option<Vec<String>>,
}

impl NewClient {
    /// Refuses what no provider issues: empty or over-long texts, control characters, scopes with white space.
    pub(super) fn check(&self) -> Result<(), Error> {
        let sound = |text: &str| !text.is_empty() && text.len() <= MAX_TEXT && !text.chars().any(char::is_control);
        if !sound(&self.client_id) {
            return Err(Error::invalid(
                "client_id must be 1 to 1024 characters without control characters",
            ));
        }
        if self.secret.as_ref().is_some_and(|secret| !sound(secret.expose())) {
            return Err(Error::invalid(
                "client_secret must be 1 to 1024 characters without control characters",
            ));
        }
        let scopes = self.scopes.iter().flatten();
        if scopes
            .clone()
            .any(|scope| !sound(scope) || scope.contains(char::is_whitespace))
            || scopes.count() > 200
        {
            return Err(Error::invalid(
                "scopes must be a list of at most 200 words without white space",
            ));
        }
        Ok(())
    }
}
