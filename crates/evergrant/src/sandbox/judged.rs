//! The sandbox's answers, judged by the catalogue files and the rules that Evergrant uses: each cause must read as what
//! it is. A change of words on either side fails here.

use std::time::Duration;

use axum::http::Method;

use super::tests::{Answer, ISSUER, SCOPE, TENANT, World};
use super::{Cause, Target, Weather};
use crate::catalog::Catalog;
use crate::egress::{Egress, Request, Unreachable};
use crate::reason::{Confidence, Reason, Verdict};
use crate::verdict::{Auth, Circumstances, Judgement, Observation, Phase, judge};

const ALICE: &str = "alice@acme.example";

fn judged(slug: &str, phase: Phase, answer: &Answer, circumstances: Circumstances) -> Judgement {
    let origin = ISSUER.parse().unwrap();
    let catalog = Catalog::load(None, Some(&origin)).unwrap();
    let auth = if slug == "sandbox-key" {
        Auth::ApiKey
    } else {
        Auth::OAuth2
    };
    let text = |value: &axum::http::HeaderValue| value.to_str().unwrap().to_owned();
    let seen = Observation {
        headers: answer
            .headers
            .iter()
            .map(|(name, value)| (name.to_string(), text(value)))
            .collect(),
        content_type: answer.headers.get("content-type").map(text).unwrap_or_default(),
        body: answer.text.clone().into_bytes(),
        circumstances,
        ..Observation::answer(auth, phase, answer.status)
    };
    judge(&seen, catalog.rules_for(slug))
}

fn refreshed(answer: &Answer) -> (Verdict, Option<Reason>, Confidence) {
    let known = Circumstances {
        has_refresh_token: Some(true),
        ..Circumstances::default()
    };
    let judgement = judged("sandbox-oauth", Phase::Refresh, answer, known);
    (judgement.verdict, judgement.reason, judgement.confidence)
}

fn probed(slug: &str, answer: &Answer, has_refresh_token: bool) -> (Verdict, Option<Reason>) {
    let known = Circumstances {
        has_refresh_token: Some(has_refresh_token),
        ..Circumstances::default()
    };
    let judgement = judged(slug, Phase::Probe, answer, known);
    (judgement.verdict, judgement.reason)
}

#[tokio::test]
async fn every_cause_is_read_off_the_refresh_reply() {
    for (cause, verdict, reason, confidence) in [
        (
            Cause::TokenRevoked,
            Verdict::Reauth,
            Reason::TokenRevoked,
            Confidence::Stated,
        ),
        (
            Cause::RefreshTokenExpired,
            Verdict::Reauth,
            Reason::RefreshTokenExpired,
            Confidence::Stated,
        ),
        (
            Cause::AppUninstalled,
            Verdict::Reauth,
            Reason::AppUninstalled,
            Confidence::Stated,
        ),
        (
            Cause::ClientDeleted,
            Verdict::AppBroken,
            Reason::OauthAppDeleted,
            Confidence::Stated,
        ),
    ] {
        let world = World::new();
        let (_, refresh) = world.connect(ALICE).await;
        world.strike(cause);
        let got = refreshed(&world.refresh(&refresh).await);
        assert_eq!(got, (verdict, Some(reason), confidence), "{cause:?}");
    }
}

#[tokio::test]
async fn a_changed_client_secret_is_the_teams_problem_and_nobody_elses() {
    let world = World::new();
    let (_, refresh) = world.connect(ALICE).await;
    world.strike(Cause::ClientSecretChanged);
    let (verdict, reason, _) = refreshed(&world.refresh(&refresh).await);
    assert_eq!(
        (verdict, reason),
        (Verdict::AppBroken, Some(Reason::OauthClientSecretInvalid))
    );
}

#[tokio::test]
async fn every_cause_is_read_off_the_apis_answer() {
    for (cause, verdict, reason) in [
        (Cause::AppUninstalled, Verdict::Reauth, Reason::AppUninstalled),
        (Cause::ClientDeleted, Verdict::AppBroken, Reason::OauthAppDeleted),
        (Cause::AccessTokenExpired, Verdict::Reauth, Reason::AccessTokenExpired),
    ] {
        let world = World::new();
        let (access, _) = world.connect(ALICE).await;
        assert_eq!(probed("sandbox-oauth", &world.me(&access).await, false).0, Verdict::Ok);
        world.strike(cause);
        let got = probed("sandbox-oauth", &world.me(&access).await, false);
        assert_eq!(got, (verdict, Some(reason)), "{cause:?}");
    }
    let world = World::new();
    let (access, _) = world.connect(ALICE).await;
    world.strike(Cause::AccessTokenExpired);
    let got = probed("sandbox-oauth", &world.me(&access).await, true);
    assert_eq!(
        got,
        (Verdict::Transient, Some(Reason::AccessTokenExpired)),
        "a refresh will do"
    );
}

#[tokio::test]
async fn both_causes_of_the_key_application_are_read_off_its_answer() {
    for (cause, reason) in [
        (Cause::KeyExpired, Reason::ApiKeyInvalid),
        (Cause::AppUninstalled, Reason::AppUninstalled),
    ] {
        let world = World::new();
        let key = world.sandbox.create_key(TENANT, None).unwrap();
        assert_eq!(
            probed("sandbox-key", &world.sms(key.value.expose()).await, false).0,
            Verdict::Ok
        );
        let target = Target::everything(cause);
        world.sandbox.break_access(TENANT, &target).unwrap();
        let got = probed("sandbox-key", &world.sms(key.value.expose()).await, false);
        assert_eq!(got, (Verdict::Reauth, Some(reason)), "{cause:?}");
    }
}

#[tokio::test]
async fn no_weather_is_an_alarm() {
    let world = World::new();
    let (access, refresh) = world.connect(ALICE).await;
    let fair = Weather::default();
    for weather in [
        Weather { down: true, ..fair },
        Weather { throttle: true, ..fair },
        Weather { garbage: true, ..fair },
    ] {
        world.sandbox.set_weather(TENANT, weather);
        let (verdict, _, _) = refreshed(&world.refresh(&refresh).await);
        assert_eq!(verdict, Verdict::Transient, "{weather:?}");
        let (verdict, _) = probed("sandbox-oauth", &world.me(&access).await, true);
        assert_ne!(verdict, Verdict::Reauth, "{weather:?}");
    }
}

#[tokio::test]
async fn the_catalogue_asks_for_what_the_sandbox_grants() {
    let origin = ISSUER.parse().unwrap();
    let catalog = Catalog::load(None, Some(&origin)).unwrap();
    let scheme = catalog.get("sandbox-oauth").and_then(|app| app.oauth2.clone()).unwrap();
    assert_eq!(scheme.scopes.join(" "), SCOPE);
    assert!(scheme.token_url.starts_with(ISSUER));
}

#[tokio::test]
async fn a_lost_reply_is_a_broken_connection_to_the_client_that_waits_for_it() {
    let world = World::new();
    let (access, _) = world.connect(ALICE).await;
    let lossy = Weather {
        lose_replies: 1,
        ..Weather::default()
    };
    world.sandbox.set_weather(TENANT, lossy);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let egress = Egress::new([address.to_string()]);
    let ask = async || {
        let url = format!("http://{address}/api/me").parse().unwrap();
        let request = Request::new(Method::GET, url).header("authorization", format!("Bearer {access}"));
        egress.send(request).await.map(|reply| reply.status)
    };
    let asked = async { (ask().await, ask().await) };
    tokio::select! {
        ended = async { axum::serve(listener, world.sandbox.router()).await } => panic!("{ended:?}"),
        (first, second) = asked => {
            assert_eq!(first, Err(Unreachable::ReplyLost));
            assert_eq!(second, Ok(200));
        }
    }
}

#[tokio::test]
async fn a_token_that_worked_moments_after_it_was_issued_is_not_settling_when_it_is_refused() {
    let world = World::new();
    let (access, _) = world.connect(ALICE).await;
    world.strike(Cause::TokenRevoked);
    let refused = world.me(&access).await;
    for (worked, has_refresh_token, wanted) in [
        (None, true, (Verdict::Transient, Some(Reason::ProviderOutage))),
        (Some(true), true, (Verdict::Transient, Some(Reason::AccessTokenExpired))),
        (Some(true), false, (Verdict::Reauth, Some(Reason::TokenRevoked))),
    ] {
        let known = Circumstances {
            has_refresh_token: Some(has_refresh_token),
            access_token_age: Some(Duration::from_secs(3)),
            token_previously_worked: worked,
            ..Circumstances::default()
        };
        let got = judged("sandbox-oauth", Phase::Probe, &refused, known);
        assert_eq!((got.verdict, got.reason), wanted);
    }
}
