//! Which hosts a server answers under, sent as bytes: clients do not let one send a bad `Host`.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use crate::server::{PATIENCE, Server, until};

/// Sends a head; gives the status that is answered and the whole answer.
fn send(address: SocketAddr, head: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    (answer[9..12].parse().unwrap(), answer)
}

fn get(address: SocketAddr, target: &str, version: &str, lines: &str) -> u16 {
    send(address, &format!("GET {target} HTTP/{version}\r\nConnection: close\r\n{lines}\r\n")).0
}

fn status_of(server: &Server, host: &str) -> u16 {
    get(server.address, "/livez", "1.1", &format!("Host: {host}\r\n"))
}

const STRANGE: [&str; 4] =
    ["rebound.example", "localhost.rebound.example:8020", "127.0.0.1.rebound.example", "2130706433"];

#[test]
fn on_a_loopback_address_no_name_is_answered_but_this_machines_and_the_public_one() {
    let folder = tempfile::tempdir().unwrap();
    let public = [("DOCUMINES_PUBLIC_URL", "https://auth.example.com/accounts")];
    let server = Server::start_with(folder.path(), &["--metrics-listen", "127.0.0.1:0"], &public);
    for host in [
        "localhost",
        "LOCALHOST.:1",
        "127.0.0.1:8020",
        "[::1]",
        "192.0.2.7",
        "auth.example.com",
        "Auth.Example.com:443",
    ] {
        assert_eq!(status_of(&server, host), 200, "{host}");
    }
    let log = server.log();
    let metrics = log.lines().find(|line| line.contains("serving metrics")).unwrap();
    let metrics = metrics.split("address=").nth(1).unwrap().split_whitespace().next().unwrap().parse().unwrap();
    assert_eq!(get(metrics, "/metrics", "1.1", "Host: localhost\r\n"), 200);
    for host in STRANGE {
        assert_eq!(status_of(&server, host), 421, "{host}");
        for path in ["/", "/docs/", "/openapi.json", "/api/v1/auth/profile/", "/nowhere"] {
            assert_eq!(get(server.address, path, "1.1", &format!("Host: {host}\r\n")), 421, "{host} {path}");
        }
        assert_eq!(get(metrics, "/metrics", "1.1", &format!("Host: {host}\r\n")), 421, "{host}");
    }
    let (_, answer) = send(server.address, "GET /livez HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n");
    assert!(answer.contains("application/problem+json") && answer.contains(r#""code":"unknown_host""#), "{answer}");
    assert_eq!(server.log().matches("a request for another host").count(), 2, "once a listener: {}", server.log());
}

#[test]
fn the_operator_lists_further_hosts_or_allows_all() {
    let folder = tempfile::tempdir().unwrap();
    let listed = Server::start_with(folder.path(), &["--allowed-hosts", "auth.internal, rebound.example"], &[]);
    for (host, status) in [
        ("auth.internal:8020", 200),
        ("rebound.example", 200),
        ("localhost", 200),
        ("127.0.0.1", 200),
        ("x.example", 421),
    ] {
        assert_eq!(status_of(&listed, host), status, "{host}");
    }
    drop(listed);
    let any = Server::start_with(folder.path(), &[], &[("DOCUMINES_ALLOWED_HOSTS", "*")]);
    assert!(STRANGE.iter().all(|host| status_of(&any, host) == 200));
}

#[test]
fn where_other_machines_can_connect_any_host_is_answered_unless_the_operator_lists_some() {
    let start = |folder: &tempfile::TempDir, arguments: &[&str]| {
        let mut command = crate::server::binary(folder.path());
        command.args(["--listen", "0.0.0.0:0"]).args(arguments);
        Server::follow(command)
    };
    let status = |server: &Server, host: &str| {
        get(([127, 0, 0, 1], server.address.port()).into(), "/livez", "1.1", &format!("Host: {host}\r\n"))
    };
    let folder = tempfile::tempdir().unwrap();
    let open = start(&folder, &[]);
    assert!(STRANGE.iter().all(|host| status(&open, host) == 200));
    drop(open);
    let listed = start(&folder, &["--allowed-hosts", "auth.internal"]);
    assert_eq!((status(&listed, "auth.internal"), status(&listed, "rebound.example")), (200, 421));
}

#[test]
fn a_head_that_two_servers_could_read_in_two_ways_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    for (target, lines) in [
        ("/livez", ""),
        ("/livez", "Host: localhost\r\nHost: localhost\r\n"),
        ("/livez", "Host: localhost\r\nHost: rebound.example\r\n"),
        ("/livez", "Host:\r\n"),
        ("/livez", "Host: local host\r\n"),
        ("/livez", "Host: localhost, rebound.example\r\n"),
        ("/livez", "Host: user@localhost\r\n"),
        ("/livez", "Host: localhost:x\r\n"),
        ("http://rebound.example/livez", "Host: localhost\r\n"),
        ("http://localhost/livez", "Host: rebound.example\r\n"),
        ("http://localhost/livez", ""),
    ] {
        let head = format!("GET {target} HTTP/1.1\r\n{lines}\r\n");
        let (status, answer) = send(server.address, &head);
        assert_eq!(status, 400, "{head}");
        assert!(
            answer.contains("application/problem+json") && answer.contains(r#""code":"malformed_request""#),
            "{answer}"
        );
    }
    for coding in ["identity, chunked", "gzip, chunked", "chunked\r\nTransfer-Encoding: chunked"] {
        let head = format!(
            "POST /api/v1/auth/login/ HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: {coding}\r\n\r\n0\r\n\r\n"
        );
        let (status, answer) = send(server.address, &head);
        assert!(status == 400 && answer.contains("malformed_request"), "{head}: {answer}");
    }
    let absolute =
        |host: &str| get(server.address, &format!("http://{host}/livez"), "1.1", &format!("Host: {host}\r\n"));
    assert_eq!((absolute("localhost:8020"), absolute("rebound.example")), (200, 421));
    assert_eq!(get(server.address, "/livez", "1.0", ""), 200);
    assert_eq!(get(server.address, "http://rebound.example/livez", "1.0", ""), 421);
}

#[test]
fn a_proxy_that_is_not_believed_is_named_in_the_log_once_with_what_to_do() {
    let told = |arguments: &[&str], lines: &[&str]| {
        let folder = tempfile::tempdir().unwrap();
        let server = Server::start_with(folder.path(), arguments, &[("RUST_LOG", "info,access=info")]);
        for line in lines {
            for path in ["/livez", "/api/v1/auth/profile/"] {
                get(server.address, path, "1.1", &format!("Host: localhost\r\n{line}"));
            }
        }
        // Each call has a line behind those that it caused.
        until(|| (server.log().matches("answered").count() == 2 * lines.len()).then_some(()));
        let log = server.log();
        log.lines().filter(|line| line.contains("is not believed")).map(str::to_owned).collect::<Vec<_>>()
    };
    let forwarded =
        ["X-Forwarded-For: 203.0.113.9\r\n", "Forwarded: for=203.0.113.9\r\n", "X-Real-IP: 203.0.113.9\r\n"];
    for line in forwarded {
        let lines = told(&[], &[line, line]);
        assert!(lines.len() == 1 && lines[0].contains("--trusted-proxies 127.0.0.1"), "{line}: {lines:?}");
    }
    let trusting = ["--trusted-proxies", "127.0.0.0/8"];
    assert!(told(&trusting, &forwarded[..1]).is_empty());
    assert!(told(&[], &["X-Forwarded-Proto: https\r\n"]).is_empty());
    let lines = told(&trusting, &forwarded[1..]);
    assert!(lines.len() == 1 && lines[0].contains("have it send X-Forwarded-For"), "{lines:?}");
}
