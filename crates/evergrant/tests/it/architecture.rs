//! The shape of the code, as `docs/ARCHITECTURE.md` draws it: what extra crates would have bought, in one page.

use std::path::{Path, PathBuf};

/// Every module and what it may import, besides what stands in the rows above it. A row is a layer; modules of one
/// layer do not import each other unless [`BESIDE`] says so. `lib.rs` is the same map.
const LAYERS: &[&[&str]] = &[
    &["clock", "error", "ids", "reason", "secret", "steps"],
    &["db", "egress", "flights", "ledger", "pace", "tasks", "vault"],
    &["verdict"],
    &["catalog"],
    &["app"],
    &["tenants"],
    &["links"],
    &["webhooks", "accounts"],
    &["incidents"],
    &["connections", "sessions"],
    &["clients"],
    &["probes"],
    &["refresh"],
    &["authorize", "notices", "proxy"],
    &["http", "jobs", "sandbox"],
    &["demo"],
    &["config"],
    &["cli"],
];

/// Imports within a layer: words say each other, and the three kinds of work end in one another (keys that are saved
/// are probed, a probe refreshes first, a refresh reads replies as the callback does).
const BESIDE: &[(&str, &[&str])] = &[("ids", &["clock", "secret"]), ("error", &["clock", "ids", "reason"])];

/// What only edges may know. Everything else can be called without a server.
const EDGES: &[&str] = &["http", "jobs", "sandbox", "demo", "config", "cli"];

/// Where SQL may stand.
const SQL: &[&str] = &["store.rs", "lease.rs", "outbox.rs", "endpoints.rs"];

/// Longer than they should be today; they may only get shorter.
const TOO_LONG: &[(&str, usize)] = &[];

/// Functions of the stores that no test calls by name, and the tests that run them on both engines.
const REACHED: &[(&str, &str)] = &[
    ("account_switch", "flows/account.rs: the policy"),
    ("append_timeline", "every connection that is stored: api/connected.rs"),
    ("audit", "every test: a key is created"),
    ("data_keys", "every test: a tenant's values are sealed"),
    ("due_of_all_tenants", "flows: the sweep"),
    ("erase_evidence", "api/checklist.rs: disconnecting"),
    ("find_key", "every call with a key"),
    ("forget", "flows: disconnecting while consent is asked"),
    ("held_until", "flows: a second caller waits for the first"),
    ("hold", "every connection that is stored: api/connected.rs"),
    ("hold_live", "every connection that is stored: api/connected.rs"),
    ("insert_data_key", "every test: an organisation is created"),
    ("insert_environment", "every test: an organisation is created"),
    ("insert_key", "every test: a key is created"),
    ("insert_organisation", "every test: an organisation is created"),
    ("insert_waiting", "flows/account.rs: a decision is asked for"),
    (
        "live_of_application",
        "api/hostile/strangers.rs: an OAuth client is removed",
    ),
    ("of_account", "api/checklist.rs: applications are read"),
    ("open_by_token", "api/hostile/places.rs: the start page"),
    ("postpone", "flows: a provider that is down"),
    ("release", "flows: a refresh that need not send"),
    ("save", "every connection that is stored: api/connected.rs"),
    ("save_beside", "flows: a check, a team that removes its client"),
    ("sealed_key", "flows/delivery.rs: signing"),
    ("set_account_switch", "flows/account.rs: the policy"),
    (
        "take_all_of_application",
        "api/hostile/strangers.rs: an OAuth client is removed",
    ),
    ("take_by_state", "flows: the callback"),
    ("take_waiting", "flows/account.rs: a customer decides"),
    ("timeline", "api/checklist.rs: a connection that expires is shown"),
    ("try_again", "api/hostile/world.rs: an OAuth client is set"),
    ("worked", "api/proxy: every call that succeeds"),
    ("upsert", "api/hostile/world.rs: an OAuth client is set"),
];

struct Source {
    /// Below `src`, with slashes.
    path: String,
    text: String,
}

impl Source {
    fn module(&self) -> &str {
        let first = self.path.split('/').next().unwrap();
        first.trim_end_matches(".rs")
    }

    fn file(&self) -> &str {
        self.path.rsplit('/').next().unwrap()
    }

    /// Whether it is compiled for tests only.
    fn is_test(&self) -> bool {
        matches!(self.file(), "tests.rs" | "judged.rs" | "corpus.rs")
    }

    /// The program, without unit tests and comments.
    fn code(&self) -> String {
        let program = self.text.split("#[cfg(test)]\nmod tests {").next().unwrap();
        let lines = program.lines().filter(|line| !line.trim_start().starts_with("//"));
        lines.collect::<Vec<_>>().join("\n")
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn sources(folder: &str) -> Vec<Source> {
    let base = root().join(folder);
    let (mut all, mut folders) = (Vec::new(), vec![base.clone()]);
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|kind| kind == "rs") {
                all.push(Source {
                    path: path.strip_prefix(&base).unwrap().to_str().unwrap().replace('\\', "/"),
                    text: std::fs::read_to_string(&path).unwrap(),
                });
            }
        }
    }
    all.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(!all.is_empty(), "{folder} holds no sources");
    all
}

fn service() -> Vec<Source> {
    sources("crates/evergrant/src")
}

fn layer(module: &str) -> usize {
    let found = LAYERS.iter().position(|layer| layer.contains(&module));
    found.unwrap_or_else(|| panic!("`{module}` has no place in the map of tests/it/architecture.rs"))
}

/// The modules that a text imports.
fn imports(code: &str) -> Vec<String> {
    let word = |rest: &str| {
        rest.chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect::<String>()
    };
    code.split("crate::")
        .skip(1)
        .map(word)
        .filter(|module| !module.is_empty())
        .collect()
}

#[test]
fn imports_point_downwards() {
    let mut wrong = Vec::new();
    for source in service() {
        let module = source.module();
        if matches!(module, "lib" | "main") || source.is_test() {
            continue;
        }
        for used in imports(&source.code()) {
            let beside = BESIDE
                .iter()
                .any(|(from, to)| *from == module && to.contains(&used.as_str()));
            if used != module && layer(&used) >= layer(module) && !beside {
                wrong.push(format!("{} imports {used}", source.path));
            }
        }
    }
    assert!(wrong.is_empty(), "imports must point downwards:\n{}", wrong.join("\n"));
}

#[test]
fn the_map_of_lib_rs_names_every_module_of_this_map_and_no_other() {
    let lib = std::fs::read_to_string(root().join("crates/evergrant/src/lib.rs")).unwrap();
    let named = lib
        .lines()
        .filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'));
    let mut named: Vec<_> = named.collect();
    let mut known: Vec<_> = LAYERS.iter().copied().flatten().copied().collect();
    named.sort_unstable();
    known.sort_unstable();
    assert_eq!(named, known);
}

#[test]
fn only_edges_know_axum() {
    for source in service()
        .iter()
        .filter(|source| !EDGES.contains(&source.module()) && !source.is_test())
    {
        assert!(!source.code().contains("axum::"), "{} must not know axum", source.path);
    }
}

#[test]
fn only_egress_makes_requests() {
    for source in service()
        .iter()
        .filter(|source| source.module() != "egress" && !source.is_test())
    {
        for client in ["reqwest", "hyper_util::client", "hyper::client", "TcpStream::connect"] {
            assert!(
                !source.code().contains(client),
                "{} must send through egress, not {client}",
                source.path
            );
        }
    }
}

#[test]
fn the_protocol_crate_knows_neither_us_nor_the_world() {
    for source in sources("crates/evergrant-oauth/src") {
        for outside in ["evergrant::", "axum", "sqlx", "reqwest", "tokio", "SystemTime::now"] {
            assert!(
                !source.code().contains(outside),
                "{} must not use {outside}",
                source.path
            );
        }
    }
}

#[test]
fn sql_stands_in_stores_only() {
    for source in service()
        .iter()
        .filter(|source| source.module() != "db" && !source.is_test())
    {
        let allowed = SQL.contains(&source.file());
        for call in ["sqlx::query", "sqlx::raw_sql", "query_as(", "query_scalar("] {
            assert!(
                allowed || !source.code().contains(call),
                "{} must not hold SQL",
                source.path
            );
        }
    }
}

#[test]
fn files_stay_short() {
    let limit = |source: &Source, tests: bool| {
        let known = TOO_LONG.iter().find(|(path, _)| *path == source.path);
        known.map_or(if tests { 700 } else { 400 }, |(_, most)| *most)
    };
    let mut wrong = Vec::new();
    for (folder, all_tests) in [
        ("crates/evergrant/src", false),
        ("crates/evergrant-oauth/src", false),
        ("crates/evergrant/tests", true),
    ] {
        for source in sources(folder) {
            let (lines, most) = (
                source.text.lines().count(),
                limit(&source, all_tests || source.is_test()),
            );
            if lines > most {
                wrong.push(format!("{folder}/{}: {lines} lines, at most {most}", source.path));
            }
        }
    }
    for (path, most) in TOO_LONG {
        let source = service().into_iter().find(|source| source.path == *path);
        let lines = source.map_or(0, |source| source.text.lines().count());
        if lines <= 400 {
            wrong.push(format!(
                "{path} is short enough now ({lines} of {most}): take it off the list"
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_module_is_named_after_nothing() {
    for folder in ["crates/evergrant/src", "crates/evergrant-oauth/src"] {
        for source in sources(folder) {
            for part in source.path.trim_end_matches(".rs").split('/') {
                let says_nothing = matches!(
                    part,
                    "utils" | "util" | "common" | "helpers" | "helper" | "types" | "core" | "misc"
                );
                assert!(!says_nothing, "{folder}/{}: a name says what is in it", source.path);
            }
        }
    }
}

#[test]
fn nothing_unwraps_outside_of_tests() {
    for folder in ["crates/evergrant/src", "crates/evergrant-oauth/src"] {
        for source in sources(folder).iter().filter(|source| !source.is_test()) {
            assert!(!source.code().contains(".unwrap()"), "{folder}/{} unwraps", source.path);
        }
    }
}

#[test]
fn every_function_of_a_store_runs_on_both_engines_in_a_test() {
    let called: String = sources("crates/evergrant/tests")
        .into_iter()
        .map(|source| source.text)
        .collect();
    let is_called = |name: &str| called.contains(&format!("{name}(")) || called.contains(&format!("{name},"));
    let stores = service();
    let stores = stores.iter().filter(|source| SQL.contains(&source.file()));
    let mut functions: Vec<String> = Vec::new();
    for source in stores {
        let names = source.text.split("pub async fn ").skip(1);
        functions.extend(names.map(|rest| rest.split(['(', '<']).next().unwrap().to_owned()));
    }
    assert!(
        functions.len() > 60,
        "only {} store functions were found",
        functions.len()
    );
    let reached = |name: &str| REACHED.iter().any(|(known, _)| *known == name);
    let mut untried: Vec<_> = functions
        .iter()
        .filter(|name| !is_called(name) && !reached(name))
        .collect();
    untried.dedup();
    assert!(
        untried.is_empty(),
        "no test calls {untried:?}; write one in tests/it/store, on both engines"
    );
    for (name, by) in REACHED {
        assert!(
            functions.iter().any(|known| known == name),
            "`{name}` ({by}) is no function of a store any more"
        );
    }
}
