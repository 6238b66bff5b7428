//! Look-ups that wait at the same time share one statement.
//!
//! Before every call that a product makes stand the same two small questions: whose key is this, and how does that connection
//! stand? Both are answered by the database, always: what another node has just revoked or flagged must count. Asked one by
//! one, the way to the database and back costs many times what the answer does. So whoever finds nobody asking asks; those who
//! come meanwhile wait, and the first of them asks for all when the answer is there. The busier, the larger the statements;
//! alone, nobody waits for anybody.
//!
//! Promises: a question is answered by a statement that began after it was put, or from [`Memory`] where no commit has come
//! since. One that is dropped takes nobody else's answer along. The connection that asks is kept, so that neither the pool's test
//! of it nor the preparation of the statement is paid for each time.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use sqlx::any::AnyRow;
use sqlx::pool::PoolConnection;
use sqlx::{Any, AnyPool, Row as _};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::memory::{Mark, Memory};
use crate::error::Error;

/// How many questions one statement may hold; each size is a statement of its own.
const SIZES: [usize; 4] = [1, 4, 16, 64];
/// One of so many connections of the pool may be kept.
const SPARE: u32 = 4;

/// A question, asked with other values each time, and how its rows are read. It selects its number last.
pub struct LookUp<T> {
    pub(super) statement: Statement,
    pub(super) read: fn(&[AnyRow]) -> Result<T, Error>,
}

impl<T> LookUp<T> {
    /// SQL around a list of rows `(number, $1, $2 …)`, whose columns both engines name `column1`, `column2` …
    #[must_use]
    pub const fn new(
        (head, columns, tail): (&'static str, usize, &'static str),
        read: fn(&[AnyRow]) -> Result<T, Error>,
    ) -> Self {
        let texts = OnceLock::new();
        Self {
            statement: Statement {
                head,
                tail,
                columns,
                texts,
            },
            read,
        }
    }
}

/// The SQL of a question.
pub(super) struct Statement {
    head: &'static str,
    tail: &'static str,
    columns: usize,
    texts: OnceLock<[&'static str; SIZES.len()]>,
}

/// The rows of one answer, and what held before they were asked for.
#[derive(Clone)]
pub(super) struct Answer {
    pub(super) rows: Arc<Vec<AnyRow>>,
    pub(super) mark: Option<Mark>,
}

impl Statement {
    /// Names it in this process.
    pub(super) fn number(&'static self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    /// The statement that holds so many questions, and how many it has room for.
    fn text(&self, questions: usize) -> (&'static str, usize) {
        let texts = self.texts.get_or_init(|| SIZES.map(|size| self.write(size)));
        let at = SIZES
            .iter()
            .position(|size| *size >= questions)
            .unwrap_or(SIZES.len() - 1);
        (texts[at], SIZES[at])
    }

    fn write(&self, size: usize) -> &'static str {
        let row = |number: usize| {
            let places = (1..=self.columns).map(|column| format!(", ${}", number * self.columns + column));
            format!("({number}{})", places.collect::<String>())
        };
        let rows: Vec<_> = (0..size).map(row).collect();
        format!("{}{}{}", self.head, rows.join(", "), self.tail).leak()
    }
}

type Values = Vec<String>;

/// Who waits for an answer.
struct Waiting {
    values: Values,
    tell: oneshot::Sender<Told>,
}

/// What somebody hears who waits.
enum Told {
    /// The answer.
    Rows(Answer),
    /// There is none; this is why.
    Failed(String),
    /// To ask for all who wait.
    Ask(Turn),
}

/// Those who have the same question.
#[derive(Default)]
struct Line {
    busy: bool,
    waiting: VecDeque<Waiting>,
    held: Option<Kept>,
}

/// A connection that does not go back to the pool after each statement.
struct Kept {
    conn: PoolConnection<Any>,
    _room: OwnedSemaphorePermit,
}

/// All lines of one database.
pub(super) struct Gather {
    pub(super) memory: Memory,
    asked: AtomicU64,
    lines: Mutex<HashMap<usize, Arc<Mutex<Line>>>>,
    /// How many more connections may be kept; closed once none may.
    room: Arc<Semaphore>,
}

/// The right to ask. Its end gives it to the next one.
struct Turn {
    line: Arc<Mutex<Line>>,
    held: Option<Kept>,
    room: Arc<Semaphore>,
}

impl Drop for Turn {
    fn drop(&mut self) {
        let held = self.held.take();
        let next = {
            let mut line = lock(&self.line);
            let next = std::iter::from_fn(|| line.waiting.pop_front()).find(|next| !next.tell.is_closed());
            if next.is_none() {
                line.busy = false;
                line.held = held.filter(|_| !self.room.is_closed());
                return;
            }
            next
        };
        let turn = Self {
            line: self.line.clone(),
            held,
            room: self.room.clone(),
        };
        // Outside the lock: a turn that nobody takes ends here, and goes on to the next one.
        let _ = next.map(|next| next.tell.send(Told::Ask(turn)));
    }
}

/// What somebody does who comes.
enum Come {
    Ask(Turn),
    Wait(oneshot::Receiver<Told>),
}

impl Gather {
    pub(super) fn new(pool_size: u32, memory: Memory) -> Self {
        Self {
            memory,
            asked: AtomicU64::new(0),
            lines: Mutex::default(),
            room: Arc::new(Semaphore::new(usize::try_from(pool_size / SPARE).unwrap_or(0))),
        }
    }

    /// How many statements have been asked.
    pub(super) fn asked(&self) -> u64 {
        self.asked.load(Ordering::Relaxed)
    }

    /// How many connections are kept and not in use.
    pub(super) fn resting(&self) -> usize {
        let lines = lock(&self.lines);
        lines.values().filter(|line| lock(line).held.is_some()).count()
    }

    /// Lets go of the connections that are kept.
    pub(super) fn close(&self) {
        self.room.close();
        for line in lock(&self.lines).values() {
            drop(lock(line).held.take());
        }
    }

    /// The answer to `look_up` with these values, as it is now.
    pub(super) async fn ask(
        &self,
        pool: &AnyPool,
        look_up: &'static Statement,
        values: Values,
    ) -> Result<Answer, Error> {
        loop {
            let turn = match self.come(look_up, &values) {
                Come::Ask(turn) => turn,
                Come::Wait(told) => match told.await {
                    Ok(Told::Rows(rows)) => return Ok(rows),
                    Ok(Told::Failed(why)) => return Err(Error::Database(sqlx::Error::Protocol(why))),
                    Ok(Told::Ask(turn)) => turn,
                    // Whoever asked for us was dropped: once more.
                    Err(_) => continue,
                },
            };
            return self.ask_for_all(pool, turn, (look_up, values)).await;
        }
    }

    fn come(&self, look_up: &'static Statement, values: &Values) -> Come {
        let line = lock(&self.lines).entry(look_up.number()).or_default().clone();
        let mut locked = lock(&line);
        if locked.busy {
            let (tell, told) = oneshot::channel();
            let values = values.clone();
            locked.waiting.push_back(Waiting { values, tell });
            return Come::Wait(told);
        }
        locked.busy = true;
        let held = locked.held.take();
        drop(locked);
        Come::Ask(Turn {
            line,
            held,
            room: self.room.clone(),
        })
    }

    async fn ask_for_all(
        &self,
        pool: &AnyPool,
        mut turn: Turn,
        (look_up, values): (&'static Statement, Values),
    ) -> Result<Answer, Error> {
        // Whoever is about to ask the same joins in. Alone, this costs nothing.
        tokio::task::yield_now().await;
        let others: Vec<Waiting> = {
            let mut line = lock(&turn.line);
            let waiting = std::iter::from_fn(|| line.waiting.pop_front());
            let alive = waiting.filter(|one| !one.tell.is_closed());
            alive.take(SIZES[SIZES.len() - 1] - 1).collect()
        };
        let mut questions: Vec<&Values> = vec![&values];
        let numbers: Vec<usize> = others
            .iter()
            .map(|one| number_of(&mut questions, &one.values))
            .collect();
        self.asked.fetch_add(1, Ordering::Relaxed);
        let mark = self.memory.mark();
        let rows = fetch(pool, &mut turn, (look_up, &questions)).await;
        let answers = rows.and_then(|rows| sorted(rows, (questions.len(), mark)));
        drop(turn);
        match answers {
            Ok(answers) => {
                for (one, number) in others.into_iter().zip(numbers) {
                    let _ = one.tell.send(Told::Rows(answers[number].clone()));
                }
                Ok(answers[0].clone())
            }
            Err(error) => {
                for one in others {
                    let _ = one.tell.send(Told::Failed(error.to_string()));
                }
                Err(error.into())
            }
        }
    }
}

/// The number of a question; the same one twice is one.
fn number_of<'a>(questions: &mut Vec<&'a Values>, values: &'a Values) -> usize {
    if let Some(known) = questions.iter().position(|known| *known == values) {
        return known;
    }
    questions.push(values);
    questions.len() - 1
}

/// Asks on the connection that is kept. One that fails may have been cut off while it was idle: a new one is tried once.
async fn fetch(
    pool: &AnyPool,
    turn: &mut Turn,
    question: (&'static Statement, &[&Values]),
) -> Result<Vec<AnyRow>, sqlx::Error> {
    // Taken out, so that it is not kept if we are dropped half-way through an answer.
    if let Some(mut kept) = turn.held.take()
        && let Ok(rows) = on(&mut kept.conn, question).await
    {
        turn.held = Some(kept);
        return Ok(rows);
    }
    let mut conn = pool.acquire().await?;
    let rows = on(&mut conn, question).await?;
    let room = turn.room.clone().try_acquire_owned().ok();
    turn.held = room.map(|room| Kept { conn, _room: room });
    Ok(rows)
}

async fn on(
    conn: &mut PoolConnection<Any>,
    (look_up, questions): (&'static Statement, &[&Values]),
) -> Result<Vec<AnyRow>, sqlx::Error> {
    let (text, room) = look_up.text(questions.len());
    let mut query = sqlx::query(text);
    for value in questions.iter().copied().flatten() {
        query = query.bind(value.as_str());
    }
    // What is empty is found nowhere.
    for _ in questions.len() * look_up.columns..room * look_up.columns {
        query = query.bind("");
    }
    query.fetch_all(&mut **conn).await
}

/// The rows by the numbers of their questions.
fn sorted(rows: Vec<AnyRow>, (questions, mark): (usize, Option<Mark>)) -> Result<Vec<Answer>, sqlx::Error> {
    let mut answers: Vec<Vec<AnyRow>> = (0..questions).map(|_| Vec::new()).collect();
    for row in rows {
        let number: i64 = row.try_get(row.len().saturating_sub(1))?;
        let answer = usize::try_from(number).ok().and_then(|number| answers.get_mut(number));
        if let Some(answer) = answer {
            answer.push(row);
        }
    }
    let answer = |rows| Answer {
        rows: Arc::new(rows),
        mark,
    };
    Ok(answers.into_iter().map(answer).collect())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
