use super::*;
use crate::pkce::Verifier;
use crate::secret::Secret;

fn secret(text: &str) -> Secret {
    Secret::from(text.to_owned())
}

fn request(endpoint: &str) -> AuthorizationRequest {
    AuthorizationRequest::new(
        Url::parse(endpoint).unwrap(),
        "client 1".to_owned(),
        "https://app.example/api/v1/slack/callback?x=1".to_owned(),
        State::from(secret("st")),
    )
}

fn pairs(url: &Url) -> Vec<(String, String)> {
    url.query_pairs().into_owned().collect()
}

fn pair(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

#[test]
fn the_url_holds_what_rfc_6749_and_7636_ask_for_and_nothing_else() {
    let mut request = request("https://op.example/auth");
    request.scopes = vec!["read".to_owned(), "write:all".to_owned()];
    let stored = secret("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
    request.challenge = Some(Verifier::from_stored(stored).challenge());
    assert_eq!(
        request.url().as_str(),
        "https://op.example/auth?response_type=code&client_id=client%201\
         &redirect_uri=https%3A%2F%2Fapp.example%2Fapi%2Fv1%2Fslack%2Fcallback%3Fx%3D1&state=st\
         &scope=read%20write%3Aall&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM\
         &code_challenge_method=S256"
    );
}

#[test]
fn without_scopes_or_a_challenge_their_parameters_are_left_out() {
    let sent = pairs(&request("https://op.example/auth").url());
    let names: Vec<&str> = sent.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["response_type", "client_id", "redirect_uri", "state"]);
}

#[test]
fn scopes_take_the_separator_and_the_name_that_the_provider_wants() {
    let mut request = request("https://slack.example/oauth");
    request.scopes = vec!["chat:write".to_owned(), "users:read".to_owned()];
    request.scope_separator = ",".to_owned();
    request.scope_parameter = "user_scope".to_owned();
    request.extra = vec![pair("scope", "commands"), pair("user_scope", "admin")];
    let sent = pairs(&request.url());
    assert!(sent.contains(&pair("user_scope", "chat:write,users:read")));
    assert!(
        sent.contains(&pair("scope", "commands")),
        "a bot's scopes beside the person's"
    );
    assert!(!sent.contains(&pair("user_scope", "admin")));
}

#[test]
fn extra_parameters_are_sent_but_never_override_the_protocols_own() {
    let mut request = request("https://op.example/auth");
    request.extra = vec![pair("prompt", "consent"), pair("resource", "a"), pair("resource", "b")];
    for name in OWN_NAMES.into_iter().chain(["scope"]) {
        request.extra.push(pair(name, "evil"));
    }
    let sent = pairs(&request.url());
    for expected in [pair("prompt", "consent"), pair("resource", "a"), pair("resource", "b")] {
        assert!(sent.contains(&expected), "{expected:?}");
    }
    assert!(sent.iter().all(|(_, value)| value != "evil"), "{sent:?}");
}

#[test]
fn the_endpoints_query_is_kept_in_its_own_spelling_and_its_fragment_is_not() {
    let mut request = request("https://op.example/auth?p=B2C_1%20x&q=a+b&state=theirs&%73tate=again#top");
    request.extra = vec![pair("p", "other")];
    let url = request.url();
    assert!(
        url.query()
            .unwrap()
            .starts_with("p=B2C_1%20x&q=a+b&response_type=code&"),
        "{url}"
    );
    assert_eq!(pairs(&url).iter().filter(|(name, _)| name == "state").count(), 1);
    assert_eq!(pairs(&url).iter().filter(|(name, _)| name == "p").count(), 1);
    assert_eq!(url.fragment(), None);
}

#[test]
fn a_request_does_not_print_its_state() {
    let mut request = request("https://op.example/auth");
    request.state = State::from(secret("canary"));
    assert!(!format!("{request:?}").contains("canary"));
}

fn parse(query: &str) -> Result<Callback, CallbackError> {
    Callback::parse(url::form_urlencoded::parse(query.as_bytes()))
}

#[test]
fn consent_brings_a_code_and_a_state() {
    let callback = parse("code=c%2F1&state=abc&iss=https%3A%2F%2Fop.example&session_state=ignored").unwrap();
    assert_eq!(callback.outcome, Outcome::Granted { code: secret("c/1") });
    assert_eq!(callback.state.expose(), "abc");
    assert_eq!(callback.iss.as_deref(), Some("https://op.example"));
    assert!(!format!("{callback:?}").contains("c/1"));
}

#[test]
fn refusal_brings_an_error_and_perhaps_words() {
    let query = "error=access_denied&error_description=The+resource+owner%0Adenied+the+request&state=abc";
    let expected = Outcome::Denied {
        error: "access_denied".to_owned(),
        description: Some("The resource owner denied the request".to_owned()),
    };
    assert_eq!(parse(query).unwrap().outcome, expected);
    let bare = Outcome::Denied {
        error: "server_error".to_owned(),
        description: None,
    };
    assert_eq!(parse("error=server_error&state=abc").unwrap().outcome, bare);
    assert_eq!(
        parse("error=server_error&state=abc&code=c").unwrap().outcome,
        bare,
        "an error beside a code"
    );
}

#[test]
fn a_refusals_text_is_cut() {
    let long = "e".repeat(1000);
    let denied = parse(&format!("error={long}&error_description={long}&state=abc"))
        .unwrap()
        .outcome;
    let Outcome::Denied { error, description } = denied else {
        panic!("{denied:?}")
    };
    assert_eq!((error.len(), description.unwrap().len()), (256, 512));
}

#[test]
fn what_is_not_a_callback_is_told_apart() {
    let (longest, too_long) = ("s".repeat(512), "s".repeat(513));
    for (query, expected) in [
        ("", CallbackError::NoOutcome),
        ("state=abc", CallbackError::NoOutcome),
        ("state=abc&code=&error=", CallbackError::NoOutcome),
        ("code=c", CallbackError::MissingState),
        ("code=c&state=", CallbackError::MissingState),
        ("error=access_denied", CallbackError::MissingState),
        ("code=c&state=a&state=a", CallbackError::Duplicated("state")),
        ("code=c&code=d&state=a", CallbackError::Duplicated("code")),
        ("code=&code=d&state=a", CallbackError::Duplicated("code")),
        ("code=c&state=a&iss=x&iss=y", CallbackError::Duplicated("iss")),
        ("error=a&error=b&state=a", CallbackError::Duplicated("error")),
        (&format!("code=c&state={too_long}"), CallbackError::TooLong("state")),
        (
            &format!("code={}&state=a", "c".repeat(8193)),
            CallbackError::TooLong("code"),
        ),
        (
            &format!("code=c&state=a&iss={}", "i".repeat(2049)),
            CallbackError::TooLong("iss"),
        ),
    ] {
        assert_eq!(parse(query).unwrap_err(), expected, "{query:.60}");
    }
    assert!(parse(&format!("code={}&state={longest}", "c".repeat(8192))).is_ok());
}

#[test]
fn the_issuer_is_compared_exactly_where_one_is_expected_and_sent() {
    let sent = "code=c&state=a&iss=https%3A%2F%2Fop.example";
    for (query, expected, fine) in [
        (sent, Some("https://op.example"), true),
        (sent, Some("https://op.example/"), false),
        (sent, Some("https://OP.example"), false),
        (sent, Some("https://evil.example"), false),
        (sent, None, true),
        ("code=c&state=a", Some("https://op.example"), true),
        ("code=c&state=a", None, true),
    ] {
        let checked = parse(query).unwrap().check_issuer(expected);
        assert_eq!(checked.is_ok(), fine, "{query} {expected:?}");
    }
}
