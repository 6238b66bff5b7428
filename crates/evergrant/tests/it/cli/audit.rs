//! The audit trail on the command line, and that the end of a process leaves none of it behind.

use super::Program;
use super::connections::connect;

async fn story(program: Program) {
    let program = program.with("EVERGRANT_SANDBOX", "on");
    let made = program.json(&["key", "create", "--scopes", "credentials"]);
    let key = made["key"].as_str().unwrap();
    let id = connect(&program).await;
    let mut server = program.serve();
    for _ in 0..3 {
        let (status, body) = server.get(&format!("/api/v2/public/connection/{id}/credential"), key);
        assert_eq!(status, 200, "{body}");
    }
    // At once: whatever the loop has not written yet is written on the way out.
    assert_eq!(server.stop(), Some(0));
    let list = |words: &[&str]| program.json(&[&["audit", "list"], words].concat());
    let handed = list(&["--action", "credential.read"]);
    let times = handed
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["times"].as_i64().unwrap());
    assert_eq!(times.sum::<i64>(), 3, "{handed:#}");
    assert_eq!(
        (&handed[0]["actor"], &handed[0]["target"]),
        (&made["id"], &id.as_str().into())
    );
    assert_eq!(list(&["--target", &id]), handed);
    assert_eq!(
        list(&["--action", "credential.read", "--limit", "1"])
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert_eq!(list(&["--since", "2199-01-01T00:00:00Z"]), serde_json::json!([]));
    assert_eq!(list(&["--actor", "operator"])[0]["action"], "key.create");
    assert_eq!(list(&["--env", "production"]), serde_json::json!([]));
    assert!(program.ok(&["audit", "list"]).contains("credential.read"));
    assert_eq!(program.run(&["audit", "list", "--since", "yesterday"]).code, 2);
}

#[tokio::test]
async fn hand_outs_survive_a_sigterm_and_are_listed() {
    story(Program::sqlite()).await;
    story(Program::postgres().await).await;
}
