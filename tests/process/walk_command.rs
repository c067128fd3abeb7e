//! `documines-auth walk`, against servers that do and don't what is documented.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener};
use std::process::Output;

use serde_json::{Value, json};

use crate::server::{Server, run};

fn walk(url: &str, more: &[&str]) -> (Output, String) {
    let folder = tempfile::tempdir().unwrap();
    let output = run(folder.path(), &[&["walk", "--url", url], more].concat(), &[]);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "it leaves no files");
    let printed = String::from_utf8(output.stdout.clone()).unwrap();
    (output, printed)
}

/// The answers that were printed.
fn answers(printed: &str) -> Vec<Value> {
    printed.lines().filter_map(|line| serde_json::from_str(line).ok()).filter(Value::is_object).collect()
}

const STEPS: [&str; 8] = [
    "SIGNUP",
    "LOGIN",
    "FETCH USER PROFILE",
    "UPDATE USER PROFILE",
    "PASSWORD RESET",
    "MATCH USER TOKEN WITH SYSTEM TOKEN TO COMPLETE PASSWORD RESET",
    "LOGGING IN WITH NEW PASSWORD GENERATES A NEW TOKEN",
    "TOKEN REFRESH",
];

#[test]
fn it_walks_as_often_as_one_likes_and_shows_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    for _ in 0..2 {
        let (output, printed) = walk(&server.url(""), &[]);
        assert!(output.status.success(), "{printed}{}", String::from_utf8_lossy(&output.stderr));
        let headings: Vec<&str> = printed.lines().filter_map(|line| line.strip_prefix("#### ")).collect();
        assert_eq!(headings, STEPS);
        let answers = answers(&printed);
        assert_eq!(answers.len(), 8);
        assert_eq!(answers[0]["client_secret"], "…");
        assert_eq!((&answers[1]["access_token"], &answers[1]["refresh_token"]), (&json!("…"), &json!("…")));
        assert_eq!(answers[4]["reset_token"], "…");
        assert!(!printed.contains("SecurePass") && printed.contains("X-Client-Secret: …"), "{printed}");
        assert!(printed.contains("Authorization: Bearer …"), "{printed}");
    }
}

#[test]
fn secrets_are_shown_to_whoever_asks_for_them() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let (output, printed) = walk(&format!("{}/", server.url("")), &["--show-secrets", "--email", "smoke@example.com"]);
    assert!(output.status.success(), "{printed}");
    let answers = answers(&printed);
    let bearer = format!("Authorization: Bearer {}", answers[1]["access_token"].as_str().unwrap());
    assert!(printed.contains(&bearer) && printed.contains("NewSecurePass#789") && !printed.contains('…'), "{printed}");
    let email = answers[2]["email"].as_str().unwrap();
    assert!(email.starts_with("smoke+") && email.ends_with("@example.com"), "{email}");
}

#[test]
fn where_mail_alone_carries_the_token_the_reset_is_skipped() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start_with(folder.path(), &["--reset-token-in-response", "never"], &[]);
    let (output, printed) = walk(&server.url(""), &[]);
    assert!(output.status.success(), "{printed}");
    assert!(printed.contains("skipped: this server mails the token"), "{printed}");
    assert_eq!(answers(&printed).len(), 7);
}

#[test]
fn a_server_that_answers_otherwise_ends_it_with_1_and_no_server_with_2() {
    // A server of another kind: right status, but another answer.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let other = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut head = [0; 4096];
        let _ = stream.read(&mut head).unwrap();
        let body = r#"{"message":"User registered successfully","client_secret":"hunter2"}"#;
        let length = body.len();
        write!(stream, "HTTP/1.1 201 Created\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}").unwrap();
        // To close before the request was read would take the answer back.
        stream.shutdown(Shutdown::Write).unwrap();
        let _ = std::io::copy(&mut stream, &mut std::io::sink());
    });
    let (output, printed) = walk(&url, &[]);
    other.join().unwrap();
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(error.starts_with("documines-auth: SIGNUP: the members are message, client_secret, not"), "{error}");
    assert!(!printed.contains("hunter2"), "{printed}");

    let (output, _) = walk(&url, &[]);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!((output.status.code(), error.lines().count()), (Some(2), 1), "{error}");
    assert!(error.contains("SIGNUP: no answer"), "{error}");
}
