//! Refresh on use: who asks for a credential gets one that works, or is told why there is none.

use std::time::Duration;

use evergrant::connections::Credential;
use evergrant::error::Error;
use evergrant::ids::ConnectionId;
use evergrant::reason::Reason;
use evergrant::refresh;
use evergrant::sandbox::{Cause, Weather};
use evergrant::tenants::{self, Environment, Tenant};

use crate::support::{CRM, CUSTOMER, SMS, Story, story};

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);
const MILLI: Duration = Duration::from_millis(1);
const NEED: Duration = Duration::from_mins(5);

async fn live_of(s: &Story, tenant: &Tenant, id: &str) -> Result<Credential, Error> {
    let id: ConnectionId = id.parse().unwrap();
    refresh::live(&s.t.app, tenant, &id, NEED).await
}

async fn live(s: &Story, id: &str) -> Result<Credential, Error> {
    live_of(s, s.tenant(), id).await
}

/// The access token that is handed out.
async fn token(s: &Story, id: &str) -> String {
    let Credential::OAuth2(tokens) = live(s, id).await.unwrap() else {
        panic!("no grant")
    };
    tokens.access_token.expose().to_owned()
}

fn down(s: &Story) {
    s.provider.weather(Weather {
        down: true,
        ..Weather::default()
    });
}

#[tokio::test]
async fn a_token_is_renewed_when_it_would_not_last_and_not_a_millisecond_before() {
    story(async |s| {
        let id = s.connect().await;
        let first = token(&s, &id).await;
        // What is needed, and as much as clocks may be apart.
        s.pass(HOUR.saturating_sub(NEED + refresh::CLOCKS).saturating_sub(MILLI));
        assert_eq!(token(&s, &id).await, first);
        assert_eq!(s.provider.refreshes(), 0);
        s.pass(MILLI);
        let second = token(&s, &id).await;
        assert_ne!(second, first);
        assert_eq!(token(&s, &id).await, second);
        assert_eq!(s.provider.refreshes(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_token_past_its_end_is_replaced_by_a_fresh_one() {
    story(async |s| {
        let id = s.connect().await;
        let first = token(&s, &id).await;
        s.pass(2 * HOUR);
        assert_ne!(token(&s, &id).await, first);
        assert!(s.find(&id).await.schedule.expires_at.unwrap() > s.t.app.now());
        assert_eq!(s.provider.refreshes(), 1);
    })
    .await;
}

#[tokio::test]
async fn while_the_provider_is_down_a_token_is_served_to_its_last_millisecond_and_never_after() {
    story(async |s| {
        let id = s.connect().await;
        let first = token(&s, &id).await;
        down(&s);
        s.pass(HOUR.saturating_sub(MILLI));
        assert_eq!(token(&s, &id).await, first);
        assert_eq!(s.provider.refreshes(), 1, "it was tried");
        s.pass(MILLI);
        for _ in 0..2 {
            let refused = live(&s, &id).await.unwrap_err();
            // It has asked for five seconds' patience.
            let left = Some(Duration::from_secs(5).saturating_sub(MILLI));
            assert!(
                matches!(refused, Error::ProviderUnavailable { retry_after } if retry_after == left),
                "{refused:?}"
            );
        }
        assert_eq!(s.provider.refreshes(), 1, "it gets it");
        s.assert_healthy(CRM).await;
        s.provider.fair();
        s.pass(Duration::from_secs(5));
        assert_ne!(token(&s, &id).await, first);
        assert_eq!(s.events().await, ["Connection Created sandbox-oauth"]);
    })
    .await;
}

#[tokio::test]
async fn a_flagged_connection_says_whose_it_is_why_and_since_when_and_is_not_tried_again() {
    story(async |s| {
        let id = s.connect().await;
        s.provider.strike(Cause::TokenRevoked);
        s.pass(HOUR);
        let since = s.t.app.now();
        let mut urls = Vec::new();
        for _ in 0..2 {
            let Err(Error::ReauthRequired(told)) = live(&s, &id).await else {
                panic!("served")
            };
            assert_eq!((told.slug.as_str(), told.linked_account_id.as_str()), (CRM, CUSTOMER));
            assert_eq!(told.connection_id.as_str(), id);
            assert_eq!((told.reason, told.since), (Reason::TokenRevoked, since));
            urls.push(told.reauth_url.unwrap());
            s.pass(MINUTE);
        }
        assert_eq!(urls[0], urls[1], "one link a break");
        assert_eq!(s.provider.refreshes(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_grant_whose_client_the_team_removed_is_served_again_once_there_is_one() {
    story(async |s| {
        let id = s.connect().await;
        let first = token(&s, &id).await;
        let path = format!("/api/v2/public/application/{CRM}/oauth-client?confirm=true");
        s.t.delete(&path).ok().await;
        // That flags every connection: only the client's return helps.
        let refused = live(&s, &id).await.unwrap_err();
        assert!(matches!(&refused, Error::ReauthRequired(told) if told.reason == Reason::OauthAppDeleted));
        s.set_client(crate::support::CLIENT, crate::support::CLIENT_SECRET)
            .await;
        crate::support::run_due(&s.t.app).await;
        assert_ne!(token(&s, &id).await, first);
    })
    .await;
}

#[tokio::test]
async fn a_key_is_served_whatever_the_weather() {
    story(async |s| {
        let id = s.connect_key().await;
        down(&s);
        s.pass(30 * 24 * HOUR);
        let before = s.provider.requests();
        assert!(matches!(live(&s, &id).await, Ok(Credential::Keys(_))));
        assert_eq!(s.provider.requests(), before, "nobody is asked");
        s.assert_healthy(SMS).await;
    })
    .await;
}

#[tokio::test]
async fn what_is_disconnected_unknown_or_another_tenants_is_not_found() {
    story(async |s| {
        let id = s.connect().await;
        s.t.stranger().await;
        let found = {
            let mut conn = s.t.app.db.read().await.unwrap();
            tenants::store::find_environment(&mut conn, "stranger", Environment::Test)
                .await
                .unwrap()
                .unwrap()
        };
        s.pass(HOUR);
        let theirs = live_of(&s, &found.tenant, &id).await;
        assert!(matches!(theirs, Err(Error::NotFound("Connection"))));
        let unknown = ConnectionId::new(s.t.app.now());
        let unknown = live(&s, unknown.as_str()).await;
        assert!(matches!(unknown, Err(Error::NotFound("Connection"))));
        s.disconnect(CRM, "").await;
        assert!(matches!(live(&s, &id).await, Err(Error::NotFound("Connection"))));
        assert_eq!(s.provider.refreshes(), 0);
    })
    .await;
}

#[tokio::test]
async fn a_customer_and_an_application_name_the_connection_that_works() {
    use evergrant::catalog::AuthType;
    use evergrant::connections::{self, Which};
    story(async |s| {
        let id = s.connect().await;
        let of = |linked_account_id, slug, auth_type| Which::Of {
            linked_account_id,
            slug,
            auth_type,
        };
        let ask = async |which: Which<'_>| {
            let found = connections::look_up(&s.t.app, s.tenant(), which).await?;
            assert_eq!(found.linked_account_id, CUSTOMER);
            refresh::live_of(&s.t.app, s.tenant(), found.connection.clone(), NEED).await
        };
        for auth_type in [None, Some(AuthType::OAuth2)] {
            let (connection, _) = ask(of(CUSTOMER, CRM, auth_type)).await.unwrap();
            assert_eq!(connection.id.as_str(), id);
        }
        for missing in [
            of(CUSTOMER, CRM, Some(AuthType::Keybased)),
            of(CUSTOMER, SMS, None),
            of(CUSTOMER, "nothing", None),
        ] {
            assert!(matches!(ask(missing).await, Err(Error::NotFound("Connection"))));
        }
        let nobody = ask(of("nobody", CRM, None)).await;
        assert!(matches!(nobody, Err(Error::AccountNotFound { .. })));
        s.act(&id, "expire").await;
        assert!(matches!(
            ask(of(CUSTOMER, CRM, None)).await,
            Err(Error::ReauthRequired(_))
        ));
        s.disconnect(CRM, "").await;
        assert!(matches!(
            ask(of(CUSTOMER, CRM, None)).await,
            Err(Error::NotFound("Connection"))
        ));
    })
    .await;
}
