//! How a customer's id is written must not decide whose credential one gets.

use axum::http::Method;
use evergrant::accounts::{self, Change};
use serde_json::{Value, json};

use crate::support::{CRM, CUSTOMER, Call, Story, story};

const ACCOUNTS: &str = "/api/v2/public/linked-account";
const OF_CUSTOMER: &str = "/api/v2/public/application/sandbox-oauth/credential";

fn percent(id: &str) -> String {
    url::form_urlencoded::byte_serialize(id.as_bytes())
        .collect::<String>()
        .replace('+', "%20")
}

/// Every call that names a customer and gives something of theirs, or changes it.
fn named<'a>(s: &'a Story, id: &str) -> Vec<(String, Call<'a>)> {
    let (query, header) = (percent(id), id.as_bytes());
    let body =
        |method: Method, path: &str, body: Value| s.t.call(method, path).header("x-api-key", &s.t.key).json(&body);
    let by_id = json!({ "linked_account_id": id });
    let migrated = json!({ "linked_account_id": id, "slug": CRM, "auth_object": { "access_token": "x" } });
    [
        (
            "credential, header",
            s.t.get(OF_CUSTOMER).bytes("linked_account_id", header),
        ),
        (
            "credential, header before query",
            s.t.get(&format!("{OF_CUSTOMER}?linked_account_id={CUSTOMER}"))
                .bytes("linked_account_id", header),
        ),
        (
            "credential, query",
            s.t.get(&format!("{OF_CUSTOMER}?linked_account_id={query}")),
        ),
        (
            "proxy",
            s.t.get(&format!("/api/v2/public/proxy/{CRM}/me"))
                .bytes("linked_account_id", header),
        ),
        (
            "applications",
            s.t.get("/api/v2/public/application").bytes("linked_account_id", header),
        ),
        (
            "connections",
            s.t.get(&format!("/api/v2/public/connection?linked_account_id={query}")),
        ),
        ("get", s.t.get(&format!("{ACCOUNTS}/{query}"))),
        ("delete", s.t.delete(&format!("{ACCOUNTS}/{query}"))),
        ("post", body(Method::POST, ACCOUNTS, by_id.clone())),
        ("put", body(Method::PUT, ACCOUNTS, by_id.clone())),
        ("session", body(Method::POST, "/api/v2/public/session-token", by_id)),
        (
            "migrate, body",
            body(Method::PUT, "/api/v2/public/migrate-token", migrated.clone()),
        ),
        (
            "migrate, header",
            body(Method::PUT, "/api/v2/public/migrate-token", migrated).bytes("linked_account_id", header),
        ),
    ]
    .map(|(what, call)| (what.to_owned(), call))
    .into()
}

#[tokio::test]
async fn an_id_that_could_be_taken_for_another_customers_is_refused_wherever_it_is_given() {
    story(async |s| {
        s.connect().await;
        for id in [
            "\u{a0}",
            "\u{3000}",
            "acct-7\u{a0}",
            "\u{a0}acct-7",
            "acct-7\u{3000}",
            "acct-7\u{2003}",
            "zo\u{c3}\u{a9}",
        ] {
            for (what, call) in named(&s, id) {
                let answer = call.send().await;
                assert_eq!(answer.status, 400, "{what} for {id:?}: {}", answer.text);
                assert_eq!(answer.json()["error_code"], "INVALID_LINKED_ACCOUNT_ID", "{what}");
            }
        }
        // Space and tab at the ends of a header are HTTP's own and never arrive; elsewhere they are the id's.
        for id in [" acct-7", "acct-7 "] {
            for (what, call) in named(&s, id).into_iter().filter(|(what, _)| !what.contains("header")) {
                if matches!(what.as_str(), "proxy" | "applications") {
                    continue;
                }
                assert_eq!(call.send().await.status, 400, "{what} for {id:?}");
            }
            assert!(Change::of(id).is_err());
            assert!(accounts::find(&s.t.app, s.tenant(), id).await.is_err());
        }
        assert_eq!(s.t.get(ACCOUNTS).ok().await["totalDocs"], 1);
        let trail = s.t.get("/api/v2/public/audit").ok().await;
        assert!(
            !trail.to_string().contains("credential"),
            "nothing was handed out: {trail}"
        );
    })
    .await;
}

#[tokio::test]
async fn a_header_in_utf_8_and_one_in_latin_1_name_the_same_customer_and_no_other() {
    story(async |s| {
        for id in ["zo\u{e9}", "zo\u{c3}", "zo\u{20ac}"] {
            s.t.link(id).await;
        }
        let own = async |bytes: &[u8]| {
            let call = s.t.put(
                "/api/v2/public/migrate-token",
                &json!({ "slug": "sandbox-key", "auth_object": { "api_key": "x" } }),
            );
            call.bytes("linked_account_id", bytes).send().await.text
        };
        // The key is refused for each: what matters is that a customer was found.
        let known = own("zo\u{20ac}".as_bytes()).await;
        assert!(!known.contains("does not exist"), "{known}");
        for bytes in [
            b"zo\xc3\xa9".as_slice(),
            b"zo\xe9",
            b"zo\xc3",
            b"zo\xc3\x83",
            b"\tzo\xe9 ",
        ] {
            assert!(!own(bytes).await.contains("does not exist"), "{bytes:?}");
        }
        assert!(own(b"zo\x80").await.contains("does not exist"));
        let of = async |bytes: &[u8]| {
            let path = "/api/v2/public/connection";
            s.t.get(path).bytes("linked_account_id", bytes).send().await.status
        };
        assert_eq!(of(b"zo\xe9").await, 200);
        assert_eq!(of("zo\u{e9}".as_bytes()).await, 200);
        let query = "/api/v2/public/connection?linked_account_id=";
        s.t.get(&format!("{query}zo%C3%A9")).ok().await;
        // What is not UTF-8 names nobody in an address, where there is no older way to write it.
        s.t.get(&format!("{query}zo%E9")).refused(400).await;
        s.t.get(&format!("{query}zo%C3%83%C2%A9")).refused(400).await;
    })
    .await;
}

#[tokio::test]
async fn of_two_ids_neither_is_taken() {
    story(async |s| {
        s.connect().await;
        let twice = |a: &str, b: &str| {
            let call = s.t.get(OF_CUSTOMER).header("linked_account_id", a);
            call.header("linked_account_id", b)
        };
        twice(CUSTOMER, CUSTOMER).ok().await;
        for (a, b) in [(CUSTOMER, "other"), ("other", CUSTOMER)] {
            twice(a, b).refused(400).await;
            let query = format!("{OF_CUSTOMER}?linked_account_id={a}&linked_account_id={b}");
            s.t.get(&query).refused(400).await;
        }
    })
    .await;
}
