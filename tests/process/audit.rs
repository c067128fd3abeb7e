use std::path::Path;
use std::process::Output;

use reqwest::Method;
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};

use crate::server::{PASSWORD, Server, client_headers, run};

/// A server that somebody joined and logged in at, stopped: all that happened is sealed.
async fn served(folder: &Path) {
    let mut server = Server::start(folder);
    let signed_up = server.sign_up("thandi").await;
    assert_eq!(server.log_in("thandi", &signed_up).await.0, 200);
    server.terminate();
    assert!(server.wait().success());
}

fn verify(folder: &Path, more: &[&str]) -> (Option<i32>, String) {
    let Output { status, stdout, stderr } = run(folder, &[&["audit", "verify"], more].concat(), &[]);
    assert!(stderr.is_empty(), "{}", String::from_utf8_lossy(&stderr));
    (status.code(), String::from_utf8(stdout).unwrap())
}

async fn tamper(folder: &Path, sql: &[&str]) {
    let url = format!("sqlite://{}", folder.join("data/auth.db").display());
    let database = sea_orm::Database::connect(url).await.unwrap();
    for sql in ["DROP TRIGGER audit_events_keep_what_they_say"].iter().chain(sql) {
        database.execute_unprepared(sql).await.unwrap();
    }
    database.close().await.unwrap();
}

#[tokio::test]
async fn verify_tells_that_the_record_is_whole_and_what_is_not() {
    let folder = tempfile::tempdir().unwrap();
    served(folder.path()).await;
    let (code, lines) = verify(folder.path(), &[]);
    assert_eq!(code, Some(0), "{lines}");
    assert!(
        lines.starts_with("the record is whole: 2 events under 1 seals, 0 not sealed yet; newest seal 1:"),
        "{lines}"
    );
    let newest = lines.trim_end().rsplit(' ').next().unwrap();
    assert_eq!(verify(folder.path(), &["--expect", newest]).0, Some(0));

    tamper(folder.path(), &["UPDATE audit_events SET source = '203.0.113.9' WHERE event = 'logged_in'"]).await;
    let (code, lines) = verify(folder.path(), &[]);
    assert_eq!((code, lines.lines().count()), (Some(1), 2), "{lines}");
    assert!(lines.starts_with("events 1 to 2 under seal 1: changed or reordered\nthe record is not"), "{lines}");
}

#[tokio::test]
async fn verify_works_beside_a_server_and_after_it_was_killed() {
    let folder = tempfile::tempdir().unwrap();
    served(folder.path()).await;
    let server = Server::start(folder.path());
    server.sign_up("sipho").await;
    let (code, lines) = verify(folder.path(), &[]);
    assert!(code == Some(0) && lines.contains("2 events under 1 seals, 1 not sealed yet"), "{lines}");
    server.kill();
    let (code, lines) = verify(folder.path(), &[]);
    assert!(code == Some(0) && lines.contains("2 events under 1 seals, 1 not sealed yet"), "{lines}");
    let mut server = Server::start(folder.path());
    server.terminate();
    assert!(server.wait().success());
    let (code, lines) = verify(folder.path(), &[]);
    assert!(code == Some(0) && lines.contains("3 events under 2 seals, 0 not sealed yet"), "{lines}");
}

#[tokio::test]
async fn seals_of_a_key_from_before_are_judged_with_that_key() {
    let folder = tempfile::tempdir().unwrap();
    served(folder.path()).await;
    let other = "A".repeat(43) + "=";
    let (code, lines) = verify(folder.path(), &["--secret-key", &other]);
    assert!(code == Some(1) && lines.contains("seal 1: made with the key"), "{lines}");
    let before = folder.path().join("data/secret.key");
    let given = ["--secret-key", &other, "--previous-secret-key-file", before.to_str().unwrap()];
    assert_eq!(verify(folder.path(), &given).0, Some(0));
}

#[test]
fn the_commands_make_nothing_and_say_what_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    for (arguments, named) in [
        (&["audit", "verify"][..], "--data-dir"),
        (&["audit", "verify", "--secret-key", &("A".repeat(43) + "=")], "--database-url"),
        (&["audit", "verify", "--expect", "17"], "--expect"),
        (&["audit", "export"], "--database-url"),
    ] {
        let output = run(folder.path(), arguments, &[]);
        let line = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), line.lines().count()), (Some(2), 1), "{line}");
        assert!(line.contains(named), "{line}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn export_prints_one_event_a_line() {
    let folder = tempfile::tempdir().unwrap();
    served(folder.path()).await;
    // A line break cannot come in by a header; even if one stood there, it would not end the line.
    let insertion = "INSERT INTO audit_events (at, event, account_id, user_agent) VALUES (0, 'logged_in', 1, 'a\n{b')";
    tamper(folder.path(), &[insertion]).await;
    let output = run(folder.path(), &["audit", "export"], &[]);
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    let events: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let names: Vec<&str> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert_eq!(names, ["signed_up", "logged_in", "logged_in"]);
    assert_eq!((&events[1]["source"], &events[1]["seal"]), (&json!("127.0.0.1"), &json!(1)));
    assert_eq!(events[2]["user_agent"], "a\n{b");
}

#[tokio::test]
async fn a_forwarded_address_counts_where_the_peer_is_trusted_alone() {
    for (flags, forwarded, expected) in [
        (&[][..], "203.0.113.9", "127.0.0.1"),
        (&["--trusted-proxies", "10.0.0.0/8"], "203.0.113.9", "127.0.0.1"),
        (&["--trusted-proxies", "127.0.0.1"], "203.0.113.9", "203.0.113.9"),
        (&["--trusted-proxies", "127.0.0.0/8,10.0.0.0/8"], "6.6.6.6, 203.0.113.9, 10.1.1.1", "203.0.113.9"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let server = Server::start_with(folder.path(), flags, &[]);
        let signed_up = server.sign_up("thandi").await;
        let [id, secret] = client_headers(&signed_up);
        let body = json!({"email": "thandi@example.com", "password": PASSWORD});
        let headers = [id, secret, ("X-Forwarded-For", forwarded)];
        let (status, pair) = server.call(Method::POST, "/login/", &headers, Some(&body)).await;
        assert_eq!(status, 200, "{pair}");
        let bearer = format!("Bearer {}", pair["access_token"].as_str().unwrap());
        let headers = [id, secret, ("Authorization", &bearer)];
        let (_, page) = server.call(Method::GET, "/account/activity/?limit=1", &headers, None).await;
        assert_eq!(page["events"][0]["source"], expected, "{flags:?} {page}");
    }
}
