//! Finding the connection that a call is about, on the way of every call: by its id, or by customer and application.
//!
//! What is found is what the database says after the caller asked, or what it said and still says since nobody has committed
//! (`db/memory.rs`): a flag, a disconnect and a newer credential of another node are seen at once.

pub mod store;

use std::sync::Arc;

use super::model::{ConnectionStatus, Named};
use crate::accounts;
use crate::app::App;
use crate::catalog::AuthType;
use crate::db::Glance;
use crate::error::Error;
use crate::ids::ConnectionId;
use crate::tenants::Tenant;

/// Which connection is meant.
#[derive(Clone, Copy, Debug)]
pub enum Which<'a> {
    /// The one with this id; it may be disconnected.
    Id(&'a ConnectionId),
    /// The live one of a customer to an application. Of two auth types, and none named: the one that works, and of two such
    /// OAuth.
    Of {
        /// The team's own id of its customer.
        linked_account_id: &'a str,
        /// The application.
        slug: &'a str,
        /// Only one of this kind.
        auth_type: Option<AuthType>,
    },
}

impl<'a> From<&'a ConnectionId> for Which<'a> {
    fn from(id: &'a ConnectionId) -> Self {
        Self::Id(id)
    }
}

/// The connection that is meant, as it is now.
pub async fn look_up(app: &App, tenant: &Tenant, which: Which<'_>) -> Result<Arc<Named>, Error> {
    look_up_since(app, tenant, (app.db.glance(), which)).await
}

/// The same as of a moment of this request, or later.
pub async fn look_up_since(
    app: &App,
    tenant: &Tenant,
    (glance, which): (Glance, Which<'_>),
) -> Result<Arc<Named>, Error> {
    let (linked_account_id, slug, auth_type) = match which {
        Which::Id(id) => {
            let found = store::by_id(&app.db, &tenant.id, id).await?;
            return found.ok_or(Error::NotFound("Connection"));
        }
        Which::Of {
            linked_account_id,
            slug,
            auth_type,
        } => (linked_account_id, slug, auth_type),
    };
    let found = if accounts::is_account_id(linked_account_id) {
        store::of_customer(&app.db, glance, &tenant.id, (linked_account_id, slug)).await?
    } else {
        Vec::new()
    };
    let nobody = found.is_empty();
    let fitting = found
        .into_iter()
        .filter(|one| auth_type.is_none_or(|wanted| wanted == one.connection.auth_type));
    let best = fitting.min_by_key(|one| {
        let works = one.connection.status == ConnectionStatus::Active;
        (!works, one.connection.auth_type != AuthType::OAuth2)
    });
    match best {
        Some(best) => Ok(best),
        // Why there is none: the caller may have misspelt its customer.
        None if nobody => {
            Box::pin(accounts::find(app, tenant, linked_account_id)).await?;
            Err(Error::NotFound("Connection"))
        }
        None => Err(Error::NotFound("Connection")),
    }
}
