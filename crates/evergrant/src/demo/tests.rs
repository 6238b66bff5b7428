//! The page's back end on its own; Evergrant does not answer here.

use std::sync::Arc;

use aws_lc_rs::hmac;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::Request;
use serde_json::Value;
use tower::ServiceExt as _;

use super::{Page, inbox};
use crate::clock::{ManualClock, Timestamp};
use crate::egress::Egress;
use crate::ids::hex;
use crate::sandbox::{NewClient, Sandbox, Settings};
use crate::secret::Secret;

const KEY: &str = "tk_demo_key_0001";
/// The contract's own test vector (section 13.5).
const EVENT: &str = r#"{"linked_account_id":"acct-7","org_id":"65aa00000000000000000001","environment":"test","type":"General","event":"Connection Expired","slug":"slack","createdAt":"Tue, 02 Jan 2024 03:04:05 GMT"}"#;
const SIGNATURE: &str = "1de7726f9e80af8d07c4107d0b05f53e9ec35b76285edf384a3fcd56ff79d2f2";

fn page() -> Router {
    let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_704_164_645_678)));
    let sandbox = Sandbox::new(Settings::new(clock.clone(), "http://127.0.0.1:9000/sandbox"));
    let client = NewClient {
        client_id: "acme-tasks".to_owned(),
        name: "Acme Tasks".to_owned(),
        secret: Secret::from("s".to_owned()),
        redirect_uris: vec!["http://127.0.0.1:8080/cb".to_owned()],
        refresh_tokens: true,
    };
    sandbox.register_client("default/test", client).unwrap();
    let page = Page {
        origin: "http://127.0.0.1:8090".parse().unwrap(),
        evergrant_url: "http://127.0.0.1:8080".parse().unwrap(),
        api_key: Secret::from(KEY.to_owned()),
        signing_key: Secret::from(KEY.to_owned()),
        linked_account_id: "acme-inc".to_owned(),
        egress: Egress::new([]),
        sandbox,
        sandbox_tenant: "default/test".to_owned(),
        clock,
    };
    page.router()
}

async fn call(page: &Router, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> (u16, String) {
    let mut request = Request::builder().method(method).uri(path);
    if !headers.iter().any(|(name, _)| *name == "host") {
        request = request.header("host", "127.0.0.1:8090");
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Body::from(body.to_owned())).unwrap();
    let response = page.clone().oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    let bytes = to_bytes(response.into_body(), 1 << 20).await.unwrap();
    (status, String::from_utf8(bytes.to_vec()).unwrap())
}

#[tokio::test]
async fn a_webhook_is_verified_against_its_raw_body_and_listed() {
    let page = page();
    let signed = [("x-cobalt-signature", SIGNATURE)];
    assert_eq!(call(&page, "POST", "/webhooks", &signed, EVENT).await.0, 200);
    assert_eq!(
        call(&page, "POST", "/webhooks", &signed, &EVENT.replace("slack", "black"))
            .await
            .0,
        401
    );
    assert_eq!(call(&page, "POST", "/webhooks", &[], "garbage").await.0, 401);
    let (_, text) = call(&page, "GET", "/demo/webhooks", &[], "").await;
    let list: Value = serde_json::from_str(&text).unwrap();
    let verified = |at: usize| &list["webhooks"][at]["verified"];
    assert_eq!(
        (verified(0), verified(1), verified(2)),
        (&false.into(), &false.into(), &true.into())
    );
    assert_eq!(list["webhooks"][2]["body"]["event"], "Connection Expired");
    assert_eq!(list["webhooks"][2]["at"], "2024-01-02T03:04:05.678Z");
}

#[test]
fn a_signature_of_the_wrong_length_or_alphabet_is_no_signature() {
    let key = Secret::from(KEY.to_owned());
    for wrong in [
        "",
        "1d",
        &SIGNATURE[..63],
        &format!("{}zz", &SIGNATURE[..62]),
        "sha256=1d",
    ] {
        assert!(!inbox::verify(&key, EVENT.as_bytes(), wrong), "{wrong}");
    }
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, KEY.as_bytes()), b"x");
    assert!(inbox::verify(&key, b"x", &hex(tag.as_ref())));
}

#[tokio::test]
async fn only_the_page_itself_and_programs_without_an_origin_are_answered() {
    let page = page();
    let lever = "/demo/break/sandbox-oauth/client_deleted";
    for stranger in [
        [("host", "evil.example:8090"), ("x-a", "b")],
        [("host", "127.0.0.1:8090"), ("origin", "https://evil.example")],
        [("host", "127.0.0.1:8090"), ("origin", "http://127.0.0.1:8091")],
        [("host", "127.0.0.1:8090"), ("origin", "null")],
    ] {
        assert_eq!(call(&page, "POST", lever, &stranger, "").await.0, 403, "{stranger:?}");
        assert_eq!(
            call(&page, "POST", "/demo/session", &stranger, "").await.0,
            403,
            "{stranger:?}"
        );
    }
    let own = [("host", "localhost:8090"), ("origin", "http://localhost:8090")];
    let (status, text) = call(&page, "POST", lever, &own, "").await;
    assert_eq!(
        (status, text.as_str()),
        (200, r#"{"broken":{"clients":1,"grants":0,"keys":0}}"#)
    );
}

#[tokio::test]
async fn the_browser_never_gets_the_api_key() {
    let page = page();
    for path in [
        "/",
        "/app.js",
        "/evergrant.js",
        "/view.js",
        "/style.css",
        "/demo/config",
        "/demo/sandbox",
    ] {
        let (status, text) = call(&page, "GET", path, &[], "").await;
        assert_eq!(status, 200, "{path}");
        assert!(!text.contains(KEY), "{path}");
    }
}

#[tokio::test]
async fn silence_of_evergrant_is_said_and_ids_are_parsed() {
    let page = page();
    let (status, text) = call(&page, "POST", "/demo/session", &[], "").await;
    assert_eq!(status, 502);
    assert!(text.contains("Evergrant did not answer"));
    let (status, _) = call(&page, "POST", "/demo/connection/..%2F..%2Forg/check", &[], "").await;
    assert_eq!(status, 400);
}
