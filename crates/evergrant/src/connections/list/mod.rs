//! Lists of live connections, page by page, as back ends and operators ask for them.
//!
//! Every filter is backed by an index, whatever the number of connections: a page costs about as much as what it shows, or,
//! where filters are combined, what the narrowest of them leaves.

pub mod store;

use super::model::Named;
use crate::app::App;
use crate::clock::Timestamp;
use crate::error::Error;
use crate::ids::AccountId;
use crate::reason::Reason;
use crate::tenants::Tenant;

/// How a connection stands, as lists distinguish it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It can be used; there may be trouble.
    Active,
    /// The same, with trouble under way.
    Degraded,
    /// Only its customer can bring it back.
    ReauthRequired,
}

impl Standing {
    /// The words, for messages and the command line.
    pub const WORDS: [&'static str; 3] = ["active", "degraded", "reauth_required"];

    /// Reads the word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "active" => Some(Self::Active),
            "degraded" => Some(Self::Degraded),
            "reauth_required" => Some(Self::ReauthRequired),
            _ => None,
        }
    }
}

/// Which connections are wanted, and from where on.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Only those that stand so.
    pub standing: Option<Standing>,
    /// Only those flagged, or in trouble, for this reason.
    pub reason: Option<Reason>,
    /// Only those to this application.
    pub slug: Option<String>,
    /// Only those of this customer.
    pub account: Option<AccountId>,
    /// Only those that will end before this if nobody but us does anything (`predict`); the soonest first. Otherwise the oldest come first.
    pub ends_before: Option<Timestamp>,
    /// Only what comes after this one.
    pub after: Option<After>,
}

/// The last connection of a page.
#[derive(Clone, Debug, PartialEq)]
pub struct After {
    /// When it ends, where the list is in that order.
    pub ends: Option<Timestamp>,
    /// Its id.
    pub id: String,
}

/// One connection of a list, and its place in it.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    /// The connection.
    pub named: Named,
    /// Its place.
    pub place: After,
}

/// A page of an environment's live connections.
pub async fn list(app: &App, tenant: &Tenant, filter: &Filter, limit: u16) -> Result<Vec<Listed>, Error> {
    store::list(&mut *app.db.read().await?, &tenant.id, filter, limit).await
}
