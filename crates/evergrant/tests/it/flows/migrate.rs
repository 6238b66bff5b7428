//! Tokens and keys that a team brings along from elsewhere.

use std::time::Duration;

use evergrant::sandbox::{Cause, Weather};
use serde_json::{Value, json};

use crate::support::{CRM, CUSTOMER, Call, Consent, OWN, SMS, Story, story, timeline};

const PATH: &str = "/api/v2/public/migrate-token";

fn migrate<'a>(s: &'a Story, slug: &str, auth_object: &Value) -> Call<'a> {
    let body = json!({ "slug": slug, "auth_object": auth_object });
    s.t.put(PATH, &body).header("linked_account_id", CUSTOMER)
}

#[tokio::test]
async fn tokens_in_either_form_connect_and_then_update() {
    story(async |s| {
        let (_, refresh) = s.provider.foreign_tokens(Consent::YES).await;
        let flat = json!({ "refresh_token": refresh });
        let answer = migrate(&s, CRM, &flat).ok().await;
        assert_eq!(
            answer,
            json!({ "success": true, "message": "Integration - sandbox-oauth created" })
        );
        s.assert_healthy(CRM).await;
        let id = s.id_of(CRM).await;
        let connection = s.connection(&id).await;
        assert_eq!(connection["identifier"]["id"], "acc_alice");
        assert_eq!(connection["has_refresh_token"], true);
        assert!(connection["expires_at"].is_string());

        let (access, refresh) = s.provider.foreign_tokens(Consent::YES).await;
        let nested = json!({ "oauth2": { "access_token": access, "refresh_token": refresh } });
        let answer = migrate(&s, CRM, &nested).ok().await;
        assert_eq!(answer["message"], "Integration - sandbox-oauth updated");
        assert_eq!(s.id_of(CRM).await, id);
        assert_eq!(s.events().await, ["Connection Created sandbox-oauth"]);
        // It is a connection like any other from now on.
        s.live(24, Duration::from_hours(1)).await;
        s.assert_healthy(CRM).await;
        assert_eq!(s.provider.grants(), ["living", "living"]);
    })
    .await;
}

#[tokio::test]
async fn an_access_token_alone_is_tried_before_it_is_stored() {
    story(async |s| {
        let (access, refresh) = s.provider.foreign_tokens(Consent::ONCE).await;
        assert_eq!(refresh, "");
        migrate(&s, CRM, &json!({ "access_token": access, "refresh_token": "" }))
            .ok()
            .await;
        let id = s.id_of(CRM).await;
        assert_eq!(s.connection(&id).await["has_refresh_token"], false);
        let message = migrate(&s, CRM, &json!({ "access_token": "canary" }))
            .refused(400)
            .await;
        assert!(
            message.contains("answered 401") && !message.contains("canary"),
            "{message}"
        );
        s.assert_healthy(CRM).await;
    })
    .await;
}

#[tokio::test]
async fn a_key_is_migrated_flat_and_nested() {
    story(async |s| {
        let answer = migrate(&s, SMS, &json!({ "api_key": s.provider.key() })).ok().await;
        assert_eq!(answer["message"], "Integration - sandbox-key created");
        let nested = json!({ "keybased": { "api_key": s.provider.key(), "number": "+15550100" } });
        let answer = migrate(&s, SMS, &nested).ok().await;
        assert_eq!(answer["message"], "Integration - sandbox-key updated");
        migrate(&s, SMS, &json!({ "api_key": "wrong" })).refused(400).await;
        s.assert_healthy(SMS).await;
        assert_eq!(s.events().await, ["Connection Created sandbox-key"]);
    })
    .await;
}

#[tokio::test]
async fn refused_tokens_change_nothing() {
    story(async |s| {
        let dead = s.provider.foreign_tokens(Consent::YES).await;
        s.provider.strike(Cause::TokenRevoked);
        let body = json!({ "access_token": dead.0, "refresh_token": dead.1 });
        let message = migrate(&s, CRM, &body).refused(400).await;
        assert!(message.contains("Sandbox CRM answered 400"), "{message}");
        assert!(!message.contains(&dead.1), "{message}");
        s.assert_never_connected(CRM).await;

        let id = s.connect().await;
        let before = s.connection(&id).await;
        migrate(&s, CRM, &body).refused(400).await;
        assert_eq!(s.connection(&id).await, before);
        assert_eq!(s.events().await, ["Connection Created sandbox-oauth"]);
    })
    .await;
}

#[tokio::test]
async fn a_provider_that_does_not_answer_is_502_and_nothing_changes() {
    story(async |s| {
        let (access, refresh) = s.provider.foreign_tokens(Consent::YES).await;
        let fair = Weather::default();
        for weather in [
            Weather { down: true, ..fair },
            Weather { throttle: true, ..fair },
            Weather { garbage: true, ..fair },
        ] {
            s.provider.weather(weather);
            migrate(&s, CRM, &json!({ "refresh_token": refresh }))
                .refused(502)
                .await;
            migrate(&s, CRM, &json!({ "access_token": access })).refused(502).await;
        }
        s.provider.fair();
        s.assert_never_connected(CRM).await;
        migrate(&s, CRM, &json!({ "refresh_token": refresh })).ok().await;
    })
    .await;
}

#[tokio::test]
async fn migrating_over_a_flagged_connection_repairs_it() {
    story(async |s| {
        let id = s.connect().await;
        s.provider.strike(Cause::TokenRevoked);
        s.live(1, Duration::from_hours(1)).await;
        assert_eq!(s.application(CRM).await["reauth_required"], true);
        s.pass(Duration::from_hours(1));
        let (_, refresh) = s.provider.foreign_tokens(Consent::YES).await;
        let answer = migrate(&s, CRM, &json!({ "refresh_token": refresh })).ok().await;
        assert_eq!(answer["message"], "Integration - sandbox-oauth updated");
        assert_eq!(s.id_of(CRM).await, id);
        s.assert_healthy(CRM).await;
        assert_eq!(
            timeline(&s.connection(&id).await),
            ["connected", "flagged", "reconnected"]
        );
    })
    .await;
}

#[tokio::test]
async fn bad_objects_are_refused_by_name() {
    story(async |s| {
        for (auth_object, word) in [
            (json!({ "client_id": "x" }), "`client_id` is not taken here"),
            (
                json!({ "oauth2": { "client_secret": "x", "refresh_token": "y" } }),
                "`client_secret` is not taken here",
            ),
            (json!({ "callback_url": "x" }), "`callback_url` is not taken here"),
            (
                json!({ "refresh_token": 7 }),
                "auth_object values must be valid strings",
            ),
            (json!({ "oauth2": { "refresh_token": null } }), "valid strings"),
            (json!({ "keybased": { "api_key": "x" } }), "valid strings"),
            (json!({}), "give an access_token"),
            (json!({ "oauth2": {} }), "give an access_token"),
            (json!({ "refresh_token": "" }), "give an access_token"),
            (json!({ "refresh_token": "x", "colour": "red" }), "`colour` is no field"),
        ] {
            let message = migrate(&s, CRM, &auth_object).refused(400).await;
            assert!(message.contains(word), "{auth_object}: {message}");
        }
        let put = |body: Value| s.t.put(PATH, &body).header("linked_account_id", CUSTOMER);
        put(json!({ "auth_object": {} })).refused(400).await;
        put(json!({ "slug": CRM })).refused(400).await;
        put(json!({ "slug": CRM, "auth_object": "text" })).refused(400).await;
        put(json!({ "slug": "nothing-at-all", "auth_object": {} }))
            .refused(404)
            .await;
        put(json!({ "slug": "slack", "auth_object": { "access_token": "x" } }))
            .refused(400)
            .await;
        assert_eq!(s.provider.requests(), 0);
        s.assert_never_connected(CRM).await;
    })
    .await;
}

#[tokio::test]
async fn a_custom_application_gets_the_documented_answer() {
    story(async |s| {
        let answer = migrate(&s, OWN, &json!({ "key": "x" })).ok().await;
        assert_eq!(
            answer,
            json!({ "success": false, "error": "Custom apps are not supported for this endpoint." })
        );
        s.assert_never_connected(OWN).await;
    })
    .await;
}

#[tokio::test]
async fn the_account_is_named_by_header_query_or_body() {
    story(async |s| {
        let auth_object = json!({ "api_key": s.provider.key() });
        let body = json!({ "slug": SMS, "auth_object": auth_object });
        let message = s.t.put(PATH, &body).refused(400).await;
        assert_eq!(message, "linked_account_id required");
        let unknown = s.t.put(PATH, &body).header("linked_account_id", "nobody");
        assert_eq!(
            unknown.refused(400).await,
            "linked account with id nobody does not exist in test environment"
        );
        s.t.put(&format!("{PATH}?linked_account_id={CUSTOMER}"), &body)
            .ok()
            .await;
        let named = json!({ "slug": SMS, "auth_object": auth_object, "linked_account_id": CUSTOMER });
        s.t.put(PATH, &named).ok().await;
        s.assert_healthy(SMS).await;
        let theirs = s.t.stranger().await;
        let foreign = s.t.call(axum::http::Method::PUT, PATH).header("x-api-key", &theirs);
        foreign.json(&named).refused(400).await;
    })
    .await;
}
