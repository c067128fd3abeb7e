//! Answers that are given before the end of a body, to callers who send on.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::server::{PATIENCE, Server};

const BODY: usize = 900_000;

/// Sends all of a request before it reads, as simple clients do; gives the status that is heard.
fn send(server: &Server, path: &str, lines: &str, body: usize) -> std::io::Result<u16> {
    let mut stream = TcpStream::connect(server.address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(
        format!("POST /api/v1/auth{path} HTTP/1.1\r\nHost: localhost\r\n{lines}Content-Length: {body}\r\n\r\n")
            .as_bytes(),
    )?;
    for piece in vec![b'x'; body].chunks(65_536) {
        stream.write_all(piece)?;
    }
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let status = answer.get(9..12).and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
    status.ok_or_else(|| std::io::ErrorKind::UnexpectedEof.into())
}

#[tokio::test]
async fn an_answer_before_the_end_of_a_body_is_heard() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start_with(folder.path(), &["--rate-limits", "on"], &[]);
    let client = server.sign_up("thandi").await["client_id"].as_str().unwrap().to_owned();
    let json = "Content-Type: application/json\r\n";
    let wrong = format!("{json}X-Client-ID: {client}\r\nX-Client-Secret: {}\r\n", "a".repeat(128));
    let cases = [
        ("/signup/", json, vec![413]),
        ("/signup/", "Content-Type: text/plain\r\n", vec![415]),
        ("/login/", json, vec![401]),
        ("/login/", &wrong, vec![401, 429]),
        ("/nowhere/", json, vec![404]),
    ];
    for (path, lines, expected) in cases {
        let mut heard: Vec<u16> = (0..25).map(|_| send(&server, path, lines, BODY).unwrap_or_default()).collect();
        heard.sort_unstable();
        heard.dedup();
        assert_eq!(heard, expected, "{path} {lines}");
    }
}

#[test]
fn a_caller_who_sends_on_after_the_answer_is_hung_up_on_within_a_second() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let mut stream = TcpStream::connect(server.address).unwrap();
    let head = "POST /api/v1/auth/signup/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 900000000\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.contains(" 415 "), "{answer}");
    let start = Instant::now();
    while stream.write_all(b"x").is_ok() {
        assert!(start.elapsed() < Duration::from_secs(5), "it still listens");
        std::thread::sleep(Duration::from_millis(20));
    }
}
