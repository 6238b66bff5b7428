//! A process that dies, or is asked to end, at the worst moment; and the next one on the same database.

use axum::http::Method;
use serde_json::Value;

use super::world::{Row, World, programs, provider};
use crate::cli::program::{Program, Server};
use crate::support::{Manners, Received, until};

const STANDING: &str = "standing still, as EVERGRANT_DEBUG_STOP_AT asks";
const STOPPING: &str = "stopping: what is under way is finished first; a second signal ends the process at once";
/// A first access token so short-lived that the sweep renews it at once, and one that nobody renews.
const SHORT: u32 = 2;
const LONG: u32 = 3600;

/// Connects, waits until the child stands still at `step`, and kills it there.
async fn killed_at(program: Program, step: &str, (manners, life): (Manners, u32)) -> World {
    let mut world = World::around(program, provider(manners, life).await).await;
    world.set("EVERGRANT_DEBUG_STOP_AT", step);
    let mut server = world.program.serve();
    world.prepare(&server).await;
    world.connect(&server).await;
    assert_eq!(server.wait_for(STANDING)["step"], step);
    server.kill();
    world.set("EVERGRANT_DEBUG_STOP_AT", "");
    world
}

/// Waits until a later process has dealt with the connection.
async fn dealt_with(world: &World, before: &Row) -> Row {
    until("the lapsed lease is taken over", async || {
        let row = world.row().await;
        (row.sent_at.is_none() && (row.version > before.version || row.status != before.status)).then_some(row)
    })
    .await
}

/// The stored refresh token is the provider's newest: it works once more, and nothing is reused by it.
async fn still_refreshes(world: &World, server: &Server, id: &str) {
    let path = format!("/api/v2/public/connection/{id}/refresh");
    let done = world.ok(server, (Method::POST, &path), None).await;
    assert_eq!(
        (&done["outcome"], &done["connection"]["status"]),
        (&"renewed".into(), &"active".into())
    );
}

fn presented(world: &World) -> Vec<(String, u32)> {
    world.provider.presented().into_iter().collect()
}

fn names(received: &[Received]) -> Vec<String> {
    let name = |one: &Received| {
        let body: Value = serde_json::from_str(&one.body).unwrap();
        body["event"].as_str().unwrap().to_owned()
    };
    received.iter().map(name).collect()
}

fn times(token: &str, count: u32) -> (String, u32) {
    (token.to_owned(), count)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_before_a_refresh_is_sent_it_is_sent_once_after_the_restart() {
    for program in programs().await {
        let world = killed_at(program, "refresh.before_send", (Manners::Strict, SHORT)).await;
        let before = world.row().await;
        assert_eq!(before.version, 1);
        assert!(before.sent_at.is_some() && before.lease_until.is_some(), "{before:?}");
        assert_eq!(presented(&world), []);
        let mut server = world.program.serve();
        let after = dealt_with(&world, &before).await;
        assert!(after.issued_at >= before.lease_until, "{before:?} {after:?}");
        assert_eq!((&after.id, after.version), (&before.id, 2));
        still_refreshes(&world, &server, &after.id).await;
        assert_eq!(presented(&world), [times("rt-1", 1), times("rt-2", 1)]);
        assert_eq!(names(&world.events(1).await), ["Connection Created"]);
        assert_eq!(server.stop(), Some(0));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_with_a_reply_lost_the_token_is_tried_once_more_and_a_lenient_provider_goes_on() {
    for step in ["refresh.sent", "refresh.replied"] {
        for program in programs().await {
            let world = killed_at(program, step, (Manners::Grace, SHORT)).await;
            let before = world.row().await;
            assert_eq!((before.version, presented(&world)), (1, vec![times("rt-1", 1)]));
            assert!(before.sent_at.is_some(), "the intent is on record: {before:?}");
            let mut server = world.program.serve();
            let after = dealt_with(&world, &before).await;
            assert!(after.issued_at >= before.lease_until, "{before:?} {after:?}");
            assert_eq!(
                (&after.id, after.version, after.status.as_str()),
                (&before.id, 2, "active")
            );
            still_refreshes(&world, &server, &after.id).await;
            assert_eq!(presented(&world), [times("rt-1", 2), times("rt-3", 1)]);
            assert_eq!(names(&world.events(1).await), ["Connection Created"]);
            assert_eq!(server.stop(), Some(0));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_with_a_reply_lost_a_strict_provider_ends_the_grant_and_the_evidence_says_whose_fault_it_was() {
    for step in ["refresh.sent", "refresh.replied"] {
        for program in programs().await {
            let world = killed_at(program, step, (Manners::Strict, SHORT)).await;
            let before = world.row().await;
            let mut server = world.program.serve();
            let after = dealt_with(&world, &before).await;
            assert_eq!(
                (after.status.as_str(), after.version),
                ("reauth_required", 1),
                "{after:?}"
            );
            let view = world.view(&server, &after.id).await;
            assert_eq!(
                (&view["reason"], &view["confidence"]),
                (&"token_revoked".into(), &"inferred".into())
            );
            let words = view["evidence"]["words"].as_str().unwrap();
            assert!(
                words.starts_with("invalid_grant") && words.contains("reply was lost"),
                "{words}"
            );
            assert_eq!(presented(&world), [times("rt-1", 2)], "one more try, and no third");
            let told = world.events(2).await;
            assert_eq!(names(&told), ["Connection Created", "Connection Expired"]);
            assert!(told.iter().all(|one| one.is_signed_with(&world.key)));
            assert_eq!(server.stop(), Some(0));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_after_a_rotated_token_is_committed_nothing_is_lost_or_sent_again() {
    for program in programs().await {
        let world = killed_at(program, "refresh.committed", (Manners::Strict, SHORT)).await;
        let before = world.row().await;
        assert_eq!((before.version, before.sent_at, before.lease_until), (2, None, None));
        let mut server = world.program.serve();
        still_refreshes(&world, &server, &before.id).await;
        assert_eq!(presented(&world), [times("rt-1", 1), times("rt-2", 1)]);
        assert_eq!(server.stop(), Some(0));
    }
}

/// Another event, after which anything sent twice would have come: deliveries are sent in order.
async fn expire(world: &World, server: &Server) {
    let path = format!("/api/v2/public/connection/{}/expire", world.row().await.id);
    world.ok(server, (Method::POST, &path), None).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_any_step_of_a_delivery_the_event_arrives_and_twice_only_if_its_answer_was_lost() {
    for (step, before, after) in [
        ("delivery.before_send", 0, 1),
        ("delivery.sent", 1, 2),
        ("delivery.committed", 1, 1),
    ] {
        for program in programs().await {
            let world = killed_at(program, step, (Manners::Strict, LONG)).await;
            assert_eq!(world.receiver.received().len(), before, "{step}");
            let mut server = world.program.serve();
            world.deliveries(after).await;
            expire(&world, &server).await;
            let told = world.deliveries(after + 1).await;
            assert_eq!(told.len(), after + 1, "{step}: {told:?}");
            let (last, first) = told.split_last().unwrap();
            assert!(told.iter().all(|one| one.is_signed_with(&world.key)));
            assert!(names(first).iter().all(|name| name == "Connection Created"), "{step}");
            let same = |one: &Received| (one.header("webhook-id").to_owned(), one.body.clone());
            assert!(
                first.iter().all(|one| same(one) == same(&first[0])),
                "a repetition says that it is one"
            );
            assert_eq!(names(std::slice::from_ref(last)), ["Connection Expired"]);
            assert_ne!(last.header("webhook-id"), first[0].header("webhook-id"));
            assert_eq!(server.stop(), Some(0));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn asked_to_end_during_a_refresh_the_process_stores_the_rotated_token_first() {
    for program in programs().await {
        let mut world = World::around(program, provider(Manners::Strict, SHORT).await).await;
        world.set("EVERGRANT_DEBUG_LEASE_MS", "");
        let mut server = world.program.serve();
        world.prepare(&server).await;
        world.connect(&server).await;
        world.provider.gate().shut();
        until("the refresh is under way", async || {
            (!presented(&world).is_empty()).then_some(())
        })
        .await;
        server.signal("TERM");
        server.wait_for(STOPPING);
        assert_eq!(world.row().await.version, 1);
        world.provider.gate().open();
        server.wait_for("stopped");
        assert_eq!(server.wait(), Some(0));
        let after = world.row().await;
        assert_eq!((after.version, after.sent_at, after.lease_until), (2, None, None));
        let mut server = world.program.serve();
        still_refreshes(&world, &server, &after.id).await;
        assert_eq!(presented(&world), [times("rt-1", 1), times("rt-2", 1)]);
        assert_eq!(server.stop(), Some(0));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn asked_to_end_during_a_delivery_the_process_records_the_answer_first() {
    for program in programs().await {
        let mut world = World::around(program, provider(Manners::Strict, LONG).await).await;
        world.set("EVERGRANT_DEBUG_LEASE_MS", "");
        let mut server = world.program.serve();
        world.prepare(&server).await;
        world.receiver.gate.shut();
        world.connect(&server).await;
        world.events(1).await;
        server.signal("TERM");
        server.wait_for(STOPPING);
        world.receiver.gate.open();
        server.wait_for("stopped");
        assert_eq!(server.wait(), Some(0));
        let mut server = world.program.serve();
        expire(&world, &server).await;
        let told = names(&world.events(2).await);
        assert_eq!(told, ["Connection Created", "Connection Expired"], "each once");
        assert_eq!(server.stop(), Some(0));
    }
}
