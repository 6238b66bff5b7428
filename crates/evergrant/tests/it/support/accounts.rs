//! Linked accounts and sessions, as tests need them.

use axum::http::Method;
use serde_json::json;

use super::{Call, TestApp};

impl TestApp {
    /// Creates a linked account.
    pub(crate) async fn link(&self, id: &str) {
        self.post("/api/v2/public/linked-account", &json!({ "linked_account_id": id }))
            .ok()
            .await;
    }

    /// A session token for a linked account that exists.
    pub(crate) async fn session(&self, id: &str) -> String {
        let answer = self
            .post("/api/v2/public/session-token", &json!({ "linked_account_id": id }))
            .ok()
            .await;
        answer["token"].as_str().unwrap().to_owned()
    }

    /// A call with a session token and without a key.
    pub(crate) fn by_session(&self, method: Method, path: &str, token: &str) -> Call<'_> {
        self.call(method, path)
            .header("authorization", &format!("Bearer {token}"))
    }
}
