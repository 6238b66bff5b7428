//! What the commands print and change.

use super::{Program, on_both};

#[tokio::test]
async fn keys_are_made_listed_named_and_revoked() {
    on_both(|program| {
        let made = program.json(&[
            "key",
            "create",
            "--name",
            "reader",
            "--scopes",
            "read",
            "--env",
            "production",
        ]);
        assert!(made["key"].as_str().unwrap().starts_with("pk_"));
        assert_eq!(made["scopes"], serde_json::json!(["read"]));
        let shown = program.ok(&["key", "create", "--env", "production"]);
        assert!(
            shown.trim().starts_with("pk_") && shown.lines().count() == 1,
            "only the key itself: {shown}"
        );
        let listed = program.json(&["key", "list", "--env", "production"]);
        assert_eq!(listed.as_array().unwrap().len(), 2);
        assert!(listed[0].get("key").is_none());
        assert_eq!(
            (&listed[0]["signs"], &listed[1]["signs"]),
            (&false.into(), &true.into()),
            "the first that can, signs"
        );
        let signing = listed[1]["id"].as_str().unwrap();
        assert!(
            program
                .fails(&["key", "revoke", signing, "--env", "production"])
                .contains("evergrant key sign")
        );
        assert!(
            program
                .fails(&["key", "revoke", signing])
                .contains("evergrant key list"),
            "not of this environment"
        );
        assert_eq!(program.json(&["key", "list"]), serde_json::json!([]));
        let reader = made["id"].as_str().unwrap();
        assert!(
            program
                .fails(&["key", "sign", reader, "--env", "production"])
                .contains("--scopes sign")
        );
        assert_eq!(
            program.json(&["key", "revoke", reader, "--env", "production"])["revoked"],
            true
        );
        let table = program.ok(&["key", "--env", "production", "list"]);
        assert!(table.contains("ID") && table.contains("reader") && !table.contains(made["key"].as_str().unwrap()));
    })
    .await;
}

#[tokio::test]
async fn organisations_are_made_and_listed() {
    on_both(|program| {
        assert_eq!(program.json(&["org", "create", "acme"])["name"], "acme");
        assert!(program.fails(&["org", "create", "acme"]).contains("exists already"));
        let listed = program.json(&["org", "list"]);
        assert_eq!(
            (&listed[0]["name"], &listed[1]["name"]),
            (&"default".into(), &"acme".into())
        );
        assert!(program.ok(&["org", "list"]).contains("acme"));
        program.ok(&["key", "create", "--org", "acme"]);
        assert!(
            program
                .fails(&["key", "create", "--org", "nobody"])
                .contains("evergrant org list")
        );
    })
    .await;
}

#[tokio::test]
async fn an_oauth_clients_secret_comes_from_standard_input_and_is_never_shown() {
    on_both(|program| {
        let secret = "very-s3cret-value";
        let words = [
            "app",
            "client",
            "set",
            "slack",
            "--client-id",
            "12.34",
            "--client-secret-stdin",
        ];
        let done = program.run_with(&[&words[..], &["--json"]].concat(), &format!("{secret}\n"));
        assert_eq!(done.code, 0, "{}", done.err);
        let set: serde_json::Value = serde_json::from_str(&done.out).unwrap();
        let mut printed = done.out + &done.err;
        assert_eq!((&set["client_id"], &set["has_secret"]), (&"12.34".into(), &true.into()));
        for words in [
            &["app", "client", "list"][..],
            &["app", "show", "slack"],
            &["app", "list"],
        ] {
            printed += &program.ok(words);
            printed += &program.ok(&[words, &["--json"]].concat());
        }
        assert!(printed.contains("12.34") && printed.contains("/api/v1/slack/callback"));
        assert!(!printed.contains(secret));
        if let Ok(files) = std::fs::read_dir(program.data()) {
            for file in files {
                let bytes = std::fs::read(file.unwrap().path()).unwrap();
                assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()));
            }
        }
        assert_eq!(
            program.run(&words[..6]).code,
            2,
            "a forgotten secret is not a public client"
        );
        assert!(
            program
                .fails(&["app", "client", "set", "nothing", "--client-id", "1", "--public"])
                .contains("evergrant app list")
        );
        assert_eq!(program.json(&["app", "client", "remove", "slack"])["removed"], true);
        assert!(
            program
                .fails(&["app", "client", "remove", "slack"])
                .contains("app client list")
        );
    })
    .await;
}

#[tokio::test]
async fn addresses_for_notices_are_shown_given_a_secret_listed_and_removed() {
    on_both(|program| {
        assert_eq!(program.json(&["app", "notices", "list"]), serde_json::json!([]));
        let made = program.json(&["app", "notices", "show", "slack"]);
        let url = made["url"].as_str().unwrap();
        assert!(url.contains("/notices/"), "{made}");
        assert!(made["setup"].as_str().unwrap().contains("Event Subscriptions"));
        assert_eq!(made["has_signing_secret"], false);
        let shown = program.ok(&["app", "notices", "show", "slack"]);
        assert!(shown.contains(url) && shown.contains("Event Subscriptions") && shown.contains("MISSING"));
        let secret = "hush-hush-signing";
        let set = ["app", "notices", "set", "slack", "--signing-secret-stdin"];
        let done = program.run_with(&set, &format!("{secret}\n"));
        assert_eq!(done.code, 0, "{}", done.err);
        assert!(done.out.contains(url), "the address stays: {}", done.out);
        let mut printed = done.out + &done.err;
        for words in [&["app", "notices", "list"][..], &["app", "notices", "show", "slack"]] {
            printed += &program.ok(words);
            printed += &program.ok(&[words, &["--json"]].concat());
        }
        assert!(printed.contains("sealed") && !printed.contains(secret), "{printed}");
        let listed = program.json(&["app", "notices", "list"]);
        assert_eq!(
            (&listed[0]["slug"], &listed[0]["url"], &listed[0]["has_signing_secret"]),
            (&"slack".into(), &made["url"], &true.into())
        );
        let elsewhere = program.json(&["app", "notices", "list", "--env", "production"]);
        assert_eq!(elsewhere, serde_json::json!([]), "of this environment");
        assert_eq!(program.run(&set[..4]).code, 2, "which secret?");
        let hubspot = ["app", "notices", "set", "hubspot", "--signing-secret-stdin"];
        let refused = program.run_with(&hubspot, "x\n");
        assert!(
            refused.code == 1 && refused.err.contains("OAuth client"),
            "{}",
            refused.err
        );
        assert_eq!(program.json(&["app", "notices", "remove", "slack"])["removed"], true);
        program.fails(&["app", "notices", "remove", "slack"]);
        let again = program.json(&["app", "notices", "show", "slack"]);
        assert_ne!(again["url"], made["url"], "what was given up does not come back");
    })
    .await;
}

#[tokio::test]
async fn accounts_and_origins_are_looked_after() {
    on_both(|program| {
        assert_eq!(
            program.json(&["account", "create", "c-1", "--name", "Acme"])["linked_account_id"],
            "c-1"
        );
        assert_eq!(program.json(&["account", "list"])[0]["name"], "Acme");
        assert_eq!(program.json(&["account", "show", "c-1"])["has_default_app"], false);
        assert_eq!(program.json(&["account", "delete", "c-1"])["disconnected"], 0);
        assert!(
            program
                .fails(&["account", "show", "c-1"])
                .contains("evergrant account list")
        );

        let set = program.json(&[
            "origins",
            "set",
            "--return",
            "https://App.example:443",
            "--frame",
            "https://b.example",
        ]);
        assert_eq!(set["return_origins"], serde_json::json!(["https://app.example"]));
        assert_eq!(
            program.json(&["origins", "set", "--no-frame"]),
            program.json(&["origins", "list"])
        );
        assert_eq!(
            program.json(&["origins", "list"])["return_origins"],
            set["return_origins"]
        );
        program.fails(&["origins", "set", "--return", "https://app.example/path"]);
    })
    .await;
}

#[tokio::test]
async fn webhooks_are_looked_after_and_their_headers_not_shown() {
    on_both(|program| {
        let create = [
            "webhook",
            "create",
            "--url",
            "https://hooks.example/x",
            "--event",
            "Connection Expired",
        ];
        assert!(
            program.fails(&create).contains("evergrant key create"),
            "no key could sign it"
        );
        program.ok(&["key", "create"]);
        let id = program.json(&create)["id"].as_str().unwrap().to_owned();
        assert_eq!(
            program.json(&["webhook", "list"])[0]["events"],
            serde_json::json!(["Connection Expired"])
        );
        assert_eq!(program.json(&["webhook", "update", &id, "--disable"])["enabled"], false);
        assert_eq!(
            program.json(&["webhook", "update", &id, "--enable", "--type", "slack"])["type"],
            "slack"
        );
        let headers = ["webhook", "update", &id, "--headers-file", "-", "--json"];
        let done = program.run_with(&headers, r#"{"authorization": "Bearer hush-hush"}"#);
        assert_eq!(done.code, 0, "{}", done.err);
        let shown = done.out + &program.ok(&["webhook", "show", &id]);
        assert!(shown.contains("authorization") && !shown.contains("hush"), "{shown}");
        assert_eq!(
            program.json(&["webhook", "show", &id])["deliveries"],
            serde_json::json!([])
        );
        program.fails(&["webhook", "redeliver", &id]);
        assert_eq!(program.json(&["webhook", "delete", &id])["deleted"], true);
        program.fails(&["webhook", "show", &id]);
    })
    .await;
}

#[test]
fn the_corpus_is_judged_line_by_line_and_scored() {
    let program = Program::bare();
    let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/corpus/observations.jsonl");
    let text = std::fs::read_to_string(corpus).unwrap();
    let judged = program.ok(&["judge", corpus]);
    assert_eq!(
        judged.lines().count(),
        text.lines().filter(|line| !line.trim().is_empty()).count()
    );
    let first: serde_json::Value = serde_json::from_str(judged.lines().next().unwrap()).unwrap();
    let members: Vec<&str> = first.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(members, ["id", "verdict", "reason", "confidence", "rule"]);
    let scored = |more: &[&str]| -> serde_json::Value {
        let printed = program.ok(&[&["judge", "--json", "--score", corpus][..], more].concat());
        assert_eq!(printed.lines().count(), judged.lines().count() + 1);
        serde_json::from_str::<serde_json::Value>(printed.lines().last().unwrap()).unwrap()["score"].clone()
    };
    let (score, generic) = (scored(&[]), scored(&["--generic"]));
    assert!(score["verdict_exact"].as_f64() >= generic["verdict_exact"].as_f64());
    assert!(
        score["by_reason"]["password_changed"]["recall"].is_number(),
        "{score:#}"
    );
    let read = program.ok(&["judge", "--score", corpus]);
    let (lines, score) = read.split_once("\n\n").unwrap();
    assert_eq!(lines, judged.trim_end());
    assert!(score.contains("false flags 0"), "{score}");
    let piped = program.run_with(&["judge"], "{\"status\": 429}\n\n");
    assert!(piped.out.contains("rate_limited"), "{}", piped.out);
    assert!(!program.data().exists(), "judging needs no database");
}

#[tokio::test]
async fn the_doctor_finds_what_is_wrong_and_makes_nothing() {
    let bare = Program::bare();
    let sick = bare.run(&["doctor"]);
    assert_eq!((sick.code, sick.out.contains("✗ database")), (1, true), "{}", sick.out);
    assert!(!bare.data().exists());
    on_both(|program| {
        let server = program.serve();
        let address = server.address.to_string();
        let program = program.with("EVERGRANT_LISTEN", &address);
        let report = program.json(&["doctor"]);
        assert_eq!(report["healthy"], true, "{report:#}");
        let odd: Vec<_> = report["checks"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|check| check["state"] != "ok")
            .collect();
        assert!(odd.is_empty(), "{odd:#?}");
        drop(server);
        assert!(
            program.ok(&["doctor"]).contains("! public URL"),
            "no server is worth a word and no fault"
        );
        let other = evergrant::vault::Keyring::generate().expose().to_owned();
        let sick = program.with("EVERGRANT_MASTER_KEY", &other).run(&["doctor"]);
        assert!(sick.code == 1 && sick.out.contains("✗ master key"), "{}", sick.out);
    })
    .await;
    let wrong = Program::bare().with("EVERGRANT_LISTEN", "nowhere").run(&["doctor"]);
    assert!(wrong.code == 1 && wrong.out.contains("✗ settings"), "{}", wrong.out);
}

#[test]
fn exit_codes_tell_failure_from_wrong_usage() {
    let program = Program::bare();
    for words in [
        &["nonsense"][..],
        &["key"],
        &["key", "create", "--env", "staging"],
        &["connection", "show", "x"],
    ] {
        assert_eq!(program.run(words).code, 2, "{words:?}");
    }
    std::fs::write(program.folder.path().join("evergrant.toml"), "data-dir = 'x'").unwrap();
    let error = program.fails(&["org", "list"]);
    assert!(
        error.contains("evergrant.toml") && error.contains("did you mean `data_dir`"),
        "{error}"
    );
    assert!(!program.data().exists());
}

#[test]
fn help_and_the_openapi_document_need_nothing() {
    let program = Program::bare().with("EVERGRANT_LISTEN", "nowhere");
    let help = program.ok(&["serve", "--help"]);
    for setting in evergrant::config::settings::SETTINGS {
        assert!(help.contains(setting.env), "{} is missing", setting.env);
    }
    let document: serde_json::Value = serde_json::from_str(&program.ok(&["openapi"])).unwrap();
    assert!(document["paths"].get("/healthz").is_some());
}
