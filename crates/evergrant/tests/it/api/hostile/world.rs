//! Two tenants with one of everything each, the operations of the document, and a fingerprint of the database.

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, Method, Request};
use evergrant::catalog::AuthType;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use sqlx::Row as _;
use std::time::Duration;
use tower::ServiceExt as _;

use crate::api::connected::{connect, tenant_of};
use crate::support::{Answer, TestApp, on_both};

/// A fingerprint of everything that a request could change. Every request comes at a later instant, so that an update
/// to the same values shows too.
const FINGERPRINT: &str = "SELECT \
    (SELECT CAST(COUNT(*) AS TEXT) || '/' || CAST(COALESCE(MAX(updated_at), 0) AS TEXT) FROM linked_accounts) || ' ' || \
    (SELECT CAST(COUNT(*) AS TEXT) || '/' || CAST(COALESCE(MAX(updated_at), 0) AS TEXT) FROM account_fields) || ' ' || \
    (SELECT CAST(COUNT(*) AS TEXT) || '/' || CAST(COALESCE(MAX(updated_at), 0) AS TEXT) FROM default_apps) || ' ' || \
    (SELECT CAST(COUNT(*) AS TEXT) || '/' || CAST(COALESCE(MAX(updated_at), 0) AS TEXT) FROM connections) || ' ' || \
    (SELECT CAST(COUNT(*) AS TEXT) || '/' || CAST(COALESCE(MAX(updated_at), 0) AS TEXT) FROM oauth_clients) || ' ' || \
    (SELECT CAST(COUNT(*) AS TEXT) || '/' || CAST(COALESCE(MAX(updated_at), 0) AS TEXT) FROM webhooks) || ' ' || \
    (SELECT CAST(COUNT(*) AS TEXT) || '/' || CAST(COALESCE(MAX(expires_at), 0) AS TEXT) || '/' || \
        CAST(COALESCE(MAX(properties_until), 0) AS TEXT) || '/' || CAST(COUNT(revoked_at) AS TEXT) FROM session_tokens) || ' ' || \
    (SELECT CAST(COUNT(*) AS TEXT) || '/' || CAST(COUNT(state_hash) AS TEXT) FROM authorizations) || ' ' || \
    (SELECT CAST(COUNT(*) AS TEXT) || '/' || CAST(COUNT(revoked_at) AS TEXT) FROM api_keys) || ' ' || \
    (SELECT CAST(COUNT(*) AS TEXT) || '/' || MAX(return_origins) || MAX(frame_origins) FROM environments) || ' ' || \
    (SELECT CAST(COUNT(*) AS TEXT) FROM organisations) || ' ' || (SELECT CAST(COUNT(*) AS TEXT) FROM events) || ' ' || \
    (SELECT CAST(COUNT(*) AS TEXT) FROM deliveries) || ' ' || (SELECT CAST(COUNT(*) AS TEXT) FROM timeline) || ' ' || \
    (SELECT CAST(COUNT(*) AS TEXT) FROM audit)";

/// An operation of the document.
pub(super) struct Op {
    pub(super) method: Method,
    pub(super) path: String,
    /// Its alternatives of security schemes; none where it is open.
    pub(super) security: Vec<Vec<String>>,
    pub(super) query: Vec<String>,
    /// The members of its body, where it takes one.
    pub(super) body: Option<Vec<String>>,
}

impl Op {
    /// Every operation.
    pub(super) fn all() -> Vec<Self> {
        let document = serde_json::to_value(evergrant::http::document()).unwrap();
        let mut all = Vec::new();
        for (path, item) in document["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                let Ok(method) = method.to_uppercase().parse::<Method>() else {
                    continue;
                };
                all.push(Self::of(&document, (method, path), operation));
            }
        }
        assert!(all.len() > 40, "only {} operations were found", all.len());
        all
    }

    fn of(document: &Value, (method, path): (Method, &str), operation: &Value) -> Self {
        let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
        let schemes = |one: &Value| one.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        let queries = list(&operation["parameters"])
            .into_iter()
            .filter(|one| one["in"] == "query");
        let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
        Self {
            method,
            path: path.to_owned(),
            security: list(&operation["security"])
                .iter()
                .map(schemes)
                .filter(|schemes| !schemes.is_empty())
                .collect(),
            query: queries.map(|one| one["name"].as_str().unwrap().to_owned()).collect(),
            body: (!schema.is_null()).then(|| members(document, schema)),
        }
    }

    pub(super) fn named(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    pub(super) fn takes(&self, scheme: &str) -> bool {
        self.security.iter().flatten().any(|one| one == scheme)
    }

    pub(super) fn has_variable(&self) -> bool {
        self.path.contains('{')
    }

    /// Its path with this in place of the variable.
    pub(super) fn at(&self, segment: &str) -> String {
        match (self.path.split_once('{'), self.path.split_once('}')) {
            (Some((before, _)), Some((_, after))) => format!("{before}{segment}{after}"),
            _ => self.path.clone(),
        }
    }
}

/// The names of an object schema's members, through references.
fn members(document: &Value, schema: &Value) -> Vec<String> {
    if let Some(name) = schema["$ref"].as_str() {
        return members(document, document.pointer(name.trim_start_matches('#')).unwrap());
    }
    let own = schema["properties"].as_object().into_iter().flatten();
    let mut names: Vec<String> = own.map(|(name, _)| name.clone()).collect();
    for part in schema["allOf"].as_array().into_iter().flatten() {
        names.extend(members(document, part));
    }
    names
}

/// One of everything that a tenant can have.
pub(super) struct Belongings {
    pub(super) key: String,
    pub(super) account: String,
    pub(super) session: String,
    pub(super) webhook: String,
    pub(super) connection: String,
}

/// The service, and both tenants' belongings.
pub(super) struct World<'a> {
    pub(super) t: &'a TestApp,
    service: evergrant::http::Service,
    pub(super) mine: Belongings,
    pub(super) theirs: Belongings,
}

/// A story in a fresh world, on SQLite and then on PostgreSQL.
pub(super) async fn on_both_worlds(story: impl AsyncFn(&mut World<'_>)) {
    on_both(async |t| {
        let mut world = World::new(&t).await;
        story(&mut world).await;
    })
    .await;
}

impl<'a> World<'a> {
    async fn new(t: &'a TestApp) -> Self {
        let stranger = t.stranger().await;
        Self {
            t,
            service: evergrant::http::router(t.app.clone()),
            mine: belongings(t, &t.key, "mine").await,
            theirs: belongings(t, &stranger, "theirs").await,
        }
    }

    /// Makes my belongings anew where a request has rightly changed them.
    pub(super) async fn restore(&mut self) {
        self.mine = belongings(self.t, &self.t.key, "mine").await;
    }

    /// A segment with which the operation would find something of mine.
    pub(super) fn good_segment(&self, op: &Op) -> String {
        if op.path.contains("/webhook/{") {
            self.mine.webhook.clone()
        } else if op.path.contains("/connection/{") {
            self.mine.connection.clone()
        } else if op.path.contains("{linked_account_id}") {
            self.mine.account.clone()
        } else if op.path.contains("{key}") {
            "k".to_owned()
        } else if op.path.contains("/save") || op.path.contains("save-key") {
            "copper".to_owned()
        } else {
            "slack".to_owned()
        }
    }

    /// The headers with which a tenant may do this.
    pub(super) fn credentials(op: &Op, of: &Belongings) -> Vec<(&'static str, String)> {
        let bearer = ("authorization", format!("Bearer {}", of.session));
        match op.security.first() {
            None => Vec::new(),
            Some(schemes) if schemes.iter().any(|one| one == "session") => vec![bearer],
            Some(_) => vec![("x-api-key", of.key.clone()), ("linked_account_id", of.account.clone())],
        }
    }

    /// Sends a request, a moment after the last one.
    pub(super) async fn send(
        &self,
        method: &Method,
        uri: &str,
        headers: &[(&str, String)],
        body: impl Into<Bytes>,
    ) -> Answer {
        self.t.clock.advance(Duration::from_millis(100));
        let mut request = Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
            request = request.header(*name, value);
        }
        let request = request.body(Body::from(body.into())).unwrap();
        let response = self.service.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        Answer {
            status: parts.status,
            headers: parts.headers,
            text: String::from_utf8_lossy(&bytes).into_owned(),
        }
    }

    pub(super) async fn fingerprint(&self) -> String {
        let mut conn = self.t.app.db.read().await.unwrap();
        let row = sqlx::query(FINGERPRINT).fetch_one(&mut *conn).await.unwrap();
        row.try_get(0).unwrap()
    }
}

/// A refusal in the contract's shape (section 2.1), or a page for people; never our own fault.
pub(super) fn assert_clear(answer: &Answer, asked: &str) {
    let status = answer.status.as_u16();
    assert!(status < 500, "{asked}: {status} {}", answer.text);
    // What passes through is for back ends, and no page reads it.
    let for_pages = !asked.contains("/api/v2/public/proxy/");
    assert_eq!(
        answer
            .headers
            .get("access-control-allow-origin")
            .map(HeaderValue::as_bytes),
        for_pages.then_some(&b"*"[..]),
        "{asked}"
    );
    let content_type = answer
        .headers
        .get("content-type")
        .map_or("", |value| value.to_str().unwrap());
    if status < 400 || content_type.starts_with("text/html") {
        return;
    }
    assert_eq!(content_type, "application/json", "{asked}: {}", answer.text);
    let body = answer.json();
    assert_eq!(body["status_code"], status, "{asked}");
    for member in [
        "http_error_type",
        "error_type",
        "error",
        "error_code",
        "message",
        "request_id",
    ] {
        let text = body[member].as_str().unwrap_or_default();
        assert!(!text.is_empty(), "{asked}: {member} is missing in {body}");
        assert!(
            text.chars().count() <= 600,
            "{asked}: {member} is {} bytes long",
            text.len()
        );
        assert!(!text.contains(char::is_control), "{asked}: {text:?}");
    }
    assert_eq!(body["error"], body["error_code"], "{asked}");
    assert_eq!(body["http_error_type"], body["error_type"], "{asked}");
}

async fn belongings(t: &TestApp, key: &str, account: &str) -> Belongings {
    let put = async |method: Method, path: &str, body: Value| {
        t.call(method, path).header("x-api-key", key).json(&body).ok().await
    };
    let linked = json!({ "linked_account_id": account, "udf": { "plan": "pro" }, "your_app": { "auth_credentials": { "k": "v" } } });
    put(Method::PUT, "/api/v2/public/linked-account", linked).await;
    let session = put(
        Method::POST,
        "/api/v2/public/session-token",
        json!({ "linked_account_id": account }),
    )
    .await;
    let hook = json!({ "webhook_url": "https://hooks.example/x", "webhook_events": ["Connection Expired"] });
    let listed = t
        .call(Method::GET, "/api/v2/public/webhook")
        .header("x-api-key", key)
        .ok()
        .await;
    let webhook = match listed.as_array().unwrap().first() {
        Some(webhook) => webhook.clone(),
        None => put(Method::POST, "/api/v2/public/webhook", hook).await,
    };
    let client = "/api/v2/public/application/slack/oauth-client";
    put(Method::PUT, client, json!({ "client_id": "c", "client_secret": "s" })).await;
    let tenant = tenant_of(t, key).await;
    let connection = connect(t, &tenant, account, "copper", AuthType::Keybased).await;
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    Belongings {
        key: key.to_owned(),
        account: account.to_owned(),
        session: text(&session["token"]),
        webhook: text(&webhook["_id"]),
        connection: connection.id.to_string(),
    }
}
