//! Room: what one application bears is kept, whoever wants it, and what waits for it is in nobody's way.

use std::time::Duration;

use evergrant::app::App;
use evergrant::connections::{self, Connection};
use evergrant::refresh;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::engine::{Two, refreshes, two};
use crate::support::until;

const MINUTE: Duration = Duration::from_mins(1);

/// A caller for each, who needs a token that lives for half an hour.
fn callers(w: &Two, connections: &[Connection]) -> JoinSet<refresh::Did> {
    let mut callers = JoinSet::new();
    let need = Duration::from_mins(30);
    for one in connections {
        let (app, tenant, id) = (w.t.app.clone(), w.tenant().clone(), one.id.clone());
        callers.spawn(async move {
            let renewed = refresh::renew(&app, &tenant, &id, refresh::Why::Use { need }).await;
            renewed.unwrap().did
        });
    }
    callers
}

#[tokio::test]
async fn many_callers_at_once_are_no_more_requests_than_their_application_bears() {
    two("[refresh]\nat_once = 3", async |w| {
        let all = w.connect_many("one", 16).await;
        w.t.clock.advance(50 * MINUTE);
        w.one.gate().shut();
        let callers = callers(&w, &all);
        let rooms = &w.t.app.pace.rooms;
        until("three have gone in and the others wait", async || {
            (rooms.waiting("one") == 13 && refreshes(&w.one) >= 3).then_some(())
        })
        .await;
        assert_eq!(refreshes(&w.one), 3);
        w.one.gate().open();
        let renewed = callers.join_all().await;
        assert!(renewed.iter().all(|did| *did == refresh::Did::Renewed), "{renewed:?}");
        assert_eq!((refreshes(&w.one), rooms.waiting("one")), (16, 0));
    })
    .await;
}

#[tokio::test]
async fn callers_and_the_sweep_take_turns() {
    two("[refresh]\nat_once = 1", async |w| {
        let due = w.connect_many("one", 9).await;
        w.t.clock.advance(56 * MINUTE);
        let mut needed = w.connect_many("one", 1).await;
        w.t.clock.advance(4 * MINUTE);
        // Not due yet, so that the sweep does not see to it.
        needed[0] = connections::find(&w.t.app, w.tenant(), &needed[0].id).await.unwrap();
        w.one.gate().shut();
        let stop = CancellationToken::new();
        let mut engine = JoinSet::new();
        let (app, told) = (w.t.app.clone(), stop.clone());
        engine.spawn(async move { refresh::keep_running(&app, &told).await });
        let rooms = &w.t.app.pace.rooms;
        until("the sweep has one under way, and a turn", async || {
            (refreshes(&w.one) == 1 && rooms.waiting("one") == 1).then_some(())
        })
        .await;
        let (app, tenant, id) = (w.t.app.clone(), w.tenant().clone(), needed[0].id.clone());
        let mut caller = JoinSet::new();
        caller.spawn(async move { refresh::renew(&app, &tenant, &id, refresh::Why::Forced).await });
        until("the caller waits", async || (rooms.waiting("one") == 2).then_some(())).await;
        assert_eq!(refreshes(&w.one), 1);
        w.one.gate().open();
        let done = caller.join_next().await.unwrap().unwrap().unwrap();
        assert_eq!(done.did, refresh::Did::Renewed);
        let before = refreshes(&w.one);
        assert!(
            (3..8).contains(&before),
            "after the sweep's turn, and not after all of it: {before}"
        );
        until("the sweep has gone on", async || {
            (w.renewed(&due).await == 9).then_some(())
        })
        .await;
        stop.cancel();
        engine.join_next().await.unwrap().unwrap().unwrap();
        assert_eq!(
            (refreshes(&w.one), rooms.waiting("one")),
            (10, 0),
            "no turn is left behind"
        );
    })
    .await;
}

const ORGANISATIONS: &str = "WITH RECURSIVE n (i) AS (SELECT CAST(0 AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i < 999) \
    INSERT INTO organisations (id, name, created_at) SELECT 'o' || CAST(i AS TEXT), 'o' || CAST(i AS TEXT), 0 FROM n";
const TENANTS: &str = "WITH RECURSIVE n (i) AS (SELECT CAST(0 AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i < 999) \
    INSERT INTO environments (id, org, name, return_origins, frame_origins, created_at) \
    SELECT 't' || CAST(i AS TEXT), 'o' || CAST(i AS TEXT), 'test', '[]', '[]', 0 FROM n";
const CROWD: &str = "WITH RECURSIVE n (i) AS (SELECT CAST(0 AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i < 999) \
    INSERT INTO connections (id, tenant, account, slug, auth_type, status, failures, version, has_refresh_token, fence, \
        due_at, connected_at, created_at, updated_at) \
    SELECT 'c' || CAST(i AS TEXT), 't' || CAST(i AS TEXT), 'a', 'one', 'oauth2', 'active', 0, 1, 1, 1, 2, 0, 0, 0 FROM n";

/// A thousand tenants with a connection each that is due, after the one that is there.
async fn crowd(app: &App) {
    let mut tx = app.db.begin().await.unwrap();
    let first = "UPDATE connections SET due_at = 1 WHERE slug = 'one'";
    for statement in [first, ORGANISATIONS, TENANTS, CROWD] {
        sqlx::query(statement).execute(&mut *tx).await.unwrap();
    }
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn an_application_that_hangs_is_passed_by_however_many_tenants_wait_for_it() {
    two("[refresh]\nat_once = 1", async |w| {
        w.connect_many("one", 1).await;
        let quick = w.connect_many("other", 1).await;
        w.t.clock.advance(55 * MINUTE);
        crowd(&w.t.app).await;
        w.one.gate().shut();
        let stop = CancellationToken::new();
        let mut engine = JoinSet::new();
        let (app, told) = (w.t.app.clone(), stop.clone());
        engine.spawn(async move { refresh::keep_running(&app, &told).await });
        // A round lasts a second while nothing ends, and sees sixteen lanes: one after the other they would take a minute.
        until("the other is refreshed", async || {
            (w.renewed(&quick).await == 1).then_some(())
        })
        .await;
        assert_eq!(refreshes(&w.one), 1);
        stop.cancel();
        w.one.gate().open();
        engine.join_next().await.unwrap().unwrap().unwrap();
    })
    .await;
}
