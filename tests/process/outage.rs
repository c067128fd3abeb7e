//! What commands say where the database does not answer: an outage is no wrong setting.

use std::net::TcpListener;

use documines_auth::database::Database;
use documines_auth::settings::Location;
use sea_orm::ConnectionTrait;

use crate::server::run;

const KEY: &str = "dGhpcnR5LXR3byBieXRlcyBvZiBzZWNyZXQga2V5ISE=";

/// Every command that uses a database.
const COMMANDS: [&[&str]; 7] = [
    &["serve", "--listen", "127.0.0.1:0"],
    &["migrate"],
    &["mail", "list"],
    &["mail", "retry", "--all"],
    &["key", "rotate"],
    &["audit", "verify"],
    &["audit", "export"],
];

#[test]
fn a_database_that_does_not_answer_is_an_outage_for_every_command() {
    let folder = tempfile::tempdir().unwrap();
    // Nobody listens there any more.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("postgres://auth:hunter2@127.0.0.1:{port}/auth");
    std::thread::scope(|scope| {
        for command in COMMANDS {
            let (folder, url) = (folder.path(), url.as_str());
            scope.spawn(move || {
                let output = run(folder, command, &[("DATABASE_URL", url), ("DOCUMINES_SECRET_KEY", KEY)]);
                let line = String::from_utf8(output.stderr).unwrap();
                let line = line.lines().last().unwrap_or_default();
                // A data folder is one process's at a time; whoever comes second hears of that.
                if !line.contains("--data-dir") {
                    assert_eq!(output.status.code(), Some(3), "{command:?}: {line}");
                    let said = "documines-auth: cannot open the database that --database-url names: ";
                    assert!(line.starts_with(said) && !line.contains("hunter2"), "{command:?}: {line}");
                }
            });
        }
    });
}

#[tokio::test]
async fn a_database_that_another_process_locks_is_no_wrong_setting() {
    let folder = tempfile::tempdir().unwrap();
    assert!(run(folder.path(), &["migrate"], &[]).status.success());
    let other = Database::open(&Location::File(folder.path().join("data/auth.db"))).await.unwrap();
    let tx = other.begin().await.unwrap();
    tx.execute_unprepared("UPDATE accounts SET api_calls = 0").await.unwrap();
    let output = run(folder.path(), &["migrate"], &[]);
    let line = String::from_utf8(output.stderr).unwrap();
    let line = line.lines().last().unwrap_or_default();
    assert_eq!(output.status.code(), Some(3), "{line}");
    assert!(line.contains("the database is unavailable") && line.contains("locked"), "{line}");
    assert!(!line.contains("--"), "{line}");
}

#[test]
fn what_cannot_be_opened_is_a_wrong_setting() {
    let folder = tempfile::tempdir().unwrap();
    for (command, url) in
        [(["audit", "verify"], "sqlite://nowhere.db"), (["mail", "list"], "sqlite:///nowhere/auth.db")]
    {
        let output = run(folder.path(), &command, &[("DATABASE_URL", url), ("DOCUMINES_SECRET_KEY", KEY)]);
        let line = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{line}");
        assert!(line.starts_with("documines-auth: --database-url: "), "{line}");
    }
}
