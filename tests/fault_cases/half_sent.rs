//! Callers who stop in the middle.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::server::{PATIENCE, Server};

/// The promise is ten seconds; the rest is for the machine that runs the test.
const CLOSED_WITHIN: Duration = Duration::from_secs(13);
/// Nobody is cut off early.
const OPEN_FOR: Duration = Duration::from_secs(8);

/// Sends this and no more; gives what was answered before the connection was closed, and after how long.
fn stall(server: &Server, sent: &str) -> (String, Duration) {
    let mut stream = TcpStream::connect(server.address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(sent.as_bytes()).unwrap();
    let start = Instant::now();
    let mut answer = Vec::new();
    // A connection that is reset is closed, too.
    let _ = stream.read_to_end(&mut answer);
    (String::from_utf8(answer).unwrap(), start.elapsed())
}

#[test]
fn what_was_half_sent_is_closed_in_ten_seconds() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let body = "POST /api/v1/auth/signup/ HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
                Content-Length: 100\r\n\r\n{\"email\": ";
    let cases = [
        ("", ""),
        ("GET /api/v1/au", ""),
        ("GET /livez HTTP/1.1\r\nHost: localhost\r\nX-Slow:", ""),
        (body, "HTTP/1.1 408 Request Timeout\r\n"),
    ];
    std::thread::scope(|scope| {
        for (sent, expected) in cases {
            let server = &server;
            scope.spawn(move || {
                let (answer, took) = stall(server, sent);
                assert!(answer.starts_with(expected), "{sent:?}: {answer:?}");
                assert!(OPEN_FOR < took && took < CLOSED_WITHIN, "{sent:?}: {took:?}");
            });
        }
    });
}

/// Asks on a connection, says nothing for `rest`, then sends `more`; gives how long it stayed open after that.
fn rest(server: &Server, rest: Duration, more: &str) -> Duration {
    let mut stream = TcpStream::connect(server.address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut answer = [0; 15];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200 OK");
    std::thread::sleep(rest);
    stream.write_all(more.as_bytes()).unwrap();
    let start = Instant::now();
    let _ = stream.read_to_end(&mut Vec::new());
    start.elapsed()
}

#[test]
fn a_connection_rests_as_long_as_the_operator_says_and_a_head_that_has_begun_has_ten_seconds() {
    let folder = tempfile::tempdir().unwrap();
    let long = Server::start_with(folder.path(), &["--idle-timeout", "14s"], &[]);
    let other = tempfile::tempdir().unwrap();
    let short = Server::start_with(other.path(), &["--idle-timeout", "3s"], &[]);
    let (now, later) = (Duration::ZERO, Duration::from_secs(12));
    let begun = "GET /livez HT";
    let whole = "GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let cases = [
        (&long, now, "", 13..17),
        (&long, now, begun, 9..13),
        (&long, later, begun, 9..13),
        (&long, later, whole, 0..2),
        (&short, now, "", 2..6),
        (&short, Duration::from_secs(2), begun, 9..13),
    ];
    std::thread::scope(|scope| {
        for (server, pause, more, expected) in cases {
            scope.spawn(move || {
                let took = rest(server, pause, more);
                assert!(expected.contains(&took.as_secs()), "{pause:?} {more:?}: {took:?}");
            });
        }
    });
}
