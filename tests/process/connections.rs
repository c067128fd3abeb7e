//! How many connections there may be, in all and from one source.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::net::sockopt::set_socket_linger;
use tokio::net::TcpSocket;

use crate::server::{PATIENCE, Server, binary, person};

const HERE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 1);
const THERE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
/// Where a proxy is listed, and so this machine is a source like any other.
const A_PROXY_ELSEWHERE: [&str; 2] = ["--trusted-proxies", "192.0.2.1"];

async fn connect(server: &Server, source: Ipv4Addr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((source, 0).into()).unwrap();
    let stream = socket.connect(server.address).await.unwrap().into_std().unwrap();
    stream.set_nonblocking(false).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

fn text(name: &str) -> String {
    person(name).to_string()
}

/// A connection with a request under way: the server asked for its body.
async fn work(server: &Server, source: Ipv4Addr, name: &str) -> Option<TcpStream> {
    let mut stream = connect(server, source).await;
    let head = format!(
        "POST /api/v1/auth/signup/ HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n",
        text(name).len()
    );
    stream.write_all(head.as_bytes()).ok()?;
    stream.read_exact(&mut [0; 25]).ok().map(|()| stream)
}

fn finish(mut stream: TcpStream, name: &str) {
    stream.write_all(text(name).as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
}

/// Whether a new connection from there is served.
async fn is_served(server: &Server, source: Ipv4Addr) -> bool {
    let mut stream = connect(server, source).await;
    // It may have been closed already.
    let _ = stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let mut status = [0; 12];
    stream.read_exact(&mut status).is_ok_and(|()| &status == b"HTTP/1.1 200")
}

fn is_closed(stream: &mut TcpStream) -> bool {
    match stream.read(&mut [0; 1]) {
        Ok(count) => count == 0,
        Err(error) => error.kind() == ErrorKind::ConnectionReset,
    }
}

async fn scrape(server: &Server) -> String {
    let log = server.log();
    let line = log.lines().find(|line| line.contains("serving metrics")).unwrap();
    let address = line.split("address=").nth(1).unwrap().split_whitespace().next().unwrap();
    reqwest::get(format!("http://{address}/metrics")).await.unwrap().text().await.unwrap()
}

/// A server that may have so many files open.
fn server_with_files(folder: &tempfile::TempDir, files: u32, arguments: &[&str]) -> Server {
    let mut command = Command::new("bash");
    command.env_clear().current_dir(folder.path());
    command.args(["-c", &format!(r#"ulimit -n {files}; exec "$@""#), "bash"]);
    command.arg(binary(folder.path()).get_program());
    command.args(["--listen", "127.0.0.1:0", "--argon2-memory-kib", "64", "--rate-limits", "off"]).args(arguments);
    Server::follow(command)
}

#[tokio::test]
async fn a_source_has_no_more_connections_at_work_than_it_may_and_others_are_served() {
    let folder = tempfile::tempdir().unwrap();
    let bound = ["--connections-per-source", "10", "--metrics-listen", "127.0.0.1:0"];
    let arguments = [&bound[..], &A_PROXY_ELSEWHERE].concat();
    let server = Server::start_with(folder.path(), &arguments, &[]);
    let mut at_work = Vec::new();
    for number in 0..10 {
        let name = format!("thandi{number}");
        at_work.push((work(&server, HERE, &name).await.unwrap(), name));
    }
    let start = Instant::now();
    for _ in 0..5 {
        assert!(work(&server, HERE, "naledi").await.is_none());
    }
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    assert!(is_served(&server, THERE).await);
    assert_eq!(server.log().matches("closed at once").count(), 1, "{}", server.log());
    let start = Instant::now();
    let lines = ["connections_refused_total{bound=\"source\"} 5\n", "connections_open 10\n"];
    // The one that was served elsewhere is counted out once the server has heard that it hung up.
    loop {
        let metrics = scrape(&server).await;
        if lines.iter().all(|line| metrics.contains(&format!("documines_auth_{line}"))) {
            break;
        }
        assert!(start.elapsed() < PATIENCE, "{metrics}");
    }
    // Those who are at work are heard to their end, and their places are free again.
    for (stream, name) in at_work {
        finish(stream, &name);
    }
    let (mut again, start) = (Vec::new(), Instant::now());
    while again.len() < 10 {
        assert!(start.elapsed() < PATIENCE, "{} places", again.len());
        again.extend(work(&server, HERE, "naledi").await);
    }
}

#[tokio::test]
async fn idle_connections_of_a_source_make_room_for_its_newest() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = [&["--connections-per-source", "40"], &A_PROXY_ELSEWHERE[..]].concat();
    let server = Server::start_with(folder.path(), &arguments, &[]);
    let mut at_work = vec![work(&server, HERE, "thandi").await.unwrap()];
    let mut idle = Vec::new();
    for _ in 0..160 {
        idle.push(connect(&server, HERE).await);
        assert!(is_served(&server, HERE).await);
    }
    let start = Instant::now();
    assert!(is_closed(&mut idle[0]));
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    finish(at_work.remove(0), "thandi");
}

#[tokio::test]
async fn a_proxy_is_not_one_source() {
    for (arguments, source) in [(&["--trusted-proxies", "127.0.0.2"][..], THERE), (&[], HERE)] {
        let folder = tempfile::tempdir().unwrap();
        let arguments = [&["--connections-per-source", "4"], arguments].concat();
        let server = Server::start_with(folder.path(), &arguments, &[]);
        let mut at_work = Vec::new();
        for _ in 0..30 {
            at_work.push(work(&server, source, "thandi").await.unwrap());
        }
        assert!(is_served(&server, source).await);
    }
}

#[tokio::test]
async fn one_source_never_has_more_than_half_of_all_connections_and_files_are_left_for_the_database() {
    let folder = tempfile::tempdir().unwrap();
    // 16 connections.
    let server = server_with_files(&folder, 64, &A_PROXY_ELSEWHERE);
    assert!(server.log().contains("in_all=16 of_one_source=8"), "{}", server.log());
    // Idle ones of as many sources as there may be connections, and more.
    let mut idle = Vec::new();
    for number in 10..60 {
        idle.push(connect(&server, Ipv4Addr::new(127, 0, 1, number)).await);
    }
    let mut at_work = Vec::new();
    for source in [HERE, THERE] {
        for _ in 0..40 {
            let name = format!("thandi{}", at_work.len());
            at_work.extend(work(&server, source, &name).await.map(|stream| (stream, name)));
        }
        if source == HERE {
            assert_eq!(at_work.len(), 8);
            assert!(is_served(&server, THERE).await);
        }
    }
    // All are at work: the newest is closed at once, and those who are there are served.
    assert_eq!(at_work.len(), 16);
    assert!(!is_served(&server, Ipv4Addr::new(127, 0, 1, 1)).await);
    for (stream, name) in at_work {
        finish(stream, &name);
    }
    assert!(is_served(&server, Ipv4Addr::new(127, 0, 1, 1)).await);
    let log = server.log();
    assert!(!log.contains("could not be accepted") && !log.contains("ERROR") && !log.contains("panic"), "{log}");
}

#[tokio::test]
async fn places_come_back_after_ten_thousand_connections() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = [&["--connections-per-source", "10"], &A_PROXY_ELSEWHERE[..]].concat();
    let server = Server::start_with(folder.path(), &arguments, &[]);
    for _ in 0..10_000 {
        let stream = TcpStream::connect(server.address).unwrap();
        // So that the port is free again at once.
        set_socket_linger(&stream, Some(Duration::ZERO)).unwrap();
    }
    let mut at_work = Vec::new();
    let start = Instant::now();
    while at_work.len() < 10 {
        assert!(start.elapsed() < PATIENCE, "{} places", at_work.len());
        at_work.extend(work(&server, HERE, "thandi").await);
    }
    assert!(work(&server, HERE, "thandi").await.is_none());
}
