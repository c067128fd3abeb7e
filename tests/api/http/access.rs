//! The access log.

use poem::http::Method;
use serde_json::json;

use crate::support::log::Log;
use crate::support::{PASSWORD, TestApp};

/// The access lines that were logged since the last time.
fn lines(log: &Log) -> Vec<String> {
    log.take().lines().filter(|line| line.contains(" access: ")).map(str::to_owned).collect()
}

#[tokio::test]
async fn each_answer_is_a_line_that_says_what_was_asked_and_answered() {
    let app = TestApp::start().await;
    let thandi = app.sign_up("thandi").await;
    let session = thandi.log_in().await;
    let log = Log::start(tracing::Level::INFO);
    let login = json!({"email": thandi.email, "password": PASSWORD});
    let calls = [
        (session.caller.get("/profile/"), "GET", "/api/v1/auth/profile/", "getProfile", 200),
        (thandi.client.post("/login").json(&login), "POST", "/api/v1/auth/login", "login", 200),
        (app.anon().get("/profile/"), "GET", "/api/v1/auth/profile/", "getProfile", 401),
        (app.anon().page(Method::DELETE, "/livez"), "DELETE", "/livez", "none", 405),
        (app.anon().page(Method::GET, "/nowhere"), "GET", "/nowhere", "none", 404),
    ];
    for (number, (call, method, path, operation, status)) in calls.into_iter().enumerate() {
        call.header("X-Request-ID", &format!("call-{number}")).send().await;
        let lines = lines(&log);
        let [line] = &lines[..] else { panic!("{lines:?}") };
        let expected = format!(
            " INFO access: answered request_id=call-{number} source=0.0.0.0 method=\"{method}\" path=\"{path}\" \
             operation=\"{operation}\" status={status} duration_us="
        );
        assert!(line.contains(&expected), "{line}");
    }
}

#[tokio::test]
async fn a_query_is_not_in_the_line_whatever_it_holds() {
    let app = TestApp::start().await;
    let log = Log::start(tracing::Level::TRACE);
    for path in ["/api/v1/auth/profile/", "/nowhere", "/docs/"] {
        app.anon().page(Method::GET, &format!("{path}?access_token=hunter2")).send().await;
        let text = log.take();
        assert!(text.contains(&format!("path=\"{path}\"")) && !text.contains("hunter2"), "{text}");
        assert!(!text.contains("access_token"), "{text}");
    }
}

#[tokio::test]
async fn a_path_is_cut_and_can_not_break_out_of_its_line() {
    let app = TestApp::start().await;
    let log = Log::start(tracing::Level::INFO);
    app.anon().page(Method::GET, &format!("/{}%0A", "x".repeat(10_000))).send().await;
    app.anon().page(Method::GET, "/a\"status=200").send().await;
    let lines = lines(&log);
    assert_eq!(lines.len(), 2);
    assert!(lines[0].len() < 500, "{}", lines[0]);
    assert!(lines[1].contains(r#"path="/a\"status=200" operation"#), "{}", lines[1]);
}
