//! Webhooks as a team receives them: verified against the raw body, then remembered.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use aws_lc_rs::hmac;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde::Serialize;
use serde_json::Value;

use super::Shared;
use crate::secret::Secret;

/// How many webhooks are remembered.
const KEPT: usize = 50;

/// One webhook that arrived.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Received {
    /// Counts up from one.
    pub(super) number: u64,
    /// When it arrived, ISO 8601.
    pub(super) at: String,
    /// Whether `x-cobalt-signature` fits the body.
    pub(super) verified: bool,
    /// The body; `null` when it is not JSON.
    pub(super) body: Value,
}

/// The latest webhooks, oldest first.
#[derive(Default)]
pub(super) struct Inbox(Mutex<VecDeque<Received>>);

impl Inbox {
    fn add(&self, at: String, verified: bool, body: Value) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let number = kept.back().map_or(1, |last| last.number + 1);
        if kept.len() == KEPT {
            kept.pop_front();
        }
        kept.push_back(Received {
            number,
            at,
            verified,
            body,
        });
    }

    pub(super) fn list(&self) -> Vec<Received> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().cloned().collect()
    }
}

/// `POST /webhooks`: 200 for a body signed with our key. Any other is shown as what it is and refused.
pub(super) async fn receive(State(desk): State<Shared>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let signature = headers.get("x-cobalt-signature").and_then(|value| value.to_str().ok());
    let verified = signature.is_some_and(|signature| verify(&desk.page.signing_key, &body, signature));
    let parsed = serde_json::from_slice(&body).unwrap_or(Value::Null);
    desk.inbox.add(desk.page.clock.now().iso(), verified, parsed);
    if verified {
        StatusCode::OK
    } else {
        StatusCode::UNAUTHORIZED
    }
}

/// `hex(HMAC-SHA256(key, raw body))`, compared in constant time (contract, section 13.5).
pub(super) fn verify(key: &Secret, body: &[u8], signature: &str) -> bool {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.expose().as_bytes());
    unhex(signature).is_some_and(|tag| hmac::verify(&key, body, &tag).is_ok())
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let bytes = text.as_bytes();
    if !bytes.len().is_multiple_of(2) || !bytes.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    bytes.chunks_exact(2).map(pair).collect()
}
