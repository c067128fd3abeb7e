//! What one caller can make the server hold in memory.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::server::{PATIENCE, Server, until};

const CALLERS: usize = 200;

/// The memory of the server's process, in MB.
fn memory(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.child.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.split_whitespace().next().unwrap().parse::<u64>().unwrap() / 1024
}

fn connect(server: &Server) -> TcpStream {
    let stream = TcpStream::connect(server.address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// The memory of a server that has had as many callers before: the first ones cost what is kept for the next.
fn memory_after_callers(server: &Server) -> u64 {
    let mut callers: Vec<TcpStream> = (0..CALLERS).map(|_| connect(server)).collect();
    for caller in &mut callers {
        caller.write_all(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        caller.read_exact(&mut [0; 12]).unwrap();
    }
    memory(server)
}

/// Asserts that no more than 20 MB came to `before`, a moment after all was sent.
#[track_caller]
fn holds_little_more(server: &Server, before: u64) {
    std::thread::sleep(Duration::from_secs(1));
    let now = memory(server);
    assert!(now < before + 20, "{before} MB, then {now} MB");
}

#[test]
fn readers_who_do_not_read_hold_no_copies_of_a_large_file() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let before = memory_after_callers(&server);
    let ask = b"GET /docs/swagger-ui.js HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let mut readers: Vec<TcpStream> = (0..CALLERS).map(|_| connect(&server)).collect();
    for reader in &mut readers {
        reader.write_all(&ask.repeat(4)).unwrap();
    }
    holds_little_more(&server, before);
}

#[test]
fn heads_that_do_not_end_hold_little_memory_and_are_refused_at_32_kib() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let before = memory_after_callers(&server);
    let head = format!("GET /livez HTTP/1.1\r\nHost: localhost\r\nX: {}", "a".repeat(390_000));
    let mut callers: Vec<TcpStream> = (0..CALLERS).map(|_| connect(&server)).collect();
    for caller in &mut callers {
        caller.write_all(head.as_bytes()).unwrap();
    }
    holds_little_more(&server, before);
    for mut caller in callers {
        let mut answer = String::new();
        caller.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    }
    let cookie = "b".repeat(24 * 1024);
    let mut ordinary = connect(&server);
    let head = format!("GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nCookie: {cookie}\r\n\r\n");
    ordinary.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    ordinary.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

#[test]
fn a_reader_who_does_not_read_is_given_up_and_a_slow_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let files = || std::fs::read_dir(format!("/proc/{}/fd", server.child.id())).unwrap().count();
    let before = files();
    let ask = b"GET /docs/swagger-ui.js HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let readers: Vec<TcpStream> = (0..10)
        .map(|_| {
            let mut reader = connect(&server);
            reader.write_all(&ask.repeat(12)).unwrap();
            reader
        })
        .collect();
    let mut slow = connect(&server);
    slow.write_all(b"GET /docs/swagger-ui.js HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let (mut piece, mut read) = (vec![0; 24 * 1024], 0);
    // 96 KiB a second, so that the whole takes longer than a reader who does not read is waited for.
    while let Ok(count @ 1..) = slow.read(&mut piece) {
        read += count;
        std::thread::sleep(Duration::from_millis(250));
    }
    assert!(read > 1_000_000, "{read}");
    until(|| (files() <= before + 1).then_some(()));
    drop(readers);
}
