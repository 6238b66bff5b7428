//! `/api/v2/public/session-token` (contract, section 9).

use std::time::Duration;

use axum::http::Method;
use serde_json::json;

use crate::support::on_both;

const PATH: &str = "/api/v2/public/session-token";
const HOUR: Duration = Duration::from_hours(1);

#[tokio::test]
async fn a_token_lives_a_week_and_is_handed_out_again_with_what_it_has_left() {
    on_both(async |t| {
        t.link("a").await;
        let body = json!({ "linked_account_id": "a" });
        let first = t.post(PATH, &body).ok().await;
        let names: Vec<_> = first.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(names, ["token", "refresh_token", "expires_in", "refresh_expires_in"]);
        assert_eq!(
            (&first["expires_in"], &first["refresh_expires_in"]),
            (&json!(604_800), &json!(2_592_000))
        );
        t.clock.advance(HOUR * 24 * 6);
        let again = t.post(PATH, &body).ok().await;
        assert_eq!(
            (&again["token"], &again["refresh_token"]),
            (&first["token"], &first["refresh_token"])
        );
        assert_eq!(
            (&again["expires_in"], &again["refresh_expires_in"]),
            (&json!(86_400), &json!(2_073_600))
        );
        t.clock.advance(Duration::from_secs(1));
        let new = t.post(PATH, &body).ok().await;
        assert_ne!(new["token"], first["token"], "the old one has less than a day left");
        assert_eq!(new["expires_in"], 604_800);
    })
    .await;
}

#[tokio::test]
async fn a_forced_token_is_new_and_the_old_one_stays_valid() {
    on_both(async |t| {
        t.link("a").await;
        let old = t.session("a").await;
        let forced = t
            .post(
                &format!("{PATH}?force_refresh=true"),
                &json!({ "linked_account_id": "a" }),
            )
            .ok()
            .await;
        let new = forced["token"].as_str().unwrap();
        assert_ne!(new, old);
        for token in [&old, new] {
            t.by_session(Method::GET, "/api/v3/org/basics", token).ok().await;
        }
        assert_ne!(t.session("a").await, "");
    })
    .await;
}

#[tokio::test]
async fn a_token_ends_with_its_last_second() {
    on_both(async |t| {
        t.link("a").await;
        let token = t.session("a").await;
        t.clock
            .advance((HOUR * 24 * 7).saturating_sub(Duration::from_millis(1)));
        t.by_session(Method::GET, "/api/v3/org/basics", &token).ok().await;
        t.clock.advance(Duration::from_millis(1));
        let message = t
            .by_session(Method::GET, "/api/v3/org/basics", &token)
            .refused(401)
            .await;
        assert_eq!(message, "Invalid token");
    })
    .await;
}

#[tokio::test]
async fn a_revoked_token_is_invalid_at_once_and_not_handed_out_again() {
    on_both(async |t| {
        t.link("a").await;
        let token = t.session("a").await;
        let revoked = t.by_session(Method::POST, &format!("{PATH}/revoke"), &token).ok().await;
        assert_eq!(revoked, json!({ "success": true, "revoked_count": 1 }));
        let message = t
            .by_session(Method::POST, &format!("{PATH}/revoke"), &token)
            .refused(401)
            .await;
        assert_eq!(message, "Invalid token");
        assert_ne!(t.session("a").await, token);
        t.call(Method::POST, "/api/v2/public/session-token/refresh")
            .refused(404)
            .await;
        t.call(Method::POST, "/session-token/refresh").refused(404).await;
    })
    .await;
}

#[tokio::test]
async fn mistakes_get_the_documented_texts() {
    on_both(async |t| {
        for none in [
            json!({}),
            json!({ "linked_account_id": "" }),
            json!({ "linked_account_id": null }),
        ] {
            assert_eq!(t.post(PATH, &none).refused(400).await, "linked_account_id is required");
        }
        let unknown = t.post(PATH, &json!({ "linked_account_id": "nobody" })).send().await;
        assert_eq!(unknown.status, 400);
        let body = unknown.json();
        assert_eq!(body["error_code"], "INVALID_LINKED_ACCOUNT_ID");
        assert_eq!(
            body["message"],
            "No linked account found for account id : nobody in environment test"
        );
        t.link("a").await;
        let theirs = t.stranger().await;
        let call = t.call(Method::POST, PATH).header("x-api-key", &theirs);
        call.json(&json!({ "linked_account_id": "a" })).refused(400).await;
        for bad in ["{", "[]", "7", r#"{"linked_account_id":7}"#] {
            t.call(Method::POST, PATH)
                .header("x-api-key", &t.key)
                .raw(bad)
                .refused(400)
                .await;
        }
        assert_eq!(
            t.call(Method::POST, PATH).header("x-api-key", "no").refused(401).await,
            "Invalid Credentials"
        );
        assert_eq!(t.call(Method::POST, PATH).refused(401).await, "Invalid Credentials");
    })
    .await;
}

#[tokio::test]
async fn neither_database_row_nor_answer_of_a_refused_call_shows_a_token() {
    on_both(async |t| {
        t.link("a").await;
        let token = t.session("a").await;
        let mut conn = t.app.db.read().await.unwrap();
        let row = sqlx::query("SELECT hash, sealed_value FROM session_tokens")
            .fetch_one(&mut *conn)
            .await
            .unwrap();
        let (hash, sealed): (String, Vec<u8>) = (sqlx::Row::get(&row, 0), sqlx::Row::get(&row, 1));
        assert!(!hash.contains(&token));
        assert!(!sealed.windows(token.len()).any(|part| part == token.as_bytes()));
    })
    .await;
}
