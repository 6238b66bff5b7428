//! Tables of cases: answers that stand in no corpus, and what no input may do.

use std::borrow::Cow;
use std::time::Duration;

use super::*;
use crate::reason::Confidence::{Inferred, Stated};
use crate::reason::Reason::*;
use crate::reason::{Reason, Verdict};

type Wanted = (Verdict, Option<Reason>);

fn refresh(status: u16, body: &str) -> Observation {
    Observation {
        body: body.as_bytes().to_vec(),
        ..Observation::answer(Auth::OAuth2, Phase::Refresh, status)
    }
}

fn call(auth: Auth, status: u16, body: &str) -> Observation {
    Observation {
        body: body.as_bytes().to_vec(),
        ..Observation::answer(auth, Phase::ApiCall, status)
    }
}

fn with_refresh_token(has: bool) -> Circumstances {
    Circumstances {
        has_refresh_token: Some(has),
        ..Circumstances::default()
    }
}

fn generic(seen: &Observation) -> Judgement {
    judge(seen, &Rules::NONE)
}

fn assert_wanted(seen: &Observation, wanted: Wanted) {
    let judged = generic(seen);
    let said = String::from_utf8_lossy(&seen.body);
    assert_eq!(
        (judged.verdict, judged.reason),
        wanted,
        "{} {said} by {:?}",
        seen.status,
        judged.evidence
    );
}

const DEAD: Wanted = (Verdict::Reauth, Some(TokenRevoked));
const EXPIRED: Wanted = (Verdict::Reauth, Some(RefreshTokenExpired));
const SECRET: Wanted = (Verdict::AppBroken, Some(OauthClientSecretInvalid));
const DELETED: Wanted = (Verdict::AppBroken, Some(OauthAppDeleted));
const OURS: Wanted = (Verdict::ConfigError, Some(BadRequest));
const DOWN: Wanted = (Verdict::Transient, Some(ProviderOutage));
const BUSY: Wanted = (Verdict::Transient, Some(RateLimited));
const DENIED: Wanted = (Verdict::OkButDenied, None);
const SCOPE: Wanted = (Verdict::OkButDenied, Some(ScopeMissing));
const STALE: Wanted = (Verdict::Transient, Some(AccessTokenExpired));
const BAD_KEY: Wanted = (Verdict::Reauth, Some(ApiKeyInvalid));

#[test]
fn refresh_answers_of_rfc_6749_and_of_oidc_provider() {
    for (status, body, wanted) in [
        (
            200,
            r#"{"access_token":"a","token_type":"Bearer"}"#,
            (Verdict::Ok, None),
        ),
        (
            201,
            r#"{"data":{"access_token":"a","expires_in":"3600"}}"#,
            (Verdict::Ok, None),
        ),
        (200, "access_token=a&token_type=bearer", (Verdict::Ok, None)),
        (
            400,
            r#"{"error":"invalid_grant","error_description":"grant request is invalid"}"#,
            DEAD,
        ),
        (
            401,
            r#"{"error":"invalid_client","error_description":"client authentication failed"}"#,
            SECRET,
        ),
        (
            400,
            r#"{"error":"invalid_request","error_description":"missing required parameter 'refresh_token'"}"#,
            OURS,
        ),
        (
            400,
            r#"{"error":"invalid_scope","error_description":"refresh token missing requested scopes"}"#,
            OURS,
        ),
        (
            400,
            r#"{"error":"unsupported_grant_type","error_description":"unsupported grant_type requested"}"#,
            OURS,
        ),
        (400, r#"{"error":"unauthorized_client"}"#, SECRET),
        (404, "Not Found", OURS),
        (400, r#"{"error":"temporarily_unavailable"}"#, DOWN),
        (400, r#"{"error":"slow_down"}"#, BUSY),
        (500, r#"{"error":"invalid_grant"}"#, DOWN),
        (401, "", DOWN),
        (400, "<html><body><h1>Bad Request</h1></body></html>", DOWN),
        (403, "<!doctype html><title>403</title>invalid_grant", DOWN),
        (302, "", DOWN),
        (200, "{}", DOWN),
    ] {
        assert_wanted(&refresh(status, body), wanted);
    }
}

#[test]
fn refresh_answers_of_the_sandbox() {
    for (status, body, wanted, sure) in [
        (
            400,
            r#"{"error":"invalid_grant","error_description":"refresh token revoked"}"#,
            DEAD,
            Stated,
        ),
        (
            400,
            r#"{"error":"invalid_grant","error_description":"refresh token expired"}"#,
            EXPIRED,
            Stated,
        ),
        (400, r#"{"error":"invalid_grant"}"#, DEAD, Inferred),
        (
            401,
            r#"{"error":"invalid_client","error_description":"client secret is wrong"}"#,
            SECRET,
            Stated,
        ),
        (
            401,
            r#"{"error":"invalid_client","error_description":"client was deleted","code":"client_deleted"}"#,
            DELETED,
            Stated,
        ),
    ] {
        let seen = refresh(status, body);
        assert_wanted(&seen, wanted);
        assert_eq!(generic(&seen).confidence, sure, "{body}");
    }
}

const UNSEEN_REFRESH_ANSWERS: &[(u16, &str, Wanted)] = &[
    (
        401,
        r#"{"error":"invalid_client","error_description":"No client credentials found"}"#,
        SECRET,
    ),
    (
        401,
        r#"{"error":"unauthorized","error_description":"Bad credentials"}"#,
        SECRET,
    ),
    (422, r#"{"errors":{"refresh_token":["is invalid"]}}"#, DEAD),
    (403, r#"{"message":"Forbidden"}"#, DOWN),
    (
        400,
        r#"{"error":"invalid_grant","error_description":"Rate limit exceeded"}"#,
        BUSY,
    ),
    (
        400,
        r#"{"error":"invalid_grant","error_description":"The refresh token is invalid or expired."}"#,
        DEAD,
    ),
    (
        400,
        r#"{"error":"invalid_grant","error_description":"Token is not active"}"#,
        EXPIRED,
    ),
    (
        400,
        r#"{"error":"invalid_grant","error_description":"Stale token"}"#,
        DEAD,
    ),
    (
        400,
        r#"{"error":"invalid_grant","error_description":"User disabled"}"#,
        (Verdict::Reauth, Some(UserDisabled)),
    ),
    (
        400,
        r#"{"error":"invalid_grant","error_description":"Refresh token has expired"}"#,
        EXPIRED,
    ),
    (
        400,
        r#"{"error":"invalid_grant","error_description":"Session has expired due to user inactivity"}"#,
        EXPIRED,
    ),
    (
        400,
        r#"{"error":"invalid_grant","error_description":"refresh token is malformed"}"#,
        DEAD,
    ),
    (
        400,
        r#"{"error":"invalid_grant","error_description":"unknown, invalid, or expired refresh token"}"#,
        DEAD,
    ),
    (
        400,
        r#"{"error":"invalid_grant","error_description":"Incorrect or invalid refresh token, try again later"}"#,
        DEAD,
    ),
    (
        400,
        r#"{"errors":[{"errorType":"invalid_grant","message":"Refresh token invalid"}],"success":false}"#,
        DEAD,
    ),
    (
        400,
        r#"{"message":"Bad Request","errors":[{"resource":"RefreshToken","field":"refresh_token","code":"invalid"}]}"#,
        DEAD,
    ),
    (
        400,
        r#"{"__type":"NotAuthorizedException","message":"Refresh Token has been revoked"}"#,
        DEAD,
    ),
    (
        400,
        r#"{"error":{"code":400,"message":"USER_DISABLED","status":"INVALID_ARGUMENT"}}"#,
        (Verdict::Reauth, Some(UserDisabled)),
    ),
    (400, r#"{"error":{"code":400,"message":"INVALID_REFRESH_TOKEN"}}"#, DEAD),
    (200, r#"{"error":"incorrect_client_credentials"}"#, SECRET),
    (
        400,
        r#"{"error":"consent_required"}"#,
        (Verdict::Reauth, Some(MfaOrConsentRequired)),
    ),
    (400, "error=invalid_grant&error_description=gone", DEAD),
    (400, "<OAuth><error>invalid_grant</error></OAuth>", DEAD),
    (400, "\u{feff}{\"error\":\"invalid_grant\"}", DEAD),
    (400, r#"{"error":"invalid_grant","error_descri"#, DEAD),
];

#[test]
fn refresh_answers_of_servers_that_stand_in_no_corpus() {
    for (status, body, wanted) in UNSEEN_REFRESH_ANSWERS {
        assert_wanted(&refresh(*status, body), *wanted);
    }
}

#[test]
fn typed_in_client_credentials_are_the_customers_to_mend() {
    let seen = Observation {
        auth: Auth::ApiKey,
        ..refresh(401, r#"{"error":"invalid_client"}"#)
    };
    assert_wanted(&seen, BAD_KEY);
}

#[test]
fn a_dead_grant_takes_its_reason_from_ages_where_the_reply_is_silent() {
    let day = Duration::from_hours(24);
    let aged = |age: u32, known: Circumstances| Circumstances {
        refresh_token_age: Some(day * age),
        refresh_token_lifetime: Some(day * 60),
        ..known
    };
    let none = Circumstances::default;
    let revoked = r#"{"error":"invalid_grant","error_description":"refresh token revoked"}"#;
    let silent = r#"{"error":"invalid_grant"}"#;
    for (known, body, reason, sure) in [
        (aged(59, none()), silent, TokenRevoked, Inferred),
        (aged(60, none()), silent, RefreshTokenExpired, Inferred),
        (aged(60, none()), revoked, TokenRevoked, Stated),
        (
            Circumstances {
                idle_for: Some(day * 90),
                idle_limit: Some(day * 90),
                ..none()
            },
            silent,
            RefreshTokenExpired,
            Inferred,
        ),
        (
            Circumstances {
                password_changed_since: Some(true),
                ..none()
            },
            silent,
            PasswordChanged,
            Inferred,
        ),
        (
            Circumstances {
                reply_lost: Some(true),
                ..none()
            },
            silent,
            TokenRevoked,
            Inferred,
        ),
    ] {
        let judged = generic(&Observation {
            circumstances: known.clone(),
            ..refresh(400, body)
        });
        assert_eq!(
            (judged.verdict, judged.reason, judged.confidence),
            (Verdict::Reauth, Some(reason), sure),
            "{known:?}"
        );
    }
}

#[test]
fn a_refused_access_token_is_proof_only_when_nothing_can_replace_it() {
    let oidc = r#"{"error":"invalid_token","error_description":"invalid token provided"}"#;
    let expired = r#"{"error":{"code":"token_expired","message":"The token has run out"}}"#;
    let revoked = r#"{"error":{"code":"token_revoked","message":"The token was revoked"}}"#;
    let fresh = || Circumstances {
        fresh_from_refresh: Some(true),
        ..with_refresh_token(true)
    };
    let newer = || Circumstances {
        newer_token_stored: Some(true),
        ..with_refresh_token(false)
    };
    let new_born = || Circumstances {
        access_token_age: Some(Duration::from_secs(59)),
        ..with_refresh_token(false)
    };
    let grown = || Circumstances {
        access_token_age: Some(Duration::from_mins(1)),
        ..with_refresh_token(false)
    };
    let gone = (Verdict::Reauth, Some(AccessTokenExpired));
    for (known, body, wanted) in [
        (with_refresh_token(true), oidc, STALE),
        (with_refresh_token(true), expired, STALE),
        (with_refresh_token(true), revoked, STALE),
        (with_refresh_token(false), oidc, DEAD),
        (with_refresh_token(false), expired, gone),
        (with_refresh_token(false), revoked, DEAD),
        (Circumstances::default(), oidc, STALE),
        (Circumstances::default(), revoked, DEAD),
        (fresh(), oidc, DEAD),
        (fresh(), revoked, DEAD),
        (fresh(), expired, DOWN),
        (newer(), revoked, STALE),
        (new_born(), oidc, DOWN),
        (grown(), oidc, DEAD),
    ] {
        let seen = Observation {
            circumstances: known.clone(),
            ..call(Auth::OAuth2, 401, body)
        };
        let judged = generic(&seen);
        assert_eq!((judged.verdict, judged.reason), wanted, "{known:?} {body}");
    }
}

#[test]
fn a_stated_cause_on_a_call_is_checked_by_a_refresh_first_where_one_is_possible() {
    let body = r#"{"message":"Your account has been suspended"}"#;
    let disabled = (Verdict::Reauth, Some(UserDisabled));
    let fresh = Circumstances {
        fresh_from_refresh: Some(true),
        ..with_refresh_token(true)
    };
    for (known, wanted) in [
        (with_refresh_token(true), STALE),
        (with_refresh_token(false), disabled),
        (fresh, disabled),
    ] {
        assert_wanted(
            &Observation {
                circumstances: known,
                ..call(Auth::OAuth2, 403, body)
            },
            wanted,
        );
    }
}

#[test]
fn refused_keys_and_tokens_of_apis_that_stand_in_no_corpus() {
    for (status, body) in [
        (
            401,
            r#"{"error":{"message":"Incorrect API key provided","type":"invalid_request_error","code":"invalid_api_key"}}"#,
        ),
        (
            401,
            r#"{"error":{"code":"invalid_api_key","message":"This key does not exist"}}"#,
        ),
        (
            401,
            r#"{"errors":[{"message":"The provided authorization grant is invalid, expired, or revoked","field":null}]}"#,
        ),
        (401, r#"{"message":"API key is missing or invalid"}"#),
        (
            401,
            r#"{"statusCode":401,"message":"Access denied due to invalid subscription key. Make sure to provide a valid key for an active subscription."}"#,
        ),
        (401, r#"{"message":"Authentication failed. Please try again later."}"#),
        (
            401,
            r#"{"type":"error.list","errors":[{"code":"unauthorized","message":"Access Token Invalid"}]}"#,
        ),
        (401, "Forbidden"),
        (403, r#"{"error":"API key disabled"}"#),
        (200, r#"{"status":"error","message":"Invalid API key"}"#),
        (401, ""),
        (403, r#"{"message":"Invalid API key"}"#),
        (400, r#"{"error":"The API key you provided is invalid"}"#),
        (
            200,
            r#"{"errors":[{"message":"authentication failed","extensions":{"code":"UNAUTHENTICATED"}}]}"#,
        ),
        (200, r#"{"ok":false,"error":"invalid_auth"}"#),
    ] {
        assert_wanted(&call(Auth::ApiKey, status, body), BAD_KEY);
    }
}

#[test]
fn a_bare_status_states_nothing() {
    assert_eq!(generic(&call(Auth::ApiKey, 401, "")).confidence, Inferred);
    assert_eq!(
        generic(&call(Auth::ApiKey, 401, r#"{"error":"invalid api key"}"#)).confidence,
        Stated
    );
}

const ABOUT_SOMETHING_ELSE: &[(u16, &str, Wanted)] = &[
    (400, r#"{"error":{"code":400,"message":"Invalid page token"}}"#, OURS),
    (400, r#"{"message":"Invalid credentials for the SMTP host"}"#, OURS),
    (
        400,
        r#"{"error":{"code":"resource_missing","message":"No such token: 'tok_x'"}}"#,
        OURS,
    ),
    (422, r#"{"message":"The password field is required"}"#, OURS),
    (422, r#"{"error":"The user is suspended"}"#, OURS),
    (404, r#"{"message":"Access token not found"}"#, DENIED),
    (
        200,
        r#"{"id":"job_1","status":"failed","error":"Invalid API key"}"#,
        (Verdict::Ok, None),
    ),
    (
        200,
        r#"{"data":{"viewer":{"name":"x"}},"errors":[{"message":"token expired"}]}"#,
        (Verdict::Ok, None),
    ),
    (200, r#"{"messages":["your token was revoked"]}"#, (Verdict::Ok, None)),
    (403, r#"{"message":"Resource not accessible by integration"}"#, DENIED),
    (
        403,
        r#"{"message":"Resource protected by organization SAML enforcement. You must grant your token access."}"#,
        DENIED,
    ),
    (
        403,
        r#"{"error":{"message":"Drive API has not been used in this project before or it is disabled."}}"#,
        DENIED,
    ),
    (403, r#"{"message":"The target user is deactivated"}"#, DENIED),
    (
        403,
        r#"{"message":"App is not installed in this conversation"}"#,
        DENIED,
    ),
    (403, r#"{"message":"Missing Authentication Token"}"#, OURS),
    (
        403,
        r#"{"code":"Authorization_RequestDenied","message":"Insufficient privileges to complete the operation."}"#,
        SCOPE,
    ),
    (401, r#"{"message":"Missing scope: user:read"}"#, SCOPE),
    (403, r#"{"message":"API rate limit exceeded for user"}"#, BUSY),
    (402, r#"{"errors":"Unavailable Shop"}"#, DENIED),
    (
        401,
        r#"{"message":"Your IP address is not whitelisted"}"#,
        (Verdict::Transient, Some(Network)),
    ),
    (401, r#"{"message":"No API key provided"}"#, OURS),
    (200, r#"{"success":false,"message":"Contact not found"}"#, DENIED),
    (
        403,
        "<html><title>Just a moment...</title></html>",
        (Verdict::Transient, Some(Network)),
    ),
];

#[test]
fn answers_about_something_else_never_flag_a_key() {
    for (status, body, wanted) in ABOUT_SOMETHING_ELSE {
        assert_wanted(&call(Auth::ApiKey, *status, body), *wanted);
    }
}

#[test]
fn the_authorisation_endpoint_says_nothing_about_stored_grants() {
    for (error, wanted) in [
        ("access_denied", DENIED),
        ("temporarily_unavailable", DOWN),
        ("invalid_scope", OURS),
        ("unauthorized_client", SECRET),
        ("invalid_client", DELETED),
        ("login_required", (Verdict::OkButDenied, Some(MfaOrConsentRequired))),
        ("invalid_grant", OURS),
    ] {
        let location = format!("https://app.example.com/callback?error={error}&state=s");
        let seen = Observation::answer(Auth::OAuth2, Phase::AuthorizeCallback, 302);
        assert_wanted(
            &Observation {
                headers: vec![("location".into(), location)],
                ..seen
            },
            wanted,
        );
    }
}

#[test]
fn odd_encodings_and_shapes_are_read() {
    let utf16: Vec<u8> = "\u{feff}{\"error\":\"invalid_grant\"}"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let mut latin = b"{\"error\":\"invalid_grant\",\"error_description\":\"caf".to_vec();
    latin.extend([0xE9, b'"', b'}']);
    let nested = format!("{}{}", "[".repeat(60_000), r#"{"error":"invalid_grant"}"#);
    let long = format!(r#"{{"pad":"{}","error":"invalid_grant"}}"#, "x".repeat(70_000));
    for (body, wanted) in [
        (utf16, DEAD),
        (latin, DEAD),
        (b")]}',\n{\"error\":\"invalid_grant\"}".to_vec(), DEAD),
        (br#""invalid grant""#.to_vec(), DEAD),
        (nested.into_bytes(), DEAD),
        (long.into_bytes(), OURS),
    ] {
        assert_wanted(
            &Observation {
                body,
                ..refresh(400, "")
            },
            wanted,
        );
    }
}

#[test]
fn evidence_holds_no_token_address_or_long_number() {
    for (text, wanted) in [
        ("invalid_grant", "invalid_grant"),
        ("application_cannot_be_found", "application_cannot_be_found"),
        (
            "token eyJhbGciOiJSUzI1NiJ9.e30.c2lnbmF0dXJl is bad",
            "token [redacted] is bad",
        ),
        ("user ada@example.org is disabled", "user [redacted] is disabled"),
        ("account 123456789012 is gone", "account [redacted] is gone"),
        ("sk_live_4eC39HqLyjWDarjtT1zdp7dc", "[redacted]"),
        (
            "request 0b9f2a34-6a0e-4a51-9a4b-1f6f0e3b7c11 failed",
            "request [redacted] failed",
        ),
        ("line\nbreak", "line break"),
    ] {
        assert_eq!(redact(text), wanted);
    }
    assert!(redact(&"word ".repeat(100)).len() <= 200);
}

#[test]
fn the_printed_observation_shows_no_body() {
    let seen = refresh(200, r#"{"access_token":"s3cr3t-value"}"#);
    assert!(!format!("{seen:?}").contains("s3cr3t"));
}

#[test]
fn generic_knowledge_alone_never_flags_what_is_alive() {
    let corpus = include_str!("../../tests/data/corpus/observations.jsonl");
    let score = corpus::judge_lines(corpus.as_bytes(), std::io::sink(), |_| Cow::Owned(Rules::NONE)).unwrap();
    println!("{score}");
    assert_eq!(score.false_flags, 0, "{score}");
    assert!(score.verdict_share() >= 0.94, "{score}");
}

#[test]
fn a_line_is_written_for_every_line_read_and_a_bad_one_is_named() {
    let input = "{\"id\":\"a\",\"phase\":\"refresh\",\"status\":400,\"body\":\"{\\\"error\\\":\\\"invalid_grant\\\"}\",\"new\":1}\n\n{\"id\":\"b\",\"status\":200}\n";
    let mut out = Vec::new();
    let score = corpus::judge_lines(input.as_bytes(), &mut out, |_| Cow::Owned(Rules::NONE)).unwrap();
    let wanted = "{\"id\":\"a\",\"verdict\":\"reauth\",\"reason\":\"token_revoked\",\"confidence\":\"inferred\",\"rule\":\"generic.refresh.invalid_grant\"}\n\
        {\"id\":\"b\",\"verdict\":\"ok\",\"reason\":null,\"confidence\":\"inferred\",\"rule\":\"generic.call.success\"}\n";
    assert_eq!(String::from_utf8(out).unwrap(), wanted);
    assert_eq!(score.entries, 0);
    let bad = corpus::judge_lines("{}\nnope\n{}".as_bytes(), std::io::sink(), |_| Cow::Owned(Rules::NONE)).unwrap();
    assert!(bad.unread == 1 && bad.unread_lines[0].starts_with("line 2:"), "{bad:?}");
}

#[test]
fn a_rule_must_name_the_status_of_passing_trouble_to_flag() {
    let rule = |status: &str| -> Rules {
        let text = format!(
            r#"[{{"name":"x.dead","source":"s","code":["gone"],{status}"verdict":"reauth","reason":"token_revoked"}}]"#
        );
        serde_json::from_str(&text).unwrap()
    };
    let seen = call(Auth::OAuth2, 503, r#"{"error":"gone"}"#);
    assert_eq!(judge(&seen, &rule("")).verdict, Verdict::Transient);
    assert_eq!(judge(&seen, &rule(r#""status":[503],"#)).verdict, Verdict::Reauth);
}

#[test]
fn a_rule_that_makes_no_sense_is_refused() {
    for (text, what) in [
        (r#"{"name":"x.a","source":"s","code":["a"]}"#, "exactly one of"),
        (
            r#"{"name":"x.a","source":"s","code":["a"],"verdict":"ok","means":"grant_dead"}"#,
            "exactly one of",
        ),
        (
            r#"{"name":"x.a","source":"s","code":["a"],"verdict":"reauth"}"#,
            "needs a reason",
        ),
        (
            r#"{"name":"x.a","source":"s","code":["a"],"verdict":"reauth","reason":"network"}"#,
            "needs a reason",
        ),
        (r#"{"name":"x.a","source":"s","verdict":"ok"}"#, "a condition is wanted"),
        (r#"{"name":"x.a","code":["a"],"verdict":"ok"}"#, "`source` is missing"),
        (r#"{"name":"a","source":"s","code":["a"],"verdict":"ok"}"#, "form"),
        (
            r#"{"name":"x.a","source":"s","codes":["a"],"verdict":"ok"}"#,
            "unknown field",
        ),
    ] {
        let error = serde_json::from_str::<Rule>(text).unwrap_err().to_string();
        assert!(error.contains(what), "{text}: {error}");
    }
}
