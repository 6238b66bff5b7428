//! Which connection a call is made with.

use std::sync::Arc;

use crate::app::App;
use crate::catalog::{Application, AuthType};
use crate::connections::{self, Named, Which};
use crate::db::Glance;
use crate::error::Error;
use crate::tenants::Tenant;

/// The live connection of a linked account, by the team's own id of it, to an application. Where there is one of each auth type
/// and none is wanted, the one that works, and of two such the OAuth one.
pub(super) async fn connection(
    app: &App,
    tenant: &Tenant,
    (account, glance): (&str, Glance),
    (application, wanted): (&Application, Option<AuthType>),
) -> Result<Arc<Named>, Error> {
    if let Some(wanted) = wanted.filter(|wanted| !application.supports(*wanted)) {
        return Err(Error::invalid(format!(
            "`{}` is not connected by `{}`",
            application.slug,
            wanted.as_str()
        )));
    }
    let which = Which::Of {
        linked_account_id: account,
        slug: &application.slug,
        auth_type: wanted,
    };
    connections::look_up_since(app, tenant, (glance, which)).await
}
