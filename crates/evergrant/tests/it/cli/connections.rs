//! Connections on the command line.

use std::collections::BTreeMap;

use evergrant::accounts::{self, Change};
use evergrant::app::{App, Handles};
use evergrant::catalog::{AuthType, Catalog};
use evergrant::clock::SystemClock;
use evergrant::connections::{self, Fresh, Given};
use evergrant::db::Db;
use evergrant::egress::Egress;
use evergrant::secret::Secret;
use evergrant::steps::Steps;
use evergrant::tenants::{self, Environment, Tenant};
use evergrant::vault::Keyring;

use super::Program;

/// Nobody listens there, whatever else runs on this machine.
const ORIGIN: &str = "http://127.0.0.1:9";
const SLUG: &str = "sandbox-key";

/// The program's database, opened beside it, and the tenant whose commands these are.
pub(super) async fn beside(program: &Program) -> (App, Tenant) {
    let database = program
        .settings
        .iter()
        .find(|(name, _)| name == "EVERGRANT_DATABASE_URL");
    let file = format!("sqlite://{}", program.data().join("evergrant.db").display());
    let app = App::new(Handles {
        db: Db::connect(database.map_or(&file, |(_, url)| url), Some(2))
            .await
            .unwrap(),
        keyring: Keyring::parse(&Secret::from(program.master_key.clone())).unwrap(),
        data_keys: std::sync::RwLock::default(),
        key_sets: std::sync::RwLock::default(),
        catalog: Catalog::load(None, Some(&ORIGIN.parse().unwrap())).unwrap(),
        egress: Egress::new([]),
        clock: Box::new(SystemClock),
        public_url: ORIGIN.parse().unwrap(),
        pace: evergrant::pace::Pace::default(),
        flights: evergrant::flights::Flights::default(),
        foretell: evergrant::app::FORETELL,
        probe_every: evergrant::app::PROBE_EVERY,
        steps: Steps::default(),
    });
    let found = tenants::store::find_environment(&mut app.db.read().await.unwrap(), "default", Environment::Test).await;
    (app, found.unwrap().unwrap().tenant)
}

/// Stores a connection of `c-1` as the handlers would; returns its id.
pub(super) async fn connect(program: &Program) -> String {
    let (app, tenant) = beside(program).await;
    let application = app.catalog.get(SLUG).unwrap().clone();
    let fields = application.inputs(AuthType::Keybased).iter();
    let values: BTreeMap<_, _> = fields
        .map(|field| (field.name.clone(), Secret::from("42".to_owned())))
        .collect();
    let fresh = Fresh::keys(values, app.now());
    let id = store(&app, &tenant, (SLUG, AuthType::Keybased), fresh).await;
    app.db.close().await;
    id
}

/// Stores a credential of `c-1`; returns the connection's id.
pub(super) async fn store(app: &App, tenant: &Tenant, (slug, kind): (&str, AuthType), fresh: Fresh) -> String {
    let account = accounts::create(app, tenant, &Change::of("c-1").unwrap())
        .await
        .unwrap()
        .account;
    let given = Given {
        account: &account,
        application: &app.catalog.get(slug).unwrap().clone(),
        auth_type: kind,
        fresh,
        identifier: None,
        proved: false,
        switch: evergrant::connections::Switch::Refused,
    };
    let mut tx = app.db.begin().await.unwrap();
    let (connection, new) = connections::activate(app, &mut tx, tenant, given).await.unwrap();
    tx.commit().await.unwrap();
    assert!(new);
    connection.id.to_string()
}

/// A program with a connection, whose id is returned.
async fn connected(program: Program) -> (Program, String) {
    let program = program
        .with("EVERGRANT_SANDBOX", "on")
        .with("EVERGRANT_PUBLIC_URL", ORIGIN);
    program.ok(&["org", "list"]);
    let id = connect(&program).await;
    (program, id)
}

async fn why(program: Program) {
    let (program, id) = connected(program).await;
    let said = program.ok(&["connection", "why", &id]);
    assert!(
        said.contains("of c-1 to sandbox-key works: nobody needs to do anything."),
        "{said}"
    );
    program.ok(&["connection", "check", &id]);
    let said = program.ok(&["connection", "why", &id]);
    assert!(said.contains("is served, and has had trouble since"), "{said}");
    assert!(said.contains("it is tried again by itself"), "{said}");

    program.ok(&["connection", "expire", &id]);
    let why = program.ok(&["connection", "why", &id]);
    for part in [
        "The connection of c-1 to sandbox-key has needed its customer since 2",
        "the grant was withdrawn, replaced, or is unknown to the provider (token_revoked).",
        "said in so many words (stated)",
        "Decided by the rule `manual`: expired by hand",
        "Source of that rule: your team.",
        &format!("`evergrant connection reauth-link {id}`"),
        "  trouble  transient",
    ] {
        assert!(why.contains(part), "{part}: {why}");
    }
    let why = program.json(&["connection", "why", &id]);
    assert_eq!(why["evidence"]["source"], "your team");
    assert!(why["why"][0].as_str().unwrap().contains("token_revoked"), "{why}");

    program.ok(&["connection", "disconnect", &id]);
    let said = program.ok(&["connection", "why", &id]);
    assert!(
        said.contains("was disconnected at") && !said.contains("by hand"),
        "{said}"
    );
}

#[tokio::test]
async fn why_a_connection_is_as_it_is_is_answered_in_words() {
    why(Program::sqlite()).await;
    why(Program::postgres().await).await;
}

async fn story(program: Program) {
    let (program, id) = connected(program).await;
    let listed = program.json(&["connection", "list", "--account", "c-1", "--app", SLUG]);
    assert_eq!(
        (&listed[0]["id"], &listed[0]["status"]),
        (&id.as_str().into(), &"active".into())
    );
    assert!(program.ok(&["connection", "list"]).contains("c-1"));
    assert_eq!(
        program.json(&["connection", "list", "--status", "reauth_required"]),
        serde_json::json!([])
    );

    let shown = program.json(&["connection", "show", &id]);
    let (summary, object) = (listed[0].as_object().unwrap(), shown.as_object().unwrap());
    assert!(
        summary.iter().all(|(name, value)| object.get(name) == Some(value)),
        "{listed:#} is part of {shown:#}"
    );
    assert_eq!(object.len(), summary.len() + 1);
    assert_eq!(shown["timeline"][0]["event"], "connected");

    // Nothing listens there, and the guard would not let us ask: passing trouble, and no failure of the command.
    let checked = program.json(&["connection", "check", &id]);
    assert_eq!(checked["status"], "active");
    assert_eq!(
        program.json(&["connection", "list", "--status", "degraded"])[0]["id"],
        id.as_str()
    );

    let expired = program.json(&["connection", "expire", &id]);
    assert_eq!(
        (&expired["status"], &expired["reason"]),
        (&"reauth_required".into(), &"token_revoked".into())
    );
    let text = program.ok(&["connection", "show", &id]);
    assert!(
        text.contains("token_revoked") && text.contains("stated, by manual"),
        "{text}"
    );
    assert!(
        program
            .ok(&["connection", "list", "--status", "reauth_required"])
            .contains(&id)
    );

    assert!(program.fails(&["account", "delete", "c-1"]).contains("--yes"));
    let ended = program.json(&["connection", "disconnect", "--account", "c-1", "--app", SLUG]);
    assert_eq!(ended["disconnected"], 1);
    assert_eq!(program.json(&["connection", "show", &id])["status"], "disconnected");
    for verb in ["check", "expire"] {
        assert!(
            program
                .fails(&["connection", verb, &id])
                .contains("evergrant connection list")
        );
    }
    assert_eq!(program.json(&["connection", "disconnect", &id])["disconnected"], 0);
    let refused = program.fails(&["connection", "show", &id, "--env", "production"]);
    assert!(refused.contains("not found"), "another tenant's connection: {refused}");
}

#[tokio::test]
async fn connections_are_listed_shown_checked_expired_and_ended() {
    story(Program::sqlite()).await;
    story(Program::postgres().await).await;
}
