//! Lists of connections, page by page.

use std::time::Duration;

use evergrant::catalog::AuthType;
use evergrant::clock::Timestamp;
use evergrant::connections::list::store;
use evergrant::connections::{Connection, ConnectionStatus, EndBasis, Expected, Filter, Flag, Standing};
use evergrant::db::Engine;
use evergrant::ids::{AccountId, TenantId};
use evergrant::reason::{Confidence, Reason};
use evergrant::verdict::Evidence;
use sqlx::{Executor as _, Row as _};

use super::connections::{account, add, connection};
use crate::support::{TestApp, on_both};

const DAY: Duration = Duration::from_hours(24);
const FAR: Timestamp = Timestamp::from_millis(9_000_000_000_000);

/// Every page of two, one after the other.
async fn pages(t: &TestApp, tenant: &TenantId, mut filter: Filter) -> Vec<String> {
    let mut conn = t.app.db.read().await.unwrap();
    let mut ids = Vec::new();
    loop {
        let page = store::list(&mut conn, tenant, &filter, 2).await.unwrap();
        assert!(page.len() <= 2 && page.iter().all(|one| one.named.linked_account_id.starts_with("acct-")));
        filter.after = page.last().map(|last| last.place.clone());
        ids.extend(page.iter().map(|one| one.named.connection.id.to_string()));
        if page.len() < 2 {
            return ids;
        }
    }
}

fn soonest_of(all: &[Connection], numbers: [usize; 2]) -> Vec<String> {
    numbers.map(|number| all[number].id.to_string()).into()
}

struct Stock {
    all: Vec<Connection>,
    accounts: [AccountId; 2],
}

/// Six connections of two customers to three applications: well, in trouble, flagged; ending on different days, two on the
/// same. The first one's end moves with each refresh, and so does that of the one in trouble, for which it may come.
async fn stock(t: &TestApp) -> Stock {
    let accounts = [account(t, "acct-1").await, account(t, "acct-2").await];
    let now = t.app.now();
    let mut all = Vec::new();
    for (number, slug) in ["slack", "hubspot", "github"].into_iter().cycle().take(6).enumerate() {
        let mut one = connection(t, &accounts[number / 3], (slug, AuthType::OAuth2));
        let days = [1, 5, 4, 3, 2, 4][number];
        one.schedule.expected = Expected {
            end: Some(now.after(DAY * days)),
            basis: EndBasis::Stated,
            moves: number == 0 || number == 4,
        };
        if number != 4 {
            one.trouble = None;
        }
        if number == 1 || number == 3 {
            one.status = ConnectionStatus::ReauthRequired(Flag {
                reason: if number == 1 {
                    Reason::TokenRevoked
                } else {
                    Reason::UserDisabled
                },
                since: now,
                confidence: Confidence::Stated,
                evidence: Evidence {
                    rule: "test".to_owned(),
                    words: String::new(),
                    status: 0,
                },
            });
        }
        all.push(add(t, one).await);
    }
    let accounts = accounts.map(|account| account.id);
    Stock { all, accounts }
}

#[tokio::test]
async fn every_filter_finds_its_own_once_in_order_and_nothing_of_another_tenant() {
    on_both(async |t| {
        let Stock { all, accounts } = stock(&t).await;
        let tenant = t.environment.tenant.id.clone();
        let ids = |numbers: &[usize]| {
            let mut ids: Vec<_> = numbers.iter().map(|number| all[*number].id.to_string()).collect();
            ids.sort();
            ids
        };
        let with = |change: &dyn Fn(&mut Filter)| {
            let mut filter = Filter::default();
            change(&mut filter);
            filter
        };
        let slug = |slug: &str| Some(slug.to_owned());
        let cases = [
            (with(&|_| {}), ids(&[0, 1, 2, 3, 4, 5])),
            (with(&|f| f.standing = Some(Standing::Active)), ids(&[0, 2, 4, 5])),
            (with(&|f| f.standing = Some(Standing::Degraded)), ids(&[4])),
            (with(&|f| f.standing = Some(Standing::ReauthRequired)), ids(&[1, 3])),
            (with(&|f| f.reason = Some(Reason::UserDisabled)), ids(&[3])),
            (with(&|f| f.reason = Some(Reason::OauthClientSecretInvalid)), ids(&[4])),
            (with(&|f| f.slug = slug("slack")), ids(&[0, 3])),
            (with(&|f| f.account = Some(accounts[1].clone())), ids(&[3, 4, 5])),
            (
                with(&|f| (f.slug, f.standing) = (slug("slack"), Some(Standing::ReauthRequired))),
                ids(&[3]),
            ),
            (
                with(&|f| (f.account, f.slug) = (Some(accounts[0].clone()), slug("github"))),
                ids(&[2]),
            ),
        ];
        for (filter, wanted) in cases {
            assert_eq!(pages(&t, &tenant, filter.clone()).await, wanted, "{filter:?}");
            assert!(pages(&t, &TenantId::new(t.app.now()), filter).await.is_empty());
        }
        // The soonest first; of those that end together, by id. What refreshing will move is not there, nor what has ended, nor
        // what ends just then.
        let mut together = ids(&[2, 5]);
        let ending = |before| with(&|f| f.ends_before = Some(before));
        let mut soonest = vec![all[4].id.to_string()];
        soonest.append(&mut together);
        assert_eq!(pages(&t, &tenant, ending(FAR)).await, soonest);
        let at_two = all[2].schedule.expected.end.unwrap();
        assert_eq!(pages(&t, &tenant, ending(at_two)).await, soonest[..1]);
        for (account, wanted) in [(0, ids(&[2])), (1, soonest_of(&all, [4, 5]))] {
            let mut of_account = ending(FAR);
            of_account.account = Some(accounts[account].clone());
            assert_eq!(pages(&t, &tenant, of_account).await, wanted);
        }
    })
    .await;
}

/// Five thousand connections of five hundred customers to ten applications; one in a hundred is flagged.
const MANY: &str = "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 4999) \
    INSERT INTO connections (id, tenant, account, slug, auth_type, status, reason, failures, version, has_refresh_token, \
        expires_at, expected_end, end_moves, fence, connected_at, created_at, updated_at) \
    SELECT 'id-' || i, $1, 'account-' || (i / 10), 'app-' || (i % 10), 'oauth2', \
        CASE WHEN i % 100 = 7 THEN 'reauth_required' ELSE 'active' END, \
        CASE WHEN i % 100 = 7 THEN 'token_revoked' ELSE NULL END, 0, 1, i % 2, 1000 + i, 1000 + i, i % 2, 0, 1, 1, 1 FROM n";

/// How the database means to find a page.
async fn plan(t: &TestApp, filter: &Filter) -> String {
    let mut conn = t.app.db.read().await.unwrap();
    let sqlite = t.app.db.engine() == Engine::Sqlite;
    let explain = if sqlite { "EXPLAIN QUERY PLAN" } else { "EXPLAIN" };
    let text: &'static str = format!("{explain} {}", store::text_of(filter)).leak();
    let status = filter.standing.map_or("", |_| "reauth_required");
    let rows = sqlx::query(text)
        .bind(t.environment.tenant.id.as_str())
        .bind("id-2")
        .bind(filter.slug.as_deref().unwrap_or_default())
        .bind(filter.account.as_ref().map_or("", AccountId::as_str))
        .bind(status)
        .bind(0_i64)
        .bind(filter.reason.map_or("", Reason::as_str))
        .bind(filter.ends_before.map_or(-1, Timestamp::as_millis))
        .bind(-1_i64)
        .bind(10_i64)
        .fetch_all(&mut *conn)
        .await
        .unwrap();
    let line = |row: &sqlx::any::AnyRow| row.get::<String, _>(if sqlite { 3 } else { 0 });
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn every_filter_is_backed_by_its_index() {
    on_both(async |t| {
        let mut tx = t.app.db.begin().await.unwrap();
        let tenant = t.environment.tenant.id.as_str();
        sqlx::query(MANY).bind(tenant).execute(&mut *tx).await.unwrap();
        tx.commit().await.unwrap();
        if t.app.db.engine() == Engine::Postgres {
            t.app.db.read().await.unwrap().execute("ANALYZE").await.unwrap();
        }
        let with = |change: &dyn Fn(&mut Filter)| {
            let mut filter = Filter::default();
            change(&mut filter);
            filter
        };
        for (filter, index) in [
            (with(&|_| {}), "connections_of_tenant"),
            (
                with(&|f| f.standing = Some(Standing::ReauthRequired)),
                "connections_ailing",
            ),
            (with(&|f| f.reason = Some(Reason::TokenRevoked)), "connections_ailing"),
            (
                with(&|f| f.slug = Some("app-7".to_owned())),
                "connections_of_application",
            ),
            (
                with(&|f| f.account = Some(AccountId::trusted("account-77".to_owned()))),
                "connections_of_account",
            ),
            (
                with(&|f| f.ends_before = Some(Timestamp::from_millis(1100))),
                "connections_ending",
            ),
        ] {
            let plan = plan(&t, &filter).await;
            assert!(plan.contains(index), "{filter:?}: {plan}");
        }
    })
    .await;
}
