//! The promises, held against what is in the database.

use evergrant::app::App;
use evergrant::connections::{self, Connection, ConnectionStatus, Credential};
use evergrant::ids::{AccountId, ConnectionId};
use sqlx::Row as _;

use crate::provider::{Manners, parse};
use crate::run::Run;

/// What must be true at every moment: nothing newer was overwritten, nobody's living grant is flagged.
pub(crate) async fn on_the_way(run: &mut Run<'_>) -> Result<(), String> {
    let commits = run.stage.dbs.iter().filter_map(evergrant::db::Db::commits).sum();
    if std::mem::replace(&mut run.commits, commits) == commits {
        return Ok(());
    }
    let app = run.observer.clone();
    for connection in live(run, &app).await {
        let token = stored(run, &app, &connection).await;
        if let Some(before) = run.seen.insert(connection.id.clone(), token)
            && before > token
        {
            return Err(format!("the stored token went back from {before:?} to {token:?}"));
        }
        let lives = run.provider.is_alive(token.0);
        if connection.is_flagged() && lives {
            let reason = connection.status.flag().map(|flag| flag.reason);
            return Err(format!("grant {} lives and is flagged: {reason:?}", token.0));
        }
    }
    Ok(())
}

/// What must be true when everything has come to rest.
pub(crate) async fn at_rest(run: &mut Run<'_>) -> Result<(), String> {
    let app = run.observer.clone();
    for connection in live(run, &app).await {
        let (grant, token) = stored(run, &app, &connection).await;
        let lives = run.provider.is_alive(grant);
        if !lives && !connection.is_flagged() {
            return Err(format!(
                "grant {grant} is dead and not flagged: {:?}",
                connection.status
            ));
        }
        if run.provider.reused(grant) == Some(token)
            && let Some(flag) = connection.status.flag()
            && !flag.evidence.words.contains("reply was lost")
        {
            return Err(format!(
                "grant {grant} died of a reply that was lost, and the evidence does not say so: {flag:?}"
            ));
        }
        if lives && run.provider.manners(grant) != Manners::Fixed && token != run.provider.newest(grant) {
            return Err(format!(
                "the newest token of grant {grant} is not the one that is stored"
            ));
        }
        if let Some(until) = run.lease_of(&connection.id).await
            && until > run.gates.now().as_millis()
        {
            return Err(format!("a lease until {until} is left behind"));
        }
    }
    events_match(run).await
}

async fn live(run: &Run<'_>, app: &App) -> Vec<Connection> {
    let mut conn = app.db.read().await.unwrap();
    let mut all = Vec::new();
    for account in &run.stage.accounts {
        let id: &AccountId = &account.id;
        all.extend(
            connections::store::of_account(&mut conn, &run.stage.tenant.id, id)
                .await
                .unwrap(),
        );
    }
    all.retain(|one| !matches!(one.status, ConnectionStatus::Disconnected { .. }));
    all
}

/// Grant and number of the refresh token that is stored.
async fn stored(run: &Run<'_>, app: &App, connection: &Connection) -> (usize, usize) {
    match connections::open_credential(app, &run.stage.tenant, connection)
        .await
        .unwrap()
    {
        Credential::OAuth2(tokens) => parse(tokens.refresh_token.unwrap().expose()).unwrap(),
        Credential::Keys(_) => unreachable!("no keys are simulated"),
    }
}

/// One event for each transition, told if and only if it is so.
async fn events_match(run: &Run<'_>) -> Result<(), String> {
    for connection in live(run, &run.observer.clone()).await {
        let (expired, restored) = (
            told(run, "Connection Expired", &connection.id).await,
            told(run, "Connection Restored", &connection.id).await,
        );
        if expired - restored != i64::from(connection.is_flagged()) {
            let status = connection.status.as_str();
            return Err(format!(
                "{status}, but told {expired} times expired, {restored} times restored"
            ));
        }
    }
    let pairs = [
        ("connected", "Connection Created"),
        ("flagged", "Connection Expired"),
        ("disconnected", "Connection Deleted"),
    ];
    let mut conn = run.stage.dbs[0].read().await.unwrap();
    for (kind, event) in pairs {
        let told =
            "SELECT (SELECT COUNT(*) FROM timeline WHERE kind = $1), (SELECT COUNT(*) FROM events WHERE event = $2)";
        let row = sqlx::query(told)
            .bind(kind)
            .bind(event)
            .fetch_one(&mut *conn)
            .await
            .unwrap();
        let (so, told): (i64, i64) = (row.get(0), row.get(1));
        if so != told {
            return Err(format!("{so} times {kind}, {told} events {event}"));
        }
    }
    Ok(())
}

/// How often an event was told of a connection.
async fn told(run: &Run<'_>, event: &str, id: &ConnectionId) -> i64 {
    let mut conn = run.stage.dbs[0].read().await.unwrap();
    let text = "SELECT COUNT(*) FROM events WHERE event = $1 AND connection = $2";
    let row = sqlx::query(text)
        .bind(event)
        .bind(id.as_str())
        .fetch_one(&mut *conn)
        .await
        .unwrap();
    row.get(0)
}

impl Run<'_> {
    async fn lease_of(&self, id: &ConnectionId) -> Option<i64> {
        let mut conn = self.stage.dbs[0].read().await.unwrap();
        let text = "SELECT lease_until FROM connections WHERE id = $1";
        let row = sqlx::query(text).bind(id.as_str()).fetch_one(&mut *conn).await.unwrap();
        row.get(0)
    }
}
