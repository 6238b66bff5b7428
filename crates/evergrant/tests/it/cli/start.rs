//! The first start, the master key, the end.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;

use evergrant::vault::Keyring;

use super::{Program, Server, on_both};

#[test]
fn a_first_start_with_nothing_set_makes_folder_key_and_organisation_and_says_so() {
    let program = Program::bare();
    let mut server = program.serve();
    assert_eq!(server.get("/readyz", "").0, 200);
    let log = server.log.join("\n");
    assert!(
        log.contains("made a master key in") && log.contains("evergrant key create --org default --env test"),
        "{log}"
    );
    let mode = |name: &str| {
        std::fs::metadata(program.data().join(name))
            .unwrap()
            .permissions()
            .mode()
            & 0o777
    };
    assert_eq!((mode(""), mode("master.key")), (0o700, 0o600));
    let key = std::fs::read_to_string(program.data().join("master.key")).unwrap();
    assert!(!log.contains(key.trim()));
    assert_eq!(server.stop(), Some(0));

    let mut server = program.serve();
    assert!(!server.log.join("\n").contains("first start"));
    assert_eq!(
        std::fs::read_to_string(program.data().join("master.key")).unwrap(),
        key,
        "the key stays"
    );
    assert_eq!(server.stop(), Some(0));
}

#[tokio::test]
async fn a_running_server_sees_the_keys_that_the_command_line_makes_and_revokes() {
    on_both(|program| {
        let mut server = program.serve();
        let made = program.json(&["key", "create", "--name", "backend"]);
        let key = made["key"].as_str().unwrap();
        let path = "/api/v2/public/linked-account";
        assert_eq!(server.get(path, key).0, 200);
        program.json(&["key", "create", "--name", "another"]);
        let second = program.json(&["key", "list"])[1]["id"].as_str().unwrap().to_owned();
        program.ok(&["key", "sign", &second]);
        program.ok(&["key", "revoke", made["id"].as_str().unwrap()]);
        assert_eq!(server.get(path, key).0, 401);
        assert_eq!(server.stop(), Some(0));
        assert!(!server.log.join("\n").contains(key), "no key is logged");
    })
    .await;
}

/// The first half of a request that the server waits for the rest of.
fn begin(server: &Server, key: &str) -> TcpStream {
    let mut stream = TcpStream::connect(server.address).unwrap();
    let head = "POST /api/v2/public/linked-account HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n";
    let request = format!("{head}x-api-key: {key}\r\ncontent-length: 27\r\n\r\n{{\"linked_account_id\"");
    stream.write_all(request.as_bytes()).unwrap();
    // Answered after the first half was read: the server accepts in turn.
    assert_eq!(server.get("/healthz", "").0, 200);
    stream
}

const STOPPING: &str = "stopping: what is under way is finished first; a second signal ends the process at once";

#[test]
fn a_request_under_way_is_finished_and_an_idle_connection_is_not_waited_for() {
    let program = Program::bare();
    let key = program.json(&["key", "create"])["key"].as_str().unwrap().to_owned();
    let mut server = program.serve();
    let idle = TcpStream::connect(server.address).unwrap();
    let mut stream = begin(&server, &key);
    server.signal("TERM");
    server.wait_for(STOPPING);
    stream.write_all(b":\"c-1\"}").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    server.wait_for("stopped");
    assert_eq!(server.wait(), Some(0));
    drop(idle);
    assert_eq!(program.json(&["account", "list"])[0]["linked_account_id"], "c-1");
}

#[test]
fn a_second_signal_ends_the_process_at_once() {
    let program = Program::bare();
    let key = program.json(&["key", "create"])["key"].as_str().unwrap().to_owned();
    let mut server = program.serve();
    let stuck = begin(&server, &key);
    server.signal("INT");
    server.wait_for(STOPPING);
    server.signal("INT");
    assert_eq!(server.wait(), Some(130));
    drop(stuck);
}

#[tokio::test]
async fn another_master_key_is_refused_before_anything_is_done() {
    on_both(|program| {
        program.ok(&["org", "list"]);
        let right = program.master_key.clone();
        let other = Keyring::generate().expose().to_owned();
        let program = program.with("EVERGRANT_MASTER_KEY", &other);
        for words in [&["serve"][..], &["key", "create"]] {
            let error = program.fails(words);
            assert!(error.contains("not the one this database was made with"), "{error}");
            assert!(!error.contains(&other), "{error}");
        }
        let both = format!("{other},{right}");
        program.with("EVERGRANT_MASTER_KEY", &both).ok(&["key", "list"]);
    })
    .await;
}

#[test]
fn no_key_is_made_for_a_database_that_was_used_with_one() {
    let program = Program::bare();
    program.ok(&["org", "list"]);
    let path = program.data().join("master.key");
    std::fs::remove_file(&path).unwrap();
    let error = program.fails(&["org", "list"]);
    assert!(error.contains("Put the file back"), "{error}");
    assert!(!path.exists());
}

#[tokio::test]
async fn with_postgresql_the_master_key_must_be_given() {
    let program = Program::postgres().await.with("EVERGRANT_MASTER_KEY", "");
    let error = program.fails(&["serve"]);
    assert!(
        error.contains("openssl rand -base64 32") && error.contains("EVERGRANT_MASTER_KEY_FILE"),
        "{error}"
    );
    assert!(!program.data().exists());
    let file = program.folder.path().join("key");
    std::fs::write(&file, format!("{}\n", program.master_key)).unwrap();
    program
        .with("EVERGRANT_MASTER_KEY_FILE", file.to_str().unwrap())
        .ok(&["org", "list"]);
}

#[tokio::test]
async fn of_nodes_that_start_at_once_on_an_empty_database_all_have_one_key() {
    let program = Program::postgres().await;
    let other = Keyring::generate().expose().to_owned();
    let keys = [
        program.master_key.clone(),
        other.clone(),
        program.master_key.clone(),
        other,
    ];
    let settings = program.settings.clone();
    let codes = std::thread::scope(|scope| {
        let starts = keys.map(|key| {
            let mut one = Program::bare();
            one.settings.clone_from(&settings);
            let one = one.with("EVERGRANT_MASTER_KEY", &key);
            scope.spawn(move || (key, one.run(&["org", "list", "--json"])))
        });
        starts.map(|start| start.join().unwrap())
    });
    let opened: Vec<_> = codes.iter().filter(|(_, done)| done.code == 0).collect();
    assert_eq!(
        opened.len(),
        2,
        "{:?}",
        codes.iter().map(|(_, done)| &done.err).collect::<Vec<_>>()
    );
    assert_eq!(opened[0].0, opened[1].0, "both with the same key");
    assert_eq!(opened[0].1.out, opened[1].1.out, "one organisation `default`");
}

#[test]
fn a_second_server_on_the_same_port_says_so() {
    let program = Program::sqlite();
    let mut server = program.serve();
    let address = server.address.to_string();
    let error = Program::sqlite().with("EVERGRANT_LISTEN", &address).fails(&["serve"]);
    assert!(
        error.contains("cannot listen on") && error.contains("EVERGRANT_LISTEN"),
        "{error}"
    );
    assert_eq!(server.stop(), Some(0));
}
