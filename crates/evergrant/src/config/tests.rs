//! Tables of good and bad settings.

use std::path::Path;

use super::settings::{SETTINGS, markdown};
use super::{Config, Environment, LogFormat, MasterKey};
use crate::db::Engine;

fn load(variables: &[(&str, &str)]) -> Result<Config, String> {
    in_file("", variables)
}

fn in_file(toml: &str, variables: &[(&str, &str)]) -> Result<Config, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("settings.toml");
    std::fs::write(&path, toml).unwrap();
    let environment: Environment = variables.iter().copied().collect();
    Config::load(&environment, Some(path)).map_err(|error| error.to_string())
}

#[test]
fn nothing_set_is_a_server_on_loopback_with_sqlite() {
    let config = load(&[]).unwrap();
    assert_eq!(config.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.public_url(config.listen).as_str(), "http://127.0.0.1:8080/");
    assert!(config.data_dir.is_absolute() && config.data_dir.ends_with("evergrant-data"));
    assert_eq!(config.engine, Engine::Sqlite);
    assert!(
        config
            .database_url
            .expose()
            .ends_with("/evergrant-data/evergrant.db?mode=rwc")
    );
    assert!(matches!(&config.master_key, MasterKey::Own(path) if path.ends_with("evergrant-data/master.key")));
    assert!(!config.sandbox && config.warnings.is_empty() && config.egress_allow.is_empty());
}

#[test]
fn the_environment_wins_over_the_file() {
    let toml = "listen = '0.0.0.0:1'\nlog_format = 'json'\nsandbox = true\negress_allow = ['a.test:1', 'b.test:2']\ndatabase_pool = 3";
    let config = in_file(
        toml,
        &[("EVERGRANT_LISTEN", "127.0.0.1:2"), ("EVERGRANT_LOG_FORMAT", "")],
    )
    .unwrap();
    assert_eq!(config.listen.to_string(), "127.0.0.1:2");
    assert_eq!(config.log_format, LogFormat::Json);
    assert!(config.sandbox);
    assert_eq!(config.egress_allow, ["a.test:1", "b.test:2"]);
    assert_eq!(config.database_pool, Some(3));
}

#[test]
fn a_wrong_value_names_setting_place_and_expectation() {
    for (env, value) in [
        ("EVERGRANT_LISTEN", "8080"),
        ("EVERGRANT_LISTEN", "localhost"),
        ("EVERGRANT_PUBLIC_URL", "connect.example.com"),
        ("EVERGRANT_PUBLIC_URL", "ftp://example.com"),
        ("EVERGRANT_PUBLIC_URL", "https://example.com/?a=b"),
        ("EVERGRANT_PUBLIC_URL", "https://example.com/#a"),
        ("EVERGRANT_PUBLIC_URL", "https://user@example.com/"),
        ("EVERGRANT_DATABASE_POOL", "1"),
        ("EVERGRANT_DATABASE_POOL", "many"),
        ("EVERGRANT_EGRESS_ALLOW", "127.0.0.1"),
        ("EVERGRANT_EGRESS_ALLOW", "127.0.0.1:0"),
        ("EVERGRANT_EGRESS_ALLOW", "http://127.0.0.1:80"),
        ("EVERGRANT_EGRESS_ALLOW", "127.0.0.1:80/path"),
        ("EVERGRANT_EGRESS_ALLOW", "*:80"),
        ("EVERGRANT_EGRESS_ALLOW", "a.test:1,b.test"),
        ("EVERGRANT_SANDBOX", "perhaps"),
        ("EVERGRANT_LOG", "evergrant=loud"),
        ("EVERGRANT_LOG_FORMAT", "xml"),
        ("EVERGRANT_PROBE_HOURS", "0"),
        ("EVERGRANT_PROBE_HOURS", "721"),
        ("EVERGRANT_PROBE_HOURS", "x"),
        ("EVERGRANT_DEBUG_STOP_AT", "somewhere"),
        ("EVERGRANT_DEBUG_LEASE_MS", "soon"),
    ] {
        let error = load(&[(env, value)]).unwrap_err();
        let expected = SETTINGS.iter().find(|setting| setting.env == env).unwrap().expected;
        assert!(
            error.contains(env) && error.contains(expected) && error.contains(value),
            "{env}={value}: {error}"
        );
    }
    let error = in_file("listen = true", &[]).unwrap_err();
    assert!(error.contains("`listen`") && error.contains("settings.toml"), "{error}");
}

#[test]
fn probes_are_a_day_apart_unless_so_many_hours_are_set() {
    let every = |variables: &[(&str, &str)]| load(variables).unwrap().probe_every.as_secs() / 3600;
    assert_eq!(every(&[]), 24);
    for hours in [1, 6, 720] {
        assert_eq!(every(&[("EVERGRANT_PROBE_HOURS", &hours.to_string())]), hours);
    }
    assert_eq!(in_file("probe_hours = 6", &[]).unwrap().probe_every.as_secs(), 6 * 3600);
}

#[test]
fn a_secret_is_not_shown_by_an_error() {
    let error = load(&[("EVERGRANT_DATABASE_URL", "mysql://u:hush@h/d")]).unwrap_err();
    assert!(
        error.contains("EVERGRANT_DATABASE_URL") && !error.contains("hush"),
        "{error}"
    );
    let error = in_file("listen = '127.0.0.1:1'\nmaster_key = 'hush\n", &[]).unwrap_err();
    assert!(error.contains("line 2") && !error.contains("hush"), "{error}");
    let config = load(&[
        ("EVERGRANT_MASTER_KEY", "hush"),
        ("EVERGRANT_DATABASE_URL", "postgres://u:hush@h/d"),
    ])
    .unwrap();
    assert!(!format!("{config:?}").contains("hush"));
}

#[test]
fn an_unknown_key_is_refused_and_an_unknown_variable_is_warned_of_and_both_name_the_near_one() {
    let error = in_file("public-url = 'http://localhost'", &[]).unwrap_err();
    assert!(
        error.contains("`public-url`") && error.contains("did you mean `public_url`"),
        "{error}"
    );
    let error = in_file("entirely_else = 1", &[]).unwrap_err();
    assert!(
        error.contains("`entirely_else`") && !error.contains("did you mean"),
        "{error}"
    );
    let warnings = load(&[("EVERGRANT_LISTN", "x")]).unwrap().warnings;
    assert!(warnings[0].contains("did you mean `EVERGRANT_LISTEN`"), "{warnings:?}");
}

#[test]
fn a_named_file_must_be_there() {
    let environment: Environment = [("EVERGRANT_CONFIG", "/nowhere/at/all.toml")].into_iter().collect();
    assert!(
        Config::load(&environment, None)
            .unwrap_err()
            .to_string()
            .contains("/nowhere/at/all.toml")
    );
}

#[test]
fn the_master_key_is_set_once() {
    let both = [("EVERGRANT_MASTER_KEY", "k"), ("EVERGRANT_MASTER_KEY_FILE", "f")];
    assert!(load(&both).unwrap_err().contains("only one"));
    let config = in_file("master_key_file = 'f'", &both[..1]).unwrap();
    assert!(matches!(config.master_key, MasterKey::Given(_)));
    let config = in_file("master_key = 'k'", &both[1..]).unwrap();
    assert!(matches!(&config.master_key, MasterKey::File(path) if path == Path::new("f")));
    let config = in_file("master_key_file = 'f'", &[]).unwrap();
    assert!(
        matches!(&config.master_key, MasterKey::File(path) if path.is_absolute()),
        "beside the settings file"
    );
}

#[test]
fn pairs_are_spelt_as_the_egress_guard_compares_them() {
    let config = load(&[("EVERGRANT_EGRESS_ALLOW", "LOCALHOST:80, [0:0::1]:9000,0x7f000001:443")]).unwrap();
    assert_eq!(config.egress_allow, ["localhost:80", "[::1]:9000", "127.0.0.1:443"]);
}

#[test]
fn the_sandbox_in_public_needs_a_second_word_and_plain_http_is_warned_of() {
    let public = ("EVERGRANT_PUBLIC_URL", "https://connect.example.com");
    let on = ("EVERGRANT_SANDBOX", "on");
    assert!(load(&[public, on]).unwrap_err().contains("EVERGRANT_SANDBOX_PUBLIC"));
    assert!(load(&[public, on, ("EVERGRANT_SANDBOX_PUBLIC", "on")]).unwrap().sandbox);
    assert!(load(&[("EVERGRANT_LISTEN", "0.0.0.0:80"), on]).is_ok());
    let plain = load(&[("EVERGRANT_PUBLIC_URL", "http://connect.example.com")]).unwrap();
    assert!(plain.warnings[0].contains("plain http"), "{:?}", plain.warnings);
}

#[test]
fn an_sqlite_file_is_created_unless_the_url_says_how_to_open_it() {
    for (given, meant) in [
        ("sqlite:a.db", "sqlite:a.db?mode=rwc"),
        ("sqlite://a.db?cache=shared", "sqlite://a.db?cache=shared&mode=rwc"),
        ("sqlite:a.db?mode=ro", "sqlite:a.db?mode=ro"),
        ("postgres://h/d", "postgres://h/d"),
    ] {
        assert_eq!(
            load(&[("EVERGRANT_DATABASE_URL", given)])
                .unwrap()
                .database_url
                .expose(),
            meant
        );
    }
    let config = load(&[("EVERGRANT_DATA_DIR", "/a folder/100%?")]).unwrap();
    assert_eq!(
        config.database_url.expose(),
        "sqlite:///a%20folder/100%25%3F/evergrant.db?mode=rwc"
    );
}

#[test]
fn the_operators_page_shows_the_table_of_the_code() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/OPERATING.md")).unwrap();
    assert!(
        page.contains(&markdown()),
        "docs/OPERATING.md must hold this table:\n{}",
        markdown()
    );
}
