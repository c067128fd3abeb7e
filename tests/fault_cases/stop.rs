//! SIGTERM under load.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::server::{PATIENCE, Server, binary, person, until};
use crate::skip;

/// Calls over a fresh connection each, until none is to be had; gives the answers that were no whole ones.
fn call_until_it_is_gone(address: SocketAddr, name: &str, answered: &AtomicUsize) -> Vec<String> {
    let mut broken = Vec::new();
    for number in 0.. {
        let Ok(mut stream) = TcpStream::connect(address) else { break };
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let body = person(&format!("{name}-{number}")).to_string();
        let request = format!(
            "POST /api/v1/auth/signup/ HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        );
        let mut answer = String::new();
        let result = stream.write_all(request.as_bytes()).and_then(|()| stream.read_to_string(&mut answer));
        if result.is_err() || !is_whole(&answer) {
            broken.push(format!("{result:?} {answer}"));
        }
        answered.fetch_add(1, Ordering::Relaxed);
    }
    broken
}

fn is_whole(answer: &str) -> bool {
    let Some((head, body)) = answer.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
    head.starts_with("HTTP/1.1 201 Created") && length == Some(body.len())
}

#[test]
fn who_was_let_in_before_the_signal_to_stop_gets_a_whole_answer() {
    for _ in 0..5 {
        let folder = tempfile::tempdir().unwrap();
        let mut server = Server::start(folder.path());
        let (address, answered) = (server.address, AtomicUsize::new(0));
        let broken = std::thread::scope(|scope| {
            let answered = &answered;
            let callers: Vec<_> = (0..16)
                .map(|number| scope.spawn(move || call_until_it_is_gone(address, &format!("caller{number}"), answered)))
                .collect();
            until(|| (answered.load(Ordering::Relaxed) > 100).then_some(()));
            server.terminate();
            callers.into_iter().flat_map(|caller| caller.join().unwrap()).collect::<Vec<String>>()
        });
        assert!(broken.is_empty(), "{} of {answered:?}: {broken:?}", broken.len());
        assert_eq!(server.wait().code(), Some(0), "{}", server.log());
    }
}

#[test]
fn as_process_1_of_a_container_it_ends_in_order() {
    // A namespace of processes of its own, in which the server is the first one.
    let contained = ["--user", "--map-root-user", "--pid", "--fork", "--kill-child"];
    let mut attempt = Command::new("unshare");
    attempt.args(contained).arg("true").stdout(Stdio::null()).stderr(Stdio::null());
    if !attempt.status().is_ok_and(|status| status.success()) {
        return skip("as_process_1_of_a_container_it_ends_in_order", "cannot make a namespace");
    }
    for signal in ["TERM", "INT", "HUP"] {
        let folder = tempfile::tempdir().unwrap();
        let ours = binary(folder.path());
        let mut command = Command::new("unshare");
        command.args(contained).arg(ours.get_program()).args(["--listen", "127.0.0.1:0"]);
        command.env_clear().current_dir(folder.path());
        let mut server = Server::follow(command);
        let children = format!("/proc/{0}/task/{0}/children", server.child.id());
        let inside = std::fs::read_to_string(children).unwrap();
        let sent = Command::new("kill").arg(format!("-{signal}")).arg(inside.trim()).status().unwrap();
        assert!(sent.success());
        assert_eq!(server.wait().code(), Some(0), "{signal}: {}", server.log());
        until(|| server.log().contains("stopped").then_some(()));
    }
}
