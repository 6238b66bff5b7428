//! Who takes which rows in which order: those who act on all connections of an application, and those who act on one of them.

use std::collections::BTreeMap;
use std::future::Future;

use evergrant::catalog::AuthType;
use evergrant::clients::{self, NewClient};
use evergrant::connections::{
    self, Connection, Credential, Fresh, Given, Guard, Observed, Schedule, Switch, Tokens, Writer,
};
use evergrant::error::Error;
use evergrant::incidents::{self, Sighting, Witness};
use evergrant::reason::{Confidence, Reason, Verdict};
use evergrant::secret::Secret;
use evergrant::verdict::{Evidence, Judgement};
use tokio::task::JoinSet;

use crate::support::{TestApp, TestDatabase, until};

const SLUG: &str = "slack";

fn evidence() -> Evidence {
    Evidence {
        rule: "test".to_owned(),
        words: "test".to_owned(),
        status: 401,
    }
}

fn broken<'a>(t: &TestApp, evidence: &'a Evidence) -> Sighting<'a> {
    Sighting {
        slug: SLUG,
        witness: Witness::Team,
        reason: Reason::OauthClientSecretInvalid,
        deletion_stated: false,
        evidence,
        now: t.app.now(),
    }
}

async fn set_client(t: &TestApp) {
    let client = NewClient {
        client_id: "ours".to_owned(),
        secret: Some(Secret::from("secret".to_owned())),
        scopes: None,
    };
    clients::set(&t.app, &t.environment.tenant, SLUG, client).await.unwrap();
}

fn tokens(t: &TestApp) -> Fresh {
    Fresh {
        credential: Credential::OAuth2(Tokens {
            access_token: Secret::from("at".to_owned()),
            refresh_token: Some(Secret::from("rt".to_owned())),
            scope: None,
            client_id: "ours".to_owned(),
            inputs: BTreeMap::new(),
            extras: Secret::from("{}".to_owned()),
        }),
        schedule: Schedule {
            issued_at: Some(t.app.now()),
            has_refresh_token: true,
            ..Schedule::default()
        },
    }
}

/// Connects a customer, or connects it again.
async fn connect(t: &TestApp, customer: &str) -> Connection {
    let tenant = &t.environment.tenant;
    let account = evergrant::accounts::find(&t.app, tenant, customer).await.unwrap();
    let application = t.app.catalog.get(SLUG).unwrap().clone();
    let given = Given {
        account: &account,
        application: &application,
        auth_type: AuthType::OAuth2,
        fresh: tokens(t),
        identifier: None,
        proved: true,
        switch: Switch::Refused,
    };
    let mut tx = t.app.db.begin().await.unwrap();
    let (connection, _) = connections::activate(&t.app, &mut tx, tenant, given).await.unwrap();
    tx.commit().await.unwrap();
    connection
}

async fn open_incident(t: &TestApp) -> incidents::Incident {
    let (evidence, mut tx) = (evidence(), t.app.db.begin().await.unwrap());
    let tenant = &t.environment.tenant.id;
    let opened = incidents::store::open(&mut tx, tenant, &broken(t, &evidence)).await;
    tx.commit().await.unwrap();
    opened.unwrap().unwrap()
}

/// Marks every connection as stopped by a broken client.
async fn stop_all(t: &TestApp) {
    let mut tx = t.app.db.begin().await.unwrap();
    sqlx::query("UPDATE connections SET trouble_verdict = 'app_broken', trouble_since = 1")
        .execute(&mut *tx)
        .await
        .unwrap();
    tx.commit().await.unwrap();
}

/// Waits until somebody waits for a row.
async fn somebody_waits(t: &TestApp) {
    let sql = "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    until("somebody waits for a row", async || {
        let mut conn = t.app.db.read().await.unwrap();
        let waiting: i64 = sqlx::query_scalar(sql).fetch_one(&mut *conn).await.unwrap();
        (waiting > 0).then_some(())
    })
    .await;
}

async fn hold(t: &TestApp, tx: &mut evergrant::db::Tx, connection: &Connection) -> Connection {
    let guard = Guard {
        version: connection.version,
        writer: Writer::Beside,
    };
    let tenant = &t.environment.tenant.id;
    let held = connections::store::hold(tx, tenant, &connection.id, (guard, t.app.now())).await;
    held.unwrap().unwrap()
}

/// Somebody holds a connection and goes on to the incident, while somebody else acts on all.
async fn meet<T, F>(t: &TestApp, connection: &Connection, act: F)
where
    T: Send + 'static,
    F: Future<Output = Result<T, Error>> + Send + 'static,
{
    let (evidence, mut tx) = (evidence(), t.app.db.begin().await.unwrap());
    hold(t, &mut tx, connection).await;
    let mut acting = JoinSet::new();
    acting.spawn(act);
    somebody_waits(t).await;
    let tenant = &t.environment.tenant.id;
    incidents::store::see_again(&mut tx, tenant, &broken(t, &evidence))
        .await
        .unwrap();
    tx.commit().await.unwrap();
    acting.join_next().await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn whoever_acts_on_all_takes_the_connections_before_the_incident() {
    let t = TestApp::start(TestDatabase::postgres().await).await;
    let (app, tenant) = (t.app.clone(), t.environment.tenant.clone());
    t.link("one").await;
    set_client(&t).await;

    let (connection, incident) = (connect(&t, "one").await, open_incident(&t).await);
    stop_all(&t).await;
    let (a, b, id) = (app.clone(), tenant.clone(), incident.id.clone());
    meet(&t, &connection, async move {
        clients::close_incident(&a, &b, &id, "test").await
    })
    .await;

    let (connection, incident) = (connect(&t, "one").await, open_incident(&t).await);
    let (a, b, id) = (app.clone(), tenant.clone(), incident.id.clone());
    meet(&t, &connection, async move {
        clients::confirm_deletion(&a, &b, &id, "test").await
    })
    .await;

    let connection = connect(&t, "one").await;
    meet(&t, &connection, async move {
        clients::remove(&app, &tenant, SLUG, true).await
    })
    .await;
}

#[tokio::test]
async fn many_who_act_on_one_and_on_all_at_once_never_block_each_other() {
    let t = TestApp::start(TestDatabase::postgres().await).await;
    let customers: Vec<String> = (0..6).map(|n| format!("customer-{n}")).collect();
    for customer in &customers {
        t.link(customer).await;
    }
    for _ in 0..8 {
        set_client(&t).await;
        let mut all = JoinSet::new();
        for customer in &customers {
            let connection = connect(&t, customer).await;
            let (app, tenant) = (t.app.clone(), t.environment.tenant.clone());
            let seen = Observed {
                guard: Guard {
                    version: connection.version,
                    writer: Writer::Beside,
                },
                judgement: Judgement {
                    verdict: Verdict::AppBroken,
                    reason: Some(Reason::OauthClientSecretInvalid),
                    confidence: Confidence::Stated,
                    evidence: evidence(),
                },
                fresh: None,
                retry_after: None,
                reply_lost: false,
            };
            all.spawn(async move {
                connections::record(&app, &tenant, &connection.id, &seen)
                    .await
                    .map(drop)
            });
        }
        let open = incidents::list(&t.app, &t.environment.tenant, true).await.unwrap();
        for incident in open {
            let (app, tenant) = (t.app.clone(), t.environment.tenant.clone());
            all.spawn(async move {
                clients::close_incident(&app, &tenant, &incident.id, "test")
                    .await
                    .map(drop)
            });
        }
        let (app, tenant) = (t.app.clone(), t.environment.tenant.clone());
        all.spawn(async move { clients::remove(&app, &tenant, SLUG, true).await.map(drop) });
        for done in all.join_all().await {
            assert!(matches!(done, Ok(()) | Err(Error::Conflict(_))), "{done:?}");
        }
    }
}

#[tokio::test]
async fn a_refresh_that_is_stored_meanwhile_saves_nobody_from_the_end_of_the_client() {
    for database in [TestDatabase::sqlite(), TestDatabase::postgres().await] {
        let on_postgres = database.folder.is_none();
        let t = TestApp::start(database).await;
        t.link("one").await;
        set_client(&t).await;
        let connection = connect(&t, "one").await;
        let mut tx = t.app.db.begin().await.unwrap();
        let mut refreshed = hold(&t, &mut tx, &connection).await;
        let (app, tenant) = (t.app.clone(), t.environment.tenant.clone());
        let mut removing = JoinSet::new();
        removing.spawn(async move { clients::remove(&app, &tenant, SLUG, true).await });
        if on_postgres {
            somebody_waits(&t).await;
        }
        refreshed.version += 1;
        connections::store::save(&mut tx, &refreshed).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(removing.join_next().await.unwrap().unwrap().unwrap(), 1);
        let now = connections::find(&t.app, &t.environment.tenant, &connection.id)
            .await
            .unwrap();
        assert!(now.is_flagged(), "{:?}", now.status);
    }
}
