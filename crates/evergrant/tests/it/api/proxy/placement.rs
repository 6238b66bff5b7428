//! Where the credential goes, and where calls go.

use axum::http::Method;

use super::world::{CRM, World, on_both};

#[tokio::test]
async fn the_credential_goes_where_the_catalogue_file_says() {
    on_both(async |w| {
        w.grant(CRM).await;
        w.get("crm/me").ok().await;
        w.keys("bearer", &[("key", "secret-1")]).await;
        w.get("bearer/me").ok().await;
        w.keys("header", &[("key", "secret-2")]).await;
        w.get("header/me").ok().await;
        w.keys("basic", &[("key", "secret-3")]).await;
        w.get("basic/me").ok().await;
        w.keys("query", &[("key", "s&4 ü")]).await;
        w.get("query/me").ok().await;
        w.get("query/me?a=1&&b=%20").ok().await;
        let seen = w.provider.seen();
        let authorization: Vec<_> = seen.iter().map(|one| one.header("authorization")).collect();
        let basic = "Basic c2VjcmV0LTM6eA==";
        let want = [
            Some("Bearer at-1"),
            Some("Bearer secret-1"),
            None,
            Some(basic),
            None,
            None,
        ];
        assert_eq!(authorization, want);
        assert_eq!(seen[0].target, "/api/v1/me");
        assert_eq!(seen[2].header("x-token"), Some("Token secret-2"));
        assert_eq!(seen[4].target, "/base/me?api_key=s%264+%C3%BC");
        assert_eq!(seen[5].target, "/base/me?a=1&&b=%20&api_key=s%264+%C3%BC");
    })
    .await;
}

#[tokio::test]
async fn a_caller_cannot_put_another_credential_there_but_may_overrule_a_fixed_header() {
    let w = World::sqlite().await;
    w.grant(CRM).await;
    w.get("crm/me").header("authorization", "Bearer mine").ok().await;
    w.get("crm/me").header("x-version", "9").ok().await;
    w.keys("header", &[("key", "secret-2")]).await;
    w.get("header/me").header("x-token", "mine").ok().await;
    let seen = w.provider.seen();
    assert_eq!(seen[0].header("authorization"), Some("Bearer at-1"));
    assert_eq!(
        (seen[0].header("x-version"), seen[1].header("x-version")),
        (Some("3"), Some("9"))
    );
    assert_eq!(seen[2].header("x-token"), Some("Token secret-2"));
    assert_eq!(seen[2].headers.get_all("x-token").iter().count(), 1);
}

#[tokio::test]
async fn a_caller_cannot_name_the_parameter_of_the_credential_a_second_time() {
    let w = World::sqlite().await;
    w.keys("query", &[("key", "secret-4")]).await;
    for query in ["api_key=mine", "a=1&api_key", "a&api%5Fkey=mine&b"] {
        w.get(&format!("query/me?{query}")).refused(400).await;
    }
    assert!(w.provider.seen().is_empty());
    w.grant(CRM).await;
    w.get("crm/me?api_key=mine").ok().await;
    w.get("query/me?my_api_key=mine").ok().await;
}

#[tokio::test]
async fn the_base_address_is_filled_in_for_each_connection() {
    let w = World::sqlite().await;
    w.keys("templated", &[("account", "acme"), ("key", "k")]).await;
    for (path, target) in [
        ("templated", "/acme/rest"),
        ("templated/", "/acme/rest/"),
        ("templated?x", "/acme/rest?x"),
        (
            "templated/a/b;c=1/%C3%A4?x=%2F..&x=//",
            "/acme/rest/a/b;c=1/%C3%A4?x=%2F..&x=//",
        ),
    ] {
        w.get(path).ok().await;
        assert_eq!(w.provider.seen().last().unwrap().target, target);
    }
}

#[tokio::test]
async fn private_addresses_are_refused() {
    let w = World::sqlite().await;
    for slug in ["private", "private-name", "private-far"] {
        w.keys(slug, &[("key", "k")]).await;
        let answer = w.get(&format!("{slug}/latest")).send().await;
        assert_eq!(answer.status, 502, "{slug}: {}", answer.text);
        assert_eq!(answer.json()["error"], "PROVIDER_UNAVAILABLE");
        assert!(!answer.headers.contains_key("x-evergrant-answered-by"));
    }
    assert!(w.walled.seen().is_empty(), "it listens, and nobody came");
}

#[tokio::test]
async fn where_a_customer_has_both_kinds_a_header_chooses() {
    on_both(async |w| {
        w.keys("both", &[("key", "the-key")]).await;
        w.get("both/a").ok().await;
        w.grant("both").await;
        w.get("both/b").ok().await;
        w.get("both/c").header("x-evergrant-auth-type", "keybased").ok().await;
        w.get("both/d").header("x-evergrant-auth-type", "oauth2").ok().await;
        let used = |one: &super::world::Seen| (one.header("x-key").is_some(), one.header("authorization").is_some());
        let seen: Vec<_> = w.provider.seen().iter().map(used).collect();
        assert_eq!(seen, [(true, false), (false, true), (true, false), (false, true)]);
        assert!(
            w.provider
                .seen()
                .iter()
                .all(|one| one.header("x-evergrant-auth-type").is_none())
        );
        w.get("both/e")
            .header("x-evergrant-auth-type", "basic")
            .refused(400)
            .await;
        w.grant(CRM).await;
        w.get("crm/e")
            .header("x-evergrant-auth-type", "keybased")
            .refused(400)
            .await;
        assert_eq!(w.provider.seen().len(), 4);
    })
    .await;
}

#[tokio::test]
async fn a_path_that_could_lead_elsewhere_is_refused_and_nothing_is_sent() {
    let w = World::sqlite().await;
    w.grant(CRM).await;
    for path in [
        "crm/../x",
        "crm/a/./b",
        "crm//x",
        "crm/a//b",
        "crm/%2e%2e/x",
        "crm/a%2fb",
        "crm/a%5cb",
        "crm/a%00",
        "crm/%252e%252e/x",
        "crm/..;/x",
        "crm/..%3b/x",
        "crm/..%20/x",
        "crm/%C0%AE%C0%AE/x",
        "crm/%EF%BC%8E%EF%BC%8E/x",
        "crm/a%zz",
    ] {
        for method in [Method::GET, Method::POST, Method::DELETE] {
            w.call(method, path).refused(400).await;
        }
    }
    assert!(w.provider.seen().is_empty());
}
