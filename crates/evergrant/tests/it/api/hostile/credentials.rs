//! Nobody, and the wrong somebody.

use super::world::assert_clear;
use super::{Op, World, on_both_worlds};

fn wrong(w: &World<'_>, op: &Op) -> Vec<Vec<(&'static str, String)>> {
    let key = |value: &str| ("x-api-key", value.to_owned());
    let bearer = |value: &str| ("authorization", value.to_owned());
    let mut all = vec![
        vec![],
        vec![key("")],
        vec![key("tk_wrong")],
        vec![key(&w.mine.key[1..])],
        vec![key(&"x".repeat(10_000))],
        vec![key("caf\u{e9}\u{2028}")],
        vec![bearer("")],
        vec![bearer("Bearer")],
        vec![bearer("Bearer st_wrong")],
        vec![bearer(&format!("Bearer {}", "x".repeat(10_000)))],
        vec![bearer("Bearer caf\u{e9}")],
        vec![bearer(&format!("Basic {}", w.mine.session))],
        vec![bearer("Bearer st_wrong"), key("tk_wrong")],
        vec![("cookie", format!("evergrant_session={}", w.mine.session))],
    ];
    if !op.takes("session") {
        all.push(vec![bearer(&format!("Bearer {}", w.mine.session))]);
        all.push(vec![bearer(&format!("Bearer {}", w.theirs.session))]);
    }
    if !op.takes("api_key") {
        all.push(vec![key(&w.mine.key)]);
        all.push(vec![key(&w.theirs.key), ("linked_account_id", w.mine.account.clone())]);
    }
    all
}

#[tokio::test]
async fn without_the_right_credential_every_operation_answers_401() {
    on_both_worlds(async |w| {
        let before = w.fingerprint().await;
        for op in Op::all().iter().filter(|op| !op.security.is_empty()) {
            let path = op.at(&w.good_segment(op));
            for headers in wrong(w, op) {
                let asked = format!("{} with {headers:?}", op.named());
                let answer = w.send(&op.method, &path, &headers, "").await;
                assert_clear(&answer, &asked);
                assert_eq!(answer.status, 401, "{asked}: {}", answer.text);
                let code = answer.json()["error"].clone();
                assert!(code == "SERVER_ERROR" || code == "INVALID_TOKEN", "{asked}: {code}");
            }
        }
        assert_eq!(w.fingerprint().await, before);
    })
    .await;
}
