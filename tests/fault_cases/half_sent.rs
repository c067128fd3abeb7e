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
    let whole = "GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let cases = [
        ("", ""),
        ("GET /api/v1/au", ""),
        ("GET /livez HTTP/1.1\r\nHost: localhost\r\nX-Slow:", ""),
        (whole, "HTTP/1.1 200 OK\r\n"),
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
