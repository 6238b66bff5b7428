//! Incidents, policies and the removal of OAuth clients on the command line.

use std::collections::BTreeMap;

use evergrant::catalog::AuthType;
use evergrant::connections::Fresh;
use evergrant::incidents::{self, Sighting, Witness};
use evergrant::reason::Reason;
use evergrant::verdict::Evidence;
use evergrant_oauth::{Extras, TokenSet};

use super::Program;
use super::connections::{beside, store};

const SLUG: &str = "slack";

/// An OAuth connection, whose client has been seen refused; the incident's id.
async fn trouble(program: &Program) -> String {
    let (app, tenant) = beside(program).await;
    let set = TokenSet {
        access_token: "at".to_owned().into(),
        refresh_token: Some("rt".to_owned().into()),
        token_type: None,
        expires_in: None,
        refresh_expires_in: None,
        scope: None,
        id_token: None,
        extras: Extras::from(serde_json::Map::new()),
    };
    let application = app.catalog.get(SLUG).unwrap().clone();
    let fresh = Fresh::granted(
        set,
        "12.34".to_owned(),
        BTreeMap::new(),
        (&application.lifetimes, app.now()),
    );
    store(&app, &tenant, (SLUG, AuthType::OAuth2), fresh).await;
    let evidence = Evidence {
        rule: "generic.client.secret".to_owned(),
        words: "invalid_client".to_owned(),
        status: 401,
    };
    let sighting = Sighting {
        slug: SLUG,
        witness: Witness::Consent,
        reason: Reason::OauthClientSecretInvalid,
        deletion_stated: false,
        evidence: &evidence,
        now: app.now(),
    };
    let mut tx = app.db.begin().await.unwrap();
    incidents::observe(&mut tx, &tenant, &sighting).await.unwrap();
    tx.commit().await.unwrap();
    app.db.close().await;
    program.json(&["incident", "list"])[0]["id"]
        .as_str()
        .unwrap()
        .to_owned()
}

async fn incident(program: Program) {
    program.ok(&["org", "list"]);
    assert_eq!(program.json(&["incident", "list"]), serde_json::json!([]));
    let id = trouble(&program).await;
    let listed = program.json(&["incident", "list", "--open"]);
    assert_eq!(
        (&listed[0]["slug"], &listed[0]["state"]),
        (&SLUG.into(), &"suspected".into())
    );
    assert!(
        program
            .ok(&["incident", "list"])
            .contains("oauth_client_secret_invalid")
    );
    assert_eq!(program.json(&["incident", "show", &id]), listed[0]);
    let shown = program.ok(&["incident", "show", &id]);
    assert!(shown.contains("generic.client.secret (401) invalid_client"), "{shown}");
    assert!(
        program
            .fails(&["incident", "show", &id, "--env", "production"])
            .contains("not found")
    );

    let refused = program.fails(&["incident", "confirm-deletion", &id]);
    assert!(refused.contains("--yes") && refused.contains(SLUG), "{refused}");
    let flagged = || program.json(&["connection", "list", "--status", "reauth_required"]);
    assert_eq!(flagged(), serde_json::json!([]), "nothing is done unasked");
    let done = program.json(&["incident", "confirm-deletion", &id, "--yes"]);
    assert_eq!(done["flagged_connections"], 1);
    assert_eq!(flagged()[0]["reason"], "oauth_app_deleted");
    let closed = program.json(&["incident", "close", &id]);
    assert_eq!(
        (&closed["state"], &closed["closed_by"]),
        (&"closed".into(), &"hand".into())
    );
    assert!(
        program
            .fails(&["incident", "confirm-deletion", &id, "--yes"])
            .contains("closed")
    );
    assert_eq!(program.json(&["incident", "list", "--open"]), serde_json::json!([]));
}

#[tokio::test]
async fn an_incident_is_listed_shown_confirmed_and_closed() {
    incident(Program::sqlite()).await;
    incident(Program::postgres().await).await;
}

async fn removal(program: Program) {
    program.ok(&["org", "list"]);
    trouble(&program).await;
    let set = program.run_with(
        &[
            "app",
            "client",
            "set",
            SLUG,
            "--client-id",
            "12.34",
            "--client-secret-stdin",
        ],
        "a secret\n",
    );
    assert_eq!(set.code, 0, "{}", set.err);
    let refused = program.fails(&["app", "client", "remove", SLUG]);
    assert!(refused.contains("1 connections use this OAuth client"), "{refused}");
    let connections = || program.json(&["connection", "list"]);
    assert_eq!(connections()[0]["status"], "active", "it asks before it flags");
    assert_eq!(program.json(&["app", "client", "list"])[0]["slug"], SLUG);
    program.ok(&["app", "client", "remove", SLUG, "--yes"]);
    assert_eq!(connections()[0]["reason"], "oauth_app_deleted");
}

#[tokio::test]
async fn removing_a_client_that_connections_use_wants_a_yes() {
    removal(Program::sqlite()).await;
    removal(Program::postgres().await).await;
}

#[test]
fn the_policy_is_shown_and_changed_for_one_environment() {
    let program = Program::sqlite();
    program.ok(&["org", "list"]);
    assert_eq!(program.json(&["policy", "show"])["account_switch"], "refuse");
    assert_eq!(
        program.json(&["policy", "set", "--account-switch", "ask"])["account_switch"],
        "ask"
    );
    assert!(program.ok(&["policy", "show"]).contains("ask"));
    assert_eq!(
        program.json(&["policy", "show", "--env", "production"])["account_switch"],
        "refuse"
    );
    let wrong = program.run(&["policy", "set", "--account-switch", "maybe"]);
    assert_eq!((wrong.code, wrong.out.as_str()), (2, ""));
    assert!(wrong.err.contains("refuse or ask"), "{}", wrong.err);
}
