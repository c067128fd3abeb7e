use futures_util::future::join_all;
use serde_json::json;

use crate::mail::token_in;
use crate::support::answer::{member_names, seed_time};
use crate::support::app::START;
use crate::support::{NEW_PASSWORD, PASSWORD, TestApp, days, hours, person, seconds};
use crate::throttle::limited;

#[tokio::test]
async fn a_login_answers_a_pair_of_tokens_and_when_they_end() {
    let app = TestApp::start().await;
    let thandi = app.sign_up("thandi").await;
    let pair = thandi.client.login(&thandi.email, PASSWORD).await.expect(200);
    assert_eq!(
        member_names(&pair),
        ["access_token", "expires", "token_type", "expires_in", "refresh_token", "refresh_expires"]
    );
    assert_eq!(
        (&pair["expires"], &pair["refresh_expires"]),
        (&json!("2025-03-08 03:34:18"), &json!("2025-04-06 03:34:18"))
    );
    assert_eq!((&pair["token_type"], &pair["expires_in"]), (&json!("Bearer"), &json!(86_400)));
    assert_ne!(pair["access_token"], pair["refresh_token"]);
}

#[tokio::test]
async fn the_email_address_may_come_in_any_case() {
    let app = TestApp::start().await;
    let thandi = app.sign_up("thandi").await;
    thandi.client.login("THANDI@Example.com", PASSWORD).await.expect(200);
}

#[tokio::test]
async fn each_login_opens_a_session_of_its_own() {
    let app = TestApp::start().await;
    let thandi = app.sign_up("thandi").await;
    let (one, other) = (thandi.log_in().await, thandi.log_in().await);
    assert_ne!(one.access_token, other.access_token);
    one.caller.get_profile().await.expect(200);
    other.caller.get_profile().await.expect(200);
}

#[tokio::test]
async fn unknown_email_wrong_password_and_another_accounts_client_are_refused_alike() {
    let app = TestApp::start().await;
    let thandi = app.sign_up("thandi").await;
    let sipho = app.sign_up("sipho").await;
    let wrong_password = thandi.client.login(&thandi.email, "copper-heron-82-drift").await;
    wrong_password.refused(401, "invalid_credentials");
    let unknown_email = thandi.client.login("nobody@example.com", PASSWORD).await;
    let anothers_client = sipho.client.login(&thandi.email, PASSWORD).await;
    assert_eq!(unknown_email.without_request_id(), wrong_password.without_request_id());
    assert_eq!(anothers_client.without_request_id(), wrong_password.without_request_id());
}

#[tokio::test]
async fn a_refused_login_leaves_no_trace_on_the_account() {
    let app = TestApp::start().await;
    let thandi = app.sign_up("thandi").await;
    thandi.client.login(&thandi.email, "copper-heron-82-drift").await.refused(401, "invalid_credentials");
    assert_eq!(app.events_of(thandi.id).await, ["signed_up"]);
    assert_eq!(app.account(thandi.id).await.standing.last_login_at, None);
}

#[tokio::test]
async fn a_password_of_another_length_is_simply_wrong() {
    let app = TestApp::start().await;
    let thandi = app.sign_up("thandi").await;
    for password in ["x", &"maize".repeat(100), "line\nbreak"] {
        thandi.client.login(&thandi.email, password).await.refused(401, "invalid_credentials");
    }
    thandi.client.login(&thandi.email, "").await.names(&["/password"]);
    thandi.client.login(&thandi.email, &"x".repeat(1_025)).await.names(&["/password"]);
}

#[tokio::test]
async fn a_password_is_the_same_however_it_is_composed() {
    let app = TestApp::start().await;
    // U+00E9 and e + U+0301; the ligature U+FB01 and f + i.
    let (composed, decomposed) = ("caf\u{e9}-lantern-\u{fb01}g", "cafe\u{301}-lantern-fig");
    let mut body = person("thandi");
    body["password"] = composed.into();
    let answer = app.anon().signup(&body).await.expect(201);
    let client =
        app.anon().with_client(answer["client_id"].as_str().unwrap(), answer["client_secret"].as_str().unwrap());
    client.login("thandi@example.com", composed).await.expect(200);
    client.login("thandi@example.com", decomposed).await.expect(200);
}

#[tokio::test]
async fn only_the_right_password_tells_that_an_account_is_inactive() {
    let app = TestApp::start().await;
    let thandi = app.sign_up("thandi").await;
    let sipho = app.sign_up("sipho").await;
    app.set_status(thandi.id, "suspended").await;
    thandi.client.login(&thandi.email, PASSWORD).await.refused(403, "account_inactive");
    thandi.client.login(&thandi.email, "copper-heron-82-drift").await.refused(401, "invalid_credentials");
    sipho.client.login(&thandi.email, PASSWORD).await.refused(401, "invalid_credentials");
    app.set_status(thandi.id, "active").await;
    thandi.client.login(&thandi.email, PASSWORD).await.expect(200);
}

#[tokio::test]
async fn an_account_made_inactive_is_shut_out_at_once() {
    let app = TestApp::start().await;
    let thandi = app.sign_up("thandi").await;
    let session = thandi.log_in().await;
    session.caller.get_profile().await.expect(200);
    app.set_status(thandi.id, "suspended").await;
    session.caller.get_profile().await.refused(401, "invalid_token");
    thandi.client.refresh(&session.refresh_token).await.refused(401, "invalid_refresh_token");
}

#[tokio::test]
async fn a_platform_client_logs_anybody_in() {
    let app = TestApp::start().await;
    let platform = app.platform_client().await;
    for name in ["thandi", "sipho"] {
        let user = app.sign_up(name).await;
        let session = platform.session(&platform.login(&user.email, PASSWORD).await);
        assert_eq!(session.caller.get_profile().await.expect(200)["email"], user.email);
    }
}

#[tokio::test]
async fn an_access_token_ends_after_24_hours() {
    let app = TestApp::start().await;
    let session = app.sign_up("thandi").await.log_in().await;
    app.advance(hours(24) - seconds(1));
    session.caller.get_profile().await.expect(200);
    app.advance(seconds(1));
    session.caller.get_profile().await.refused(401, "invalid_token");
}

#[tokio::test]
async fn an_expired_access_token_is_refused_even_if_it_was_never_used() {
    let app = TestApp::start().await;
    let session = app.sign_up("thandi").await.log_in().await;
    app.advance(hours(24));
    session.caller.get_profile().await.refused(401, "invalid_token");
}

#[tokio::test]
async fn how_long_tokens_last_is_set_by_the_operator() {
    let app = TestApp::start_with(&["--access-token-ttl=5m", "--refresh-token-ttl=2h"]).await;
    let thandi = app.sign_up("thandi").await;
    let pair = thandi.client.login(&thandi.email, PASSWORD).await.expect(200);
    assert_eq!(pair["expires_in"], 300);
    assert_eq!(pair["expires"], seed_time(START + seconds(300)));
    assert_eq!(pair["refresh_expires"], seed_time(START + hours(2)));
}

#[tokio::test]
async fn an_access_token_does_not_outlive_its_session() {
    let app = TestApp::start_with(&["--access-token-ttl=60d"]).await;
    let thandi = app.sign_up("thandi").await;
    let pair = thandi.client.login(&thandi.email, PASSWORD).await.expect(200);
    assert_eq!(pair["expires"], pair["refresh_expires"]);
    let session = thandi.log_in().await;
    app.advance(days(30));
    session.caller.get_profile().await.refused(401, "invalid_token");
}

#[tokio::test]
async fn a_password_is_hashed_anew_where_its_cost_has_changed() {
    let app = TestApp::start().await;
    let thandi = app.sign_up("thandi").await;
    let (id, email, client) = (thandi.id, thandi.email.clone(), thandi.client);
    let (client_id, client_secret) = (client.client_id.unwrap(), client.client_secret.unwrap());
    assert!(app.account(id).await.password_hash.as_phc().contains("$m=64,t=1,p=1$"));

    let app = app.restart_with(&["--argon2-memory-kib=128", "--argon2-iterations=2"]).await;
    let client = app.anon().with_client(&client_id, &client_secret);
    client.login(&email, "copper-heron-82-drift").await.refused(401, "invalid_credentials");
    assert!(app.account(id).await.password_hash.as_phc().contains("$m=64,t=1,p=1$"));
    client.login(&email, PASSWORD).await.expect(200);
    let renewed = app.account(id).await.password_hash;
    assert!(renewed.as_phc().starts_with("$argon2id$v=19$m=128,t=2,p=1$"));
    client.login(&email, PASSWORD).await.expect(200);
    assert_eq!(app.account(id).await.password_hash, renewed);
}

#[tokio::test]
async fn every_login_costs_as_much_as_the_costliest_hash_in_use() {
    let app = TestApp::start_with(&["--argon2-memory-kib=256", "--argon2-iterations=3"]).await;
    app.sign_up("thandi").await;
    let costly = app.account(app.sign_up("sipho").await.id).await.password_hash;
    let app = app.restart_with(&["--argon2-memory-kib=128", "--argon2-iterations=2"]).await;
    assert_eq!(app.app.hasher.cost_of_a_check(), (256, 3, 1), "known from the start");

    // A costlier one that comes in later is known when it is met.
    let app = TestApp::start().await;
    let user = app.sign_up("thandi").await;
    user.client.login("nobody@example.com", PASSWORD).await.refused(401, "invalid_credentials");
    assert_eq!(app.app.hasher.cost_of_a_check(), (64, 1, 1));
    let kept = costly.as_phc().replace("m=256,t=3", "m=128,t=2");
    app.execute(&format!("UPDATE accounts SET password_hash = '{kept}'")).await;
    user.client.login(&user.email, "copper-heron-82-drift").await.refused(401, "invalid_credentials");
    assert_eq!(app.app.hasher.cost_of_a_check(), (128, 2, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn several_logins_at_once_succeed_while_the_password_is_hashed_anew() {
    let app = TestApp::start().await;
    let thandi = app.sign_up("thandi").await;
    let client = thandi.client;
    let (client_id, client_secret) = (client.client_id.unwrap(), client.client_secret.unwrap());
    let app = app.restart_with(&["--argon2-memory-kib=128"]).await;
    let client = app.anon().with_client(&client_id, &client_secret);
    let answers = join_all((0..8).map(|_| client.login("thandi@example.com", PASSWORD))).await;
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status.as_u16()).collect();
    assert_eq!(statuses, [200; 8]);
}

#[tokio::test]
async fn a_login_from_where_nobody_logged_in_before_is_told_by_mail() {
    let app = limited().await;
    let thandi = app.sign_up("thandi").await;
    app.verify(&thandi).await;
    let elsewhere = thandi.client.from("203.0.113.9");
    elsewhere.login(&thandi.email, PASSWORD).await.expect(200);
    thandi.log_in().await;
    assert!(app.waiting_mail().await.is_empty(), "neither the first login nor one from where they signed up");
    let third = thandi.client.from("203.0.113.10");
    third.login(&thandi.email, "copper-heron-82-drift").await.refused(401, "invalid_credentials");
    assert!(app.waiting_mail().await.is_empty(), "nobody logged in");
    third.login(&thandi.email, PASSWORD).await.expect(200);
    for known in [&third, &elsewhere, &thandi.client] {
        known.login(&thandi.email, PASSWORD).await.expect(200);
    }
    let mails = app.deliver_mail().await;
    let [mail] = mails.as_slice() else { panic!("one mail went out, not {}", mails.len()) };
    assert!(mail.contains("New login") && mail.contains("203.0.113.10"), "{mail}");
    // Forgotten after 90 days.
    app.advance(days(91));
    third.login(&thandi.email, PASSWORD).await.expect(200);
    assert_eq!(app.deliver_mail().await.len(), 2);
}

#[tokio::test]
async fn where_limits_are_off_no_login_is_told() {
    let app = TestApp::start().await;
    let thandi = app.sign_up("thandi").await;
    app.verify(&thandi).await;
    thandi.log_in().await;
    thandi.client.from("203.0.113.9").login(&thandi.email, PASSWORD).await.expect(200);
    assert!(app.waiting_mail().await.is_empty());
}

#[tokio::test]
async fn past_the_most_sessions_of_an_account_the_one_that_was_unused_for_longest_ends() {
    let app = TestApp::start_with(&["--sessions-per-account=3"]).await;
    let thandi = app.sign_up("thandi").await;
    let sipho = app.sign_up("sipho").await.log_in().await;
    let mut sessions = Vec::new();
    for _ in 0..3 {
        sessions.push(thandi.log_in().await);
        app.advance(seconds(60));
    }
    // The first is used again.
    for session in &sessions {
        session.caller.get_profile().await.expect(200);
    }
    app.flush_usage().await;
    app.advance(seconds(60));
    sessions[0].caller.get_profile().await.expect(200);
    app.flush_usage().await;
    sessions.push(thandi.log_in().await);
    let ended = sessions.remove(1);
    ended.caller.get_profile().await.refused(401, "invalid_token");
    thandi.client.refresh(&ended.refresh_token).await.refused(401, "invalid_refresh_token");
    for session in sessions.iter().chain([&sipho]) {
        session.caller.get_profile().await.expect(200);
    }
    for _ in 0..5 {
        sessions.push(thandi.log_in().await);
    }
    assert_eq!(app.number("SELECT count(*) AS number FROM sessions WHERE ended_at IS NULL").await, 4, "three and one");
    sessions.last().unwrap().caller.get_profile().await.expect(200);
}

#[tokio::test]
async fn a_reset_forgets_every_known_source_but_its_own() {
    let app = limited().await;
    let thandi = app.sign_up("thandi").await;
    app.verify(&thandi).await;
    let [intruder, owner] = ["203.0.113.9", "203.0.113.10"].map(|source| thandi.client.from(source));
    for caller in [&intruder, &owner] {
        caller.login(&thandi.email, PASSWORD).await.expect(200);
    }
    app.advance(seconds(1));
    let token = token_in(&{
        owner.named_only().request_reset(&thandi.email).await.expect(200);
        app.deliver_mail().await.pop().unwrap()
    });
    owner.named_only().reset_password(&token, NEW_PASSWORD).await.expect(200);
    let told = app.deliver_mail().await.len();
    owner.login(&thandi.email, NEW_PASSWORD).await.expect(200);
    assert_eq!(app.deliver_mail().await.len(), told);
    for _ in 0..2 {
        intruder.login(&thandi.email, NEW_PASSWORD).await.expect(200);
        assert_eq!(app.deliver_mail().await.len(), told + 1, "told once: then it is known");
    }
}
