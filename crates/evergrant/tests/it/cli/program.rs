//! The binary with a database of its own.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use evergrant::vault::Keyring;
use serde_json::Value;
use tempfile::TempDir;

use crate::support::TestDatabase;

const BINARY: &str = env!("CARGO_BIN_EXE_evergrant");
const PATIENCE: Duration = Duration::from_secs(30);

/// The binary, its settings and its database.
pub(crate) struct Program {
    pub(crate) settings: Vec<(String, String)>,
    pub(crate) folder: TempDir,
    /// The master key it is given.
    pub(crate) master_key: String,
    _database: Option<TestDatabase>,
}

/// What a command did.
pub(crate) struct Done {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Program {
    /// On SQLite in the data folder, with nothing set.
    pub(crate) fn bare() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let master_key = Keyring::generate().expose().to_owned();
        let program = Self {
            settings: Vec::new(),
            folder,
            master_key,
            _database: None,
        };
        let data = program.data().display().to_string();
        program.with("EVERGRANT_DATA_DIR", &data)
    }

    /// On SQLite with a given master key.
    pub(crate) fn sqlite() -> Self {
        let program = Self::bare();
        let key = program.master_key.clone();
        program.with("EVERGRANT_MASTER_KEY", &key)
    }

    /// On a PostgreSQL database of its own with a given master key.
    pub(crate) async fn postgres() -> Self {
        let database = TestDatabase::postgres().await;
        let program = Self::sqlite().with("EVERGRANT_DATABASE_URL", &database.url);
        Self {
            _database: Some(database),
            ..program
        }
    }

    /// The data folder; the program makes it.
    pub(crate) fn data(&self) -> std::path::PathBuf {
        self.folder.path().join("data")
    }

    /// With another setting, or without it when it is empty.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.settings.retain(|(known, _)| known != name);
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(BINARY);
        command.args(words).current_dir(self.folder.path()).env_clear();
        command.envs(self.settings.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs a command to its end.
    pub(crate) fn run_with(&self, words: &[&str], input: &str) -> Done {
        let mut command = self.command(words);
        let piped = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = piped.spawn().unwrap();
        // A command that reads nothing may have ended already.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let done = child.wait_with_output().unwrap();
        Done {
            code: done.status.code().unwrap_or(-1),
            out: String::from_utf8(done.stdout).unwrap(),
            err: String::from_utf8(done.stderr).unwrap(),
        }
    }

    /// Runs a command whose output is read no further than its beginning; returns the exit code and what it complained of.
    pub(crate) fn run_unread(&self, words: &[&str], input: &str) -> (i32, String) {
        let mut command = self.command(words);
        let piped = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = piped.spawn().unwrap();
        drop(child.stdout.take());
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let done = child.wait_with_output().unwrap();
        (
            done.status.code().unwrap_or(-1),
            String::from_utf8(done.stderr).unwrap(),
        )
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, words: &[&str]) -> Done {
        self.run_with(words, "")
    }

    /// Runs a command that succeeds, for people.
    pub(crate) fn ok(&self, words: &[&str]) -> String {
        let done = self.run(words);
        assert_eq!(done.code, 0, "{words:?}: {}", done.err);
        done.out
    }

    /// Runs a command that succeeds, with `--json`.
    pub(crate) fn json(&self, words: &[&str]) -> Value {
        let out = self.ok(&[words, &["--json"]].concat());
        serde_json::from_str(&out).unwrap_or_else(|_| panic!("{words:?} printed no JSON: {out}"))
    }

    /// Runs a command that fails with one line; returns it.
    pub(crate) fn fails(&self, words: &[&str]) -> String {
        let done = self.run(words);
        assert_eq!((done.code, done.out.as_str()), (1, ""), "{words:?}: {}", done.err);
        let line = done.err.lines().find(|line| line.starts_with("error: "));
        line.unwrap_or_else(|| panic!("{words:?} gave no reason: {}", done.err))
            .to_owned()
    }

    /// Starts the server on a free port and waits until it is ready.
    pub(crate) fn serve(&self) -> Server {
        let mut command = self.command(&["serve"]);
        command
            .env("EVERGRANT_LISTEN", "127.0.0.1:0")
            .env("EVERGRANT_LOG_FORMAT", "json");
        let mut child = command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let (send, lines) = channel();
        let log = BufReader::new(child.stderr.take().unwrap());
        std::thread::spawn(move || log.lines().map_while(Result::ok).all(|line| send.send(line).is_ok()));
        let mut server = Server {
            child,
            lines,
            log: Vec::new(),
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
        };
        let ready = server.wait_for("ready");
        server.address = ready["listen"].as_str().unwrap().parse().unwrap();
        server
    }
}

/// A running server.
pub(crate) struct Server {
    child: Child,
    lines: Receiver<String>,
    /// Every line that it has logged.
    pub(crate) log: Vec<String>,
    pub(crate) address: SocketAddr,
}

impl Server {
    /// Waits for a line of the log.
    pub(crate) fn wait_for(&mut self, message: &str) -> Value {
        loop {
            let line = self.lines.recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|_| panic!("no `{message}` in the log: {:#?}", self.log));
            self.log.push(line.clone());
            let line: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("not JSON: {line}"));
            if line["message"] == message {
                return line;
            }
        }
    }

    /// A GET with an API key; the status and the body.
    pub(crate) fn get(&self, path: &str, key: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let request = format!(
            "GET {path} HTTP/1.1\r\nhost: {}\r\nx-api-key: {key}\r\nconnection: close\r\n\r\n",
            self.address
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
        (status, answer.split_once("\r\n\r\n").unwrap().1.to_owned())
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args([&format!("-{name}"), &self.child.id().to_string()])
            .status()
            .unwrap();
        assert!(sent.success());
    }

    /// Asks for the end and waits for it; returns the exit code.
    pub(crate) fn stop(&mut self) -> Option<i32> {
        self.signal("TERM");
        self.wait_for("stopped");
        self.wait()
    }

    /// Kills it as a power cut would, and waits until it is gone.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits for the end; returns the exit code.
    pub(crate) fn wait(&mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Tells a story on SQLite and then on PostgreSQL.
pub(crate) async fn on_both(story: impl Fn(Program)) {
    story(Program::sqlite());
    story(Program::postgres().await);
}
