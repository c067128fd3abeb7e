use poem::http::Method;

use crate::support::TestApp;
use crate::support::answer::Answer;

const PAGE: &str = "https://app.example.com";

fn cors_headers(answer: &Answer) -> Vec<&str> {
    let names = answer.headers.keys().map(poem::http::HeaderName::as_str);
    names.filter(|name| name.starts_with("access-control-")).collect()
}

async fn preflight(app: &TestApp, origin: &str, path: &str, method: &str) -> Answer {
    let call = app.anon().call(Method::OPTIONS, path).header("Origin", origin);
    let headers = "authorization,content-type,x-client-id,x-client-secret,x-request-id";
    let call = call.header("Access-Control-Request-Method", method).header("Access-Control-Request-Headers", headers);
    call.send().await
}

#[tokio::test]
async fn no_origin_is_allowed_by_default() {
    let app = TestApp::start().await;
    let answer = app.anon().get("/profile/").header("Origin", PAGE).send().await;
    answer.refused(401, "invalid_client");
    assert!(cors_headers(&answer).is_empty());
    let answer = preflight(&app, PAGE, "/login/", "POST").await;
    answer.refused(405, "method_not_allowed");
    assert!(cors_headers(&answer).is_empty());
}

#[tokio::test]
async fn a_listed_origin_may_call_and_see_the_request_id() {
    let app = TestApp::start_with(&["--cors-origins=https://other.example.com,https://app.example.com"]).await;
    let session = app.sign_up("thandi").await.log_in().await;
    let answer = session.caller.get("/profile/").header("Origin", PAGE).send().await;
    answer.expect(200);
    assert_eq!(answer.header("access-control-allow-origin"), Some(PAGE));
    assert_eq!(answer.header("access-control-allow-credentials"), None);
    let exposed = answer.header("access-control-expose-headers").unwrap().to_ascii_lowercase();
    assert!(exposed.contains("x-request-id"), "{exposed}");
}

#[tokio::test]
async fn a_listed_origin_sees_refusals_too() {
    let app = TestApp::start_with(&["--cors-origins=https://app.example.com"]).await;
    let answer = app.anon().get("/profile/").header("Origin", PAGE).send().await;
    answer.refused(401, "invalid_client");
    assert_eq!(answer.header("access-control-allow-origin"), Some(PAGE));
}

/// What is no message to the page that calls: what the Fetch standard lets it read of any answer (section 2.2.2), and what
/// browsers and caches act upon by themselves.
const NOT_FOR_PAGES: [&str; 6] =
    ["cache-control", "content-type", "content-length", "vary", "x-content-type-options", "connection"];

/// The list is made from what is documented and from what is sent, so that a header that comes later is not forgotten.
#[tokio::test]
async fn every_header_that_is_sent_for_callers_can_be_read_by_a_page() {
    let app = TestApp::start_with(&["--cors-origins=https://app.example.com", "--rate-limits=on"]).await;
    let client = app.sign_up("thandi").await.client;
    let mut answers = vec![client.get("/login/").header("Origin", PAGE).send().await];
    let wrong = || client.post("/login/").header("Origin", PAGE);
    for _ in 0..7 {
        answers
            .push(wrong().json(&serde_json::json!({"email": "thandi@example.com", "password": "wrong"})).send().await);
    }
    assert_eq!(answers.first().unwrap().status, 405);
    assert_eq!(answers.last().unwrap().status, 429);
    let exposed = answers[0].header("access-control-expose-headers").unwrap().to_ascii_lowercase();
    let exposed: Vec<&str> = exposed.split(',').map(str::trim).collect();
    let sent = answers.iter().flat_map(|answer| answer.headers.keys()).map(|name| name.as_str().to_owned());
    let document = documines_auth::http::spec::document();
    let documented =
        document["components"]["headers"].as_object().unwrap().keys().map(|name| name.to_ascii_lowercase());
    let named: std::collections::BTreeSet<String> = sent.chain(documented).collect();
    assert!(named.contains("ratelimit") && named.contains("retry-after"), "{named:?}");
    for name in named {
        let is_for_pages = !name.starts_with("access-control-") && !NOT_FOR_PAGES.contains(&name.as_str());
        assert_eq!(exposed.contains(&name.as_str()), is_for_pages, "{name}: {exposed:?}");
    }
}

#[tokio::test]
async fn a_browser_may_ask_beforehand_for_every_operation() {
    let app = TestApp::start_with(&["--cors-origins=https://app.example.com"]).await;
    for operation in crate::support::schema::operations() {
        let method = operation.method.to_ascii_uppercase();
        let answer = preflight(&app, PAGE, operation.path, &method).await;
        assert_eq!(answer.status, 204, "{}", operation.id());
        assert_eq!(answer.header("access-control-allow-origin"), Some(PAGE));
        assert!(answer.header("access-control-allow-methods").unwrap().contains(&method));
        let headers = answer.header("access-control-allow-headers").unwrap().to_ascii_lowercase();
        for name in ["authorization", "content-type", "x-client-id", "x-client-secret"] {
            assert!(headers.contains(name), "{headers}");
        }
    }
}

#[tokio::test]
async fn an_origin_that_is_not_listed_gets_an_answer_that_its_browser_hides() {
    let app = TestApp::start_with(&["--cors-origins=https://app.example.com"]).await;
    let session = app.sign_up("thandi").await.log_in().await;
    for origin in ["https://evil.example", "http://app.example.com", "https://app.example.com.evil.example", "null"] {
        let answer = session.caller.get("/profile/").header("Origin", origin).send().await;
        answer.expect(200);
        assert!(cors_headers(&answer).is_empty(), "{origin}");
        assert!(cors_headers(&preflight(&app, origin, "/profile/", "GET").await).is_empty(), "{origin}");
    }
}
