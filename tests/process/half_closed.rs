//! Callers who say that they send no more, and listen: `nc -N`, tunnels, some health checks.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};

use serde_json::json;

use crate::server::{PASSWORD, PATIENCE, Server};

/// Sends this and shuts its half of the connection; gives all that is answered.
fn ask(server: &Server, request: &str) -> String {
    let mut stream = TcpStream::connect(server.address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[tokio::test]
async fn a_caller_who_sends_no_more_hears_the_answer() {
    let folder = tempfile::tempdir().unwrap();
    // A hash that takes a while: the end of what is sent comes first.
    let server = Server::start_with(folder.path(), &["--argon2-iterations", "200"], &[]);
    let thandi = server.sign_up("thandi").await;
    let body = json!({"email": "thandi@example.com", "password": PASSWORD}).to_string();
    let (id, secret) = (thandi["client_id"].as_str().unwrap(), thandi["client_secret"].as_str().unwrap());
    let login = format!(
        "POST /api/v1/auth/login/ HTTP/1.1\r\nHost: localhost\r\nX-Client-ID: {id}\r\nX-Client-Secret: {secret}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let old = "GET /readyz HTTP/1.0\r\n\r\n".to_owned();
    for request in [get("/livez"), get("/readyz"), old, get("/docs/swagger-ui.js"), login.clone()] {
        for _ in 0..3 {
            let answer = ask(&server, &request);
            let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
            assert!(head.get(8..12) == Some(" 200") && length == Some(body.len()), "{request}: {head}");
        }
    }
    // One behind another, and each is heard.
    let answers = ask(&server, &format!("{}{login}{}", get("/readyz"), get("/livez")));
    assert_eq!(answers.matches("HTTP/1.1 200 OK").count(), 3, "{answers}");
    // What was not sent whole is not waited for.
    let cut = ask(&server, &login[..login.len() - 5]);
    assert!(cut.is_empty() || cut.contains(" 400 "), "{cut}");
}
