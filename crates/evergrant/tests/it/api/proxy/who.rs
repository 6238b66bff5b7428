//! Who may call, and for whom.

use axum::http::Method;
use evergrant::catalog::AuthType;
use evergrant::tenants::{self, Environment, Scopes};

use super::world::{CRM, CUSTOMER, World, on_both};

const PATH: &str = "/api/v2/public/proxy/crm/me";

#[tokio::test]
async fn only_a_key_that_may_write_calls() {
    on_both(async |w| {
        w.grant(CRM).await;
        let path = |key: &str| {
            w.t.call(Method::GET, PATH)
                .header("x-api-key", key)
                .header("linked_account_id", CUSTOMER)
        };
        for (scopes, status) in [("read", 403), ("credentials", 403), ("sign", 403), ("read,sign", 403)] {
            let scopes = Scopes::parse(scopes).unwrap();
            let key = tenants::create_key(&w.t.app, &w.t.environment, "k", scopes)
                .await
                .unwrap();
            path(key.value.expose()).refused(status).await;
        }
        path("tk_unknown").refused(401).await;
        assert!(w.provider.seen().is_empty());
        let write = Scopes::parse("write").unwrap();
        let key = tenants::create_key(&w.t.app, &w.t.environment, "k", write)
            .await
            .unwrap();
        path(key.value.expose()).ok().await;
        tenants::revoke_key(&w.t.app, &w.tenant().id, &key.key.id)
            .await
            .unwrap();
        path(key.value.expose()).refused(401).await;
        assert_eq!(w.provider.seen().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_session_token_never_calls() {
    let w = World::sqlite().await;
    w.grant(CRM).await;
    let token = w.t.session(CUSTOMER).await;
    for method in [Method::GET, Method::POST, Method::OPTIONS] {
        w.t.by_session(method, PATH, &token)
            .header("linked_account_id", CUSTOMER)
            .refused(401)
            .await;
    }
    // Nor does one beside a wrong key, though elsewhere it would decide.
    let call = w.t.by_session(Method::GET, PATH, &token).header("x-api-key", "wrong");
    call.header("linked_account_id", CUSTOMER).refused(401).await;
    assert!(w.provider.seen().is_empty());
}

#[tokio::test]
async fn the_customer_is_named_by_the_header_alone() {
    let w = World::sqlite().await;
    w.grant(CRM).await;
    let by_query = format!("{PATH}?linked_account_id={CUSTOMER}");
    w.t.get(&by_query).refused(400).await;
    let nobody = w.t.get(&by_query).header("linked_account_id", "nobody");
    nobody.refused(404).await;
    w.t.get(&by_query).header("linked_account_id", CUSTOMER).ok().await;
    let seen = w.provider.only();
    assert_eq!(
        seen.target,
        format!("/api/v1/me?linked_account_id={CUSTOMER}"),
        "the query is the provider's alone"
    );
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let w = World::sqlite().await;
    w.get("crm/me").refused(404).await;
    w.get("unknown/me").refused(404).await;
    w.get("sandbox-oauth/me").refused(404).await;
    let connection = w.grant(CRM).await;
    let path = "/api/v2/public/linked-account/integration/crm";
    w.t.delete(path).header("linked_account_id", CUSTOMER).ok().await;
    w.get("crm/me").refused(404).await;
    assert!(matches!(
        w.find(&connection).await.status,
        evergrant::connections::ConnectionStatus::Disconnected { .. }
    ));
}

#[tokio::test]
async fn another_tenants_customer_is_unknown_and_its_own_of_the_same_name_is_another() {
    on_both(async |w| {
        w.grant(CRM).await;
        let stranger = w.t.stranger().await;
        let theirs = |path: &str| w.t.call(Method::GET, path).header("x-api-key", &stranger);
        theirs(PATH).header("linked_account_id", CUSTOMER).refused(404).await;
        let body = serde_json::json!({ "linked_account_id": CUSTOMER });
        let create =
            w.t.call(Method::POST, "/api/v2/public/linked-account")
                .header("x-api-key", &stranger);
        create.json(&body).ok().await;
        theirs(PATH).header("linked_account_id", CUSTOMER).refused(404).await;
        assert!(w.provider.seen().is_empty());

        let tenant = {
            let mut conn = w.t.app.db.read().await.unwrap();
            let found = tenants::store::find_environment(&mut conn, "stranger", Environment::Test).await;
            found.unwrap().unwrap().tenant
        };
        let values = [("key".to_owned(), evergrant::secret::Secret::from("theirs".to_owned()))];
        let fresh = evergrant::connections::Fresh::keys(values.into_iter().collect(), w.t.app.now());
        w.store(&tenant, ("bearer", AuthType::Keybased), fresh).await;
        let path = "/api/v2/public/proxy/bearer/me";
        theirs(path).header("linked_account_id", CUSTOMER).ok().await;
        w.get("bearer/me").refused(404).await;
        assert_eq!(w.provider.only().header("authorization"), Some("Bearer theirs"));
    })
    .await;
}

#[tokio::test]
async fn calls_are_counted_as_hand_outs_are() {
    use tower::ServiceExt as _;
    let w = World::sqlite().await;
    w.grant(CRM).await;
    let limits = evergrant::http::Limits {
        every: std::time::Duration::from_secs(100),
        burst: 1,
    };
    let service = evergrant::http::router_with(w.t.app.clone(), limits);
    let send = async || {
        let request = axum::http::Request::get(PATH).header("x-api-key", &w.t.key);
        let request = request.header("linked_account_id", CUSTOMER);
        let request = request.body(axum::body::Body::empty()).unwrap();
        service.clone().oneshot(request).await.unwrap()
    };
    for _ in 0..100 {
        assert_eq!(send().await.status(), 200);
    }
    let refused = send().await;
    assert_eq!(refused.status(), 429);
    assert_eq!(refused.headers()["retry-after"], "1");
    assert!(!refused.headers().contains_key("x-evergrant-answered-by"));
    assert_eq!(w.provider.seen().len(), 100);
}

#[tokio::test]
async fn refused_keys_count_for_the_address_and_a_providers_refusals_do_not() {
    use tower::ServiceExt as _;
    let w = World::sqlite().await;
    // Its token is new: refusals are passed back as they are.
    w.grant_with(CRM, None).await;
    w.provider.answers(|_| super::world::reply(401, "{}"));
    let limits = evergrant::http::Limits {
        every: std::time::Duration::from_secs(100),
        burst: 1,
    };
    let service = evergrant::http::router_with(w.t.app.clone(), limits);
    let send = async |path: &str, key: &str| {
        let request = axum::http::Request::get(path).header("x-api-key", key);
        let request = request.header("linked_account_id", CUSTOMER);
        let mut request = request.body(axum::body::Body::empty()).unwrap();
        let from = std::net::SocketAddr::from(([10, 1, 2, 3], 4567));
        request.extensions_mut().insert(axum::extract::ConnectInfo(from));
        service.clone().oneshot(request).await.unwrap().status()
    };
    for _ in 0..50 {
        assert_eq!(send(PATH, &w.t.key).await, 401);
    }
    for number in 0..100 {
        assert_eq!(send(PATH, &format!("made-up-{number}")).await, 401);
    }
    assert_eq!(send(PATH, "made-up").await, 429);
    assert_eq!(
        send(PATH, &w.t.key).await,
        401,
        "the address may be that of a proxy in front"
    );
    // Elsewhere likewise.
    let webhooks = "/api/v2/public/webhook";
    assert_eq!(send(webhooks, "made-up").await, 401);
    assert_eq!(send(webhooks, "made-up-2").await, 429);
    assert_eq!(send(webhooks, &w.t.key).await, 200);
}
