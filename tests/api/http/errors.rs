use std::thread::available_parallelism;

use documines_auth::http::envelope::Envelope;
use documines_auth::http::problem::Code;
use futures_util::future::join_all;
use poem::Endpoint;
use poem::http::Method;

use crate::support::answer::member_names;
use crate::support::log::Log;
use crate::support::{PASSWORD, TestApp, person};

#[tokio::test]
async fn a_problem_has_its_members_in_the_order_of_rfc_9457_and_ours_behind() {
    let app = TestApp::start().await;
    let problem = app.anon().login("thandi@example.com", PASSWORD).await.refused(401, "invalid_client");
    assert_eq!(member_names(&problem), ["type", "title", "status", "detail", "code", "request_id"]);
    let problem = app.anon().signup(&serde_json::json!({})).await.refused(400, "invalid_request");
    assert_eq!(member_names(&problem), ["type", "title", "status", "detail", "code", "request_id", "errors"]);
}

#[tokio::test]
async fn the_type_is_under_the_public_url_and_leads_to_a_page() {
    let app = TestApp::start().await;
    let problem = app.anon().get_profile().await.refused(401, "invalid_client");
    let path = problem["type"].as_str().unwrap().strip_prefix("http://localhost:8020").unwrap();
    let page = app.anon().page(Method::GET, path).send().await;
    assert_eq!(page.status, 200);
    assert!(page.text().contains("<code>invalid_client</code>"));
}

#[test]
fn codes_are_unique_and_in_snake_case() {
    let mut names: Vec<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
    assert!(names.iter().all(|name| name.chars().all(|c| c.is_ascii_lowercase() || c == '_')), "{names:?}");
    let all = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all);
}

#[tokio::test]
async fn without_its_database_the_api_says_unavailable() {
    let app = TestApp::start().await;
    let thandi = app.sign_up("thandi").await;
    let session = thandi.log_in().await;
    app.app.database().clone().close().await.unwrap();
    let anon = app.anon();
    let answers = [
        anon.signup(&person("sipho")).await,
        thandi.client.login(&thandi.email, PASSWORD).await,
        thandi.client.refresh(&session.refresh_token).await,
        session.caller.get_profile().await,
        session.caller.update_profile(&serde_json::json!({})).await,
        thandi.client.named_only().request_reset(&thandi.email).await,
    ];
    for answer in answers {
        let problem = answer.refused(503, "unavailable").to_string().to_lowercase();
        for internal in ["sql", "pool", "select", "closed"] {
            assert!(!problem.contains(internal), "{problem}");
        }
    }
}

#[tokio::test]
async fn a_panic_becomes_a_500_that_tells_nothing_of_it() {
    let app = TestApp::start().await;
    let panics = poem::endpoint::make(async |_| -> poem::Response { panic!("the panic's own words") });
    let server = Envelope::new(app.app.clone(), panics);
    // What may change something runs on a task of its own: both ways are tried.
    for method in [Method::GET, Method::POST] {
        let request = poem::Request::builder().method(method).header("Host", "localhost");
        let request = request.header("X-Request-ID", "boom-1").finish();
        let (parts, body) = server.get_response(request).await.into_parts();
        let body = body.into_string().await.unwrap();
        let problem: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!((parts.status.as_u16(), &problem["code"]), (500, &"internal".into()));
        assert_eq!(parts.headers["content-type"], "application/problem+json");
        assert_eq!(
            (&parts.headers["x-request-id"], &problem["request_id"]),
            (&"boom-1".parse().unwrap(), &"boom-1".into())
        );
        assert!(!body.contains("own words"), "{body}");
    }
}

#[tokio::test]
async fn an_error_that_no_rule_made_becomes_a_500_that_tells_nothing_of_it() {
    let app = TestApp::start().await;
    let fails = poem::endpoint::make(async |_| -> poem::Result<poem::Response> {
        Err(poem::Error::from_string("SELECT secret FROM accounts", poem::http::StatusCode::BAD_GATEWAY))
    });
    let response = Envelope::new(app.app.clone(), fails)
        .get_response(poem::Request::builder().header("Host", "localhost").finish())
        .await;
    assert_eq!(response.status(), 500);
    let body = response.into_body().into_string().await.unwrap();
    assert!(body.contains("\"code\":\"internal\"") && !body.contains("SELECT"), "{body}");
}

#[tokio::test]
async fn an_error_of_ours_is_in_the_log_under_its_request_id() {
    let app = TestApp::start().await;
    let thandi = app.sign_up("thandi").await;
    let session = thandi.log_in().await;
    app.app.database().clone().close().await.unwrap();
    let log = Log::start(tracing::Level::INFO);
    let login = serde_json::json!({"email": thandi.email, "password": PASSWORD});
    let calls = [thandi.client.post("/login/").json(&login), session.caller.get("/profile/")];
    for (number, call) in calls.into_iter().enumerate() {
        call.header("X-Request-ID", &format!("call-{number}")).send().await.refused(503, "unavailable");
        let lines = log.take();
        assert!(lines.contains("the database is unavailable"), "{lines}");
        for line in lines.lines() {
            assert!(line.contains(&format!("call-{number}")), "{line}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn past_the_queue_of_the_hasher_a_login_is_refused_at_once_and_later_taken() {
    // A cost at which the queue fills faster than it empties.
    let app = TestApp::start_with(&["--argon2-iterations=400"]).await;
    let thandi = app.sign_up("thandi").await;
    let flood = 64 * 4 * available_parallelism().map_or(1, usize::from);
    let answers = join_all((0..flood).map(|_| thandi.client.login(&thandi.email, PASSWORD))).await;
    let refused: Vec<_> = answers.iter().filter(|answer| answer.status != 200).collect();
    assert!(!refused.is_empty(), "{flood} logins at once all found a place");
    assert!(refused.len() < flood, "nobody was logged in");
    // On a slow machine some wait too long for a connection to the database, too.
    assert!(refused.iter().all(|answer| answer.status == 503));
    assert!(refused.iter().any(|answer| answer.json()["code"] == "overloaded"));
    thandi.log_in().await;
}
