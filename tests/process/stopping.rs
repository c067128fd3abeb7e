use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use reqwest::Method;
use sea_orm::{ConnectionTrait, DbBackend, Statement};

use crate::server::{PATIENCE, Server, client_headers, person, until};

#[tokio::test]
async fn an_acknowledged_sign_up_survives_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    for round in 0..3 {
        let server = Server::start(folder.path());
        let name = format!("thandi{round}");
        let signed_up = server.sign_up(&name).await;
        server.kill();
        let server = Server::start(folder.path());
        assert_eq!(server.log_in(&name, &signed_up).await.0, 200);
    }
}

#[tokio::test]
async fn a_session_survives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start(folder.path());
    let signed_up = server.sign_up("thandi").await;
    let (_, pair) = server.log_in("thandi", &signed_up).await;
    server.terminate();
    assert!(server.wait().success());
    let server = Server::start(folder.path());
    let bearer = format!("Bearer {}", pair["access_token"].as_str().unwrap());
    let [id, secret] = client_headers(&signed_up);
    let (status, profile) =
        server.call(Method::GET, "/profile/", &[id, secret, ("Authorization", &bearer)], None).await;
    assert_eq!(status, 200, "{profile}");
}

#[test]
fn it_exits_with_0_when_it_is_asked_to_stop() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start(folder.path());
    server.terminate();
    assert_eq!(server.wait().code(), Some(0));
    assert!(TcpStream::connect(server.address).is_err());
}

#[test]
fn a_request_under_way_is_finished_after_the_signal() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start(folder.path());
    let body = person("thandi").to_string();
    let mut stream = TcpStream::connect(server.address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let head = format!(
        "POST /api/v1/auth/signup/ HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    // The server asks for the body: the request is under way.
    let mut interim = [0; 25];
    stream.read_exact(&mut interim).unwrap();
    assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");

    server.terminate();
    until(|| TcpStream::connect(server.address).is_err().then_some(()));
    stream.write_all(body.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 201 Created\r\n"), "{answer}");
    assert_eq!(server.wait().code(), Some(0));
}

#[test]
fn a_connection_that_rests_is_closed_at_once_when_the_server_stops() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start(folder.path());
    let mut resting: Vec<_> = (0..20).map(|_| TcpStream::connect(server.address).unwrap()).collect();
    for stream in &mut resting {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        stream.read_exact(&mut [0; 15]).unwrap();
    }
    let start = Instant::now();
    server.terminate();
    for stream in &mut resting {
        stream.read_to_end(&mut Vec::new()).unwrap();
    }
    // No grace of ten seconds, and no word for who was heard before.
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
    assert_eq!(server.wait().code(), Some(0));
}

#[tokio::test]
async fn what_was_counted_is_written_down_before_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start(folder.path());
    let signed_up = server.sign_up("thandi").await;
    let (_, pair) = server.log_in("thandi", &signed_up).await;
    let bearer = format!("Bearer {}", pair["access_token"].as_str().unwrap());
    let [id, secret] = client_headers(&signed_up);
    for _ in 0..3 {
        let caller = [id, secret, ("Authorization", bearer.as_str())];
        assert_eq!(server.call(Method::GET, "/profile/", &caller, None).await.0, 200);
    }
    server.terminate();
    assert!(server.wait().success());
    // The login and the three reads.
    assert_eq!(api_calls(folder.path()).await, 4);
}

async fn api_calls(folder: &Path) -> i64 {
    let url = format!("sqlite://{}?mode=ro", folder.join("data/auth.db").display());
    let database = sea_orm::Database::connect(url).await.unwrap();
    let statement = Statement::from_string(DbBackend::Sqlite, "SELECT api_calls AS number FROM accounts");
    database.query_one_raw(statement).await.unwrap().unwrap().try_get("", "number").unwrap()
}
