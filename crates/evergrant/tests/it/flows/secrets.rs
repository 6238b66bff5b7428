//! Known secrets, the shapes in which they could turn up, and the places in which they must not.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use evergrant::db::{Db, Engine};
use sqlx::{Executor as _, Row as _};

use super::world::World;
use crate::support::Answer;

/// All that must not be found, by name.
#[derive(Default)]
pub(super) struct Secrets(Vec<(String, String)>);

impl Secrets {
    /// Adds one.
    pub(super) fn add(&mut self, name: &str, value: &str) {
        assert!(value.len() >= 6, "{name} is too short to be told from chance");
        self.0.push((name.to_owned(), value.to_owned()));
    }

    /// Where a text holds any of them, in any shape.
    pub(super) fn found_in(&self, place: &str, text: &str) -> Vec<String> {
        let text = text.to_lowercase();
        let mut found = Vec::new();
        for (name, value) in &self.0 {
            for shape in shapes(value) {
                if let Some(at) = text.find(&shape.to_lowercase()) {
                    let before = text[..at].chars().rev().take(150).collect::<Vec<_>>();
                    let before: String = before.into_iter().rev().collect();
                    found.push(format!("{name} in {place}: …{before}[{shape}]"));
                }
            }
        }
        found
    }
}

/// As it is, in JSON, in a URL or a form, in hexadecimal, and in base64 behind whatever else is encoded with it.
fn shapes(value: &str) -> Vec<String> {
    let json = serde_json::to_string(value).unwrap();
    let form: String = url::form_urlencoded::byte_serialize(value.as_bytes()).collect();
    let mut hex = String::new();
    for byte in value.bytes() {
        let _ = write!(hex, "{byte:02x}");
    }
    let mut all = vec![
        value.to_owned(),
        json.trim_matches('"').to_owned(),
        form.replace('+', "%20"),
        form,
        hex,
    ];
    for before in 0..3_usize {
        let padded = [vec![0; before], value.as_bytes().to_vec()].concat();
        for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
            let text = engine.encode(&padded);
            // The first and the last characters also hold bits of the neighbours.
            let (from, to) = (
                (before * 8).div_ceil(6),
                text.len() - usize::from(padded.len() % 3 != 0),
            );
            all.push(text[from..to].to_owned());
        }
    }
    all
}

/// An answer as its receiver sees it, without what is legitimately told to it.
pub(super) fn text_of(answer: &Answer, own: &[&str]) -> String {
    let mut text = format!("{:?}\n{}", answer.headers, answer.text);
    for one in own {
        assert!(text.contains(one), "it is not told what is its own");
        text = text.replace(one, "(its own)");
    }
    text
}

/// Everything that the database holds: the bytes of its files (each as the character of that number), or every row of every table as text.
pub(super) async fn database(world: &World) -> String {
    let db = Db::connect(&world.database_url(), Some(1)).await.unwrap();
    let mut text = String::new();
    if db.engine() == Engine::Sqlite {
        for file in std::fs::read_dir(world.program.data()).unwrap() {
            let path = file.unwrap().path();
            if path.file_name().unwrap().to_str().unwrap().starts_with("evergrant.db") {
                text.extend(std::fs::read(path).unwrap().into_iter().map(char::from));
            }
        }
    } else {
        let mut conn = db.read().await.unwrap();
        let tables = "SELECT CAST(table_name AS TEXT) FROM information_schema.tables WHERE table_schema = 'public'";
        for table in sqlx::query(tables).fetch_all(&mut *conn).await.unwrap() {
            let table: String = table.get(0);
            let dump: &'static str = format!("SELECT CAST(t AS TEXT) FROM {table} t").leak();
            for row in sqlx::query(dump).fetch_all(&mut *conn).await.unwrap() {
                text += &row.get::<String, _>(0);
                text.push('\n');
            }
        }
    }
    db.close().await;
    assert!(text.contains("acct-1"), "the search looks in the right place");
    text
}

/// Folds logs into the database and gives free space back.
pub(super) async fn vacuum(world: &World) {
    let db = Db::connect(&world.database_url(), Some(1)).await.unwrap();
    let statements: &[&'static str] = match db.engine() {
        Engine::Sqlite => &[
            "PRAGMA wal_checkpoint(TRUNCATE)",
            "VACUUM",
            "PRAGMA wal_checkpoint(TRUNCATE)",
        ],
        Engine::Postgres => &["VACUUM FULL"],
    };
    for statement in statements {
        db.read()
            .await
            .unwrap()
            .execute(sqlx::raw_sql(*statement))
            .await
            .unwrap();
    }
    db.close().await;
}
