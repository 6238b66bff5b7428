use super::*;

const PLAIN: &str = "https://{subdomain}.example.com/oauth/token";

fn declared() -> Vec<Variable> {
    let one_of = ["eu", "us", "na1.eu", "team a"].map(str::to_owned).to_vec();
    [
        ("subdomain", Rule::Plain),
        ("b", Rule::Plain),
        ("region", Rule::OneOf(one_of)),
        ("zone", Rule::Pattern),
    ]
    .map(|(name, rule)| Variable {
        name: name.to_owned(),
        rule,
    })
    .to_vec()
}

fn template(text: &str) -> UrlTemplate {
    UrlTemplate::parse(text, &declared()).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn filled(text: &str, values: &[(&str, &str)]) -> Result<String, TemplateError> {
    filled_by(text, values, &no_patterns)
}

fn filled_by(
    text: &str,
    values: &[(&str, &str)],
    matches: &dyn Fn(&str, &str) -> bool,
) -> Result<String, TemplateError> {
    let values = values
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    template(text).expand(&values, matches).map(String::from)
}

#[test]
fn a_variable_is_filled_in_and_lower_cased_in_the_host() {
    let label_63 = "a".repeat(63);
    for (value, host) in [
        ("acme", "acme"),
        ("xn--mnchen-3ya", "xn--mnchen-3ya"),
        ("Acme-2", "acme-2"),
        ("0", "0"),
        ("a", "a"),
        (&label_63, &label_63),
    ] {
        let expected = format!("https://{host}.example.com/oauth/token");
        assert_eq!(filled(PLAIN, &[("subdomain", value)]).unwrap(), expected);
    }
}

/// What hostile customers send, wherever it is put.
const HOSTILE: [&str; 50] = [
    "",
    " ",
    ".",
    "..",
    "-",
    "-a",
    "a-",
    "a b",
    " a",
    "a ",
    "a.b",
    "a.",
    ".a",
    "a_b",
    "a,b",
    "a;b",
    "a'b",
    "a\"b",
    "a<b",
    "evil.com/",
    "evil.com#",
    "evil.com?",
    "evil.com\\",
    "evil.com%2f",
    "evil.com:443/",
    "x@evil.com",
    "x:y@evil.com",
    "evil.com/@",
    "evil.com&",
    "a/b",
    "a\\b",
    "a?b",
    "a#b",
    "a%b",
    "a%2eb",
    "a:80",
    "[::1]",
    "127.0.0.1",
    "a\tb",
    "a\nb",
    "a\r\nHost: evil",
    "a\0",
    "\u{e9}",
    "a\u{3002}evil",
    "a\u{ff0e}evil",
    "a\u{2044}b",
    "\u{212a}",
    "a\u{200b}",
    "{subdomain}",
    "xn--",
];

#[test]
fn no_hostile_value_is_taken_for_a_label() {
    let long = "a".repeat(64);
    for value in HOSTILE.into_iter().chain([long.as_str()]) {
        for text in [
            PLAIN,
            "https://api-{subdomain}-x.example.com",
            "https://{subdomain}.{b}.example.com/",
        ] {
            let result = filled(text, &[("subdomain", value), ("b", "b")]);
            let refused = matches!(result, Err(TemplateError::Refused(_) | TemplateError::Unfit));
            assert!(refused, "{text} {value:?} {result:?}");
        }
    }
}

#[test]
fn whatever_a_pattern_lets_through_the_host_stays_below_the_suffix() {
    let suffix = ".example.com";
    for value in HOSTILE {
        let result = filled_by("https://{zone}.example.com:8443/t?q=1", &[("zone", value)], &|_, _| {
            true
        });
        let Ok(text) = result else { continue };
        let url = Url::parse(&text).unwrap();
        let host = url.host_str().unwrap();
        assert_eq!(host, format!("{value}{suffix}"), "{value:?}");
        assert_eq!(
            (url.port(), url.path(), url.query(), url.username()),
            (Some(8443), "/t", Some("q=1"), "")
        );
    }
}

#[test]
fn a_pattern_may_allow_several_labels_but_is_asked_with_name_and_lower_cased_value() {
    let text = "https://{zone}.example.com/";
    let matcher = |name: &str, value: &str| name == "zone" && value == "na1.eu";
    assert_eq!(
        filled_by(text, &[("zone", "NA1.eu")], &matcher).unwrap(),
        "https://na1.eu.example.com/"
    );
    let refused = Err(TemplateError::Refused("zone".to_owned()));
    assert_eq!(filled_by(text, &[("zone", "na2.eu")], &matcher), refused);
    assert_eq!(filled(text, &[("zone", "na1")]), refused, "no pattern, no value");
}

#[test]
fn a_list_allows_its_own_values_only() {
    let text = "https://{region}.example.com/{region}";
    assert_eq!(filled(text, &[("region", "eu")]).unwrap(), "https://eu.example.com/eu");
    assert_eq!(
        filled("https://{region}.example.com/", &[("region", "Na1.EU")]).unwrap(),
        "https://na1.eu.example.com/"
    );
    for value in ["de", "EU", "", "team a", "team%20a"] {
        assert_eq!(
            filled(text, &[("region", value)]),
            Err(TemplateError::Refused("region".to_owned())),
            "{value}"
        );
    }
    assert_eq!(
        filled("https://example.com/{region}", &[("region", "team a")]).unwrap(),
        "https://example.com/team%20a"
    );
}

#[test]
fn a_path_variable_is_one_encoded_segment() {
    let text = "https://login.example.com/{b}/oauth2/v2.0/token?p=1";
    for (value, segment) in [
        ("common", "common"),
        ("A b", "A%20b"),
        ("a/../../b", "a%2F..%2F..%2Fb"),
        ("..\\x", "..%5Cx"),
        ("%2e%2e", "%252e%252e"),
        ("x?y#z", "x%3Fy%23z"),
        ("@evil.com", "%40evil.com"),
        ("\u{e9}", "%C3%A9"),
        ("...", "..."),
    ] {
        let expected = format!("https://login.example.com/{segment}/oauth2/v2.0/token?p=1");
        assert_eq!(filled(text, &[("b", value)]).unwrap(), expected, "{value:?}");
    }
    let (longest, long) = ("a".repeat(255), "a".repeat(256));
    assert!(filled(text, &[("b", &longest)]).is_ok());
    for value in ["", ".", "..", "a\nb", "a\0", "\u{85}", &long] {
        assert_eq!(
            filled(text, &[("b", value)]),
            Err(TemplateError::Refused("b".to_owned())),
            "{value:?}"
        );
    }
}

#[test]
fn dots_that_only_together_climb_out_of_the_path_are_refused() {
    for (text, value) in [
        ("https://example.com/a/.{b}/token", "."),
        ("https://example.com/a/{b}./token", "."),
    ] {
        assert!(filled(text, &[("b", value)]).is_err(), "{text}");
    }
    // The parser reads `%2e` as a dot; encoding the percent sign keeps it a name.
    let kept = filled("https://example.com/a/.{b}/token", &[("b", "%2e")]).unwrap();
    assert_eq!(kept, "https://example.com/a/.%252e/token");
}

#[test]
fn values_that_are_fine_alone_but_not_together_do_not_fit() {
    let label = "a".repeat(63);
    assert_eq!(
        filled("https://x{subdomain}.example.com/", &[("subdomain", &label)]),
        Err(TemplateError::Unfit)
    );
    let (fits, long) = (["aa"; 80].join("."), ["aa"; 81].join("."));
    let text = "https://{zone}.example.com/";
    assert!(
        filled_by(text, &[("zone", &fits)], &|_, _| true).is_ok(),
        "{} characters",
        fits.len() + 12
    );
    assert_eq!(
        filled_by(text, &[("zone", &long)], &|_, _| true),
        Err(TemplateError::Unfit)
    );
}

#[test]
fn a_missing_value_is_named_and_no_error_repeats_a_value() {
    assert_eq!(
        filled(PLAIN, &[("b", "x")]),
        Err(TemplateError::Missing("subdomain".to_owned()))
    );
    let refused = filled(PLAIN, &[("subdomain", "canary/")]).unwrap_err();
    assert!(!format!("{refused} {refused:?}").contains("canary"));
}

#[test]
fn literal_addresses_pass_through_ports_and_all() {
    for text in [
        "https://example.com/oauth/token",
        "http://127.0.0.1:9000/token",
        "http://localhost:9000/token",
        "https://[::1]:8443/token",
        "https://[::1]/token",
        "https://example.com:443/a?b=c%20d&e",
        "http://example.com:80/",
        "https://example.com",
    ] {
        let url = template(text).expand(&BTreeMap::new(), &no_patterns).unwrap();
        assert_eq!(url, Url::parse(text).unwrap());
    }
}

#[test]
fn the_scheme_is_the_templates() {
    let values = [("subdomain", "acme")];
    assert!(
        filled("https://{subdomain}.example.com", &values)
            .unwrap()
            .starts_with("https://acme.")
    );
    assert!(
        filled("http://{subdomain}.example.com", &values)
            .unwrap()
            .starts_with("http://acme.")
    );
}

#[test]
fn a_host_that_a_customer_could_own_is_no_template() {
    for text in [
        "https://{subdomain}",
        "https://{subdomain}/x.example.com",
        "https://{subdomain}:443/",
        "https://{subdomain}.com/",
        "https://{subdomain}.localhost:8080/",
        "https://{subdomain}example.com/",
        "https://{subdomain}-example.com/",
        "https://login.example.{subdomain}/",
        "https://example.com.{subdomain}",
        "https://{subdomain}.example.com.{b}/",
        "https://{subdomain}..com/",
        "https://{subdomain}.example.com./",
        "https://{subdomain}.1.2/",
        "https://{subdomain}.0.0.1/",
        "https://{subdomain}.example..com/",
        "https://{region}/",
        "https://{zone}/",
    ] {
        assert!(UrlTemplate::parse(text, &declared()).is_err(), "{text}");
    }
    for text in [
        "https://{subdomain}-api.example.com/",
        "https://{subdomain}.x.example.com/",
        "https://{b}{b}.a.bc/",
    ] {
        assert!(UrlTemplate::parse(text, &declared()).is_ok(), "{text}");
    }
}

#[test]
fn a_template_that_says_something_else_than_it_seems_is_refused() {
    for text in [
        "",
        "example.com",
        "//example.com/",
        "ftp://example.com/",
        "HTTPS://example.com/",
        "https:example.com",
        "{subdomain}://example.com/",
        "https://user@example.com/",
        "https://user:pass@example.com/",
        "https://{subdomain}@example.com/",
        "https://example.com:{b}/",
        "https://example.com:99999/",
        "https://example.com:0/",
        "https://example.com:+80/",
        "https://example.com:/",
        "https://example.com/#x",
        "https://example.com/?q={b}",
        "https://example.com/../a",
        "https://example.com/a/%2e%2e/b",
        "https://example.com\\@evil.com/",
        "https://example.com/a b",
        "https://exa\tmple.com/",
        "https://example.com/\n",
        "https://Example.com/",
        "https://ex%61mple.com/",
        "https://2130706433/",
        "https://0x7f.1/",
        "https://ex\u{e9}mple.com/",
        "https://{subdomain.example.com/",
        "https://subdomain}.example.com/",
        "https://{{subdomain}}.example.com/",
        "https://{unknown}.example.com/",
        "https://{}.example.com/",
        "https:///token",
        "https://.example.com/",
    ] {
        assert!(UrlTemplate::parse(text, &declared()).is_err(), "{text:?}");
    }
}

#[test]
fn an_authors_mistake_is_named() {
    let user = UrlTemplate::parse("https://user@example.com/", &declared()).unwrap_err();
    assert_eq!(user.to_string(), "unusable URL template: no user name");
    let free = UrlTemplate::parse("https://{subdomain}.com/", &declared()).unwrap_err();
    assert!(free.to_string().contains("two literal labels"), "{free}");
}

#[test]
fn a_template_names_the_variables_it_uses() {
    let template = template("https://{subdomain}.x.{b}.example.com/{zone}/token");
    assert_eq!(template.variables().collect::<Vec<_>>(), ["subdomain", "b", "zone"]);
}
