//! Listing accounts.

use axum::http::Method;
use serde_json::{Value, json};

use super::PATH;
use crate::support::{TestApp, on_both};

fn ids(page: &Value) -> Vec<&str> {
    page["docs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|doc| doc["account_id"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn an_empty_list_has_the_documented_shape() {
    on_both(async |t| {
        let empty = json!({ "docs": [], "totalDocs": 0, "limit": 10, "totalPages": 1, "page": 1, "pagingCounter": 1,
            "hasPrevPage": false, "hasNextPage": false, "prevPage": null, "nextPage": null });
        assert_eq!(t.get(PATH).ok().await, empty);
        t.link("a").await;
        let theirs = t.stranger().await;
        assert_eq!(t.call(Method::GET, PATH).header("x-api-key", &theirs).ok().await, empty);
    })
    .await;
}

#[tokio::test]
async fn pages_come_oldest_first_and_know_their_neighbours() {
    on_both(async |t| {
        for n in 1..=5 {
            t.clock.advance(std::time::Duration::from_secs(1));
            t.link(&format!("a{n}")).await;
        }
        let page = t.get(&format!("{PATH}?page=2&limit=2")).ok().await;
        assert_eq!(ids(&page), ["a3", "a4"]);
        assert_eq!(
            (&page["totalDocs"], &page["totalPages"], &page["pagingCounter"]),
            (&json!(5), &json!(3), &json!(3))
        );
        assert_eq!((&page["prevPage"], &page["nextPage"]), (&json!(1), &json!(3)));
        let last = t.get(&format!("{PATH}?page=3&limit=2")).ok().await;
        assert_eq!(
            (ids(&last), &last["hasNextPage"], &last["nextPage"]),
            (vec!["a5"], &json!(false), &Value::Null)
        );
        let beyond = t.get(&format!("{PATH}?page=4294967295&limit=4294967295")).ok().await;
        assert_eq!((ids(&beyond).len(), &beyond["limit"]), (0, &json!(100)));
        for bad in [
            "page=0",
            "limit=0",
            "page=-1",
            "limit=x",
            "page=",
            "page=4294967296",
            "page=1&page=2",
        ] {
            t.get(&format!("{PATH}?{bad}")).refused(400).await;
        }
    })
    .await;
}

async fn with_fields(t: &TestApp) {
    for (n, (id, udf)) in [
        ("a", json!({ "plan": "pro", "seats": 5 })),
        ("b", json!({ "plan": "free", "seats": "5", "paid": true })),
        ("c", json!({ "tier": "pro" })),
    ]
    .into_iter()
    .enumerate()
    {
        t.clock.advance(std::time::Duration::from_secs(n as u64 + 1));
        t.put(PATH, &json!({ "linked_account_id": id, "udf": udf })).ok().await;
    }
}

#[tokio::test]
async fn a_list_can_be_narrowed_by_field_and_value() {
    on_both(async |t| {
        with_fields(&t).await;
        for (query, wanted) in [
            ("", vec!["a", "b", "c"]),
            ("env_variable_name=plan", vec!["a", "b"]),
            ("env_variable_value=pro", vec!["a", "c"]),
            ("env_variable_name=plan&env_variable_value=pro", vec!["a"]),
            ("env_variable_name=seats&env_variable_value=5", vec!["a", "b"]),
            ("env_variable_value=true", vec!["b"]),
            ("env_variable_name=&env_variable_value=", vec!["a", "b", "c"]),
            ("env_variable_name=none", vec![]),
            ("env_variable_value=%00", vec![]),
            ("env_variable_value=%25", vec![]),
            ("env_variable_value=' OR 1=1 --".replace(' ', "+").leak(), vec![]),
        ] {
            let page = t.get(&format!("{PATH}?{query}")).ok().await;
            assert_eq!(ids(&page), wanted, "{query}");
            assert_eq!(page["totalDocs"], wanted.len(), "{query}");
        }
        let page = t.get(&format!("{PATH}?env_variable_name=tier")).ok().await;
        assert_eq!(page["docs"][0]["udf"][0]["key_name"], "tier");
        assert_eq!(page["docs"][0]["integrations"], json!([]));
    })
    .await;
}
