//! Group commit: writers that queue for SQLite share one transaction, one commit, and so one flush of the disk.
//!
//! The open transaction is a baton. Each member of the group works behind a savepoint; when it is done it hands the baton to
//! whoever waits next, and the one who finds nobody waiting commits for all. While that commit is flushed others queue, and
//! make the next group: the slower the disk, the larger the groups. Nothing runs in the background, so that which write
//! shares a commit with which depends on nothing but who came when.
//!
//! Promises: a member hears of success only after the commit that holds its work. A member that gives up, or is dropped,
//! takes back its own work and nobody else's. Whoever is dropped anywhere, the baton goes on. Where the engine refuses to set or
//! end a savepoint, nobody can tell whose work stands: the group ends there, and all of it has failed.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sqlx::{Any, AnyPool, Executor as _, Transaction};
use tokio::sync::oneshot;

use crate::error::Error;

/// How many share a commit at most: the first one waits for the last.
const MOST: usize = 128;
/// How often the last member lets others go first before it commits: whoever is about to write joins in. Costs nothing where
/// nobody is.
const LOOK_AROUND: usize = 3;

const ENTER: &str = "SAVEPOINT member";
/// What is done stays done, whatever the next one does.
const LEAVE: &str = "RELEASE member";
/// The savepoint itself stays, and is the next member's.
const TAKE_BACK: &str = "ROLLBACK TO member";

/// Who writes, and who waits to.
#[derive(Debug, Default)]
pub(super) struct Queue(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    busy: bool,
    waiting: VecDeque<oneshot::Sender<Call>>,
    commits: u64,
}

/// What somebody who waits is called for.
#[derive(Debug)]
enum Call {
    /// To open a transaction.
    Lead(Turn),
    /// To go on with one.
    Join(Member),
}

/// What somebody hears whose work is done.
enum Word {
    /// It is on disk.
    Committed,
    /// It is not.
    Failed(String),
    /// Nobody else is there to commit.
    Commit(Member),
}

/// The right to write. Its end calls the next one.
#[derive(Debug)]
struct Turn(Arc<Queue>);

/// The transaction that the members share. The fields are dropped in this order: the next one opens its own after this one
/// has ended.
struct Group {
    tx: Transaction<'static, Any>,
    /// Those whose work is done.
    done: Vec<oneshot::Sender<Word>>,
    /// How many have joined.
    joined: usize,
    /// Whether the savepoint is known to stand. Where somebody was dropped while it was set or ended nobody knows, and another
    /// is set over it: the latest of that name is the one that counts.
    stands: bool,
    /// Whether the work since the savepoint is to be taken back.
    failed: bool,
    /// Whether the engine has refused to set or end a savepoint.
    broken: bool,
    turn: Turn,
}

/// The baton: the group's transaction in the hands of one member.
pub(super) struct Member {
    /// `None` once it has been passed on.
    group: Option<Box<Group>>,
    /// Whether its holder's savepoint stands, so that its end without a commit is a failure.
    begun: bool,
}

impl Queue {
    /// How many commits there have been.
    pub(super) fn commits(&self) -> u64 {
        self.lock().commits
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next one who waits.
    fn next(&self) -> Option<oneshot::Sender<Call>> {
        self.lock().waiting.pop_front()
    }

    /// The turn, if nobody has it; else a place in the queue.
    fn turn(self: &Arc<Self>) -> Result<Turn, oneshot::Receiver<Call>> {
        let mut state = self.lock();
        if !state.busy {
            state.busy = true;
            return Ok(Turn(self.clone()));
        }
        let (call, called) = oneshot::channel();
        state.waiting.push_back(call);
        Err(called)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        let next = state.waiting.pop_front();
        state.busy = next.is_some();
        drop(state);
        // Whoever has gone away since does not take the turn: it is dropped here, and calls the next one.
        if let Some(next) = next {
            drop(next.send(Call::Lead(Self(self.0.clone()))));
        }
    }
}

impl Group {
    /// Sets the savepoint of whoever comes next. One statement at a time: the engine may stop between two whose sender has gone.
    async fn enter(&mut self) -> Result<(), sqlx::Error> {
        if self.failed {
            self.tx.execute(sqlx::raw_sql(TAKE_BACK)).await?;
            self.failed = false;
            return Ok(());
        }
        if std::mem::take(&mut self.stands) {
            self.tx.execute(sqlx::raw_sql(LEAVE)).await?;
        }
        self.tx.execute(sqlx::raw_sql(ENTER)).await?;
        self.stands = true;
        Ok(())
    }
}

impl Member {
    /// Waits for a turn and opens a transaction, or for the baton and goes on with the one that is open.
    pub(super) async fn join(queue: &Arc<Queue>, pool: &AnyPool, begin: &'static str) -> Result<Self, Error> {
        let call = match queue.turn() {
            Ok(turn) => Call::Lead(turn),
            Err(called) => called
                .await
                .map_err(|_| Error::Internal("the writers' queue is gone"))?,
        };
        let mut member = match call {
            Call::Join(member) => member,
            Call::Lead(turn) => Self {
                group: Some(Box::new(Group {
                    tx: pool.begin_with(begin).await?,
                    done: Vec::new(),
                    joined: 0,
                    stands: false,
                    failed: false,
                    broken: false,
                    turn,
                })),
                begun: false,
            },
        };
        member.begin().await?;
        Ok(member)
    }

    async fn begin(&mut self) -> Result<(), Error> {
        let group = self.group_mut();
        group.joined += 1;
        if let Err(error) = group.enter().await {
            group.broken = true;
            return Err(error.into());
        }
        self.begun = true;
        Ok(())
    }

    /// Hands the baton on, and waits for the commit.
    pub(super) async fn commit(mut self) -> Result<(), Error> {
        self.begun = false;
        let mut member = self;
        for _ in 0..LOOK_AROUND {
            match member.hand_on().await? {
                None => return Ok(()),
                Some(last) => member = last,
            }
            tokio::task::yield_now().await;
        }
        match member.hand_on().await? {
            None => Ok(()),
            Some(last) => last.commit_for_all().await,
        }
    }

    /// Hands the baton on and waits for word of the commit. It comes back to the last one.
    async fn hand_on(mut self) -> Result<Option<Self>, Error> {
        let (word, heard) = oneshot::channel();
        self.group_mut().done.push(word);
        drop(self);
        match heard.await {
            Ok(Word::Committed) => Ok(None),
            Ok(Word::Commit(last)) => Ok(Some(last)),
            Ok(Word::Failed(why)) => Err(sqlx::Error::Protocol(why).into()),
            Err(_) => Err(sqlx::Error::Protocol("the shared transaction broke off".to_owned()).into()),
        }
    }

    async fn commit_for_all(mut self) -> Result<(), Error> {
        let Some(group) = self.group.take() else {
            return Err(Error::Internal("a baton that has been passed on"));
        };
        let Group {
            mut tx,
            done,
            failed,
            turn,
            ..
        } = *group;
        let undo = if failed {
            tx.execute(sqlx::raw_sql(TAKE_BACK)).await.map(drop)
        } else {
            Ok(())
        };
        let ended = match undo {
            Ok(()) => tx.commit().await,
            Err(error) => Err(error),
        };
        turn.0.lock().commits += u64::from(ended.is_ok());
        drop(turn);
        for word in done {
            drop(word.send(match &ended {
                Ok(()) => Word::Committed,
                Err(error) => Word::Failed(format!("the shared commit failed: {error}")),
            }));
        }
        Ok(ended?)
    }

    fn group_mut(&mut self) -> &mut Group {
        self.group
            .as_deref_mut()
            .expect("the baton is passed on by its end alone")
    }

    pub(super) fn transaction(&self) -> &Transaction<'static, Any> {
        &self
            .group
            .as_deref()
            .expect("the baton is passed on by its end alone")
            .tx
    }

    pub(super) fn transaction_mut(&mut self) -> &mut Transaction<'static, Any> {
        &mut self.group_mut().tx
    }
}

impl Drop for Member {
    /// The baton goes to whoever waits; else back to one whose work is done, to commit; else nobody's work is in it.
    fn drop(&mut self) {
        let Some(mut group) = self.group.take() else { return };
        group.failed |= self.begun;
        let pass = |group| Self {
            group: Some(group),
            begun: false,
        };
        if group.broken {
            for word in group.done.drain(..) {
                drop(word.send(Word::Failed("the shared transaction is in doubt".to_owned())));
            }
            return;
        }
        // Whoever has gone away since does not take it: it is dropped here, and goes on from there.
        let waiting = if group.joined < MOST && !group.done.is_empty() {
            group.turn.0.next()
        } else {
            None
        };
        if let Some(next) = waiting {
            drop(next.send(Call::Join(pass(group))));
        } else if let Some(last) = group.done.pop() {
            drop(last.send(Word::Commit(pass(group))));
        }
    }
}

impl std::fmt::Debug for Member {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Member").finish_non_exhaustive()
    }
}
