//! The same thing in another spelling: what a caller, a customer or a provider may try.

use super::world::{World, reply};

#[tokio::test]
async fn the_parameter_of_the_credential_is_known_in_any_case_and_after_a_semicolon() {
    let w = World::sqlite().await;
    w.keys("query", &[("key", "secret-4")]).await;
    for query in ["API_KEY=1", "a=1;api_key=2", "a;Api%5Fkey", "a&b;api_key"] {
        w.get(&format!("query/me?{query}")).refused(400).await;
    }
    assert!(w.provider.seen().is_empty());
    w.get("query/me?a=api_key;b=1&;;&&=api_key").ok().await;
    assert_eq!(
        w.provider.only().target,
        "/base/me?a=api_key;b=1&;;&&=api_key&api_key=secret-4"
    );
}

#[tokio::test]
async fn a_header_that_may_be_taken_for_that_of_the_credential_does_not_go_on() {
    let w = World::sqlite().await;
    w.keys("header", &[("key", "secret-2")]).await;
    w.get("header/me")
        .header("x_token", "mine")
        .header("x-token", "mine")
        .header("x_tokens", "stays")
        .ok()
        .await;
    let seen = w.provider.only();
    assert_eq!(seen.header("x-token"), Some("Token secret-2"));
    assert_eq!((seen.header("x_token"), seen.header("x_tokens")), (None, Some("stays")));
}

#[tokio::test]
async fn a_redirect_that_spells_the_key_in_its_own_way_is_not_told_either() {
    let w = World::sqlite().await;
    w.keys("query", &[("key", "SECRETKEY+q/k")]).await;
    for spelt in [
        "SECRETKEY%2bq%2fk",
        "SECRETKEY%2Bq/k",
        "SECRETKEY%252Bq%252Fk",
        "%53ECRETKEY+q/k",
    ] {
        w.provider.answers(move |_| {
            let to = format!("https://www.example.com/?again={spelt}");
            reply(302, "moved")
                .with("location", &to)
                .with("link", &format!("<{to}>"))
        });
        let answer = w.get("query/a").send().await;
        assert_eq!(answer.status, 302);
        assert!(!answer.headers.contains_key("location"), "{:?}", answer.headers);
        assert!(!answer.headers.contains_key("link"), "{:?}", answer.headers);
    }
}

#[tokio::test]
async fn a_path_that_servers_may_cut_fold_or_clean_is_refused() {
    let w = World::sqlite().await;
    w.keys("bearer", &[("key", "k")]).await;
    for path in [
        "..%3f/x",
        "..%23/x",
        "%e2%80%a5/x",
        "%EF%B8%B0/x",
        ".%e2%80%8b./x",
        "..%253f/x",
    ] {
        w.get(&format!("bearer/{path}")).refused(400).await;
    }
    assert!(w.provider.seen().is_empty());
}

#[tokio::test]
async fn a_customer_cannot_leave_the_base_address_with_what_it_types_in() {
    use evergrant::catalog::{AuthType, expand};
    let w = World::sqlite().await;
    let application = w.t.app.catalog.get("templated").unwrap();
    let fields = application.inputs(AuthType::Keybased);
    let base = |account: &str| {
        let values = [("account".to_owned(), account.to_owned())].into();
        expand(&application.api.base_url, fields, &values)
    };
    for account in [
        "a/../b",
        "a/b",
        "..;",
        "..?",
        "..#x",
        " ..",
        "a\\b",
        "%2e%2e",
        "\u{2025}",
        ".\u{200b}.",
    ] {
        assert!(base(account).is_err(), "{account}");
    }
    for account in ["acme", "a.b", "a b", "50%", "Zo\u{eb}", "a..b", "a;b"] {
        assert!(base(account).is_ok(), "{account}");
    }
}
