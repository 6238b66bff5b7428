use super::*;

fn secret(text: &str) -> Secret {
    Secret::from(text.to_owned())
}

fn endpoint(auth: ClientAuth) -> TokenEndpoint {
    TokenEndpoint {
        url: Url::parse("https://op.example/token?tenant=1").unwrap(),
        client_id: "my:client".to_owned(),
        auth,
        body: BodyFormat::Form,
        extra: Vec::new(),
    }
}

fn header_of<'a>(request: &'a HttpRequest, name: &str) -> Option<&'a str> {
    request
        .headers
        .iter()
        .find(|(n, _)| *n == name)
        .map(|(_, value)| value.expose())
}

#[test]
fn a_code_is_exchanged_with_its_redirect_uri_and_verifier() {
    let verifier = Verifier::from_stored(secret("verifier-1"));
    let code = secret("4/0A&b=c +");
    let request = endpoint(ClientAuth::None).authorization_code(&code, "https://app.example/cb", Some(&verifier));
    assert_eq!(
        request.body.expose(),
        "grant_type=authorization_code&code=4%2F0A%26b%3Dc+%2B&redirect_uri=https%3A%2F%2Fapp.example%2Fcb\
         &code_verifier=verifier-1&client_id=my%3Aclient"
    );
    assert_eq!(
        (request.method, request.url.as_str()),
        ("POST", "https://op.example/token?tenant=1")
    );
    let bare = endpoint(ClientAuth::None).authorization_code(&code, "https://app.example/cb", None);
    assert!(!bare.body.expose().contains("code_verifier"));
}

#[test]
fn a_refresh_names_a_scope_only_when_asked_to() {
    let endpoint = endpoint(ClientAuth::None);
    let plain = endpoint.refresh(&secret("rt"), None);
    assert_eq!(
        plain.body.expose(),
        "grant_type=refresh_token&refresh_token=rt&client_id=my%3Aclient"
    );
    let narrowed = endpoint.refresh(&secret("rt"), Some("a b"));
    assert!(narrowed.body.expose().contains("&scope=a+b&"));
}

#[test]
fn a_revocation_is_that_of_rfc_7009() {
    let endpoint = endpoint(ClientAuth::None);
    assert_eq!(
        endpoint.revoke(&secret("t"), None).body.expose(),
        "token=t&client_id=my%3Aclient"
    );
    for (hint, text) in [
        (TokenHint::AccessToken, "access_token"),
        (TokenHint::RefreshToken, "refresh_token"),
    ] {
        let expected = format!("token=t&token_type_hint={text}&client_id=my%3Aclient");
        assert_eq!(endpoint.revoke(&secret("t"), Some(hint)).body.expose(), expected);
    }
}

#[test]
fn basic_encodes_id_and_secret_before_joining_them_and_keeps_them_out_of_the_body() {
    let request = endpoint(ClientAuth::Basic(secret("s%e c+\u{e9}"))).refresh(&secret("rt"), None);
    // printf 'my%%3Aclient:s%%25e+c%%2B%%C3%%A9' | base64
    assert_eq!(
        header_of(&request, "authorization"),
        Some("Basic bXklM0FjbGllbnQ6cyUyNWUrYyUyQiVDMyVBOQ==")
    );
    assert_eq!(request.body.expose(), "grant_type=refresh_token&refresh_token=rt");
}

#[test]
fn post_puts_id_and_secret_into_the_body_only() {
    let request = endpoint(ClientAuth::Post(secret("s&1"))).refresh(&secret("rt"), None);
    assert!(
        request
            .body
            .expose()
            .ends_with("&client_id=my%3Aclient&client_secret=s%261")
    );
    assert_eq!(header_of(&request, "authorization"), None);
}

#[test]
fn json_is_always_asked_for_and_the_body_says_what_it_is() {
    let mut endpoint = endpoint(ClientAuth::Post(secret("s\"1")));
    let form = endpoint.refresh(&secret("rt"), None);
    assert_eq!(header_of(&form, "accept"), Some("application/json"));
    assert_eq!(
        header_of(&form, "content-type"),
        Some("application/x-www-form-urlencoded")
    );

    endpoint.body = BodyFormat::Json;
    let json = endpoint.refresh(&secret("r\\t"), None);
    assert_eq!(header_of(&json, "accept"), Some("application/json"));
    assert_eq!(header_of(&json, "content-type"), Some("application/json"));
    let read: serde_json::Value = serde_json::from_str(json.body.expose()).unwrap();
    assert_eq!(
        read,
        serde_json::json!({
            "grant_type": "refresh_token", "refresh_token": "r\\t",
            "client_id": "my:client", "client_secret": "s\"1",
        })
    );
}

#[test]
fn extra_parameters_are_sent_but_never_override_the_requests_own() {
    for body in [BodyFormat::Form, BodyFormat::Json] {
        let mut endpoint = endpoint(ClientAuth::Post(secret("s")));
        endpoint.body = body;
        for name in ["grant_type", "refresh_token", "client_id", "client_secret"] {
            endpoint.extra.push((name.to_owned(), "evil".to_owned()));
        }
        endpoint.extra.push(("audience".to_owned(), "api".to_owned()));
        let text = endpoint.refresh(&secret("rt"), None).body;
        assert!(
            text.expose().contains("audience") && !text.expose().contains("evil"),
            "{}",
            text.expose()
        );
    }
}

#[test]
fn a_request_prints_no_secret_and_lists_those_it_holds() {
    let verifier = Verifier::from_stored(secret("canary-verifier"));
    for auth in [
        ClientAuth::Basic(secret("canary-secret")),
        ClientAuth::Post(secret("canary-secret")),
    ] {
        let endpoint = endpoint(auth);
        let request = endpoint.authorization_code(&secret("canary-code"), "https://app.example", Some(&verifier));
        let printed = format!("{endpoint:?} {request:?}");
        assert!(!printed.contains("canary") && !printed.contains("Basic "), "{printed}");
        for text in ["canary-code", "canary-verifier", "canary-secret"] {
            assert!(request.sent.contains(&secret(text)), "{text}");
        }
        assert!(
            endpoint
                .refresh(&secret("canary-rt"), None)
                .sent
                .contains(&secret("canary-rt"))
        );
        assert!(
            endpoint
                .revoke(&secret("canary-at"), None)
                .sent
                .contains(&secret("canary-at"))
        );
    }
}
