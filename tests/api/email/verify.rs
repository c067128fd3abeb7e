use futures_util::future::join_all;
use poem::http::Method;
use serde_json::json;

use super::{UNKNOWN, is_verified, mails_to, token_to};
use crate::mail::header;
use crate::support::{NEW_PASSWORD, PASSWORD, TestApp, hours, seconds};

const STRICT: &str = "--login-requires-verified-email=on";

#[tokio::test]
async fn the_welcome_carries_a_token_that_verifies_the_address() {
    let app = TestApp::start().await;
    let thandi = app.join("thandi").await;
    assert!(!is_verified(&app, &thandi).await);
    let mails = mails_to(&app, &thandi.email).await;
    let [welcome] = mails.as_slice() else { panic!("one mail went out, not {}", mails.len()) };
    assert_eq!(header(welcome, "Subject"), "Welcome to AI DocuMines");
    let token = token_to(&app, &thandi.email).await;
    let answer = thandi.client.named_only().verify_email(&token).await.expect(200);
    assert_eq!(answer, json!({"message": "Email verified successfully", "email": "thandi@example.com"}));
    assert!(is_verified(&app, &thandi).await);
    assert_eq!(app.events_of(thandi.id).await, ["signed_up", "email_verified"]);
}

#[tokio::test]
async fn any_registered_client_may_verify() {
    let app = TestApp::start().await;
    let thandi = app.join("thandi").await;
    let token = token_to(&app, &thandi.email).await;
    app.platform_client().await.named_only().verify_email(&token).await.expect(200);
    assert!(is_verified(&app, &thandi).await);
}

#[tokio::test]
async fn a_token_is_consumed_by_post_alone() {
    let app = TestApp::start().await;
    let thandi = app.join("thandi").await;
    let token = token_to(&app, &thandi.email).await;
    let client = thandi.client.named_only();
    for method in [Method::GET, Method::HEAD, Method::OPTIONS, Method::PUT] {
        let call = client.call(method.clone(), &format!("/email/verify/?token={token}"));
        assert_eq!(call.send().await.status, 405, "{method}");
    }
    // Nor by a POST that carries it in its address.
    let call = client.post(&format!("/email/verify/?token={token}"));
    call.json(&json!({})).send().await.names(&["/token"]);
    assert!(!is_verified(&app, &thandi).await);
    client.verify_email(&token).await.expect(200);
}

#[tokio::test]
async fn a_used_or_unknown_token_is_refused() {
    let app = TestApp::start().await;
    let thandi = app.join("thandi").await;
    let client = thandi.client.named_only();
    for unknown in [UNKNOWN, "x", &"x".repeat(256)] {
        client.verify_email(unknown).await.refused(400, "invalid_verification_token");
    }
    for bad in ["", &"x".repeat(257), "a\u{0}b"] {
        client.verify_email(bad).await.names(&["/token"]);
    }
    assert!(!is_verified(&app, &thandi).await);
    let token = token_to(&app, &thandi.email).await;
    client.verify_email(&token).await.expect(200);
    client.verify_email(&token).await.refused(400, "invalid_verification_token");
    assert!(is_verified(&app, &thandi).await);
}

#[tokio::test]
async fn a_token_of_one_kind_is_none_of_another() {
    let app = TestApp::start().await;
    let thandi = app.join("thandi").await;
    let client = thandi.client.named_only();
    let (verification, reset) = (token_to(&app, &thandi.email).await, thandi.request_reset().await);
    client.verify_email(&reset).await.refused(400, "invalid_verification_token");
    client.reset_password(&verification, NEW_PASSWORD).await.refused(400, "invalid_reset_token");
    assert!(!is_verified(&app, &thandi).await);
    thandi.log_in().await;
}

#[tokio::test]
async fn a_token_is_good_for_a_day() {
    let app = TestApp::start().await;
    let (thandi, sipho) = (app.join("thandi").await, app.join("sipho").await);
    let (early, late) = (token_to(&app, &thandi.email).await, token_to(&app, &sipho.email).await);
    app.advance(hours(24) - seconds(1));
    thandi.client.named_only().verify_email(&early).await.expect(200);
    app.advance(seconds(1));
    sipho.client.named_only().verify_email(&late).await.refused(400, "invalid_verification_token");
    assert!(is_verified(&app, &thandi).await && !is_verified(&app, &sipho).await);
}

#[tokio::test]
async fn an_inactive_account_verifies_nothing() {
    let app = TestApp::start().await;
    let thandi = app.join("thandi").await;
    let token = token_to(&app, &thandi.email).await;
    app.set_status(thandi.id, "suspended").await;
    thandi.client.named_only().verify_email(&token).await.refused(400, "invalid_verification_token");
    assert!(!is_verified(&app, &thandi).await);
    app.set_status(thandi.id, "active").await;
    thandi.client.named_only().verify_email(&token).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_32_verifications_with_one_token_at_once_one_wins() {
    let app = TestApp::start().await;
    let thandi = app.join("thandi").await;
    let client = thandi.client.named_only();
    let token = token_to(&app, &thandi.email).await;
    let answers = join_all((0..32).map(|_| client.verify_email(&token))).await;
    let (won, lost): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
    assert_eq!(won.len(), 1);
    lost.iter().for_each(|answer| drop(answer.refused(400, "invalid_verification_token")));
    assert_eq!(app.events_of(thandi.id).await, ["signed_up", "email_verified"]);
}

#[tokio::test]
async fn an_unverified_account_may_log_in_by_default() {
    let app = TestApp::start().await;
    let thandi = app.sign_up("thandi").await;
    thandi.log_in().await;
    assert!(!is_verified(&app, &thandi).await);
}

#[tokio::test]
async fn where_the_operator_wants_it_a_login_waits_for_the_verification() {
    let app = TestApp::start_with(&[STRICT]).await;
    let thandi = app.sign_up("thandi").await;
    let sipho = app.sign_up("sipho").await;
    thandi.client.login(&thandi.email, PASSWORD).await.refused(403, "email_not_verified");
    // Only the right password tells.
    thandi.client.login(&thandi.email, NEW_PASSWORD).await.refused(401, "invalid_credentials");
    sipho.client.login(&thandi.email, PASSWORD).await.refused(401, "invalid_credentials");
    assert_eq!(app.number("SELECT count(*) AS number FROM sessions").await, 0);
    assert_eq!(app.account(thandi.id).await.standing.last_login_at, None);
    // Whoever cannot log in can ask for another token all the same.
    thandi.client.named_only().request_verification(&thandi.email).await.expect(200);
    let token = token_to(&app, &thandi.email).await;
    thandi.client.named_only().verify_email(&token).await.expect(200);
    thandi.log_in().await.caller.get_profile().await.expect(200);
}

#[tokio::test]
async fn a_reset_by_mail_verifies_the_address() {
    let app = TestApp::start_with(&[STRICT, "--reset-token-in-response=never"]).await;
    let thandi = app.sign_up("thandi").await;
    thandi.client.named_only().request_reset(&thandi.email).await.expect(200);
    let token = token_to(&app, &thandi.email).await;
    thandi.client.named_only().reset_password(&token, NEW_PASSWORD).await.expect(200);
    assert!(is_verified(&app, &thandi).await);
    thandi.client.login(&thandi.email, NEW_PASSWORD).await.expect(200);
}

#[tokio::test]
async fn a_reset_whose_token_was_in_the_answer_verifies_nothing() {
    let app = TestApp::start_with(&[STRICT]).await;
    let thandi = app.sign_up("thandi").await;
    thandi.reset_password().await;
    assert!(!is_verified(&app, &thandi).await);
    thandi.client.login(&thandi.email, NEW_PASSWORD).await.refused(403, "email_not_verified");
}
