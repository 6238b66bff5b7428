use std::collections::BTreeSet;

use super::model::{Heard, Refused};
use super::said::said;
use super::signature::{self, read_time, sign_hex};
use crate::catalog::notices::{Hmac, TimeUnit, Verification};
use crate::catalog::{Catalog, Notices};
use crate::clock::Timestamp;
use crate::secret::Secret;

/// When it was signed, if it was.
fn verify(hmac: &Hmac, secrets: &[Secret], heard: &Heard<'_>, now: Timestamp) -> Result<Option<Timestamp>, Refused> {
    signature::verify(hmac, secrets, heard, now).map(|signed| signed.at)
}

fn catalog() -> Catalog {
    Catalog::load(None, None).unwrap()
}

fn hmac(slug: &str) -> Hmac {
    let catalog = catalog();
    match &catalog.get(slug).unwrap().notices.as_ref().unwrap().verified_by {
        Verification::Hmac(hmac) => hmac.clone(),
        other => panic!("{other:?}"),
    }
}

fn heard<'a>(headers: &'a [(String, String)], body: &'a str) -> Heard<'a> {
    Heard {
        method: "POST",
        url: "https://evergrant.example/notices/x",
        headers,
        body: body.as_bytes(),
    }
}

fn headers(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

fn secrets(texts: &[&str]) -> Vec<Secret> {
    texts.iter().map(|text| Secret::from((*text).to_owned())).collect()
}

/// The example of <https://docs.slack.dev/authentication/verifying-requests-from-slack>.
#[test]
fn slacks_published_example_holds_for_five_minutes_and_no_longer() {
    let body = "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&\
                channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&\
                response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN\
                &trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";
    let signature = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503";
    let sent = headers(&[
        ("x-slack-signature", signature),
        ("x-slack-request-timestamp", "1531420618"),
    ]);
    let secret = secrets(&["8f742231b10e8888abcd99yyyzzz85a5"]);
    let at = |seconds: i64| {
        verify(
            &hmac("slack"),
            &secret,
            &heard(&sent, body),
            Timestamp::from_millis(seconds * 1000),
        )
    };
    assert!(at(1_531_420_618).is_ok());
    assert!(at(1_531_420_618 + 300).is_ok());
    assert_eq!(at(1_531_420_618 + 302), Err(Refused::Stale));
    assert_eq!(at(1_531_420_618 - 302), Err(Refused::Stale));
    let forged = verify(
        &hmac("slack"),
        &secret,
        &heard(&sent, "token=x"),
        Timestamp::from_millis(1_531_420_618_000),
    );
    assert_eq!(forged, Err(Refused::Forged));
}

/// The example of <https://docs.github.com/webhooks/using-webhooks/validating-webhook-deliveries>.
#[test]
fn githubs_published_example_holds_and_is_bound_to_every_byte() {
    let signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
    let sent = headers(&[("x-hub-signature-256", signature)]);
    let secret = secrets(&["It's a Secret to Everybody"]);
    let now = Timestamp::from_millis(0);
    assert_eq!(
        verify(&hmac("github"), &secret, &heard(&sent, "Hello, World!"), now),
        Ok(None)
    );
    for body in ["Hello, World! ", "Hello, World", ""] {
        assert_eq!(
            verify(&hmac("github"), &secret, &heard(&sent, body), now),
            Err(Refused::Forged)
        );
    }
    for wrong in [
        "",
        "sha256=",
        "sha1=757107ea",
        "sha256=zz",
        &signature[7..],
        &signature[..signature.len() - 2],
    ] {
        let sent = headers(&[("x-hub-signature-256", wrong)]);
        assert!(
            verify(&hmac("github"), &secret, &heard(&sent, "Hello, World!"), now).is_err(),
            "{wrong}"
        );
    }
    assert_eq!(
        verify(&hmac("github"), &secret, &heard(&[], "Hello, World!"), now),
        Err(Refused::Unsigned)
    );
    assert_eq!(
        verify(&hmac("github"), &[], &heard(&sent, "Hello, World!"), now),
        Err(Refused::NoSecret)
    );
    assert_eq!(
        verify(
            &hmac("github"),
            &secrets(&["new", "It's a Secret to Everybody"]),
            &heard(&sent, "Hello, World!"),
            now
        ),
        Ok(None),
        "the secret before is accepted for a while"
    );
}

/// The example of version 3 that HubSpot's own client libraries for Ruby and Python are tested with.
#[test]
fn hubspots_published_example_holds_for_its_method_address_and_time_only() {
    let sent_at = |timestamp: &str| {
        headers(&[
            ("x-hubspot-signature-v3", "HPW73RUtKmcYoEDADG0s6MmGFWUzWJKAW07r8RDgcQw="),
            ("x-hubspot-request-timestamp", timestamp),
        ])
    };
    let secret = secrets(&["yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy"]);
    let sent = sent_at("15000000");
    let genuine = Heard {
        method: "POST",
        url: "https://www.example.com/webhook_uri",
        headers: &sent,
        body: b"{'example_field':'example_value'}",
    };
    let at = |heard: &Heard<'_>, millis| verify(&hmac("hubspot"), &secret, heard, Timestamp::from_millis(millis));
    let signed_at = Timestamp::from_millis(15_000_000);
    assert_eq!(at(&genuine, 15_000_000), Ok(Some(signed_at)));
    assert_eq!(at(&genuine, 15_000_000 + 302_000), Err(Refused::Stale));
    let other_time = sent_at("15000001");
    for forged in [
        Heard {
            method: "PUT",
            ..genuine
        },
        Heard {
            url: "https://www.example.com/webhook_url",
            ..genuine
        },
        Heard {
            headers: &other_time,
            ..genuine
        },
        Heard {
            body: b"{'example_field':'another_value'}",
            ..genuine
        },
    ] {
        assert_eq!(at(&forged, 15_000_000), Err(Refused::Forged));
    }
}

/// Zoom publishes no example of its answer to a challenge: this is the pair by which HMAC-SHA256 is widely tried,
/// the key "key" and the sentence with every letter.
#[test]
fn zooms_challenge_is_answered_with_its_keyed_hash() {
    let secret = Secret::from("key".to_owned());
    assert_eq!(
        sign_hex(&hmac("zoom"), &secret, "The quick brown fox jumps over the lazy dog"),
        "f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8"
    );
}

#[test]
fn a_whole_second_is_read_as_its_end() {
    assert_eq!(read_time("5", TimeUnit::Seconds), Some(Timestamp::from_millis(5_999)));
    assert_eq!(read_time("5000", TimeUnit::Millis), Some(Timestamp::from_millis(5_000)));
    assert_eq!(
        read_time("1970-01-01T00:00:05Z", TimeUnit::Iso),
        Some(Timestamp::from_millis(5_999))
    );
    assert_eq!(
        read_time("1970-01-01T00:00:05.250Z", TimeUnit::Iso),
        Some(Timestamp::from_millis(5_250))
    );
    for wrong in ["", "x", "-5", "9223372036854775807"] {
        assert_eq!(read_time(wrong, TimeUnit::Seconds), None, "{wrong}");
    }
}

#[test]
fn every_rule_of_the_catalogue_reads_its_examples_and_leaves_near_misses_alone() {
    let read = |notices: &Notices, example: &crate::catalog::notices::NoticeExample| {
        let sent: Vec<_> = example.headers.clone().into_iter().collect();
        let body = serde_json::from_str(&example.body).unwrap();
        said(notices, &heard(&sent, &example.body), &body)
    };
    let mut seen = BTreeSet::new();
    for application in catalog().all() {
        let Some(notices) = &application.notices else { continue };
        seen.insert(application.slug.clone());
        for rule in &notices.event {
            assert!(
                rule.positive.len() >= 2,
                "{}: two positive examples are wanted",
                rule.name
            );
            for example in &rule.positive {
                let found = read(notices, example);
                let found = found.iter().find(|said| said.rule == rule.name);
                let found = found.unwrap_or_else(|| panic!("{}: {}", rule.name, example.body));
                assert_eq!(found.reason, rule.reason);
                let wanted: Vec<_> = example.accounts.clone();
                assert_eq!(found.accounts, wanted, "{}", rule.name);
                assert!(!found.accounts.is_empty() || found.token.is_some());
            }
            for example in &rule.near_miss {
                let found = read(notices, example);
                assert!(
                    found.iter().all(|said| said.rule != rule.name),
                    "{}: {}",
                    rule.name,
                    example.body
                );
            }
        }
    }
    let wanted = [
        "github",
        "google-drive",
        "hubspot",
        "intercom",
        "pipedrive",
        "shopify",
        "slack",
        "stripe",
        "zoom",
    ];
    assert_eq!(seen.iter().map(String::as_str).collect::<Vec<_>>(), wanted);
}
