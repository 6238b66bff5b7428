//! What happens when the provider refuses the credential.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::http::Method;
use evergrant::connections::{Connection, ConnectionStatus};
use evergrant::reason::Reason;
use serde_json::Value;

use super::world::{CRM, CUSTOMER, Seen, World, on_both, reply, rotating};

fn calls_of(w: &World) -> Vec<Seen> {
    w.provider
        .seen()
        .into_iter()
        .filter(|one| one.target != "/token")
        .collect()
}

/// A grant whose token has had the time to arrive everywhere.
async fn settled(w: &World) -> Connection {
    let connection = w.grant(CRM).await;
    w.t.clock.advance(std::time::Duration::from_mins(2));
    connection
}

fn refreshes(w: &World) -> usize {
    w.provider.seen().iter().filter(|one| one.target == "/token").count()
}

#[tokio::test]
async fn a_refused_token_is_renewed_once_and_the_call_repeated_once() {
    on_both(async |w| {
        let connection = settled(&w).await;
        let mut refused = false;
        let mut issued = rotating(|seen: &Seen| reply(200, seen.body.clone()));
        w.provider.answers(move |seen| {
            if seen.target != "/token" && !refused {
                refused = true;
                return reply(401, r#"{"error":"invalid_token"}"#);
            }
            issued(seen)
        });
        let answer = w.call(Method::POST, "crm/things?x=1").raw("the body").send().await;
        assert_eq!((answer.status.as_u16(), answer.text.as_str()), (200, "the body"));
        let calls = calls_of(&w);
        assert_eq!(calls.len(), 2);
        assert_eq!(
            (calls[0].target.as_str(), &calls[0].body),
            (calls[1].target.as_str(), &calls[1].body)
        );
        assert_eq!(calls[0].header("authorization"), Some("Bearer at-1"));
        assert_eq!(calls[1].header("authorization"), Some("Bearer at-2"));
        assert_eq!(refreshes(&w), 1);
        let after = w.find(&connection).await;
        assert_eq!(after.status, ConnectionStatus::Active);
        assert_eq!(after.version, connection.version + 1);
    })
    .await;
}

#[tokio::test]
async fn a_fresh_token_that_is_refused_is_proof_and_the_caller_gets_409() {
    on_both(async |w| {
        let connection = settled(&w).await;
        let mut issued = rotating(|_: &Seen| reply(200, "{}"));
        w.provider.answers(move |seen| match seen.target.as_str() {
            "/token" => issued(seen),
            _ => reply(401, r#"{"error":"invalid_token"}"#),
        });
        let answer = w.get("crm/me").send().await;
        assert_eq!(answer.status, 409, "{}", answer.text);
        let body: Value = answer.json();
        assert_eq!(
            (&body["error"], &body["error_code"]),
            (&"REAUTH_REQUIRED".into(), &"REAUTH_REQUIRED".into())
        );
        assert_eq!(
            (&body["slug"], &body["linked_account_id"]),
            (&CRM.into(), &CUSTOMER.into())
        );
        assert_eq!(body["connection_id"], connection.id.as_str());
        assert_eq!(
            (&body["reason"], &body["since"]),
            (&"token_revoked".into(), &w.t.clock_text().into())
        );
        assert!(!answer.headers.contains_key("x-evergrant-answered-by"));
        assert_eq!((calls_of(&w).len(), refreshes(&w)), (2, 1));
        let link = body["reauth_url"].as_str().unwrap();
        assert!(link.starts_with("http://127.0.0.1:8080/reauth/rl_"), "{link}");
        // From now on nobody is asked, and the link is the same: one a break.
        let again = w.get("crm/me").send().await;
        assert_eq!(
            (again.status.as_u16(), &again.json()["reauth_url"]),
            (409, &link.into())
        );
        assert_eq!((calls_of(&w).len(), refreshes(&w)), (2, 1));
    })
    .await;
}

#[tokio::test]
async fn a_dead_grant_is_told_by_the_refresh() {
    on_both(async |w| {
        let connection = settled(&w).await;
        w.provider.answers(|seen| match seen.target.as_str() {
            "/token" => reply(400, r#"{"error":"invalid_grant"}"#),
            _ => reply(401, "{}"),
        });
        let answer = w.get("crm/me").send().await;
        assert_eq!(answer.status, 409, "{}", answer.text);
        assert!(w.find(&connection).await.is_flagged());
        assert_eq!((calls_of(&w).len(), refreshes(&w)), (1, 1));
    })
    .await;
}

#[tokio::test]
async fn while_tokens_cannot_be_renewed_nobody_is_blamed() {
    let w = World::sqlite().await;
    let connection = settled(&w).await;
    w.provider.answers(|seen| match seen.target.as_str() {
        "/token" => reply(503, "{}"),
        _ => reply(401, "{}"),
    });
    w.get("crm/me").refused(502).await;
    assert_eq!(w.find(&connection).await.status, ConnectionStatus::Active);
}

#[tokio::test]
async fn a_hundred_callers_of_a_refused_token_cause_one_refresh() {
    on_both(async |w| {
        settled(&w).await;
        let mut issued = rotating(|_: &Seen| reply(200, r#"{"fine":true}"#));
        let mut first = true;
        w.provider.answers(move |seen| {
            // The token of the connection is not the newest one: all of them are refused.
            if std::mem::take(&mut first) {
                let token = Seen {
                    target: "/token".to_owned(),
                    ..seen.clone()
                };
                issued(&token);
            }
            issued(seen)
        });
        let callers = (0..100).map(|_| async { w.get("crm/me").send().await.status.as_u16() });
        let mut all = Vec::new();
        let mut running: Vec<_> = callers.map(Box::pin).collect();
        std::future::poll_fn(|context| {
            running.retain_mut(|one| match one.as_mut().poll(context) {
                std::task::Poll::Ready(status) => {
                    all.push(status);
                    false
                }
                std::task::Poll::Pending => true,
            });
            if running.is_empty() {
                std::task::Poll::Ready(())
            } else {
                std::task::Poll::Pending
            }
        })
        .await;
        assert_eq!(all, [200; 100]);
        assert_eq!(refreshes(&w), 1);
    })
    .await;
}

#[tokio::test]
async fn a_body_that_was_not_kept_is_not_sent_twice() {
    let limits = evergrant::egress::Limits {
        kept: 10,
        ..evergrant::egress::Limits::default()
    };
    let w = World::start(crate::support::TestDatabase::sqlite(), limits).await;
    let connection = settled(&w).await;
    let mut first = true;
    let mut issued = rotating(|_: &Seen| reply(200, "{}"));
    w.provider.answers(move |seen| {
        if seen.target != "/token" && std::mem::take(&mut first) {
            return reply(401, "{}");
        }
        issued(seen)
    });
    let answer = w.call(Method::POST, "crm/me").raw("eleven char").send().await;
    assert_eq!(
        (answer.status.as_u16(), &answer.json()["error"]),
        (503, &"SEND_AGAIN".into())
    );
    assert_eq!(answer.headers["retry-after"], "1");
    assert_eq!((calls_of(&w).len(), refreshes(&w)), (1, 1));
    assert_eq!(w.find(&connection).await.version, connection.version + 1);
    // Now it works, and ten bytes would have been kept.
    assert_eq!(
        w.call(Method::POST, "crm/me").raw("eleven char").send().await.status,
        200
    );
}

#[tokio::test]
async fn a_refused_key_flags_and_an_answer_that_is_no_refusal_does_not() {
    on_both(async |w| {
        let connection = w.keys("bearer", &[("key", "k")]).await;
        w.provider.answers(|_| reply(403, r#"{"error":"forbidden"}"#));
        assert_eq!(w.get("bearer/me").send().await.status, 403);
        assert_eq!(w.find(&connection).await.status, ConnectionStatus::Active);
        w.provider.answers(|_| reply(401, r#"{"error":"invalid api key"}"#));
        let answer = w.get("bearer/me").send().await;
        assert_eq!(
            (answer.status.as_u16(), &answer.json()["reason"]),
            (409, &"api_key_invalid".into())
        );
        let after = w.find(&connection).await;
        assert_eq!(after.status.flag().map(|flag| flag.reason), Some(Reason::ApiKeyInvalid));
    })
    .await;
}

#[tokio::test]
async fn a_grant_that_cannot_be_refreshed_is_flagged_by_its_refusal_once_it_has_settled() {
    let w = World::sqlite().await;
    let connection = w.grant_with(CRM, None).await;
    w.provider.answers(|_| reply(401, "{}"));
    assert_eq!(
        w.get("crm/me").send().await.status,
        401,
        "a new token may not have arrived everywhere"
    );
    assert_eq!(w.find(&connection).await.status, ConnectionStatus::Active);
    w.t.clock.advance(std::time::Duration::from_hours(1));
    assert_eq!(w.get("crm/me").send().await.status, 409);
    assert!(w.find(&connection).await.is_flagged());
}

#[tokio::test]
async fn an_error_under_success_is_seen_where_the_application_tells_them_so() {
    on_both(async |w| {
        let connection = w.grant_with("chat", None).await;
        w.t.clock.advance(std::time::Duration::from_hours(1));
        w.provider.answers(|_| reply(200, r#"{"ok":true}"#));
        w.get("chat/post").ok().await;
        let refusal = r#"{"ok":false,"error":"token_revoked"}"#;
        // The same words in a page are no answer of the API.
        w.provider.answers(move |_| {
            let mut page = reply(200, refusal);
            page.headers = vec![("content-type".to_owned(), "text/plain".to_owned())];
            page
        });
        assert_eq!(w.get("chat/post").send().await.text, refusal);
        assert_eq!(w.find(&connection).await.status, ConnectionStatus::Active);
        w.provider.answers(move |_| reply(200, refusal));
        let answer = w.get("chat/post").send().await;
        assert_eq!(answer.status, 409, "{}", answer.text);
        // And elsewhere such an answer is the caller's own business.
        let other = w.grant_with(CRM, None).await;
        w.t.clock.advance(std::time::Duration::from_hours(1));
        assert_eq!(w.get("crm/post").send().await.text, refusal);
        assert_eq!(w.find(&other).await.status, ConnectionStatus::Active);
    })
    .await;
}

#[tokio::test]
async fn a_compressed_refusal_is_read_too() {
    let w = World::sqlite().await;
    w.grant_with("chat", None).await;
    w.t.clock.advance(std::time::Duration::from_hours(1));
    // `{"ok":false,"error":"token_revoked"}`, stored without compression.
    let text = br#"{"ok":false,"error":"token_revoked"}"#;
    let mut gzip = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255, 1];
    let length = u16::try_from(text.len()).unwrap();
    gzip.extend(length.to_le_bytes());
    gzip.extend((!length).to_le_bytes());
    gzip.extend(text);
    gzip.extend([0; 8]);
    w.provider
        .answers(move |_| reply(200, gzip.clone()).with("content-encoding", "gzip"));
    assert_eq!(
        w.get("chat/post")
            .header("accept-encoding", "gzip, br")
            .send()
            .await
            .status,
        409
    );
}

#[tokio::test]
async fn a_token_about_to_end_is_renewed_before_the_call() {
    let w = World::sqlite().await;
    w.grant(CRM).await;
    let count = Arc::new(AtomicUsize::new(0));
    let counted = count.clone();
    w.provider.answers(rotating(move |_| {
        counted.fetch_add(1, Ordering::SeqCst);
        reply(200, "{}")
    }));
    w.t.clock.advance(std::time::Duration::from_secs(3599));
    w.get("crm/me").ok().await;
    assert_eq!((count.load(Ordering::SeqCst), refreshes(&w)), (1, 1));
    assert_eq!(calls_of(&w)[0].header("authorization"), Some("Bearer at-2"));
}
