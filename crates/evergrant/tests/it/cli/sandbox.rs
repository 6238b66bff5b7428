//! The levers of the built-in provider, as `serve` mounts them.

use serde_json::{Value, json};

use super::{Program, Server};

const BREAK: &str = "/sandbox/control/break";
const CLIENTS: &str = "/sandbox/control/clients";

async fn post(server: &Server, path: &str, (key, body): (&str, &Value)) -> (u16, Value) {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let call = http
        .post(format!("http://{}{path}", server.address))
        .body(body.to_string());
    let call = if key.is_empty() {
        call
    } else {
        call.header("x-api-key", key)
    };
    let answer = call.send().await.unwrap();
    let status = answer.status().as_u16();
    (status, serde_json::from_str(&answer.text().await.unwrap()).unwrap())
}

/// An error in the shape of the API; returns its message.
fn message(status: u16, class: &str, answer: &(u16, Value)) -> String {
    let (got, body) = answer;
    assert_eq!(*got, status, "{body}");
    assert_eq!(
        (&body["status_code"], &body["http_error_type"]),
        (&json!(status), &json!(class)),
        "{body}"
    );
    assert!(body["error"].is_string() && body["request_id"].is_string(), "{body}");
    body["message"].as_str().unwrap().to_owned()
}

fn key(program: &Program, words: &[&str]) -> String {
    let made = program.json(&[&["key", "create"], words].concat());
    made["key"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn only_a_test_environments_own_key_moves_the_levers_of_the_sandbox() {
    let program = Program::sqlite().with("EVERGRANT_SANDBOX", "on");
    program.ok(&["org", "create", "other"]);
    let mine = key(&program, &[]);
    let reader = key(&program, &["--scopes", "read"]);
    let production = key(&program, &["--env", "production"]);
    let other = key(&program, &["--org", "other"]);
    let mut server = program.serve();
    let client = json!({ "client_id": "c", "client_secret": "a long enough secret", "redirect_uris": ["http://127.0.0.1/back"] });
    assert_eq!(post(&server, CLIENTS, (&mine, &client)).await.0, 200);
    assert_eq!(post(&server, "/sandbox/control/keys", (&mine, &json!({}))).await.0, 200);
    let before = server.get("/sandbox/control", &mine);
    assert_eq!(before.0, 200);

    let everything = json!({ "cause": "client_secret_changed" });
    message(401, "UNAUTHORIZED", &post(&server, BREAK, ("", &everything)).await);
    message(403, "FORBIDDEN", &post(&server, BREAK, (&reader, &everything)).await);
    let refused = message(
        403,
        "FORBIDDEN",
        &post(&server, BREAK, (&production, &everything)).await,
    );
    assert!(refused.contains("`test` environments"), "{refused}");
    assert_eq!(server.get("/sandbox/control", &production).0, 403);
    assert_eq!(post(&server, BREAK, (&other, &everything)).await.0, 200);
    assert_eq!(
        post(&server, "/sandbox/control/reset", (&other, &json!({}))).await.0,
        200
    );
    assert_eq!(server.get("/sandbox/control", &mine), before);

    let refused = message(
        400,
        "BAD_REQUEST",
        &post(&server, BREAK, (&mine, &json!({ "cause": 1 }))).await,
    );
    assert!(refused.contains("the body is not the JSON"), "{refused}");
    message(409, "CONFLICT", &post(&server, CLIENTS, (&other, &client)).await);
    assert_eq!(post(&server, BREAK, (&mine, &everything)).await.0, 200);
    assert_ne!(server.get("/sandbox/control", &mine), before);
    assert_eq!(server.stop(), Some(0));
}
