//! What the process writes to standard error.

use reqwest::Method;
use serde_json::Value;

use crate::server::{Server, until};

/// The access lines of a log of JSON lines.
fn access_lines(log: &str) -> Vec<Value> {
    let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).expect(line));
    lines.filter(|line| line["target"] == "access").collect()
}

#[tokio::test]
async fn in_json_an_answer_is_an_object_that_stands_on_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start_with(folder.path(), &["--log-format", "json", "--log-filter", "info"], &[]);
    server.sign_up("thandi").await;
    server.call(Method::GET, "/profile/?access_token=hunter2", &[("X-Request-ID", "call-1")], None).await;
    let lines = until(|| Some(access_lines(&server.log())).filter(|lines| lines.len() == 2));

    let line = &lines[1];
    let mut names: Vec<&str> = line.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    let expected = "duration_us level message method operation path request_id source status target timestamp";
    assert_eq!(names.join(" "), expected);
    let texts = [
        ("level", "INFO"),
        ("message", "answered"),
        ("request_id", "call-1"),
        ("source", "127.0.0.1"),
        ("method", "GET"),
        ("path", "/api/v1/auth/profile/"),
        ("operation", "getProfile"),
    ];
    for (name, text) in texts {
        assert_eq!(line[name], text, "{line}");
    }
    assert_eq!(line["status"], 401);
    assert!(line["duration_us"].is_u64(), "{line}");
    assert_eq!((&lines[0]["operation"], &lines[0]["status"]), (&"signup".into(), &201.into()));
    assert!(!server.log().contains("hunter2"));
}

#[tokio::test]
async fn answers_are_not_logged_by_default_and_are_where_the_filter_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let is_logged = async |environment: &[(&str, &str)]| {
        let mut server = Server::start_with(folder.path(), &[], environment);
        server.call(Method::GET, "/profile/", &[], None).await;
        server.terminate();
        assert!(server.wait().success());
        until(|| server.log().contains("stopped").then_some(()));
        server.log().contains(" access: answered ")
    };
    assert!(!is_logged(&[]).await);
    assert!(is_logged(&[("RUST_LOG", "info")]).await);
    assert!(is_logged(&[("RUST_LOG", "warn,documines_auth=info,access=info")]).await);
    assert!(!is_logged(&[("RUST_LOG", "debug,access=off")]).await);
}
