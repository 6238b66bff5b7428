//! The refresh engine among many connections: pace, breakers, lost replies, and ends that are foreseen.

use std::time::Duration;

use evergrant::clock::ManualClock;
use evergrant::connections::{self, Connection, Fresh, Given};
use evergrant::http::portal::{Standing as PageStanding, Status};
use evergrant::refresh;
use evergrant::secret::Secret;
use evergrant::tenants::Tenant;
use evergrant::{accounts, catalog::AuthType, clients};
use serde_json::{Value, json};
use sqlx::Row as _;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::support::{Manners, START, Scripted, Surroundings, TestApp, TestDatabase, until};

const MINUTE: Duration = Duration::from_mins(1);
const DAY: Duration = Duration::from_hours(24);
const MILLI: Duration = Duration::from_millis(1);

/// A service with two applications, each of a provider of its own.
pub(super) struct Two {
    pub(super) t: TestApp,
    pub(super) one: Scripted,
    other: Scripted,
    _catalog: tempfile::TempDir,
}

/// Tells a story on both engines; `more` is what the first application's file says besides.
pub(super) async fn two<F: Future<Output = ()>>(more: &str, tell: impl Fn(Two) -> F) {
    for database in [TestDatabase::sqlite(), TestDatabase::postgres().await] {
        let (one, other) = (
            Scripted::start(Manners::Grace, "one-", 3600).await,
            Scripted::start(Manners::Grace, "other-", 3600).await,
        );
        let folder = tempfile::tempdir().unwrap();
        for (slug, provider, more) in [("one", &one, more), ("other", &other, "")] {
            let [(_, text), _] = provider.catalog();
            let text = text.replace("slug = 'crash'", &format!("slug = '{slug}'"));
            let text = text.replace("rotation = 'always'", &format!("rotation = 'always'\n{more}"));
            std::fs::write(folder.path().join(format!("{slug}.toml")), text).unwrap();
        }
        let around = Surroundings {
            allow: vec![one.address.clone(), other.address.clone()],
            custom: Some(folder.path().to_owned()),
            ..Surroundings::default()
        };
        let t = TestApp::start_in(database, ManualClock::at(START), around).await;
        for slug in ["one", "other"] {
            let client = clients::NewClient {
                client_id: "the-client".to_owned(),
                secret: Some(Secret::from("its secret".to_owned())),
                scopes: None,
            };
            clients::set(&t.app, &t.environment.tenant, slug, client).await.unwrap();
        }
        tell(Two {
            t,
            one,
            other,
            _catalog: folder,
        })
        .await;
    }
}

impl Two {
    pub(super) fn tenant(&self) -> &Tenant {
        &self.t.environment.tenant
    }

    /// Connects a new customer, with what a token endpoint has answered.
    async fn connect(&self, slug: &str, reply: &Value) -> Connection {
        let app = &self.t.app;
        let name = evergrant::ids::uuid();
        self.t.link(&name).await;
        let account = accounts::find(app, self.tenant(), &name).await.unwrap();
        let application = app.catalog.get(slug).unwrap().clone();
        let shape = application.oauth2.as_ref().unwrap().reply_shape();
        let set = evergrant_oauth::reply::read(200, reply.to_string().as_bytes(), &shape, &[]).unwrap();
        let known = (&application.lifetimes, app.now());
        let given = Given {
            account: &account,
            application: &application,
            auth_type: AuthType::OAuth2,
            fresh: Fresh::granted(set, "the-client".to_owned(), std::collections::BTreeMap::new(), known),
            identifier: None,
            proved: false,
            switch: connections::Switch::Refused,
        };
        let mut tx = app.db.begin().await.unwrap();
        let (connection, _) = connections::activate(app, &mut tx, self.tenant(), given).await.unwrap();
        tx.commit().await.unwrap();
        connection
    }

    pub(super) async fn connect_many(&self, slug: &str, how_many: usize) -> Vec<Connection> {
        let reply = json!({ "access_token": "at", "refresh_token": "rt", "token_type": "Bearer", "expires_in": 3600 });
        let mut all = Vec::new();
        for _ in 0..how_many {
            all.push(self.connect(slug, &reply).await);
        }
        all
    }

    /// Renews what is due, once.
    async fn sweep(&self) {
        refresh::run_due(&self.t.app, &CancellationToken::new()).await.unwrap();
    }

    pub(super) async fn renewed(&self, connections: &[Connection]) -> usize {
        let mut renewed = 0;
        for one in connections {
            let now = connections::find(&self.t.app, self.tenant(), &one.id).await.unwrap();
            renewed += usize::from(now.version > one.version && now.trouble.is_none());
        }
        renewed
    }

    async fn events(&self, kind: &str) -> i64 {
        let mut conn = self.t.app.db.read().await.unwrap();
        let row = sqlx::query("SELECT COUNT(*) FROM events WHERE event = $1").bind(kind.to_owned());
        row.fetch_one(&mut *conn).await.unwrap().get(0)
    }
}

/// How many refreshes a provider has been sent.
pub(super) fn refreshes(provider: &Scripted) -> usize {
    provider
        .seen()
        .iter()
        .filter(|one| one.contains("grant_type=refresh_token"))
        .count()
}

#[tokio::test]
async fn a_provider_that_hangs_takes_its_own_room_and_delays_nobody_else() {
    two("", async |w| {
        let hanging = w.connect_many("one", 20).await;
        let quick = w.connect_many("other", 12).await;
        w.t.clock.advance(55 * MINUTE);
        w.one.gate().shut();
        let stop = CancellationToken::new();
        let mut engine = JoinSet::new();
        let (app, told) = (w.t.app.clone(), stop.clone());
        engine.spawn(async move { refresh::keep_running(&app, &told).await });
        until("the others are refreshed", async || {
            (w.renewed(&quick).await == 12).then_some(())
        })
        .await;
        assert_eq!(w.renewed(&hanging).await, 0);
        assert_eq!(refreshes(&w.one), 16, "no more than it bears at once");
        // Asked to end, the engine begins nothing more and finishes what is under way.
        stop.cancel();
        w.one.gate().open();
        engine.join_next().await.unwrap().unwrap().unwrap();
        assert_eq!((refreshes(&w.one), w.renewed(&hanging).await), (16, 16));
    })
    .await;
}

#[tokio::test]
async fn an_endpoint_that_keeps_failing_is_left_alone_for_a_while() {
    two("[refresh]\nat_once = 1", async |w| {
        let all = w.connect_many("one", 8).await;
        for _ in 0..5 {
            w.one.instead("/token", 500, "{}");
        }
        w.t.clock.advance(55 * MINUTE);
        w.sweep().await;
        assert_eq!(refreshes(&w.one), 5);
        w.sweep().await;
        assert_eq!(refreshes(&w.one), 5, "the circuit is open");
        // A caller is told, and does not wait; what still lives is served.
        let mut waiting = Vec::new();
        for one in &all {
            let now = connections::find(&w.t.app, w.tenant(), &one.id).await.unwrap();
            waiting.extend(now.trouble.is_none().then_some(now.id));
        }
        assert_eq!(waiting.len(), 3, "nothing was sent for them");
        let need = Duration::from_mins(20);
        let live = refresh::live(&w.t.app, w.tenant(), &waiting[0], need).await;
        assert!(live.is_ok());
        assert_eq!(refreshes(&w.one), 5);
        w.t.clock.advance(5 * MINUTE);
        w.sweep().await;
        assert_eq!((refreshes(&w.one), w.renewed(&all).await), (13, 8));
    })
    .await;
}

#[tokio::test]
async fn a_lost_reply_is_asked_for_again_at_once_where_the_provider_forgives() {
    two("grace = '30s'", async |w| {
        let mut all = w.connect_many("one", 1).await;
        all.extend(w.connect_many("other", 1).await);
        w.one.instead("/token", 502, "");
        w.other.instead("/token", 502, "");
        w.t.clock.advance(55 * MINUTE);
        w.sweep().await;
        let find = async |n: usize| connections::find(&w.t.app, w.tenant(), &all[n].id).await.unwrap();
        let (forgiven, strict) = (find(0).await, find(1).await);
        assert_eq!(
            (forgiven.version, forgiven.reply_lost_at, forgiven.failures),
            (2, None, 0)
        );
        assert_eq!(refreshes(&w.one), 2);
        assert_eq!(
            (strict.version, strict.reply_lost_at),
            (1, Some(w.t.app.now())),
            "recorded, and left to the next sweep"
        );
        assert_eq!(refreshes(&w.other), 1);
    })
    .await;
}

#[tokio::test]
async fn an_end_that_no_refresh_moves_is_told_of_a_week_ahead_and_once() {
    two("", async |w| {
        let stated = json!({
            "access_token": "at", "refresh_token": "rt", "token_type": "Bearer", "expires_in": 3600,
            "refresh_token_expires_in": 30 * 86_400,
        });
        let fixed = json!({ "access_token": "at", "token_type": "Bearer", "expires_in": 10 * 86_400 });
        let moving = w.connect("one", &stated).await;
        let ending = w.connect("one", &fixed).await;
        assert!(moving.schedule.expected.moves);
        let end = ending.schedule.expires_at;
        assert_eq!(ending.schedule.expected.end, end);
        let path = |one: &Connection| format!("/api/v2/public/connection/{}", one.id);
        let shown = w.t.get(&path(&ending)).ok().await;
        assert_eq!(shown["expected_end"], end.unwrap().iso());
        assert_eq!(
            (&shown["expected_end_basis"], &shown["expires_soon"]),
            (&json!("stated"), &json!(false))
        );
        w.t.clock.advance((3 * DAY).saturating_sub(MILLI));
        assert_eq!(connections::foretell_due(&w.t.app).await.unwrap(), 0);
        w.t.clock.advance(MILLI);
        let other = w.t.another_process().await;
        let (one, two) = tokio::join!(connections::foretell_due(&w.t.app), connections::foretell_due(&other));
        assert!(one.unwrap() + two.unwrap() >= 1);
        assert_eq!(connections::foretell_due(&w.t.app).await.unwrap(), 0);
        assert_eq!(w.events("Connection Expiring").await, 1);
        assert_eq!(w.t.get(&path(&ending)).ok().await["expires_soon"], true);
        assert_eq!(w.t.get(&path(&moving)).ok().await["expires_soon"], false);
        // The list, and the customer's page, call the same one ending.
        let before = end.unwrap().after(30 * DAY).iso();
        let query = format!("/api/v2/public/connection?expiring_before={before}");
        let listed = w.t.get(&query).ok().await;
        assert_eq!(listed["docs"].as_array().unwrap().len(), 1);
        assert_eq!(listed["docs"][0]["id"], ending.id.to_string());
        let application = w.t.app.catalog.get("one").unwrap();
        for (connection, standing) in [
            (&moving, PageStanding::Connected),
            (&ending, PageStanding::Expiring { ends: end.unwrap() }),
        ] {
            let now = connections::find(&w.t.app, &w.t.environment.tenant, &connection.id)
                .await
                .unwrap();
            assert_eq!(Status::of(application, &[now]).standing, standing);
        }
    })
    .await;
}

#[tokio::test]
async fn leases_are_measured_by_the_clock_that_all_nodes_share() {
    two("", async |w| {
        let mut conn = w.t.app.db.read().await.unwrap();
        let now = w.t.app.now();
        let own =
            w.t.app
                .db
                .clone()
                .on_its_own_time()
                .lease_time(&mut conn, now)
                .await
                .unwrap();
        match w.t.app.db.engine() {
            evergrant::db::Engine::Sqlite => assert_eq!(own, now, "one machine has one clock"),
            evergrant::db::Engine::Postgres => assert!(own > now.after(365 * DAY), "the server's, not the test's"),
        }
        let common = std::sync::Arc::new(ManualClock::at(now.after(DAY)));
        let timed =
            w.t.app
                .db
                .clone()
                .timed_by(common)
                .lease_time(&mut conn, now)
                .await
                .unwrap();
        assert_eq!(timed, now.after(DAY));
    })
    .await;
}
