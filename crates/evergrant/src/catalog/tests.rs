//! The built-in files, and what a custom one may and may not be.

use std::borrow::Cow;

use super::*;
use crate::reason::Verdict;
use crate::verdict::{Conclusion, Rule, fuzz, judge};

fn sandbox() -> url::Url {
    "http://127.0.0.1:8080/sandbox".parse().unwrap()
}

fn built_in() -> Catalog {
    Catalog::load(None, Some(&sandbox())).unwrap_or_else(|error| panic!("{error}"))
}

fn every_rule(catalog: &Catalog) -> Vec<(String, Rule, Rules)> {
    let owned = |name: &str, rules: &Rules| {
        let each = rules
            .0
            .iter()
            .map(|rule| (name.to_owned(), rule.clone(), rules.clone()));
        each.collect::<Vec<_>>()
    };
    let applications = catalog
        .inner
        .applications
        .iter()
        .flat_map(|(slug, app)| owned(slug, &app.rules));
    let providers = catalog
        .inner
        .providers
        .iter()
        .flat_map(|(name, rules)| owned(name, rules));
    applications.chain(providers).collect()
}

#[test]
fn every_rule_judges_its_examples_as_it_says_and_leaves_near_misses_alone() {
    for (owner, rule, rules) in every_rule(&built_in()) {
        assert!(
            rule.positive.len() >= 2,
            "{}: two positive examples are wanted",
            rule.name
        );
        assert!(!rule.near_miss.is_empty(), "{}: a near miss is wanted", rule.name);
        for example in &rule.positive {
            let judged = judge(&rule.observation(example), &rules);
            assert_eq!(judged.evidence.rule, rule.name, "{owner}: {example:?}");
            if let Conclusion::Fixed(verdict, reason) = rule.conclusion {
                assert_eq!(
                    (judged.verdict, judged.reason),
                    (verdict, reason),
                    "{owner}: {example:?}"
                );
            }
        }
        for example in &rule.near_miss {
            let judged = judge(&rule.observation(example), &rules);
            assert_ne!(judged.evidence.rule, rule.name, "{owner}: {example:?}");
        }
    }
}

#[test]
fn no_rule_matches_an_id_a_placeholder_or_a_whole_body() {
    let long_number = regex::Regex::new(r"\d{8,}|0000|AAAA|(?i)placeholder|example\.").unwrap();
    for (owner, rule, _) in every_rule(&built_in()) {
        let on = &rule.on;
        let pointed = on.pointer.values().map(ToString::to_string);
        for text in on.code.iter().chain(&on.text).cloned().chain(pointed) {
            assert!(!long_number.is_match(&text), "{owner}: {} matches `{text}`", rule.name);
            assert!(text.len() <= 60, "{owner}: {} matches a whole body", rule.name);
        }
    }
}

#[test]
fn rules_that_flag_say_why_when_the_status_speaks_of_passing_trouble() {
    for (owner, rule, _) in every_rule(&built_in()) {
        let passing = rule.on.status.iter().any(|status| *status >= 500 || *status == 429);
        let flags = !matches!(rule.conclusion, Conclusion::Fixed(verdict, _) if verdict != Verdict::Reauth);
        assert!(!(passing && flags), "{owner}: {}", rule.name);
    }
}

#[test]
fn the_corpus_is_judged_as_the_issue_demands() {
    let corpus = include_str!("../../tests/data/corpus/observations.jsonl");
    let catalog = built_in();
    let rules = |name: &str| Cow::Owned(catalog.rules_for(name).clone());
    let score = crate::verdict::corpus::judge_lines(corpus.as_bytes(), std::io::sink(), rules).unwrap();
    println!("{score}");
    assert_eq!(score.false_flags, 0, "{score}");
    assert_eq!(score.missed_flags, 0, "{score}");
    assert!(score.verdict_share() >= 0.99, "{score}");
    assert!(score.reason_share() >= 0.95, "{score}");
}

/// Our own set: providers and bodies that stand in neither the corpus nor the signals. Generic knowledge was mended against
/// it, so it guards against relapse and is no measure of the unseen.
#[test]
fn providers_without_rules_are_judged_by_generic_knowledge() {
    let own = include_str!("../../tests/data/heldout/observations.jsonl");
    let none = |_: &str| Cow::Owned(crate::verdict::Rules::NONE);
    let score = crate::verdict::corpus::judge_lines(own.as_bytes(), std::io::sink(), none).unwrap();
    println!("{score}");
    assert_eq!((score.false_flags, score.missed_flags), (0, 0), "{score}");
    assert!(score.verdict_share() >= 0.97, "{score}");
}

/// What looks like a death and is none, and deaths that are said differently.
#[test]
fn near_misses_and_unusual_deaths_are_told_apart_by_generic_knowledge() {
    let attacks = include_str!("../../tests/data/attacks/observations.jsonl");
    let none = |_: &str| Cow::Owned(crate::verdict::Rules::NONE);
    let score = crate::verdict::corpus::judge_lines(attacks.as_bytes(), std::io::sink(), none).unwrap();
    println!("{score}");
    assert!(score.entries >= 100 && score.unread == 0, "{score}");
    assert_eq!((score.false_flags, score.missed_flags), (0, 0), "{score}");
    assert!(score.wrong.is_empty(), "{score}");
}

/// The seeds of the fuzz entry, whole, cut and mangled, without rules and with those of every application.
#[test]
fn the_seeds_of_the_fuzz_entry_keep_the_promises() {
    const STEP: usize = 7;
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/fuzz");
    let every = Rules(every_rule(&built_in()).into_iter().map(|(_, rule, _)| rule).collect());
    let mut seeds = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let seed = std::fs::read(file.unwrap().path()).unwrap();
        fuzz::check(&seed, &every);
        for at in (0..seed.len()).step_by(STEP) {
            fuzz::check(&seed[..at], &Rules::NONE);
            let mut mangled = seed.clone();
            mangled[at] ^= 1 << (at % 8);
            fuzz::check(&mangled, &Rules::NONE);
        }
        seeds += 1;
    }
    assert!(seeds >= 20);
    for part in [
        "[",
        "{\"error\":",
        "<a>",
        "error=invalid_grant&",
        "\u{e9}",
        "token revoked ",
    ] {
        let long = format!("oauth2 refresh 503\n\n{}", part.repeat(70_000 / part.len()));
        fuzz::check(long.as_bytes(), &Rules::NONE);
    }
}

/// The generic OAuth application of docs/CATALOG.md.
fn example(heading: &str) -> String {
    let page = include_str!("../../../../docs/CATALOG.md");
    let section = page.split(heading).nth(1).expect("the page has that heading");
    section
        .split("```toml")
        .nth(1)
        .and_then(|rest| rest.split("```").next())
        .unwrap()
        .to_owned()
}

fn load_custom(files: &[(&str, &str)]) -> Result<Catalog, CatalogError> {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    Catalog::load(Some(folder.path()), None)
}

fn refusal(files: &[(&str, &str)]) -> String {
    let error = load_custom(files).unwrap_err();
    format!("{} {}", error.path.file_name().unwrap().to_string_lossy(), error.error)
}

const KEY_APP: &str = r#"
slug = "acme"
name = "Acme"
description = "Things"
[api]
base_url = "https://api.acme.example"
[keybased]
input = [{ name = "key", label = "Key" }]
placement = [{ kind = "bearer", token = "{key}" }]
"#;

#[test]
fn no_application_may_fill_the_whole_sweep() {
    let with = |at_once: u32| format!("{KEY_APP}\n[refresh]\nat_once = {at_once}\n");
    assert!(load_custom(&[("acme.toml", &with(128))]).is_ok());
    assert_eq!(
        refusal(&[("acme.toml", &with(129))]),
        "acme.toml field `refresh.at_once`: at most 128, or an application that hangs would stop the refreshes of all others"
    );
    assert!(refusal(&[("acme.toml", &with(0))]).contains("at least 1"));
}

#[test]
fn the_catalogue_has_the_first_applications_sorted_by_name() {
    let slugs: Vec<_> = built_in().all().iter().map(|app| app.slug.clone()).collect();
    let wanted = [
        "copper",
        "github",
        "google-drive",
        "hubspot",
        "intercom",
        "pipedrive",
        "salesforce",
        "sandbox-oauth",
        "sandbox-key",
        "shopify",
        "slack",
        "stripe",
        "twilio",
        "zoom",
    ];
    assert_eq!(slugs, wanted);
}

#[test]
fn without_a_sandbox_its_applications_do_not_exist() {
    let catalog = Catalog::load(None, None).unwrap();
    assert!(catalog.get("sandbox-oauth").is_none() && catalog.get("sandbox-key").is_none());
    assert!(catalog.get("slack").is_some());
}

#[test]
fn the_sandboxs_addresses_begin_with_its_origin() {
    let catalog = built_in();
    let scheme = catalog.get("sandbox-oauth").unwrap().oauth2.as_ref().unwrap();
    assert_eq!(
        scheme.authorization_url,
        "http://127.0.0.1:8080/sandbox/oauth/authorize"
    );
    let key = catalog.get("sandbox-key").unwrap();
    let base = key.api_base(AuthType::Keybased, &BTreeMap::new(), None).unwrap();
    let probe = key.keybased.as_ref().unwrap().probe.as_ref().unwrap();
    let address = probe
        .address(&base, key.inputs(AuthType::Keybased), &BTreeMap::new())
        .unwrap();
    assert_eq!(address.as_str(), "http://127.0.0.1:8080/sandbox/sms/me");
}

#[test]
fn every_built_in_address_is_https() {
    let catalog = Catalog::load(None, None).unwrap();
    for app in catalog.all() {
        let scheme = app.oauth2.iter().flat_map(|s| [&s.authorization_url, &s.token_url]);
        for address in scheme.chain([&app.api.base_url]) {
            assert!(address.starts_with("https://"), "{}: {address}", app.slug);
        }
    }
}

#[test]
fn coppers_form_is_the_one_of_the_contract() {
    let catalog = built_in();
    let copper = catalog.get("copper").unwrap();
    let wanted = serde_json::json!([
        { "name": "api_token", "label": "API Key", "type": "text", "required": true, "placeholder": "Please enter the API key" },
        { "name": "email", "label": "Email Address", "type": "text", "required": true,
          "placeholder": "Please enter the email of the token owner" },
    ]);
    assert_eq!(serde_json::to_value(copper.auth_input_map()).unwrap(), wanted);
    assert_eq!(
        serde_json::to_value(copper.auth_type_options()).unwrap(),
        serde_json::json!({ "keybased": wanted })
    );
    assert!(copper.auth_input_map()[0].secret && !copper.auth_input_map()[1].secret);
}

#[test]
fn a_plain_oauth_application_asks_nothing_and_takes_tokens() {
    let catalog = built_in();
    let slack = catalog.get("slack").unwrap();
    assert_eq!(
        serde_json::to_value(slack.auth_type_options()).unwrap(),
        serde_json::json!({ "oauth2": [] })
    );
    let optional = serde_json::json!({ "type": "string", "required": false });
    let wanted = serde_json::json!({ "oauth2": { "access_token": optional, "refresh_token": optional } });
    assert_eq!(serde_json::to_value(slack.auth_structure()).unwrap(), wanted);
    let twilio = serde_json::json!({ "keybased": { "auth_token": "string", "number": "string", "sid": "string" } });
    assert_eq!(
        serde_json::to_value(catalog.get("twilio").unwrap().auth_structure()).unwrap(),
        twilio
    );
}

#[test]
fn an_application_continues_in_its_providers_rules_and_aliases_name_the_provider() {
    let catalog = built_in();
    assert_eq!(catalog.rules_for("google-drive"), catalog.rules_for("google"));
    assert_eq!(catalog.rules_for("gmail"), catalog.rules_for("google"));
    assert!(!catalog.rules_for("microsoft").0.is_empty());
    assert!(catalog.rules_for("nobody").0.is_empty());
}

#[test]
fn salesforces_api_is_where_the_token_reply_says_under_its_own_suffix_only() {
    let catalog = built_in();
    let app = catalog.get("salesforce").unwrap();
    for (named, wanted) in [
        ("https://acme.my.salesforce.com", "https://acme.my.salesforce.com/"),
        ("https://acme.my.salesforce.com/", "https://acme.my.salesforce.com/"),
        ("http://acme.my.salesforce.com", "https://login.salesforce.com/"),
        ("https://evilsalesforce.com", "https://login.salesforce.com/"),
        ("https://salesforce.com.evil.example", "https://login.salesforce.com/"),
        ("https://u:p@acme.my.salesforce.com", "https://login.salesforce.com/"),
        ("https://acme.my.salesforce.com:8443", "https://login.salesforce.com/"),
    ] {
        let reply = serde_json::json!({ "instance_url": named });
        let base = app.api_base(AuthType::OAuth2, &BTreeMap::new(), Some(&reply)).unwrap();
        assert_eq!(base.as_str(), wanted, "{named}");
    }
}

#[test]
fn credentials_are_placed_as_the_file_says_and_values_are_not_templates() {
    let values = BTreeMap::from([("sid", "{auth_token}"), ("auth_token", "t")]);
    let catalog = built_in();
    let placement = &catalog.get("twilio").unwrap().keybased.as_ref().unwrap().placement[0];
    let Some(Placed::Header(name, value)) = placement.place(&|name| values.get(name).copied()) else {
        panic!("a header is wanted")
    };
    // {auth_token}:t
    assert_eq!((name, value.expose()), ("authorization", "Basic e2F1dGhfdG9rZW59OnQ="));
    assert!(placement.place(&|_| None).is_none());
}

#[test]
fn the_examples_of_the_guide_load() {
    let oauth = example("## An OAuth application");
    let key = example("## A key application");
    let provider = example("## A provider file");
    let files = [
        ("ledgerly.toml", &*oauth),
        ("parcelhub.toml", &*key),
        ("providers/ledgerly.toml", &*provider),
    ];
    let catalog = load_custom(&files).unwrap_or_else(|error| panic!("{error}"));
    let ledgerly = catalog.get("ledgerly").unwrap();
    assert!(ledgerly.custom && !ledgerly.rules.0.is_empty());
    let values = BTreeMap::from([("subdomain".to_owned(), "acme".to_owned())]);
    let scheme = ledgerly.oauth2.as_ref().unwrap();
    let address = expand(&scheme.token_url, &scheme.inputs, &values).unwrap();
    assert_eq!(address.as_str(), "https://acme.ledgerly.example/oauth/token");
    for rule in &ledgerly.rules.0 {
        for positive in &rule.positive {
            assert_eq!(
                judge(&rule.observation(positive), &ledgerly.rules).evidence.rule,
                rule.name
            );
        }
    }
}

#[test]
fn a_custom_file_may_speak_http_to_loopback_only() {
    for (origin, fine) in [
        ("http://127.0.0.1:9", true),
        ("http://localhost:9", true),
        ("http://localhost.evil.example", false),
        ("http://10.0.0.1", false),
    ] {
        let text = KEY_APP.replace("https://api.acme.example", origin);
        assert_eq!(load_custom(&[("acme.toml", &text)]).is_ok(), fine, "{origin}");
    }
}

#[test]
fn a_mistake_names_its_file_and_field() {
    for (name, text, wanted) in mistakes().into_iter().chain(mistakes_of_meaning()) {
        let said = refusal(&[(name, &text)]);
        assert!(said.starts_with(name) && said.contains(wanted), "{name}: {said}");
    }
}

type Mistake = (&'static str, String, &'static str);

fn mistakes() -> Vec<Mistake> {
    let with = |from: &str, to: &str| KEY_APP.replace(from, to);
    vec![
        (
            "slack.toml",
            with("acme\"\nname", "slack\"\nname"),
            "field `slug`: an application of this slug exists already",
        ),
        (
            "acme.toml",
            with("slug = \"acme\"", "slug = \"workflow\""),
            "field `slug`: this word is reserved",
        ),
        (
            "acme.toml",
            with("slug = \"acme\"", "slug = \"Acme\""),
            "field `slug`: lower-case",
        ),
        (
            "other.toml",
            KEY_APP.to_owned(),
            "field `slug`: the file is named after its slug",
        ),
        (
            "acme.toml",
            with("name = \"Acme\"", "name = \"\""),
            "field `name`: must not be empty",
        ),
        (
            "acme.toml",
            with("description", "descriptoin"),
            "unknown field `descriptoin`",
        ),
    ]
}

fn mistakes_of_meaning() -> Vec<Mistake> {
    let with = |from: &str, to: &str| KEY_APP.replace(from, to);
    vec![
        (
            "acme.toml",
            with("{key}", "{kee}"),
            "field `keybased.placement`: `{kee}` is no field",
        ),
        (
            "acme.toml",
            with("api.acme.example", "{key}.example"),
            "field `api.base_url`",
        ),
        (
            "acme.toml",
            with(".example\"", ".example/\""),
            "field `api.base_url`: no slash",
        ),
        (
            "acme.toml",
            with("name = \"key\"", "name = \"access_token\""),
            "is used by the server itself",
        ),
        (
            "acme.toml",
            with("[api]", "provider = \"nobody\"\n[api]"),
            "field `provider`: there is no such",
        ),
        (
            "acme.toml",
            with("[api]", "[lifetimes]\ngrace = \"5 days\"\n[api]"),
            "is no duration",
        ),
        (
            "acme.toml",
            format!("{KEY_APP}\n[[rule]]\nname = \"slack.x\"\nsource = \"s\"\ncode = [\"x\"]\nverdict = \"ok\""),
            "must begin with the slug",
        ),
    ]
}

#[test]
fn pkce_is_switched_off_only_with_a_source() {
    let oauth = "slug = \"acme\"\nname = \"A\"\ndescription = \"d\"\n[api]\nbase_url = \"https://a.acme.example\"\n[oauth2]\n\
        authorization_url = \"https://a.acme.example/a\"\ntoken_url = \"https://a.acme.example/t\"\npkce = false\n";
    assert!(refusal(&[("acme.toml", oauth)]).contains("field `oauth2.pkce`: PKCE is always used"));
    for hearsay in ["", "somebody said so", "docs.acme.example/pkce", "file:///pkce"] {
        let file = format!("{oauth}pkce_source = \"{hearsay}\"\n");
        let refused = refusal(&[("acme.toml", &file)]);
        assert!(refused.contains("field `oauth2.pkce_source`"), "{hearsay}: {refused}");
    }
}
