//! Sign-ups, resets, and secrets that cannot be guessed.

use super::{limited, wait_for};
use crate::support::answer::Answer;
use crate::support::schema::{operation, operations};
use crate::support::{NEW_PASSWORD, TestApp, hours, person, seconds};

const NO_TOKEN: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const NO_RESET: &str = "00000000-0000-4000-8000-000000000000";

#[track_caller]
fn tells(answer: &Answer, limit: &str) {
    assert_eq!(answer.header("ratelimit"), Some(limit));
}

#[tokio::test]
async fn twenty_sign_ups_an_hour_come_from_one_source() {
    let app = limited().await;
    for number in 0..20 {
        let answer = app.anon().signup(&person(&format!("person{number}"))).await;
        answer.expect(201);
        tells(&answer, &format!("\"signup\";r={}", 19 - number));
    }
    assert_eq!(wait_for(&app.anon().signup(&person("thandi")).await, "signup"), 180);
    app.anon().from("203.0.113.9").signup(&person("thandi")).await.expect(201);
    app.advance(seconds(180));
    app.anon().signup(&person("sipho")).await.expect(201);
    wait_for(&app.anon().signup(&person("lerato")).await, "signup");
}

#[tokio::test]
async fn refused_sign_ups_count_for_they_tell_who_is_there() {
    let app = limited().await;
    app.sign_up("thandi").await;
    for _ in 0..19 {
        app.anon().signup(&person("thandi")).await.refused(409, "email_taken");
    }
    wait_for(&app.anon().signup(&person("thandi")).await, "signup");
}

#[tokio::test]
async fn three_reset_mails_an_hour_go_to_one_account_and_nobody_can_tell() {
    let app = limited().await;
    let thandi = app.sign_up("thandi").await;
    let asker = thandi.client.named_only();
    let mut last = String::new();
    for _ in 0..3 {
        last = thandi.request_reset().await;
    }
    assert_eq!(app.deliver_mail().await.len(), 3);
    for number in 0..3 {
        let known = asker.from("203.0.113.9").request_reset(&thandi.email).await;
        let unknown = asker.from("203.0.113.10").request_reset("nobody@example.com").await;
        assert_eq!(known.expect(200)["message"], unknown.expect(200)["message"]);
        tells(&known, &format!("\"reset-request\";r={}", 19 - number));
        tells(&unknown, &format!("\"reset-request\";r={}", 19 - number));
        let token = known.json()["reset_token"].as_str().unwrap().to_owned();
        asker.reset_password(&token, NEW_PASSWORD).await.refused(400, "invalid_reset_token");
    }
    assert_eq!(app.deliver_mail().await.len(), 3, "no more mail went out");
    asker.reset_password(&last, NEW_PASSWORD).await.expect(200);
    app.advance(hours(1));
    thandi.request_reset().await;
    assert_eq!(app.deliver_mail().await.len(), 5, "a reset, its notice, and three before");
}

#[tokio::test]
async fn twenty_reset_requests_an_hour_come_from_one_source() {
    let app = limited().await;
    let thandi = app.sign_up("thandi").await;
    let asker = thandi.client.named_only().from("203.0.113.9");
    for number in 0..20 {
        asker.request_reset(&format!("person{number}@example.com")).await.expect(200);
    }
    for email in [&thandi.email, "nobody@example.com"] {
        assert_eq!(wait_for(&asker.request_reset(email).await, "reset-request"), 180);
    }
    assert!(app.deliver_mail().await.is_empty());
    thandi.request_reset().await;
}

#[tokio::test]
async fn thirty_resets_an_hour_come_from_one_source() {
    let app = limited().await;
    let thandi = app.sign_up("thandi").await;
    let token = thandi.request_reset().await;
    let guesser = thandi.client.named_only().from("203.0.113.9");
    for left in (0..30).rev() {
        let answer = guesser.reset_password(NO_RESET, NEW_PASSWORD).await;
        answer.refused(400, "invalid_reset_token");
        tells(&answer, &format!("\"reset\";r={left}"));
    }
    assert_eq!(wait_for(&guesser.reset_password(&token, NEW_PASSWORD).await, "reset"), 120);
    thandi.client.named_only().reset_password(&token, NEW_PASSWORD).await.expect(200);
}

#[tokio::test]
async fn a_hundred_refresh_tokens_an_hour_that_open_nothing_come_from_one_source() {
    let app = limited().await;
    let thandi = app.sign_up("thandi").await;
    let session = thandi.log_in().await;
    let guesser = thandi.client.from("203.0.113.9");
    for left in (0..100).rev() {
        let answer = guesser.refresh(NO_TOKEN).await;
        answer.refused(401, "invalid_refresh_token");
        tells(&answer, &format!("\"refresh-failures\";r={left}"));
    }
    assert_eq!(wait_for(&guesser.refresh(NO_TOKEN).await, "refresh-failures"), 36);
    // Neighbours behind the same address have tokens that are right.
    let answer = guesser.refresh(&session.refresh_token).await;
    answer.expect(200);
    tells(&answer, "\"refreshes\";r=119, \"account-refreshes\";r=599");
}

#[tokio::test]
async fn twenty_wrong_client_secrets_an_hour_come_from_one_source() {
    let app = limited().await;
    let thandi = app.sign_up("thandi").await;
    let sipho = app.sign_up("sipho").await;
    let session = thandi.log_in().await;
    session.caller.get_profile().await.expect(200);
    let wrong = thandi.client.with_client_secret(&"x".repeat(128)).from("203.0.113.9");
    for _ in 0..20 {
        wrong.login(&thandi.email, crate::support::PASSWORD).await.refused(401, "invalid_client");
    }
    let there = session.caller.from("203.0.113.9");
    for answer in [
        wrong.login(&thandi.email, crate::support::PASSWORD).await,
        wrong.with_bearer(&session.access_token).get_profile().await,
    ] {
        assert_eq!(wait_for(&answer, "client-failures"), 180);
    }
    // Who has the right secret is never refused for what neighbours behind the same address sent.
    thandi.client.from("203.0.113.9").refresh(&session.refresh_token).await.expect(200);
    there.get_profile().await.expect(200);
    sipho.client.from("203.0.113.9").login(&sipho.email, crate::support::PASSWORD).await.expect(200);
    thandi.log_in().await;
}

#[tokio::test]
async fn unknown_clients_of_one_source_count_together() {
    let app = limited().await;
    for number in 0..20 {
        let unknown = app.anon().with_client(&format!("{number:040}"), &"x".repeat(128));
        unknown.refresh(NO_TOKEN).await.refused(401, "invalid_client");
    }
    let unknown = app.anon().with_client(&"y".repeat(40), &"x".repeat(128));
    wait_for(&unknown.refresh(NO_TOKEN).await, "client-failures");
}

#[tokio::test]
async fn calls_that_meet_a_limit_are_counted_for_the_operator() {
    let app = TestApp::start_with(&["--rate-limits=on", "--metrics-listen=127.0.0.1:0"]).await;
    let thandi = app.sign_up("thandi").await;
    for _ in 0..8 {
        thandi.client.login(&thandi.email, super::WRONG).await;
    }
    for _ in 0..5 {
        thandi.request_reset().await;
    }
    let text = documines_auth::metrics::render(&app.app, app.app.metrics.as_ref().unwrap()).await;
    for line in [
        r#"documines_auth_throttled_total{limit="login"} 2"#,
        r#"documines_auth_throttled_total{limit="reset-mail"} 2"#,
        r#"documines_auth_requests_total{operation="login",status="429"} 2"#,
    ] {
        assert!(text.lines().any(|written| written == line), "{line} is not in\n{text}");
    }
}

#[test]
fn limited_operations_document_their_limits() {
    let limited = [
        "signup",
        "login",
        "refreshToken",
        "requestPasswordReset",
        "resetPassword",
        "requestEmailVerification",
        "verifyEmail",
        "changeEmail",
        "updateProfile",
    ];
    for id in limited {
        for (status, response) in operation(id).responses().filter(|(status, _)| *status < "500") {
            for header in ["RateLimit", "RateLimit-Policy"] {
                assert!(response["headers"][header].is_object(), "{id} {status}: {header}");
            }
        }
    }
    for operation in operations() {
        let has_client = operation.value["security"][0].get("clientSecret").is_some();
        let refusal = operation.responses().find(|(status, _)| *status == "429");
        assert_eq!(refusal.is_some(), has_client || limited.contains(&operation.id()), "{}", operation.id());
        if let Some((_, response)) = refusal {
            assert!(response["headers"]["Retry-After"].is_object(), "{}", operation.id());
        }
    }
}
