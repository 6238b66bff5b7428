//! Answers that are remembered for as long as nobody commits.
//!
//! Every commit to an SQLite file in WAL mode, by whatever process, writes the header of the file's WAL index (`…-shm`): a
//! counter of transactions, the number of frames and their running checksum. That header is what SQLite itself compares before it
//! goes on with what it has in memory (`PRAGMA data_version` tells the same, a statement later). As long as it is what it was
//! before an answer was asked for, asking again would bring the same answer. So nothing remembered is ever behind: a key revoked
//! or a connection flagged by another process is seen by the next look-up. One commit, of anything, and all is forgotten.
//!
//! What is remembered are rows as they are stored: credentials are sealed in them. PostgreSQL has no such counter within
//! reach, so there nothing is remembered.

use std::any::Any;
use std::collections::HashMap;
use std::fs::File;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

/// How many answers are remembered; past that all are forgotten.
const MOST: usize = 10_000;
/// The longest values by which one is remembered, in bytes: callers make them up.
const LONGEST: usize = 512;
/// The header of a WAL index, of which there are two copies ("WAL-mode File Format", section 2.1).
const HEADER: usize = 48;
/// What its first four bytes say, and its thirteenth once it is filled in.
const VERSION: u32 = 3_007_000;

/// What SQLite's header said.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark([u8; HEADER]);

/// What had been committed when somebody looked: the look-ups of one request share it, so that the index is read once for all.
#[derive(Clone, Copy)]
pub struct Glance(Option<Mark>);

/// An answer, whatever its type.
type Remembered = Arc<dyn Any + Send + Sync>;

#[derive(Default)]
struct Answers {
    /// When all of them were true.
    at: Option<Mark>,
    /// By question, and by its values.
    of: HashMap<usize, HashMap<String, Remembered>>,
    count: usize,
}

/// The answers to questions that are asked again and again.
pub(super) struct Memory {
    /// Where the WAL index is, on SQLite.
    path: Option<PathBuf>,
    index: RwLock<Option<Arc<Index>>>,
    answers: Mutex<Answers>,
}

impl Memory {
    /// For the database in this file; for another kind, or one in memory, there is nothing to go by.
    pub(super) fn new(database: Option<PathBuf>) -> Self {
        let path = database.map(|database| {
            let mut path = database.into_os_string();
            path.push("-shm");
            path.into()
        });
        Self {
            path,
            index: RwLock::default(),
            answers: Mutex::default(),
        }
    }

    /// Whether nobody has committed is told by comparing marks. `None` where it cannot be told.
    pub(super) fn mark(&self) -> Option<Mark> {
        let path = self.path.as_ref()?;
        let open = self.index.read().unwrap_or_else(PoisonError::into_inner).clone();
        match open.map(|index| index.mark()) {
            Some(Seen::Mark(mark)) => return Some(mark),
            Some(Seen::Unsettled) => return None,
            Some(Seen::Gone) | None => {}
        }
        let index = Arc::new(Index::open(path)?);
        let seen = index.mark();
        *self.index.write().unwrap_or_else(PoisonError::into_inner) = Some(index);
        match seen {
            Seen::Mark(mark) => Some(mark),
            Seen::Unsettled | Seen::Gone => None,
        }
    }

    /// What has been committed by now.
    pub(super) fn glance(&self) -> Glance {
        Glance(self.mark())
    }

    /// What is remembered, if it was true at that moment.
    pub(super) fn recall(&self, Glance(seen): Glance, question: usize, values: &str) -> Option<Remembered> {
        let seen = seen?;
        let answers = self.lock();
        (answers.at == Some(seen))
            .then(|| answers.of.get(&question)?.get(values).cloned())
            .flatten()
    }

    /// Remembers an answer that was asked for after `mark` was taken, unless somebody has committed since.
    pub(super) fn remember(&self, mark: Mark, (question, values): (usize, String), answer: Remembered) {
        if values.len() > LONGEST || self.mark() != Some(mark) {
            return;
        }
        let mut answers = self.lock();
        if answers.at != Some(mark) || answers.count >= MOST {
            for of in answers.of.values_mut() {
                of.clear();
            }
            answers.at = Some(mark);
            answers.count = 0;
        }
        if answers.of.entry(question).or_default().insert(values, answer).is_none() {
            answers.count += 1;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Answers> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An open WAL index.
struct Index(Option<File>);

/// Files that are no longer read, but not closed yet: closing one takes away every lock that this process has on it, SQLite's
/// too (POSIX, `fcntl`). They are closed once SQLite has removed them, which it does when nobody uses them any more.
static UNUSED: Mutex<Vec<File>> = Mutex::new(Vec::new());

impl Index {
    fn open(path: &Path) -> Option<Self> {
        let mut unused = UNUSED.lock().unwrap_or_else(PoisonError::into_inner);
        unused.retain(is_there);
        drop(unused);
        File::open(path).ok().map(|file| Self(Some(file)))
    }

    fn mark(&self) -> Seen {
        let Some(file) = &self.0 else { return Seen::Gone };
        let mut both = [0; 2 * HEADER];
        let read = file.read_exact_at(&mut both, 0);
        // After it was read: a file that has been removed is not the one that is written now.
        if !is_there(file) {
            return Seen::Gone;
        }
        let (first, second) = both.split_at(HEADER);
        let whole = first == second && first[..4] == VERSION.to_ne_bytes() && first[12] == 1;
        match first.try_into() {
            Ok(header) if whole && read.is_ok() => Seen::Mark(Mark(header)),
            _ => Seen::Unsettled,
        }
    }
}

/// What an index shows.
enum Seen {
    Mark(Mark),
    /// Somebody is writing, or about to.
    Unsettled,
    /// The file has been removed.
    Gone,
}

impl Drop for Index {
    fn drop(&mut self) {
        let mut unused = UNUSED.lock().unwrap_or_else(PoisonError::into_inner);
        unused.extend(self.0.take());
    }
}

fn is_there(file: &File) -> bool {
    file.metadata().is_ok_and(|known| known.nlink() > 0)
}
