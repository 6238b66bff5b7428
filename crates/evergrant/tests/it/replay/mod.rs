//! What other official clients than the one in Chromium send, call by call (contract, sections 1, 6.4, 14, 15 and 18): their
//! paths, headers and bodies as they were recorded, and of each answer every member that a client, or the documents, read.

mod browser;
mod node;
mod react;

use axum::http::Method;
use serde_json::Value;

use crate::support::{CUSTOMER, Story};

const ORIGIN: &str = "https://app.example";

/// What a member must be.
#[derive(Clone, Copy, Debug)]
enum Is {
    /// Text that says something.
    Text,
    /// Text, perhaps empty.
    AnyText,
    /// A boolean.
    Flag,
    /// A whole number.
    Count,
    /// ISO 8601 in UTC with milliseconds.
    Time,
    /// 24 lower-case hex characters.
    Id,
    /// An absolute web address.
    Url,
    List,
    Map,
    Null,
    Missing,
    Just(&'static str),
}

impl Is {
    fn holds(self, value: Option<&Value>) -> bool {
        let Some(value) = value else {
            return matches!(self, Self::Missing);
        };
        let text = value.as_str();
        match self {
            Self::Text => text.is_some_and(|text| !text.is_empty()),
            Self::AnyText => text.is_some(),
            Self::Flag => value.is_boolean(),
            Self::Count => value.is_u64(),
            Self::Time => text.is_some_and(is_time),
            Self::Id => text.is_some_and(is_id),
            Self::Url => {
                text.is_some_and(|text| url::Url::parse(text).is_ok_and(|url| url.scheme().starts_with("http")))
            }
            Self::List => value.is_array(),
            Self::Map => value.is_object(),
            Self::Null => value.is_null(),
            Self::Missing => false,
            Self::Just(wanted) => text == Some(wanted),
        }
    }
}

fn is_time(text: &str) -> bool {
    let shape = "0000-00-00T00:00:00.000Z".bytes();
    let digit = |byte: u8| if byte.is_ascii_digit() { b'0' } else { byte };
    text.len() == 24 && text.bytes().map(digit).eq(shape)
}

fn is_id(text: &str) -> bool {
    text.len() == 24 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

/// Each of these members is there and of its kind; more may be (contract section 19, row 14).
fn check(value: &Value, members: &[(&str, Is)]) {
    for (name, kind) in members {
        assert!(kind.holds(value.get(name)), "`{name}` is not {kind:?}: {value}");
    }
}

/// What is stored of an application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stored {
    Nothing,
    Healthy,
    Dead,
}

/// An application object, field by field (contract, 4.2 and 4.3), and what each generation of clients concludes from it.
fn check_application(app: &Value, (slug, auth_type): (&'static str, &'static str), stored: Stored) {
    check(
        app,
        &[
            ("name", Is::Text),
            ("slug", Is::Just(slug)),
            ("type", Is::Just(slug)),
            ("app_id", Is::Id),
            ("icon", Is::Url),
            ("description", Is::Text),
            ("auth_type", Is::Just(auth_type)),
            ("auth_type_options", Is::Map),
            ("auth_input_map", Is::List),
            ("tags", Is::List),
            ("version", Is::Map),
            ("ecosystem", Is::Flag),
            ("reauth_required", Is::Flag),
        ],
    );
    check(&app["version"], &[("_v", Is::Text), ("description", Is::Text)]);
    assert_eq!(app["auth_input_map"], app["auth_type_options"][auth_type], "{app}");
    for field in app["auth_input_map"].as_array().unwrap() {
        let members = [
            ("name", Is::Text),
            ("label", Is::Text),
            ("type", Is::Text),
            ("required", Is::Flag),
            ("placeholder", Is::AnyText),
        ];
        check(field, &members);
    }
    let accounts = app["connected_accounts"].as_array();
    let list = accounts.map_or(&[][..], Vec::as_slice);
    for account in list {
        let members = [
            ("connectedAt", Is::Time),
            ("auth_type", Is::Just(auth_type)),
            ("status", Is::Text),
        ];
        check(account, &members);
        assert!(!account["identifier"].is_null(), "{account}");
    }
    assert_eq!(accounts.is_some(), stored != Stored::Nothing, "{app}");
    assert_eq!(app.get("connected").is_some(), stored != Stored::Nothing, "{app}");
    assert_eq!(app["reauth_required"], stored == Stored::Dead);

    let to_7_0_0 = app["connected"] == true;
    let to_8_9_2 = app["connected"] == true && app["reauth_required"] == false;
    let after = list
        .iter()
        .any(|one| one["auth_type"] == auth_type && one["status"] == "active");
    assert_eq!(to_7_0_0, stored != Stored::Nothing, "3.x to 7.0.0: {app}");
    assert_eq!(to_8_9_2, stored == Stored::Healthy, "7.0.1 to 8.9.2-beta.1: {app}");
    assert_eq!(after, stored == Stored::Healthy, "from 8.9.2-beta.2: {app}");
}

/// The linked account, as each route that answers one does (contract, 8.3).
fn check_account(document: &Value, account: &str, integrations: Is) {
    check(
        document,
        &[
            ("_id", Is::Id),
            ("associated_org", Is::Id),
            ("account_id", Is::Text),
            ("environment", Is::Just("test")),
            ("name", Is::AnyText),
            ("udf", Is::List),
            ("integrations", integrations),
            ("createdAt", Is::Time),
            ("updatedAt", Is::Time),
            ("__v", Is::Count),
            ("linked_account_id", Is::Missing),
        ],
    );
    assert_eq!(document["account_id"], account);
    for integration in document["integrations"].as_array().into_iter().flatten() {
        let members = [
            ("type", Is::Text),
            ("name", Is::Text),
            ("reauth_required", Is::Flag),
            ("refresh_token_expired", Is::Flag),
            ("createdAt", Is::Time),
            ("updatedAt", Is::Time),
            ("credentials", Is::Missing),
            ("authTokens", Is::Missing),
            ("connections", Is::Missing),
        ];
        check(integration, &members);
    }
    for entry in document["udf"].as_array().unwrap() {
        let members = [
            ("key_name", Is::Text),
            ("_id", Is::Id),
            ("createdAt", Is::Time),
            ("updatedAt", Is::Time),
        ];
        check(entry, &members);
        assert!(entry.get("key_value").is_some(), "{entry}");
    }
}

/// An error body with what any client reads of it (contract, 2.1).
fn check_error(body: &Value, status: u16) {
    assert_eq!(body["status_code"], status, "{body}");
    let members = [
        "http_error_type",
        "error_type",
        "error",
        "error_code",
        "message",
        "request_id",
    ];
    check(body, &members.map(|name| (name, Is::Text)));
}

/// A browser with a version of the SDK in it.
struct Page<'a> {
    s: &'a Story,
    token: String,
    /// What the version puts between host and path: nothing, or the slash that no version strips.
    slash: &'static str,
}

impl<'a> Page<'a> {
    async fn open(s: &'a Story, slash: &'static str) -> Self {
        let token = s.t.session(CUSTOMER).await;
        Self { s, token, slash }
    }

    /// A call as `fetch` sends it across origins: preflighted without credentials, then with the token. The status and the
    /// body, which is JSON, and nothing that a client takes for no answer.
    async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> (u16, Value) {
        self.call_with(method, path, body, &[]).await
    }

    /// The same with more headers.
    async fn call_with(&self, method: Method, path: &str, body: Option<&Value>, more: &[(&str, &str)]) -> (u16, Value) {
        let path = format!("{}{path}", self.slash);
        let names: Vec<_> = ["authorization", "content-type"]
            .into_iter()
            .chain(more.iter().map(|(name, _)| *name))
            .collect();
        let preflight = self.s.t.call(Method::OPTIONS, &path).header("origin", ORIGIN);
        let preflight = preflight.header("access-control-request-method", method.as_str());
        let preflight = preflight.header("access-control-request-headers", &names.join(","));
        let preflight = preflight.send().await;
        assert!(preflight.status.is_success(), "the preflight of {method} {path}");
        let allowed = preflight.headers["access-control-allow-headers"].to_str().unwrap();
        assert!(
            names.iter().all(|name| allowed.split(',').any(|one| one == *name)),
            "{allowed}"
        );

        let call = self.s.t.by_session(method, &path, &self.token).header("origin", ORIGIN);
        let call = more.iter().fold(call, |call, (name, value)| call.header(name, value));
        let call = match body {
            Some(body) => call.json(body),
            None => call.header("content-type", "application/json"),
        };
        let answer = call.send().await;
        assert_eq!(answer.headers["access-control-allow-origin"], "*", "{path}");
        assert!(!answer.status.is_redirection() && answer.status != 204, "{path}");
        (answer.status.as_u16(), answer.json())
    }

    /// A call that must succeed.
    async fn ok(&self, method: Method, path: &str, body: Option<&Value>) -> Value {
        let (status, answer) = self.call(method, path, body).await;
        assert_eq!(status, 200, "{answer}");
        answer
    }

    /// A call that must fail, in a way that every version can show.
    async fn refused(&self, method: Method, path: &str, body: Option<&Value>) -> (u16, String) {
        let (status, answer) = self.call(method, path, body).await;
        assert!(status >= 400, "{answer}");
        check_error(&answer, status);
        (status, answer["message"].as_str().unwrap().to_owned())
    }

    /// `integrate`, with the query that the version makes: the path of the address it opens.
    async fn integrate(&self, path: &str) -> String {
        let answer = self.ok(Method::GET, path, None).await;
        check(&answer, &[("auth_url", Is::Url)]);
        let url = answer["auth_url"].as_str().unwrap();
        url.strip_prefix("http://127.0.0.1:8080").unwrap().to_owned()
    }
}
