use std::time::Duration;

use serde_json::json;

use super::tokens::LONGEST_LIFETIME;
use super::*;

fn read_plain(status: u16, body: &str) -> Result<TokenSet, TokenError> {
    read(status, body.as_bytes(), &ReplyShape::default(), &[])
}

fn tokens(body: &str) -> TokenSet {
    read_plain(200, body).unwrap_or_else(|error| panic!("{body}: {error:?}"))
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "compared with the optional lifetimes of a reply"
)]
fn seconds(secs: u64) -> Option<Duration> {
    Some(Duration::from_secs(secs))
}

fn secret(text: &str) -> Secret {
    Secret::from(text.to_owned())
}

fn nested(pointer: &str) -> ReplyShape {
    ReplyShape {
        tokens_at: Some(pointer.to_owned()),
    }
}

fn rejected(status: u16, code: Option<&str>, description: Option<&str>) -> TokenError {
    TokenError::Rejected {
        status,
        code: code.map(str::to_owned),
        description: description.map(str::to_owned),
    }
}

/// Successful replies of the corpus: microsoft-rf-014, bcda-rf-001, delta-sharing-rf-001, zoho-rf-001.
#[test]
fn real_tokens_are_read() {
    let microsoft = tokens(
        r#"{"token_type":"Bearer","scope":"User.Read Mail.Read","expires_in":"3599","expires_on":"1426551729","not_before":"1426547829","resource":"https://graph.microsoft.com/","access_token":"eyJ0eXAiOiJKV1QiLCJhbGciOiJSUzI1NiJ9.PLACEHOLDER.PLACEHOLDER","refresh_token":"0.AAAAPLACEHOLDER"}"#,
    );
    assert_eq!(
        microsoft.access_token,
        secret("eyJ0eXAiOiJKV1QiLCJhbGciOiJSUzI1NiJ9.PLACEHOLDER.PLACEHOLDER")
    );
    assert_eq!(microsoft.refresh_token, Some(secret("0.AAAAPLACEHOLDER")));
    assert_eq!(microsoft.token_type.as_deref(), Some("Bearer"));
    assert_eq!(microsoft.expires_in, seconds(3599));
    assert_eq!(
        microsoft.scope,
        Some(vec!["User.Read".to_owned(), "Mail.Read".to_owned()])
    );
    let names: Vec<&String> = microsoft.extras.as_map().keys().collect();
    assert_eq!(
        names,
        ["expires_on", "not_before", "resource"],
        "what has a field of its own is not an extra"
    );

    for (body, token, lifetime) in [
        (
            r#"{"access_token":"eyJhbGciOiJSUzUxMiJ9.PLACEHOLDER.PLACEHOLDER","expires_in":"1200","token_type":"bearer"}"#,
            "eyJhbGciOiJSUzUxMiJ9.PLACEHOLDER.PLACEHOLDER",
            1200,
        ),
        (
            "{\n  \"access_token\": \"example-token\",\n  \"expires_in\": \"3600\",\n  \"token_type\": \"Bearer\"\n}",
            "example-token",
            3600,
        ),
        (
            r#"{"access_token":"1000.00000000000000000000000000000000.00000000000000000000000000000000","api_domain":"https://www.zohoapis.com","token_type":"Bearer","expires_in":3600}"#,
            "1000.00000000000000000000000000000000.00000000000000000000000000000000",
            3600,
        ),
    ] {
        let read = tokens(body);
        assert_eq!(read.access_token, secret(token));
        assert_eq!(
            (read.refresh_token, read.expires_in),
            (None, seconds(lifetime)),
            "{body}"
        );
    }
}

/// oauth2orize-rf-001: a server's mistake that is a success all the same.
#[test]
fn a_refresh_token_that_is_no_text_is_none_and_stays_among_the_extras() {
    let read = tokens(
        "{\n\"access_token\":\"PLACEHOLDERPLACEHOLDERPLACEHOLDERPLACEHOLDER\",\n\"refresh_token\":{\"expires_in\":3600},\n\"token_type\":\"bearer\"\n}",
    );
    assert_eq!(read.refresh_token, None);
    assert_eq!(read.extras.get("refresh_token"), Some(&json!({"expires_in": 3600})));
}

#[test]
fn the_smallest_reply_is_an_access_token_alone() {
    let null = r#"{"access_token":"a","refresh_token":null,"token_type":null,"expires_in":null,"scope":null,"id_token":null,"error":null}"#;
    for body in [
        r#"{"access_token":"a"}"#,
        null,
        r#"{"access_token":"a","refresh_token":"","error":""}"#,
        "access_token=a",
    ] {
        let read = tokens(body);
        assert_eq!(read.access_token, secret("a"));
        assert_eq!(
            (read.refresh_token, read.id_token, read.token_type),
            (None, None, None),
            "{body}"
        );
        assert_eq!(
            (read.expires_in, read.refresh_expires_in, read.scope),
            (None, None, None),
            "{body}"
        );
    }
}

#[test]
fn any_2xx_status_is_a_success_and_no_other() {
    let body = r#"{"access_token":"canary-1"}"#;
    for status in [200, 201, 202, 203, 299] {
        assert!(read_plain(status, body).is_ok(), "{status}");
    }
    for status in [0, 100, 199, 300, 302, 400, 401, 500] {
        assert_eq!(
            read_plain(status, body).unwrap_err(),
            TokenError::Unintelligible { status }
        );
    }
}

#[test]
fn tokens_come_as_a_form_too() {
    let read =
        tokens("access_token=gho_1%2B2&expires_in=28800&refresh_token=ghr_1&scope=repo%2Cgist&token_type=bearer&x=1");
    assert_eq!(
        (read.access_token, read.refresh_token),
        (secret("gho_1+2"), Some(secret("ghr_1")))
    );
    assert_eq!(read.expires_in, seconds(28800));
    assert_eq!(read.scope, Some(vec!["repo".to_owned(), "gist".to_owned()]));
    assert_eq!(read.extras.get("x"), Some(&json!("1")));
    assert_eq!(
        tokens("access_token=first&access_token=second").access_token,
        secret("first")
    );
}

#[test]
fn a_byte_order_mark_and_space_around_do_no_harm() {
    for body in [
        "\u{feff}{\"access_token\":\"a\"}",
        " \r\n{\"access_token\":\"a\"}\n",
        "\u{feff} access_token=a\n",
    ] {
        assert_eq!(tokens(body).access_token, secret("a"), "{body:?}");
    }
}

#[test]
fn a_lifetime_is_any_sensible_number() {
    for (written, expected) in [
        ("3600", seconds(3600)),
        ("3600.0", seconds(3600)),
        ("3599.9", seconds(3599)),
        ("\"3600\"", seconds(3600)),
        ("\" 3600.5 \"", seconds(3600)),
        ("1", seconds(1)),
        ("0.9", None),
        ("0", None),
        ("\"0\"", None),
        ("-1", None),
        ("\"-3600\"", None),
        ("\"\"", None),
        ("\"soon\"", None),
        ("\"inf\"", None),
        ("\"-inf\"", None),
        ("\"NaN\"", None),
        ("true", None),
        ("null", None),
        ("[3600]", None),
        ("{}", None),
        ("315619200", seconds(315_619_200)),
        ("315619201", Some(LONGEST_LIFETIME)),
        ("18446744073709551615", Some(LONGEST_LIFETIME)),
        ("99999999999999999999999999", Some(LONGEST_LIFETIME)),
        ("1e300", Some(LONGEST_LIFETIME)),
        ("\"1e300\"", Some(LONGEST_LIFETIME)),
    ] {
        let read = tokens(&format!(
            r#"{{"access_token":"a","expires_in":{written},"refresh_expires_in":{written}}}"#
        ));
        assert_eq!(
            (read.expires_in, read.refresh_expires_in),
            (expected, expected),
            "{written}"
        );
    }
}

#[test]
fn the_refresh_tokens_lifetime_has_three_names() {
    for name in [
        "refresh_token_expires_in",
        "x_refresh_token_expires_in",
        "refresh_expires_in",
    ] {
        let read = tokens(&format!(r#"{{"access_token":"a","{name}":8726400}}"#));
        assert_eq!(
            (read.refresh_expires_in, read.expires_in),
            (seconds(8_726_400), None),
            "{name}"
        );
        assert!(read.extras.as_map().is_empty());
    }
}

#[test]
fn scopes_are_separated_by_spaces_commas_or_brackets() {
    let ab = || Some(vec!["a".to_owned(), "b:c/d".to_owned()]);
    for (written, expected) in [
        ("\"a b:c/d\"", ab()),
        ("\"a,b:c/d\"", ab()),
        ("\" a , b:c/d \"", ab()),
        ("[\"a\",\"b:c/d\"]", ab()),
        ("[\"a b:c/d\", 1, null]", ab()),
        ("\"\"", Some(Vec::new())),
        ("[]", Some(Vec::new())),
        ("null", None),
        ("7", None),
    ] {
        assert_eq!(
            tokens(&format!(r#"{{"access_token":"a","scope":{written}}}"#)).scope,
            expected,
            "{written}"
        );
    }
}

const SLACK: &str = r#"{"ok":true,"app_id":"A1","access_token":"xoxb-bot","token_type":"bot",
    "authed_user":{"id":"U1","scope":"chat:write","access_token":"xoxp-user","refresh_token":"xoxe-1","expires_in":43200},
    "team":{"id":"T1"}}"#;

#[test]
fn nested_tokens_are_taken_from_where_the_shape_says() {
    let read = super::read(200, SLACK.as_bytes(), &nested("/authed_user"), &[]).unwrap();
    assert_eq!(
        (&read.access_token, &read.refresh_token),
        (&secret("xoxp-user"), &Some(secret("xoxe-1")))
    );
    assert_eq!(
        (read.expires_in, read.scope),
        (seconds(43200), Some(vec!["chat:write".to_owned()]))
    );
    assert_eq!(
        read.extras.get("authed_user"),
        Some(&json!({"id": "U1"})),
        "the rest stays where it was"
    );
    assert_eq!(read.extras.get("access_token"), Some(&json!("xoxb-bot")));
    assert_eq!(tokens(SLACK).access_token, secret("xoxb-bot"));

    let deep = r#"{"data":{"a/b":[{"access_token":"t"}]}}"#;
    assert_eq!(
        super::read(200, deep.as_bytes(), &nested("/data/a~1b/0"), &[])
            .unwrap()
            .access_token,
        secret("t")
    );
}

#[test]
fn where_the_place_is_missing_the_reply_itself_counts_but_never_where_it_is_empty() {
    let flat = r#"{"ok":true,"access_token":"xoxp-2"}"#;
    assert_eq!(
        super::read(200, flat.as_bytes(), &nested("/authed_user"), &[])
            .unwrap()
            .access_token,
        secret("xoxp-2")
    );
    assert_eq!(
        super::read(200, flat.as_bytes(), &nested("not a pointer"), &[])
            .unwrap()
            .access_token,
        secret("xoxp-2")
    );

    let bot_only = r#"{"ok":true,"access_token":"xoxb-bot","authed_user":{"id":"U1"}}"#;
    let read = super::read(200, bot_only.as_bytes(), &nested("/authed_user"), &[]);
    assert_eq!(
        read.unwrap_err(),
        TokenError::Unintelligible { status: 200 },
        "a bot's token is not the person's"
    );
}

/// Status and body, then the code and the description to be read out of them.
type Row = (u16, &'static str, Option<&'static str>, Option<&'static str>);

const GOOGLE: &str =
    "{\n  \"error\": \"invalid_grant\",\n  \"error_description\": \"Token has been expired or revoked.\"\n}";
const GECKO: &str = r#"{"statusCode":401,"code":"FST_JWT_AUTHORIZATION_TOKEN_EXPIRED","error":"Unauthorized","message":"Authorization token expired"}"#;
const SUPABASE: &str = "{\n  \"code\": 400,\n  \"error_code\": \"refresh_token_not_found\",\n  \"msg\": \"Invalid Refresh Token: Refresh Token Not Found\"\n}";
const HUBSPOT: &str = r#"{"status":"BAD_REFRESH_TOKEN","message":"missing or invalid refresh token","correlationId":"00000000-0000-4000-8000-000000000000"}"#;
const PIPEDRIVE: &str =
    r#"{"success":false,"message":"Invalid grant: refresh token is invalid","error":"invalid_grant"}"#;
const GITHUB: &str = "error=bad_refresh_token&error_description=The+refresh+token+passed+is+incorrect+or+expired.&error_uri=https%3A%2F%2Fdocs.github.com%2Fapps%2Fmanaging-oauth-apps%2Ftroubleshooting-oauth-app-access-token-request-errors%2F%23bad-verification-code";

/// Rejections of the corpus.
const REAL: &[Row] = &[
    (
        400,
        GOOGLE,
        Some("invalid_grant"),
        Some("Token has been expired or revoked."),
    ),
    (400, r#"{"error":"invalid_grant"}"#, Some("invalid_grant"), None),
    (
        400,
        r#"{"reason":"Invalid Token!","error":"invalid_grant"}"#,
        Some("invalid_grant"),
        Some("Invalid Token!"),
    ),
    (
        400,
        r#"{"status":400,"message":"Invalid refresh token"}"#,
        None,
        Some("Invalid refresh token"),
    ),
    (
        400,
        HUBSPOT,
        Some("BAD_REFRESH_TOKEN"),
        Some("missing or invalid refresh token"),
    ),
    (
        400,
        SUPABASE,
        Some("refresh_token_not_found"),
        Some("Invalid Refresh Token: Refresh Token Not Found"),
    ),
    (
        400,
        PIPEDRIVE,
        Some("invalid_grant"),
        Some("Invalid grant: refresh token is invalid"),
    ),
    (
        401,
        GECKO,
        Some("FST_JWT_AUTHORIZATION_TOKEN_EXPIRED"),
        Some("Authorization token expired"),
    ),
    (
        504,
        r#"{"message":"Endpoint request timed out"}"#,
        None,
        Some("Endpoint request timed out"),
    ),
    (503, r#"{"error":"internal_failure"}"#, Some("internal_failure"), None),
    (
        200,
        r#"{"ok":false,"error":"invalid_refresh_token"}"#,
        Some("invalid_refresh_token"),
        None,
    ),
    (200, r#"{"error":"invalid_code"}"#, Some("invalid_code"), None),
    (
        200,
        r#"{"errcode":42002,"errmsg":"refresh_token expired"}"#,
        Some("42002"),
        Some("refresh_token expired"),
    ),
    (
        200,
        GITHUB,
        Some("bad_refresh_token"),
        Some("The refresh token passed is incorrect or expired."),
    ),
];

#[test]
fn real_rejections_are_read() {
    for (status, body, code, description) in REAL {
        assert_eq!(
            read_plain(*status, body).unwrap_err(),
            rejected(*status, *code, *description),
            "{body}"
        );
    }
}

#[test]
fn microsofts_lines_become_one() {
    let body = r#"{"error":"invalid_grant","error_description":"AADSTS50057: The user account is disabled.\r\nTrace ID: 1\r\nTimestamp: 2021-07-21 07:56:39Z","error_codes":[50057],"suberror":"x"}"#;
    let one_line = "AADSTS50057: The user account is disabled. Trace ID: 1 Timestamp: 2021-07-21 07:56:39Z";
    assert_eq!(
        read_plain(400, body).unwrap_err(),
        rejected(400, Some("invalid_grant"), Some(one_line))
    );
}

const FACEBOOK_API: &str =
    r#"{"error":{"message":"Session has expired","type":"OAuthException","code":190,"error_subcode":463}}"#;
const GOOGLE_API: &str = r#"{"error":{"code":401,"message":"Invalid Credentials","status":"UNAUTHENTICATED"}}"#;

const SHAPES: &[Row] = &[
    (400, FACEBOOK_API, Some("190"), Some("Session has expired")),
    (401, GOOGLE_API, Some("UNAUTHENTICATED"), Some("Invalid Credentials")),
    (
        400,
        r#"{"error":{"error":"invalid_grant"}}"#,
        Some("invalid_grant"),
        None,
    ),
    (
        400,
        r#"{"errors":[{"code":"bad","message":"No."},{"code":"other"}]}"#,
        Some("bad"),
        Some("No."),
    ),
    (
        200,
        r#"{"errors":[{"code":"bad","message":"No."}]}"#,
        Some("bad"),
        Some("No."),
    ),
    (
        200,
        r#"{"code":40105,"message":"access token expired","data":{}}"#,
        Some("40105"),
        Some("access token expired"),
    ),
    (
        200,
        r#"{"status":401,"body":{},"error":"XRequestID: Not provided"}"#,
        Some("XRequestID: Not provided"),
        Some("XRequestID: Not provided"),
    ),
    (200, r#"{"success":false}"#, None, None),
    (200, "success=false&message=no", None, Some("no")),
    (200, r#"{"error":7}"#, Some("7"), None),
    (200, r#"{"error":true,"message":"no"}"#, None, Some("no")),
    (
        400,
        r#"{"status":"error","error":"Bad things"}"#,
        Some("Bad things"),
        Some("Bad things"),
    ),
    (
        400,
        "error=invalid_grant&error_description=not encoded",
        Some("invalid_grant"),
        Some("not encoded"),
    ),
];

#[test]
fn errors_come_in_many_more_shapes() {
    for (status, body, code, description) in SHAPES {
        assert_eq!(
            read_plain(*status, body).unwrap_err(),
            rejected(*status, *code, *description),
            "{body}"
        );
    }
    let tiktok = br#"{"data":{"error_code":10010,"description":"expired"},"message":"error"}"#;
    let read = super::read(200, tiktok, &nested("/data"), &[]).unwrap_err();
    assert_eq!(
        read,
        rejected(200, Some("10010"), Some("error")),
        "also where the tokens would be"
    );
}

#[test]
fn members_that_say_all_is_well_are_no_error() {
    for member in [
        r#""error":null"#,
        r#""error":false"#,
        r#""error":"""#,
        r#""errcode":0"#,
        r#""error_code":"0""#,
        r#""ok":true"#,
        r#""success":"true""#,
        r#""code":0"#,
        r#""code":200"#,
        r#""message":"success""#,
        r#""status":"ok""#,
        r#""errors":[]"#,
        r#""error":{}"#,
        r#""code":12"#,
        r#""errors":["deprecated"]"#,
        r#""error":{"code":"ok","message":"","log_id":"1"}"#,
        r#""error":{"code":0}"#,
        r#""error":"OK""#,
        r#""error_code":"success""#,
    ] {
        assert_eq!(
            tokens(&format!(r#"{{"access_token":"a",{member}}}"#)).access_token,
            secret("a"),
            "{member}"
        );
    }
}

/// generic-rf-002, generic-rf-003, generic-rf-004 and transport-rf-002 of the corpus, and more.
#[test]
fn what_is_neither_tokens_nor_an_error_is_unintelligible() {
    let page = "<!DOCTYPE html><html><head><title>Sign in</title></head><body><form action=\"/login\" method=\"post\"><input name=\"password\" type=\"password\"></form></body></html>";
    for (status, body) in [
        (200, "{\"access_token\":\"eyJhbGciOiJSUzI1NiJ9.PLACEHOL"),
        (200, page),
        (
            503,
            "<html><body><h1>503 Service Unavailable</h1>\nNo server is available to handle this request.\n</body></html>\n",
        ),
        (
            407,
            "<html><head><title>407 Proxy Authentication Required</title></head><body>Proxy Authentication Required</body></html>",
        ),
        (200, ""),
        (204, ""),
        (200, "{}"),
        (400, "{}"),
        (400, "Unauthorized"),
        (404, "Not Found"),
        (200, "null"),
        (200, "\"access_token=a\""),
        (200, "[{\"access_token\":\"a\"}]"),
        (200, "ok"),
        (200, r#"{"message":"success"}"#),
        (200, r#"{"code":0,"data":{}}"#),
        (200, r#"{"token_type":"bearer","expires_in":3600}"#),
        (200, r#"{"access_token":""}"#),
        (200, r#"{"access_token":null}"#),
        (200, r#"{"access_token":123}"#),
        (200, r#"{"access_token":{"token":"a"}}"#),
        (200, r#"{"access_token":"a\r\nx-evil: 1"}"#),
        (200, "{\"access_token\":\"a\u{e9}\"}"),
        (400, r#"{"error":"   "}"#),
    ] {
        assert_eq!(
            read_plain(status, body).unwrap_err(),
            TokenError::Unintelligible { status },
            "{status} {body}"
        );
    }
}

#[test]
fn a_reply_of_64_kib_is_read_and_a_longer_one_is_not() {
    let body = |length: usize| {
        let empty = r#"{"access_token":"a","pad":""}"#;
        format!(r#"{{"access_token":"a","pad":"{}"}}"#, "p".repeat(length - empty.len()))
    };
    assert!(read_plain(200, &body(65_536)).is_ok());
    assert_eq!(
        read_plain(200, &body(65_537)).unwrap_err(),
        TokenError::Unintelligible { status: 200 }
    );
}

#[test]
fn bytes_that_are_not_utf_8_spoil_their_own_text_only() {
    let body = b"{\"error\":\"invalid_grant\",\"error_description\":\"jeton expir\xe9\"}";
    let read = read(400, body, &ReplyShape::default(), &[]).unwrap_err();
    assert_eq!(read, rejected(400, Some("invalid_grant"), Some("jeton expir\u{fffd}")));
    let token = super::read(200, b"{\"access_token\":\"a\xe9\"}", &ReplyShape::default(), &[]);
    assert_eq!(token.unwrap_err(), TokenError::Unintelligible { status: 200 });
}

#[test]
fn outside_text_is_cut_and_cleaned() {
    let long = "\u{e9}".repeat(1000);
    let body = json!({"error": format!("bad\u{0}\u{1b}{long}"), "error_description": format!("a\u{202e}\n{long}")});
    let Err(TokenError::Rejected {
        code: Some(code),
        description: Some(description),
        ..
    }) = read_plain(400, &body.to_string())
    else {
        panic!("not rejected with a code and a description");
    };
    assert_eq!((code.chars().count(), description.chars().count()), (256, 512));
    assert!(
        code.starts_with("bad\u{e9}") && description.starts_with("a \u{e9}"),
        "{code:.12} {description:.12}"
    );
}

#[test]
fn an_error_beside_tokens_wins_and_leaks_none_of_them() {
    for body in [
        r#"{"error":"odd","error_description":"got canary-at and canary-rt","access_token":"canary-at","refresh_token":"canary-rt"}"#,
        r#"{"ok":false,"message":"canary-at","access_token":"canary-at","x":[{"bot_token":"canary-bt"}],"error":"e:canary-bt"}"#,
        "error=canary-at&error_description=canary-at&access_token=canary-at",
    ] {
        for status in [200, 400] {
            let error = read_plain(status, body).unwrap_err();
            assert!(matches!(error, TokenError::Rejected { .. }));
            assert!(!format!("{error} {error:?} {error:#?}").contains("canary"), "{error:?}");
        }
    }
}

#[test]
fn what_was_sent_is_hidden_where_the_server_repeats_it_even_at_the_cut() {
    let sent = [secret("canary-refresh-token"), secret("canary-secret")];
    let padding = "x".repeat(505);
    let body = json!({
        "error": "bad:canary-secret",
        "error_description": format!("{padding}canary-refresh-token is unknown"),
    });
    let error = read(400, body.to_string().as_bytes(), &ReplyShape::default(), &sent).unwrap_err();
    assert!(!format!("{error} {error:?}").contains("canar"), "{error:?}");
    assert!(matches!(error, TokenError::Rejected { code: Some(code), .. } if code == "bad:[redacted]"));
}

#[test]
fn a_complaint_about_a_token_is_not_hidden() {
    let body = r#"{"error":"invalid","message":"refresh_token is expired","errors":{"refresh_token":"is expired"}}"#;
    let expected = rejected(400, Some("invalid"), Some("refresh_token is expired"));
    assert_eq!(read_plain(400, body).unwrap_err(), expected);
}

#[test]
fn a_token_set_does_not_print_what_it_holds() {
    let body =
        r#"{"access_token":"canary-1","refresh_token":"canary-2","id_token":"canary-3","webhook":{"url":"canary-4"}}"#;
    let printed = format!("{:?} {:#?}", tokens(body), tokens(body));
    assert!(!printed.contains("canary"), "{printed}");
    assert!(printed.contains("[1 redacted]"), "{printed}");
}
