//! What is written down of a call: the log, and the record.

use poem::http::Method;
use serde_json::json;

use crate::support::log::Log;
use crate::support::schema::operations;
use crate::support::{PASSWORD, TestApp};

#[tokio::test]
async fn nothing_that_a_stranger_sends_begins_a_log_line() {
    let app = TestApp::start().await;
    let thandi = app.sign_up("thandi").await.log_in().await;
    let log = Log::start(tracing::Level::TRACE);
    for break_ in ["\n", "\r\n", "\u{85}", "\u{2028}", "\u{b}", "\\n", "%0a", "%0d%0a"] {
        let text = format!("x{break_}FORGED a line");
        let encoded: String = text.bytes().map(|byte| format!("%{byte:02x}")).collect();
        app.anon().page(Method::GET, &format!("/{encoded}")).send().await;
        app.anon().page(Method::GET, &format!("/problems/{encoded}?{encoded}")).send().await;
        for operation in operations() {
            let body = json!({"email": text, "password": text, "token": text, text.as_str(): text});
            let method = operation.method.to_ascii_uppercase().parse().unwrap();
            let call = thandi.caller.call(method, operation.path).json(&body).beyond_the_schema();
            call.header("User-Agent", &text.replace(|c: char| c.is_control() || !c.is_ascii(), " ")).send().await;
        }
    }
    let text = log.text();
    assert!(text.contains("answered"), "the log was seen");
    assert_eq!(text.lines().find(|line| line.starts_with("FORGED")), None);
}

#[tokio::test]
async fn the_record_says_where_a_call_came_from() {
    // Calls of these tests come from nowhere; that is the proxy here.
    let app = TestApp::start_with(&["--trusted-proxies=0.0.0.0"]).await;
    let thandi = app.sign_up("thandi").await;
    let body = json!({"email": thandi.email, "password": PASSWORD});
    let call = thandi.client.post("/login/").json(&body).header("X-Forwarded-For", "192.0.2.1, 203.0.113.9");
    call.header("User-Agent", "curl/8.19").header("X-Request-ID", "call-1").send().await.expect(200);
    let sql = "SELECT count(*) AS number FROM audit_events WHERE event = 'logged_in' AND source = '203.0.113.9' \
               AND user_agent = 'curl/8.19' AND request_id = 'call-1' AND client_id IS NOT NULL AND at > 0";
    assert_eq!(app.number(sql).await, 1);
    // Bytes that are no text hide nobody: the proxy hands them on before what it adds.
    let call = thandi.client.post("/login/").json(&body).header("X-Forwarded-For", "\u{fc}, 203.0.113.10");
    call.send().await.expect(200);
    let sql = "SELECT count(*) AS number FROM audit_events WHERE event = 'logged_in' AND source = '203.0.113.10'";
    assert_eq!(app.number(sql).await, 1);
}
