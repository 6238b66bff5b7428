//! Disconnecting leaves no byte of a credential behind, neither open nor sealed.

use std::fmt::Write as _;

use axum::http::Method;
use serde_json::json;

use super::secrets::{Secrets, database, vacuum};
use super::world::{World, programs};
use crate::support::{Manners, Scripted};

/// Whether the sealed bytes, or any piece of them that could not be there by chance, are in the database.
async fn holds(world: &World, sealed: &[u8]) -> bool {
    let text = database(world).await;
    sealed.chunks_exact(16).any(|piece| {
        let mut hex = String::new();
        for byte in piece {
            let _ = write!(hex, "{byte:02x}");
        }
        let bytes: String = piece.iter().copied().map(char::from).collect();
        text.contains(&hex) || text.contains(&bytes)
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disconnected_credential_is_gone_from_the_database() {
    for program in programs().await {
        let provider = Scripted::start(Manners::Strict, "CanaryGrant~", 3600).await;
        let world = World::around(program, provider).await;
        let mut server = world.program.serve();
        world.prepare(&server).await;
        world.connect(&server).await;
        let path = "/api/v2/public/linked-account/integration/save-key-credentials/crash-key";
        let key = json!({ "api_key": "CanaryKey" });
        world.ok(&server, (Method::PUT, path), Some(&key)).await;
        let sealed = [
            world.row().await.sealed.unwrap(),
            world.row_of("crash-key").await.sealed.unwrap(),
        ];
        for one in &sealed {
            assert!(
                one.len() > 48 && holds(&world, one).await,
                "the search finds what is there"
            );
        }
        for slug in ["crash", "crash-key"] {
            let path = format!("/api/v2/public/linked-account/integration/{slug}");
            world.ok(&server, (Method::DELETE, &path), None).await;
            assert_eq!(world.row_of(slug).await.sealed, None);
        }
        assert_eq!(server.stop(), Some(0));
        vacuum(&world).await;
        for one in &sealed {
            assert!(!holds(&world, one).await);
        }
        let mut secrets = Secrets::default();
        secrets.add("the grant", "CanaryGrant");
        secrets.add("the key", "CanaryKey");
        let found = secrets.found_in("the database", &database(&world).await);
        assert!(found.is_empty(), "{found:#?}");
    }
}
