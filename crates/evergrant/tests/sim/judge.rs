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
    /// Whether a reply to its use is known to be lost.
    reply_lost: bool,
}

/// What is at a glance to be seen of a connection.
struct Glance {
    id: ConnectionId,
    version: i64,
    flagged: Option<String>,
    lease_until: Option<i64>,
    expires_at: Option<i64>,
    reply_lost: bool,
}

const GLANCE: &str = "SELECT id, version, status, reason, lease_until, expires_at, reply_lost_at FROM connections \
    WHERE disconnected_at IS NULL ORDER BY id";

/// How far a token's end may be off: as far as the clocks are, and as much of its life as is over when a provider repeats a reply.
const OFF: i64 = 150_000 + 61_000;

// So often did it happen, so often was it told. Told of having been restored was whoever was flagged and is not any more.
const TOLD: &str = "SELECT \
    (SELECT COUNT(*) FROM timeline WHERE kind = 'connected'), (SELECT COUNT(*) FROM events WHERE event = 'Connection Created'), \
    (SELECT COUNT(*) FROM timeline WHERE kind = 'flagged'), (SELECT COUNT(*) FROM events WHERE event = 'Connection Expired'), \
    (SELECT COUNT(*) FROM timeline WHERE kind = 'disconnected'), (SELECT COUNT(*) FROM events WHERE event = 'Connection Deleted')";

/// What must be true at every moment: nothing newer was overwritten, nobody's living grant is flagged, and what has happened is
/// told.
pub(crate) async fn on_the_way(run: &mut Run<'_>) -> Result<(), String> {
    let commits = run.stage.dbs.iter().filter_map(evergrant::db::Db::commits).sum();
    let unchanged = std::mem::replace(&mut run.commits, commits) == commits;
    if unchanged && !run.provider.has_been_asked() {
        return Ok(());
    }
    let mut conn = run.stage.dbs[0].read().await.unwrap();
    for glance in glances(&mut conn).await {
        let before = run.seen.get(&glance.id).copied();
        let token = match before {
            Some(before) if before.version == glance.version => before.token,
            _ => stored(run, &mut conn, &glance.id).await.1,
        };
        run.provider.is_stored(token);
        at_a_glance(run, (before, token), &glance)?;
        let now = Seen {
            version: glance.version,
            token,
            reply_lost: glance.reply_lost,
        };
        run.seen.insert(glance.id, now);
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

/// What must be true of each connection at every moment.
fn at_a_glance(run: &Run<'_>, (before, token): (Option<Seen>, (usize, usize)), now: &Glance) -> Result<(), String> {
    let grant = token.0;
    if let Some(before) = before {
        if before.token > token || before.version > now.version {
            return Err(format!("what is stored went back from {before:?} to {token:?}"));
        }
        if before.version == now.version && before.reply_lost && !now.reply_lost {
            return Err(format!("that a reply was lost to grant {grant} is forgotten"));
        }
    }
    if let Some(reason) = now.flagged.as_ref().filter(|_| run.provider.is_alive(grant)) {
        return Err(format!("grant {grant} lives and is flagged: {reason}"));
    }
    if let Some(ends) = run.provider.under_way(token)
        && now.lease_until.is_none_or(|until| until < ends.as_millis())
    {
        return Err(format!("the lease does not last as long as the request with {token:?}"));
    }
    let really = run.provider.access_until(grant).as_millis();
    if now.expires_at.is_some_and(|end| end > really + OFF) {
        return Err(format!(
            "the access token of grant {grant} is taken for younger than it is"
        ));
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
            lease_until: row.get(4),
            expires_at: row.get(5),
            reply_lost: row.get::<Option<i64>, _>(6).is_some(),
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
