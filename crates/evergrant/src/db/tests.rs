//! Group commit on a real file.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Waker};

use sqlx::Row as _;

use super::*;

async fn db(folder: &tempfile::TempDir) -> Db {
    let url = format!("sqlite://{}?mode=rwc", folder.path().join("group.db").display());
    let db = Db::connect(&url, Some(4)).await.unwrap();
    let mut tx = db.begin().await.unwrap();
    tx.execute("CREATE TABLE noted (word TEXT PRIMARY KEY)").await.unwrap();
    tx.commit().await.unwrap();
    db
}

async fn note(tx: &mut Tx, word: &str) -> Result<(), sqlx::Error> {
    let insert = sqlx::query("INSERT INTO noted (word) VALUES ($1)").bind(word.to_owned());
    insert.execute(&mut **tx).await.map(drop)
}

async fn noted(db: &Db) -> Vec<String> {
    let mut conn = db.read().await.unwrap();
    let rows = sqlx::query("SELECT word FROM noted ORDER BY word").fetch_all(&mut *conn);
    rows.await.unwrap().iter().map(|row| row.get(0)).collect()
}

/// Goes on with something until it waits.
fn poll<T>(what: std::pin::Pin<&mut impl Future<Output = T>>) -> Option<T> {
    match what.poll(&mut Context::from_waker(Waker::noop())) {
        std::task::Poll::Ready(done) => Some(done),
        std::task::Poll::Pending => None,
    }
}

#[tokio::test]
async fn those_who_wait_for_a_writer_share_its_commit() {
    let folder = tempfile::tempdir().unwrap();
    let db = db(&folder).await;
    let before = db.commits().unwrap();
    let mut first = db.begin().await.unwrap();
    note(&mut first, "first").await.unwrap();
    let mut all = tokio::task::JoinSet::new();
    for n in 0..50 {
        let db = db.clone();
        all.spawn(async move {
            let mut tx = db.begin().await.unwrap();
            note(&mut tx, &format!("other {n:02}")).await.unwrap();
            tx.commit().await.unwrap();
        });
    }
    tokio::task::yield_now().await;
    first.commit().await.unwrap();
    all.join_all().await;
    assert_eq!(noted(&db).await.len(), 51);
    assert_eq!(db.commits().unwrap() - before, 1);
}

#[tokio::test]
async fn a_member_that_fails_takes_back_its_own_work_only() {
    let folder = tempfile::tempdir().unwrap();
    let db = db(&folder).await;
    let mut first = db.begin().await.unwrap();
    note(&mut first, "a").await.unwrap();
    let fails = async {
        let mut tx = db.begin().await.unwrap();
        note(&mut tx, "b").await.unwrap();
        assert!(note(&mut tx, "a").await.is_err(), "it sees what the first one wrote");
    };
    let last = async {
        let mut tx = db.begin().await.unwrap();
        note(&mut tx, "c").await.unwrap();
        tx.commit().await.unwrap();
    };
    let (first, (), ()) = tokio::join!(first.commit(), fails, last);
    first.unwrap();
    assert_eq!(noted(&db).await, ["a", "c"]);
}

#[tokio::test]
async fn the_last_one_to_fail_leaves_the_commit_to_those_before() {
    let folder = tempfile::tempdir().unwrap();
    let db = db(&folder).await;
    let mut first = db.begin().await.unwrap();
    note(&mut first, "a").await.unwrap();
    let gives_up = async {
        let mut tx = db.begin().await.unwrap();
        note(&mut tx, "b").await.unwrap();
    };
    let (first, ()) = tokio::join!(first.commit(), gives_up);
    first.unwrap();
    assert_eq!(noted(&db).await, ["a"]);
    let mut alone = db.begin().await.unwrap();
    note(&mut alone, "nobody's").await.unwrap();
    drop(alone);
    assert_eq!(noted(&db).await, ["a"]);
}

#[tokio::test]
async fn whoever_goes_away_while_waiting_holds_up_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let db = db(&folder).await;
    let mut first = db.begin().await.unwrap();
    note(&mut first, "a").await.unwrap();
    {
        let mut gone = pin!(db.begin());
        assert!(poll(gone.as_mut()).is_none());
        let mut gone_too = pin!(db.begin());
        assert!(poll(gone_too.as_mut()).is_none());
    }
    let stays = async {
        let mut tx = db.begin().await.unwrap();
        note(&mut tx, "b").await.unwrap();
        tx.commit().await.unwrap();
    };
    let (first, ()) = tokio::join!(first.commit(), stays);
    first.unwrap();
    assert_eq!(noted(&db).await, ["a", "b"]);

    // Dropped while its work waits for the others' commit, and while it holds the turn.
    let mut dropped = db.begin().await.unwrap();
    note(&mut dropped, "c").await.unwrap();
    let mut next = Box::pin(db.begin());
    assert!(poll(next.as_mut()).is_none());
    {
        let mut committing = pin!(dropped.commit());
        assert!(
            poll(committing.as_mut()).is_none(),
            "the next one holds the transaction"
        );
    }
    let mut next = next.await.unwrap();
    note(&mut next, "d").await.unwrap();
    next.commit().await.unwrap();
    assert!(noted(&db).await.contains(&"d".to_owned()));
    let mut last = db.begin().await.unwrap();
    note(&mut last, "e").await.unwrap();
    last.commit().await.unwrap();
}

/// Whoever goes away in the middle of joining takes nobody's work along, wherever exactly that was.
#[tokio::test]
async fn whoever_goes_away_while_its_savepoint_is_set_takes_nobody_along() {
    let folder = tempfile::tempdir().unwrap();
    let db = db(&folder).await;
    for round in 0..100 {
        let mut first = db.begin().await.unwrap();
        note(&mut first, &format!("{round:03} first")).await.unwrap();
        let mut gone = Box::pin(db.begin());
        assert!(poll(gone.as_mut()).is_none());
        let mut after = Box::pin(db.begin());
        assert!(poll(after.as_mut()).is_none());
        let mut first = Box::pin(first.commit());
        assert!(poll(first.as_mut()).is_none(), "the next one holds the transaction");
        // It has the baton now, and a statement is under way (or, where the engine is quick, its transaction is there).
        drop(poll(gone.as_mut()));
        drop(gone);
        let last = async {
            let mut tx = after.await.unwrap();
            note(&mut tx, &format!("{round:03} last")).await.unwrap();
            tx.commit().await
        };
        let (first, last) = tokio::join!(first, last);
        first.unwrap();
        last.unwrap();
    }
    assert_eq!(noted(&db).await.len(), 200);
}

#[tokio::test]
async fn a_savepoint_that_cannot_be_ended_ends_the_group_and_nobody_hears_of_success() {
    let folder = tempfile::tempdir().unwrap();
    let db = db(&folder).await;
    let mut first = db.begin().await.unwrap();
    note(&mut first, "a").await.unwrap();
    first.execute("RELEASE member").await.unwrap();
    let joins = async { db.begin().await.map(drop) };
    let (first, joined) = tokio::join!(first.commit(), joins);
    assert!(first.is_err() && joined.is_err());
    assert!(noted(&db).await.is_empty());
    let mut next = db.begin().await.unwrap();
    note(&mut next, "b").await.unwrap();
    next.commit().await.unwrap();
    assert_eq!(noted(&db).await, ["b"]);
}

#[tokio::test]
async fn a_commit_that_fails_fails_for_all() {
    let folder = tempfile::tempdir().unwrap();
    let db = db(&folder).await;
    let mut tx = db.begin().await.unwrap();
    tx.execute("CREATE TABLE child (word TEXT REFERENCES noted (word) DEFERRABLE INITIALLY DEFERRED)")
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let mut first = db.begin().await.unwrap();
    note(&mut first, "a").await.unwrap();
    let breaks = async {
        let mut tx = db.begin().await.unwrap();
        tx.execute("INSERT INTO child (word) VALUES ('unknown')").await.unwrap();
        tx.commit().await
    };
    let (first, second) = tokio::join!(first.commit(), breaks);
    assert!(first.is_err() && second.is_err());
    assert!(noted(&db).await.is_empty());
    let mut next = db.begin().await.unwrap();
    note(&mut next, "b").await.unwrap();
    next.commit().await.unwrap();
    assert_eq!(noted(&db).await, ["b"]);
}

#[tokio::test]
async fn what_nobody_commits_to_any_more_is_not_gone_by() {
    let folder = tempfile::tempdir().unwrap();
    let first = db(&folder).await;
    let memory = memory::Memory::new(Some(folder.path().join("group.db")));
    let before = memory.mark();
    assert!(before.is_some());
    memory.remember(before.unwrap(), (1, "a".to_owned()), Arc::new(7));
    assert!(memory.recall(memory.glance(), 1, "a").is_some());
    assert!(memory.recall(memory.glance(), 2, "a").is_none() && memory.recall(memory.glance(), 1, "b").is_none());
    first.close().await;
    assert!(memory.mark().is_none(), "the last one to close has removed the index");
    assert!(memory.recall(memory.glance(), 1, "a").is_none());

    let url = format!("sqlite://{}?mode=rwc", folder.path().join("group.db").display());
    let second = Db::connect(&url, Some(4)).await.unwrap();
    let mut tx = second.begin().await.unwrap();
    note(&mut tx, "a").await.unwrap();
    let (during, glance) = (memory.mark(), memory.glance());
    tx.commit().await.unwrap();
    let after = memory.mark();
    assert!(after.is_some() && after != during && after != before);
    memory.remember(during.unwrap(), (1, "a".to_owned()), Arc::new(7));
    assert!(
        memory.recall(memory.glance(), 1, "a").is_none(),
        "somebody has committed since it was asked"
    );
    memory.remember(after.unwrap(), (1, "a".to_owned()), Arc::new(8));
    assert!(memory.recall(memory.glance(), 1, "a").is_some());
    assert!(memory.recall(glance, 1, "a").is_none(), "another moment's");
}
