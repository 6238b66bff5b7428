//! The promises, held against what is in the database.

use evergrant::connections::{self, Connection, Credential};
use evergrant::ids::ConnectionId;
use sqlx::any::AnyRow;
use sqlx::{Any, Row as _, pool::PoolConnection};

use crate::deeds::{Answer, Got};
use crate::provider::{Manners, parse};
use crate::run::Run;

/// What was last seen of a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    version: i64,
    /// Grant and number of the refresh token.
    token: (usize, usize),
}

/// What is at a glance to be seen of a connection.
struct Glance {
    id: ConnectionId,
    version: i64,
    flagged: Option<String>,
}

const GLANCE: &str = "SELECT id, version, status, reason FROM connections WHERE disconnected_at IS NULL ORDER BY id";

// So often did it happen, so often was it told. Told of having been restored was whoever was flagged and is not any more.
const TOLD: &str = "SELECT \
    (SELECT COUNT(*) FROM timeline WHERE kind = 'connected'), (SELECT COUNT(*) FROM events WHERE event = 'Connection Created'), \
    (SELECT COUNT(*) FROM timeline WHERE kind = 'flagged'), (SELECT COUNT(*) FROM events WHERE event = 'Connection Expired'), \
    (SELECT COUNT(*) FROM timeline WHERE kind = 'disconnected'), (SELECT COUNT(*) FROM events WHERE event = 'Connection Deleted')";

/// What must be true at every moment: nothing newer was overwritten, nobody's living grant is flagged, and what has happened is
/// told.
pub(crate) async fn on_the_way(run: &mut Run<'_>) -> Result<(), String> {
    let commits = run.stage.dbs.iter().filter_map(evergrant::db::Db::commits).sum();
    if std::mem::replace(&mut run.commits, commits) == commits {
        return Ok(());
    }
    let mut conn = run.stage.dbs[0].read().await.unwrap();
    for glance in glances(&mut conn).await {
        let before = run.seen.get(&glance.id).copied();
        let token = match before {
            Some(before) if before.version == glance.version => before.token,
            _ => stored(run, &mut conn, &glance.id).await.1,
        };
        let Glance { id, version, flagged } = glance;
        run.provider.is_stored(token);
        if let Some(before) = run.seen.insert(id, Seen { version, token })
            && (before.token > token || before.version > version)
        {
            return Err(format!(
                "what is stored went back from {before:?} to {version}, {token:?}"
            ));
        }
        if let Some(reason) = flagged.filter(|_| run.provider.is_alive(token.0)) {
            return Err(format!("grant {} lives and is flagged: {reason}", token.0));
        }
    }
    let row = sqlx::query(TOLD).fetch_one(&mut *conn).await.unwrap();
    for (at, what) in ["connected", "flagged", "disconnected"].into_iter().enumerate() {
        let (so, told): (i64, i64) = (row.get(2 * at), row.get(2 * at + 1));
        if so != told {
            return Err(format!("{so} times {what}, and told {told} times"));
        }
    }
    Ok(())
}

/// What must be true of the processes when nobody waits any more.
pub(crate) fn nothing_is_left(run: &Run<'_>) -> Result<(), String> {
    for (at, node) in run.nodes.iter().enumerate() {
        if !node.app.flights.is_empty() {
            return Err(format!("node {at} has a flight that never lands"));
        }
        if !node.tasks.is_empty() {
            return Err(format!("node {at} has a task that never ends"));
        }
    }
    Ok(())
}

/// What must be true when everything has come to rest.
pub(crate) async fn at_rest(run: &mut Run<'_>) -> Result<(), String> {
    let mut conn = run.stage.dbs[0].read().await.unwrap();
    let now = run.gates.now().as_millis();
    for Glance { id, .. } in glances(&mut conn).await {
        let (connection, (grant, token)) = stored(run, &mut conn, &id).await;
        let lives = run.provider.is_alive(grant);
        let flag = connection.status.flag();
        if !lives && flag.is_none() {
            let status = &connection.status;
            return Err(format!("grant {grant} is dead and not flagged: {status:?}"));
        }
        if run.provider.reused(grant) == Some(token)
            && let Some(flag) = flag
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
        if lives && connection.trouble.is_some() {
            let trouble = &connection.trouble;
            return Err(format!("grant {grant} works, and has trouble: {trouble:?}"));
        }
        let balance =
            told(&mut conn, &id, "Connection Expired").await - told(&mut conn, &id, "Connection Restored").await;
        if balance != i64::from(flag.is_some()) {
            return Err(format!(
                "told {balance} times more often to have expired than to be restored"
            ));
        }
        if held_until(&mut conn, &id).await.is_some_and(|until| until > now) {
            return Err("a lease is left behind".to_owned());
        }
    }
    Ok(())
}

/// What must be true of the answer to a use in fair weather.
pub(crate) fn answered(run: &Run<'_>, at: usize, answer: &Answer) -> Result<(), String> {
    let Some((_, grant)) = run.connections[at] else {
        return Ok(());
    };
    let got = answer.lock().unwrap().ok_or("a use has no answer")?;
    match got {
        Got::Token(token) if token.0 == grant && run.provider.accepts(token) => Ok(()),
        Got::Reauth if !run.provider.is_alive(grant) => Ok(()),
        _ => Err(format!("in fair weather the user of grant {grant} got {got:?}")),
    }
}

async fn glances(conn: &mut PoolConnection<Any>) -> Vec<Glance> {
    let rows = sqlx::query(GLANCE).fetch_all(&mut **conn).await.unwrap();
    let glance = |row: &AnyRow| {
        let status: String = row.get(2);
        Glance {
            id: row.get::<String, _>(0).parse().unwrap(),
            version: row.get(1),
            flagged: (status != "active").then(|| row.get::<Option<String>, _>(3).unwrap_or_default()),
        }
    };
    rows.iter().map(glance).collect()
}

/// A connection, with grant and number of the refresh token that is stored.
async fn stored(run: &Run<'_>, conn: &mut PoolConnection<Any>, id: &ConnectionId) -> (Connection, (usize, usize)) {
    let tenant = &run.stage.tenant;
    let connection = connections::store::get(conn, &tenant.id, id).await.unwrap().unwrap();
    let opened = connections::open_credential(&run.observer, tenant, &connection).await;
    match opened.unwrap() {
        Credential::OAuth2(tokens) => {
            let token = parse(tokens.refresh_token.unwrap().expose()).unwrap();
            (connection, token)
        }
        Credential::Keys(_) => unreachable!("no keys are simulated"),
    }
}

/// How often an event was told of a connection.
async fn told(conn: &mut PoolConnection<Any>, id: &ConnectionId, event: &str) -> i64 {
    let text = "SELECT COUNT(*) FROM events WHERE event = $1 AND connection = $2";
    let told = sqlx::query(text).bind(event).bind(id.as_str());
    told.fetch_one(&mut **conn).await.unwrap().get(0)
}

async fn held_until(conn: &mut PoolConnection<Any>, id: &ConnectionId) -> Option<i64> {
    let text = "SELECT lease_until FROM connections WHERE id = $1";
    let row = sqlx::query(text).bind(id.as_str()).fetch_one(&mut **conn).await;
    row.unwrap().get(0)
}
