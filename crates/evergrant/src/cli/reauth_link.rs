//! `evergrant connection reauth-link`.

use std::time::Duration;

use clap::Args;
use serde_json::json;

use super::Desk;
use super::out::time;
use crate::connections;
use crate::error::Error;
use crate::http::api::reauth_links::LinkView;
use crate::ids::{ConnectionId, LinkId};
use crate::links;
use crate::tenants::Tenant;

#[derive(Debug, Args)]
pub(super) struct Wish {
    /// The connection's id, from `connection list`
    id: ConnectionId,
    /// How long the link lives, at most 90
    #[arg(long, value_name = "N", default_value_t = 7, value_parser = clap::value_parser!(u64).range(1..=90))]
    days: u64,
    /// List its links instead; their addresses are not kept
    #[arg(long, conflicts_with = "revoke")]
    list: bool,
    /// End one of its links instead
    #[arg(long, value_name = "LINK_ID")]
    revoke: Option<LinkId>,
}

pub(super) async fn run(desk: &Desk, tenant: &Tenant, wish: Wish) -> anyhow::Result<()> {
    let app = &desk.app;
    if wish.list {
        connections::find(app, tenant, &wish.id).await?;
        let (found, now) = (links::list(app, tenant, &wish.id).await?, app.now());
        let objects: Result<Vec<_>, _> = found
            .iter()
            .map(|link| serde_json::to_value(LinkView::new(link, now)))
            .collect();
        let rows = found.iter().map(|link| {
            let made_for = if link.automatic {
                "events and errors"
            } else {
                "the team"
            };
            [
                link.id.to_string(),
                link.state(now).as_str().to_owned(),
                made_for.to_owned(),
                time(Some(link.created_at)),
                time(Some(link.expires_at)),
            ]
        });
        desk.out
            .list(objects?, &["ID", "STATE", "MADE FOR", "MADE", "EXPIRES"], rows)?;
    } else if let Some(link) = wish.revoke {
        if links::revoke(app, tenant, (&wish.id, Some(&link)), "operator").await? == 0 {
            return Err(Error::NotFound("Live re-auth link").into());
        }
        desk.out
            .done(&json!({ "id": link, "revoked": true }), &format!("{link} is revoked"))?;
    } else {
        let life = Duration::from_hours(wish.days * 24);
        let made = connections::reauth_link(app, tenant, &wish.id, (life, "operator")).await?;
        let until = time(Some(made.link.expires_at));
        let object = json!({ "id": made.link.id, "url": made.url, "expires_at": until });
        let fields = [("id", made.link.id.to_string()), ("url", made.url), ("expires", until)];
        desk.out.one(&object, &fields)?;
    }
    Ok(())
}
