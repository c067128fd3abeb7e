use futures_util::future::join_all;

use crate::support::{NEW_PASSWORD, PASSWORD, TestApp, hours, seconds};

#[tokio::test]
async fn a_reset_replaces_the_password() {
    let app = TestApp::start().await;
    let thandi = app.sign_up("thandi").await;
    thandi.reset_password().await;
    thandi.client.login(&thandi.email, PASSWORD).await.refused(401, "invalid_credentials");
    thandi.client.login(&thandi.email, NEW_PASSWORD).await.expect(200);
    let events = ["signed_up", "password_reset_requested", "password_reset", "logged_in"];
    assert_eq!(app.events_of(thandi.id).await, events);
}

#[tokio::test]
async fn a_reset_ends_every_session_at_once() {
    let app = TestApp::start().await;
    let thandi = app.sign_up("thandi").await;
    let platform = app.platform_client().await;
    let sessions = [
        thandi.log_in().await,
        thandi.log_in().await,
        platform.session(&platform.login(&thandi.email, PASSWORD).await),
    ];
    for session in &sessions {
        session.caller.get_profile().await.expect(200);
    }
    thandi.reset_password().await;
    for session in &sessions {
        session.caller.get_profile().await.refused(401, "invalid_token");
        session.caller.refresh(&session.refresh_token).await.refused(401, "invalid_refresh_token");
    }
}

#[tokio::test]
async fn a_reset_leaves_other_accounts_alone() {
    let app = TestApp::start().await;
    let thandi = app.sign_up("thandi").await;
    let sipho = app.sign_up("sipho").await;
    let session = sipho.log_in().await;
    thandi.reset_password().await;
    session.caller.get_profile().await.expect(200);
    sipho.log_in().await;
}

#[tokio::test]
async fn a_used_token_is_refused() {
    let app = TestApp::start().await;
    let thandi = app.sign_up("thandi").await;
    let client = thandi.client.named_only();
    let token = thandi.request_reset().await;
    client.reset_password(&token, NEW_PASSWORD).await.expect(200);
    client.reset_password(&token, PASSWORD).await.refused(400, "invalid_reset_token");
    thandi.client.login(&thandi.email, NEW_PASSWORD).await.expect(200);
}

#[tokio::test]
async fn a_token_is_good_for_one_hour() {
    let app = TestApp::start().await;
    let (thandi, sipho) = (app.sign_up("thandi").await, app.sign_up("sipho").await);
    let (early, late) = (thandi.request_reset().await, sipho.request_reset().await);
    app.advance(hours(1) - seconds(1));
    thandi.client.named_only().reset_password(&early, NEW_PASSWORD).await.expect(200);
    app.advance(seconds(1));
    sipho.client.named_only().reset_password(&late, NEW_PASSWORD).await.refused(400, "invalid_reset_token");
    sipho.log_in().await;
}

#[tokio::test]
async fn a_newer_token_takes_the_force_of_an_older_one() {
    let app = TestApp::start().await;
    let thandi = app.sign_up("thandi").await;
    let client = thandi.client.named_only();
    let (older, newer) = (thandi.request_reset().await, thandi.request_reset().await);
    client.reset_password(&older, NEW_PASSWORD).await.refused(400, "invalid_reset_token");
    client.reset_password(&newer, NEW_PASSWORD).await.expect(200);
}

#[tokio::test]
async fn a_request_for_somebody_else_takes_no_force_from_a_token() {
    let app = TestApp::start().await;
    let (thandi, sipho) = (app.sign_up("thandi").await, app.sign_up("sipho").await);
    let token = thandi.request_reset().await;
    sipho.request_reset().await;
    sipho.client.named_only().request_reset("nobody@example.com").await.expect(200);
    thandi.client.named_only().reset_password(&token, NEW_PASSWORD).await.expect(200);
}

#[tokio::test]
async fn an_unknown_token_is_refused() {
    let app = TestApp::start().await;
    let thandi = app.sign_up("thandi").await;
    let client = thandi.client.named_only();
    for unknown in ["57dce062-4a15-42ef-a61e-c0fdaefac56a", "x", &"x".repeat(256)] {
        client.reset_password(unknown, NEW_PASSWORD).await.refused(400, "invalid_reset_token");
    }
    for bad in ["", &"x".repeat(257), "a\u{0}b"] {
        client.reset_password(bad, NEW_PASSWORD).await.names(&["/token"]);
    }
}

#[tokio::test]
async fn an_unknown_token_is_refused_before_the_password_is_looked_at() {
    let app = TestApp::start().await;
    let client = app.sign_up("thandi").await.client.named_only();
    let answer = client.reset_password("57dce062-4a15-42ef-a61e-c0fdaefac56a", "password123").await;
    answer.refused(400, "invalid_reset_token");
}

#[tokio::test]
async fn a_weak_password_leaves_the_token_usable() {
    let app = TestApp::start().await;
    let thandi = app.sign_up("thandi").await;
    let session = thandi.log_in().await;
    let client = thandi.client.named_only();
    let token = thandi.request_reset().await;
    let named = "umbrella quartz 71 copper heron 82 THANDI drift";
    for weak in ["password123", "thandi@example.com", "ThandiNkosi1", named] {
        let problem = client.reset_password(&token, weak).await.refused(400, "weak_password");
        assert_eq!(problem["errors"][0]["field"], "/new_password");
    }
    for bad in ["kT7#mq2", &"Thirty-one herons waded past the copper mine; ".repeat(3), "herons\0past the mine"] {
        client.reset_password(&token, bad).await.names(&["/new_password"]);
    }
    session.caller.get_profile().await.expect(200);
    thandi.log_in().await;
    client.reset_password(&token, NEW_PASSWORD).await.expect(200);
}

#[tokio::test]
async fn a_new_password_is_not_trimmed() {
    let app = TestApp::start().await;
    let thandi = app.sign_up("thandi").await;
    let token = thandi.request_reset().await;
    let password = " copper heron drift ";
    thandi.client.named_only().reset_password(&token, password).await.expect(200);
    thandi.client.login(&thandi.email, password.trim()).await.refused(401, "invalid_credentials");
    thandi.client.login(&thandi.email, password).await.expect(200);
}

#[tokio::test]
async fn any_registered_client_may_complete_a_reset() {
    let app = TestApp::start().await;
    let thandi = app.sign_up("thandi").await;
    let token = thandi.request_reset().await;
    let platform = app.platform_client().await.named_only();
    platform.reset_password(&token, NEW_PASSWORD).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_32_resets_with_one_token_at_once_one_wins() {
    let app = TestApp::start().await;
    let thandi = app.sign_up("thandi").await;
    let client = thandi.client.named_only();
    let token = thandi.request_reset().await;
    let passwords: Vec<String> = (0..32).map(|number| format!("{NEW_PASSWORD}-{number}")).collect();
    let answers = join_all(passwords.iter().map(|password| client.reset_password(&token, password))).await;
    let won: Vec<bool> = answers.iter().map(|answer| answer.status == 200).collect();
    assert_eq!(won.iter().filter(|won| **won).count(), 1);
    for ((password, answer), won) in passwords.iter().zip(&answers).zip(won) {
        if won {
            thandi.client.login(&thandi.email, password).await.expect(200);
        } else {
            answer.refused(400, "invalid_reset_token");
            thandi.client.login(&thandi.email, password).await.refused(401, "invalid_credentials");
        }
    }
}
