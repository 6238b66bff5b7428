//! OAuth clients.

use evergrant::clients::{self, NewClient, OAuthClient, store};
use evergrant::ids::ClientId;
use evergrant::secret::Secret;
use evergrant::vault::Sealed;

use crate::support::{TestApp, on_both};

fn client(t: &TestApp, slug: &str, secret: Option<Vec<u8>>) -> OAuthClient {
    let now = t.app.now();
    OAuthClient {
        id: ClientId::new(now),
        tenant: t.environment.tenant.id.clone(),
        slug: slug.to_owned(),
        client_id: format!("id-of-{slug}"),
        sealed_secret: secret.map(Sealed::from_bytes),
        scopes: Some(vec!["a".to_owned(), "b:c".to_owned()]),
        created_at: now,
        updated_at: now,
    }
}

#[tokio::test]
async fn an_application_has_one_client_per_environment() {
    on_both(async |t| {
        let mine = &t.environment.tenant.id;
        let key = t.stranger().await;
        let theirs = evergrant::tenants::authenticate(&t.app, &key)
            .await
            .unwrap()
            .tenant
            .id
            .clone();
        let mut tx = t.app.db.begin().await.unwrap();
        let first = client(&t, "slack", Some(vec![0, 255]));
        store::upsert(&mut tx, &first).await.unwrap();
        store::upsert(&mut tx, &client(&t, "hubspot", None)).await.unwrap();
        let second = OAuthClient {
            scopes: None,
            ..client(&t, "slack", Some(vec![7]))
        };
        store::upsert(&mut tx, &second).await.unwrap();
        let found = store::find(&mut tx, mine, "slack").await.unwrap().unwrap();
        assert_eq!((&found.id, &found.scopes), (&second.id, &None));
        assert_eq!(found.sealed_secret.unwrap().as_bytes(), [7]);
        let same = store::of_client_id_of_all_tenants(&mut tx, "slack", "id-of-slack")
            .await
            .unwrap();
        assert_eq!(same.iter().map(|one| &one.tenant).collect::<Vec<_>>(), [mine]);
        assert!(
            store::of_client_id_of_all_tenants(&mut tx, "hubspot", "id-of-slack")
                .await
                .unwrap()
                .is_empty()
        );
        let all = store::list(&mut tx, mine).await.unwrap();
        let slugs: Vec<_> = all.iter().map(|one| one.slug.as_str()).collect();
        assert_eq!(slugs, ["hubspot", "slack"]);
        assert!(all[0].sealed_secret.is_none());
        assert_eq!(all[0].scopes, first.scopes);
        assert!(store::find(&mut tx, &theirs, "slack").await.unwrap().is_none());
        assert!(store::list(&mut tx, &theirs).await.unwrap().is_empty());
        assert!(!store::remove(&mut tx, &theirs, "slack").await.unwrap());
        assert!(store::remove(&mut tx, mine, "slack").await.unwrap());
        assert!(!store::remove(&mut tx, mine, "slack").await.unwrap());
        tx.commit().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_secret_is_sealed_and_opens_only_in_its_own_row() {
    on_both(async |t| {
        let tenant = &t.environment.tenant;
        let set = async |slug: &str, secret: &str| {
            let new = NewClient {
                client_id: "id".to_owned(),
                secret: Some(Secret::from(secret.to_owned())),
                scopes: None,
            };
            clients::set(&t.app, tenant, slug, new).await.unwrap()
        };
        let (slack, hubspot) = (set("slack", "canary-1").await, set("hubspot", "canary-2").await);
        let opened = clients::secret(&t.app, tenant, &slack).await.unwrap().unwrap();
        assert_eq!(opened.expose(), "canary-1");
        let bytes = slack.sealed_secret.clone().unwrap();
        assert!(!bytes.as_bytes().windows(6).any(|part| part == b"canary"));
        let swapped = OAuthClient {
            sealed_secret: slack.sealed_secret,
            ..hubspot
        };
        assert!(clients::secret(&t.app, tenant, &swapped).await.is_err());
        assert_eq!(clients::list(&t.app, tenant).await.unwrap().len(), 2);
    })
    .await;
}
