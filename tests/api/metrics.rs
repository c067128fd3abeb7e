use documines_auth::metrics;

use crate::support::TestApp;
use crate::support::people::PASSWORD;

async fn scrape(app: &TestApp) -> String {
    let metrics = app.app.metrics.as_ref().unwrap();
    metrics::render(&app.app, metrics).await
}

#[track_caller]
fn has(text: &str, line: &str) {
    assert!(text.lines().any(|written| written == line), "{line} is not in\n{text}");
}

#[tokio::test]
async fn answers_are_counted_by_operation_and_status() {
    let app = TestApp::start_with(&["--metrics-listen=127.0.0.1:0"]).await;
    let thandi = app.sign_up("thandi").await;
    let session = thandi.log_in().await;
    thandi.client.login(&thandi.email, "not-the-password").await.refused(401, "invalid_credentials");
    app.anon().get("/nowhere/").send().await.refused(404, "not_found");
    for _ in 0..3 {
        session.caller.get("/profile/").send().await.expect(200);
    }
    let text = scrape(&app).await;
    for line in [
        r#"documines_auth_requests_total{operation="signup",status="201"} 1"#,
        r#"documines_auth_requests_total{operation="login",status="200"} 1"#,
        r#"documines_auth_requests_total{operation="login",status="401"} 1"#,
        r#"documines_auth_requests_total{operation="none",status="404"} 1"#,
        r#"documines_auth_requests_total{operation="getProfile",status="200"} 3"#,
        r#"documines_auth_request_duration_seconds_count{operation="getProfile"} 3"#,
        r#"documines_auth_identities_total{source="database"} 1"#,
        r#"documines_auth_identities_total{source="memory"} 2"#,
        "documines_auth_hash_queue 0",
        "documines_auth_outbox 0",
    ] {
        has(&text, line);
    }
    assert!(!text.contains(PASSWORD) && !text.contains(&session.access_token) && !text.contains("thandi"), "{text}");
}

#[tokio::test]
async fn mail_that_waits_is_counted() {
    let app = TestApp::start_with(&["--metrics-listen=127.0.0.1:0"]).await;
    app.sign_up("thandi").await.request_reset().await;
    has(&scrape(&app).await, "documines_auth_outbox 1");
    app.deliver_mail().await;
    has(&scrape(&app).await, "documines_auth_outbox 0");
}

#[tokio::test]
async fn nothing_is_counted_where_nobody_asks() {
    let app = TestApp::start().await;
    app.anon().get("/profile/").send().await.refused(401, "invalid_client");
    assert!(app.app.metrics.is_none());
}

#[tokio::test]
async fn each_job_tells_when_it_last_succeeded_and_how_often_it_failed() {
    let app = TestApp::start_with(&["--metrics-listen=127.0.0.1:0"]).await;
    app.app.jobs.ended("counts", &Ok::<_, ()>(()), 1_795_595_702_250_000);
    app.app.jobs.ended("counts", &Err::<(), _>(()), 1_795_595_703_250_000);
    app.app.jobs.ended("seals", &Err::<(), _>(()), 1_795_595_703_250_000);
    let text = scrape(&app).await;
    has(&text, r#"documines_auth_job_last_success_timestamp_seconds{job="counts"} 1795595702.25"#);
    has(&text, r#"documines_auth_job_failures_total{job="counts"} 1"#);
    has(&text, r#"documines_auth_job_failures_total{job="seals"} 1"#);
    assert!(!text.contains(r#"last_success_timestamp_seconds{job="seals"}"#), "{text}");
}

#[tokio::test]
async fn what_the_database_does_not_tell_is_omitted_and_the_rest_is_told() {
    let app = TestApp::start_with(&["--metrics-listen=127.0.0.1:0"]).await;
    app.anon().get("/profile/").send().await.refused(401, "invalid_client");
    app.app.database().clone().close().await.unwrap();
    let text = scrape(&app).await;
    has(&text, r#"documines_auth_requests_total{operation="getProfile",status="401"} 1"#);
    has(&text, "# EOF");
    assert!(!text.contains("documines_auth_outbox"), "{text}");
}
