//! The addresses for notices, as the team sets them up.

use std::collections::BTreeMap;

use axum::http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::support::{TestApp, TestDatabase, on_both};

const PATH: &str = "/api/v2/public/application/slack/notices";

#[derive(Deserialize)]
struct Vectors {
    challenges: Vec<Challenge>,
}

#[derive(Deserialize)]
struct Challenge {
    slug: String,
    own_secret: String,
    headers: BTreeMap<String, String>,
    body: String,
    answer: Value,
}

#[tokio::test]
async fn the_team_makes_an_address_gives_its_secret_and_never_sees_that_again() {
    on_both(async |t| {
        let none = t.get(PATH).send().await;
        assert_eq!(none.status, StatusCode::NOT_FOUND);
        let made = t.put(PATH, &json!({})).ok().await;
        assert_eq!(
            (&made["takes_signing_secret"], &made["has_signing_secret"]),
            (&json!(true), &json!(false))
        );
        let set = t.put(PATH, &json!({ "signing_secret": "canary-secret" })).ok().await;
        assert_eq!(set["url"], made["url"], "the address stays");
        assert_eq!(set["has_signing_secret"], true);
        let seen = t.get(PATH).send().await;
        assert!(!seen.text.contains("canary-secret"));
        assert_eq!(t.delete(PATH).ok().await["removed"], true);
        assert_eq!(t.delete(PATH).send().await.status, StatusCode::NOT_FOUND);
        let again = t.put(PATH, &json!({})).ok().await;
        assert_ne!(
            again["url"], made["url"],
            "an address that was given up does not come back"
        );
    })
    .await;
}

#[tokio::test]
async fn only_the_teams_key_reaches_it_and_another_team_has_an_address_of_its_own() {
    let t = TestApp::start(TestDatabase::sqlite()).await;
    t.link("acct-7").await;
    let bearer = format!("Bearer {}", t.session("acct-7").await);
    for method in [Method::GET, Method::PUT, Method::DELETE] {
        let call = t.call(method, PATH).header("authorization", &bearer);
        assert_eq!(call.send().await.status, StatusCode::UNAUTHORIZED);
    }
    let mine = t.put(PATH, &json!({ "signing_secret": "mine" })).ok().await;
    let stranger = t.stranger().await;
    let theirs = t.call(Method::GET, PATH).header("x-api-key", &stranger).send().await;
    assert_eq!(theirs.status, StatusCode::NOT_FOUND);
    let theirs = t
        .call(Method::PUT, PATH)
        .header("x-api-key", &stranger)
        .json(&json!({}))
        .ok()
        .await;
    assert_ne!(theirs["url"], mine["url"]);
    assert_eq!(theirs["has_signing_secret"], false);
}

#[tokio::test]
async fn bad_input_gets_a_clear_error_and_changes_nothing() {
    let t = TestApp::start(TestDatabase::sqlite()).await;
    let of = |slug: &str| format!("/api/v2/public/application/{slug}/notices");
    let bad = [
        (of("slack"), json!({ "signing_secret": "" }), "1 to 1024 characters"),
        (of("slack"), json!({ "signing_secret": "a\nb" }), "control characters"),
        (
            of("slack"),
            json!({ "signing_secret": "x".repeat(1025) }),
            "1 to 1024 characters",
        ),
        (of("slack"), json!([]), "JSON object"),
        (
            of("shopify"),
            json!({ "signing_secret": "x" }),
            "take no signing secret",
        ),
        (of("copper"), json!({}), "sends no notices"),
    ];
    for (path, body, wanted) in bad {
        let answer = t.put(&path, &body).send().await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{path} {body}");
        let message = answer.json()["message"].as_str().unwrap().to_owned();
        assert!(message.contains(wanted), "{message}");
    }
    assert_eq!(
        t.put(&of("nothing"), &json!({})).send().await.status,
        StatusCode::NOT_FOUND
    );
    assert_eq!(
        t.get(&of("slack")).send().await.status,
        StatusCode::NOT_FOUND,
        "nothing was made"
    );
}

#[tokio::test]
async fn a_provider_that_tries_the_address_hears_what_it_wants_and_only_if_it_signed() {
    let vectors: Vectors = serde_json::from_str(include_str!("../../data/notices/vectors.json")).unwrap();
    on_both(async |t| {
        for challenge in &vectors.challenges {
            let path = format!("/api/v2/public/application/{}/notices", challenge.slug);
            let secret = json!({ "signing_secret": challenge.own_secret });
            let made = t.put(&path, &secret).ok().await;
            let url = made["url"].as_str().unwrap().replace("http://127.0.0.1:8080", "");
            let unsigned = t.call(Method::POST, &url).raw(challenge.body.clone()).send().await;
            assert_eq!(unsigned.status, StatusCode::UNAUTHORIZED);
            let mut call = t.call(Method::POST, &url);
            for (name, value) in &challenge.headers {
                call = call.header(name, value);
            }
            let answer = call.raw(challenge.body.clone()).send().await;
            assert_eq!(
                (answer.status, answer.json()),
                (StatusCode::OK, challenge.answer.clone())
            );
            assert_eq!(answer.headers["x-content-type-options"], "nosniff");
        }
    })
    .await;
}
