//! Sending what is due.
//!
//! Claim, send, settle: the claim is committed before anything is sent, no transaction is open while it is, and the
//! outcome is recorded only by whoever still holds the fence. A process that dies in between leaves a lease that
//! lapses; the receiver may then see the event twice, with the same `webhook-id` and the same bytes.

use std::time::Duration;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use super::endpoints;
use super::model::{DeliveryState, Webhook};
use super::outbox::{self, Claim, Settled, Told};
use super::sign::sign;
use super::template::Values;
use crate::app::App;
use crate::clock::Timestamp;
use crate::egress::{Reply, Request, Unreachable};
use crate::error::Error;
use crate::ids::random_fraction;
use crate::links::{self, Break};
use crate::pace::Crew;
use crate::secret::Secret;
use crate::tenants::{self, Tenant};

/// How long a claimed delivery is held.
const LEASE: Duration = Duration::from_mins(1);
/// How long a receiver may take.
const TIMEOUT: Duration = Duration::from_secs(15);
const _: () = assert!(
    TIMEOUT.as_secs() * 2 < LEASE.as_secs(),
    "a request must end well before its lease"
);
/// How often it is asked what has become due.
const LOOK_EVERY: Duration = Duration::from_millis(500);
const _: () = assert!(
    LOOK_EVERY.as_millis() * 2 <= 1000,
    "an event is sent within a second of its commit"
);
/// How many are sent at once.
pub const BATCH: usize = 32;
/// How long a delivery waits that cannot be signed.
const UNSIGNED_WAIT: Duration = Duration::from_mins(1);
/// The waits after each failure, about three days in all; each is lengthened by up to a fifth at random.
const WAITS: [Duration; 10] = [
    Duration::from_secs(5),
    Duration::from_secs(30),
    Duration::from_mins(2),
    Duration::from_mins(15),
    Duration::from_hours(1),
    Duration::from_hours(3),
    Duration::from_hours(6),
    Duration::from_hours(12),
    Duration::from_hours(18),
    Duration::from_hours(30),
];

/// Sends what is due until `stop`, of all tenants; then begins nothing more, and finishes what has been begun. As deliveries
/// end others take their places: a receiver that hangs holds up nobody but itself.
pub async fn keep_running(app: &App, stop: &CancellationToken) -> Result<(), Error> {
    let mut crew = Crew::of(BATCH);
    let mut ended = Ok(());
    while ended.is_ok() && !stop.is_cancelled() {
        ended = match claim(app, crew.free()).await {
            Ok(claims) => {
                for claim in claims {
                    let app = app.clone();
                    crew.begin(async move {
                        told(&app, claim).await;
                    });
                }
                Ok(())
            }
            Err(error) => Err(error),
        };
        crew.half_ended(app.clock.sleep(LOOK_EVERY), stop).await;
    }
    crew.finish().await;
    ended
}

/// Sends a batch of what is due, of all tenants, and waits for it; says how many were sent.
pub async fn run_due(app: &App) -> Result<usize, Error> {
    let mut running = JoinSet::new();
    for claim in claim(app, BATCH).await? {
        let app = app.clone();
        running.spawn(async move { told(&app, claim).await });
    }
    let mut sent = 0;
    while let Some(done) = running.join_next().await {
        match done {
            Ok(was_sent) => sent += usize::from(was_sent),
            Err(error) => tracing::error!(%error, "a delivery broke off; it is tried again when its lease ends"),
        }
    }
    Ok(sent)
}

async fn claim(app: &App, most: usize) -> Result<Vec<Claim>, Error> {
    if most == 0 {
        return Ok(Vec::new());
    }
    let now = app.now();
    let mut tx = app.db.begin().await?;
    let claims = outbox::claim_due(&mut tx, now, now.after(app.steps.lease(LEASE)), most).await?;
    tx.commit().await?;
    Ok(claims)
}

/// Sends one delivery; says whether it was sent and recorded.
async fn told(app: &App, claim: Claim) -> bool {
    let span = tracing::info_span!("delivery", id = %claim.id, event = %claim.event, webhook = %claim.webhook);
    let attempt = attempt(app, &claim).instrument(span);
    attempt.await.unwrap_or_else(|error| {
        tracing::error!(%error, "a delivery was not recorded; it is tried again when its lease ends");
        false
    })
}

/// Sends one delivery and records what became of it; says whether anything was sent.
async fn attempt(app: &App, claim: &Claim) -> Result<bool, Error> {
    let (sent, settled) = match prepare(app, claim).await {
        Ok(Prepared::Request(request)) => {
            app.steps.at(crate::steps::Step::DeliveryBeforeSend).await;
            let reply = app.egress.send(*request).await;
            app.steps.at(crate::steps::Step::DeliverySent).await;
            (true, judge(claim.attempts, &reply, app.now(), random_fraction()))
        }
        Ok(Prepared::Wait { until, why }) => (false, put_back(claim, until, why)),
        Err(error @ Error::Database(_)) => return Err(error),
        Err(error) => {
            tracing::error!(%error, "a delivery could not be prepared");
            (
                false,
                failed(
                    claim.attempts,
                    None,
                    "it could not be prepared; see the log",
                    (app.now(), random_fraction()),
                ),
            )
        }
    };
    let mut tx = app.db.begin().await?;
    let held = outbox::settle(&mut tx, claim, &settled).await?;
    tx.commit().await?;
    app.steps.at(crate::steps::Step::DeliveryCommitted).await;
    if !held {
        tracing::info!("the delivery was taken over or removed meanwhile");
    } else if matches!(settled.state, DeliveryState::GaveUp { .. }) {
        tracing::warn!(
            attempts = settled.attempts,
            status = settled.last_status,
            "gave up on a delivery"
        );
    }
    Ok(sent)
}

enum Prepared {
    Request(Box<Request>),
    Wait {
        until: Timestamp,
        why: Option<&'static str>,
    },
}

async fn prepare(app: &App, claim: &Claim) -> Result<Prepared, Error> {
    let mut conn = app.db.read().await?;
    let tenant = tenants::store::get_environment(&mut conn, &claim.tenant).await?.tenant;
    drop(conn);
    let sealer = tenants::sealer(app, &tenant).await?;
    let key = tenants::signing_key(app, &tenant).await?;
    let mut conn = app.db.read().await?;
    let event = outbox::event(&mut conn, &claim.tenant, &claim.event).await?;
    let webhook = endpoints::get(&mut conn, &claim.tenant, &sealer, &claim.webhook).await?;
    drop(conn);
    let (Some(event), Some(webhook)) = (event, webhook.filter(|webhook| webhook.enabled)) else {
        // Disabled since it was claimed, and due once it is enabled; or removed, and then nothing is left to settle.
        return Ok(Prepared::Wait {
            until: app.now(),
            why: None,
        });
    };
    let Some(key) = key else {
        tracing::error!(environment = %claim.tenant, "no signing key is named for the environment: its webhooks wait");
        return Ok(Prepared::Wait {
            until: app.now().after(UNSIGNED_WAIT),
            why: Some("the environment has no signing key; name one with `evergrant key sign`"),
        });
    };
    let told = with_link(app, &tenant, (claim, event)).await?;
    request(claim, &webhook, &told, (&key, app.now())).map(|request| Prepared::Request(Box::new(request)))
}

/// What is sent of an event.
struct Letter {
    event: String,
    body: String,
    name: String,
}

/// Puts the address of the re-auth link where its mark stands: the event's own id, 64 random bits of which nobody could
/// have known when the event was written. So the address is in no table in the clear, and the same each time.
async fn with_link(app: &App, tenant: &Tenant, (claim, told): (&Claim, Told)) -> Result<Letter, Error> {
    let body = claim.body.clone().unwrap_or_else(|| told.body.clone());
    let Some((connection, since)) = &told.broken else {
        return Ok(Letter {
            event: told.body,
            body,
            name: told.name,
        });
    };
    let of = Break {
        connection,
        since: *since,
    };
    let url = links::of_break(app, tenant, of).await?;
    let fill = |text: &str| text.replace(claim.event.as_str(), &url);
    Ok(Letter {
        event: fill(&told.body),
        body: fill(&body),
        name: told.name,
    })
}

/// The request: the frozen body, the webhook's own headers, and ours, which no webhook can set.
fn request(
    claim: &Claim,
    webhook: &Webhook,
    Letter { event, body, name }: &Letter,
    (key, now): (&Secret, Timestamp),
) -> Result<Request, Error> {
    let corrupt = |table, id: &str| Error::Corrupt {
        table,
        id: id.to_owned(),
    };
    let url = webhook
        .url
        .parse()
        .map_err(|_| corrupt("webhooks", webhook.id.as_str()))?;
    let method = webhook
        .method
        .as_str()
        .parse()
        .map_err(|_| corrupt("webhooks", webhook.id.as_str()))?;
    let value = serde_json::from_str(event).map_err(|_| corrupt("events", claim.event.as_str()))?;
    let values = Values {
        event: &value,
        linked_account_name: name,
    };
    let seconds = now.as_millis().div_euclid(1000);
    let mut request = Request::new(method, url)
        .header("content-type", "application/json".to_owned())
        .header("x-cobalt-signature", sign(key, body.as_bytes()))
        .header("webhook-id", claim.event.to_string())
        .header("webhook-timestamp", seconds.to_string());
    for (name, template) in &webhook.headers {
        request = request.header(name, values.fill_header(template.expose()));
    }
    request.body = Some(Secret::from(body.clone()));
    request.timeout = TIMEOUT;
    Ok(request)
}

/// What an answer means: any 2xx is success, everything else is worth another try.
fn judge(attempts: i64, reply: &Result<Reply, Unreachable>, now: Timestamp, fraction: f64) -> Settled {
    match reply {
        Ok(reply) if (200..300).contains(&reply.status) => Settled {
            attempts: attempts + 1,
            state: DeliveryState::Delivered { at: now },
            last_status: Some(reply.status),
            last_error: None,
        },
        Ok(reply) => {
            let why = format!("the receiver answered {}", reply.status);
            failed(attempts, Some(reply.status), &why, (now, fraction))
        }
        Err(why) => failed(attempts, None, &why.to_string(), (now, fraction)),
    }
}

fn failed(attempts: i64, status: Option<u16>, why: &str, (now, fraction): (Timestamp, f64)) -> Settled {
    let state = match wait_after(attempts, fraction) {
        Some(wait) => DeliveryState::Waiting { until: now.after(wait) },
        None => DeliveryState::GaveUp { at: now },
    };
    Settled {
        attempts: attempts + 1,
        state,
        last_status: status,
        last_error: Some(why.to_owned()),
    }
}

/// How long to wait after a failure that followed `earlier` others; nothing once the schedule is over.
pub(super) fn wait_after(earlier: i64, fraction: f64) -> Option<Duration> {
    let wait = WAITS.get(usize::try_from(earlier).ok()?)?;
    Some(wait.mul_f64(1.0 + fraction / 5.0))
}

fn put_back(claim: &Claim, until: Timestamp, why: Option<&str>) -> Settled {
    Settled {
        attempts: claim.attempts,
        state: DeliveryState::Waiting { until },
        last_status: None,
        last_error: why.map(str::to_owned),
    }
}
