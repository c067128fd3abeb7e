//! The way in for an owner without a client: proof of the mailbox opens the account.

use serde_json::{Value, json};

use crate::mail::token_in;
use crate::support::people::User;
use crate::support::{NEW_PASSWORD, PASSWORD, TestApp, days, hours, person, seconds};

/// Asks for a reset without a client, and gives the answer to the reset that asks for one.
async fn reset_without_a_client(app: &TestApp, email: &str, password: &str) -> Value {
    let token = app.anon().request_reset(email).await.expect(200)["reset_token"].as_str().unwrap().to_owned();
    app.anon().reset_to_new_client(&token, password).await.expect(200)
}

/// The clients of an account that are in use.
async fn clients_of(app: &TestApp, user: &User<'_>) -> i64 {
    let sql = "SELECT count(*) AS number FROM clients WHERE revoked_at IS NULL AND account_id";
    app.number(&format!("{sql} = {}", user.id.0)).await
}

#[tokio::test]
async fn who_lost_the_answer_to_sign_up_gets_in_by_the_mailbox() {
    let app = TestApp::start_with(&["--reset-token-in-response=never"]).await;
    app.anon().signup(&person("thandi")).await.expect(201);
    let email = "thandi@example.com";
    app.anon().signup(&person("thandi")).await.refused(409, "email_taken");
    app.anon().request_reset(email).await.expect(200);
    let token = token_in(app.deliver_mail().await.last().unwrap());
    let answer = app.anon().reset_to_new_client(&token, NEW_PASSWORD).await.expect(200);
    let members: Vec<&String> = answer.as_object().unwrap().keys().collect();
    assert_eq!(members, ["message", "client_id", "client_secret"]);
    let client = app.anon().with_client_of(&answer);
    client.session(&client.login(email, NEW_PASSWORD).await).caller.get_profile().await.expect(200);
}

#[tokio::test]
async fn who_finds_a_stranger_on_their_address_takes_the_account_over() {
    let app = TestApp::start().await;
    let stranger = app.sign_up("victim").await;
    let strangers = stranger.log_in().await;
    let answer = reset_without_a_client(&app, &stranger.email, NEW_PASSWORD).await;
    let owner = app.anon().with_client_of(&answer);
    owner.login(&stranger.email, NEW_PASSWORD).await.expect(200);
    strangers.caller.get_profile().await.refused(401, "invalid_token");
    stranger.client.login(&stranger.email, PASSWORD).await.refused(401, "invalid_credentials");
}

#[tokio::test]
async fn a_reset_gives_no_client_unless_it_is_asked_for_one() {
    let app = TestApp::start().await;
    let thandi = app.sign_up("thandi").await;
    for more in [json!({}), json!({"new_client": false})] {
        let mut body = json!({"token": thandi.request_reset().await, "new_password": NEW_PASSWORD});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let answer = app.anon().post("/password/reset/").json(&body).send().await.expect(200);
        assert_eq!(answer, json!({"message": "Password reset successful"}));
    }
    assert_eq!(clients_of(&app, &thandi).await, 1);
    let body = json!({"token": "x", "new_password": NEW_PASSWORD, "new_client": "yes"});
    app.anon().post("/password/reset/").json(&body).send().await.names(&["/new_client"]);
}

#[tokio::test]
async fn a_refused_reset_gives_no_client() {
    let app = TestApp::start().await;
    let thandi = app.sign_up("thandi").await;
    let token = thandi.request_reset().await;
    app.anon().reset_to_new_client("x", NEW_PASSWORD).await.refused(400, "invalid_reset_token");
    app.anon().reset_to_new_client(&token, "password123").await.refused(400, "weak_password");
    assert_eq!(clients_of(&app, &thandi).await, 1);
}

#[tokio::test]
async fn the_older_clients_stay_and_the_new_one_is_told_of() {
    let app = TestApp::start().await;
    let thandi = app.sign_up("thandi").await;
    app.verify(&thandi).await;
    let answer = reset_without_a_client(&app, &thandi.email, NEW_PASSWORD).await;
    for client in [&thandi.client, &app.anon().with_client_of(&answer)] {
        client.login(&thandi.email, NEW_PASSWORD).await.expect(200);
    }
    let events = ["signed_up", "password_reset_requested", "password_reset", "client_issued", "logged_in", "logged_in"];
    assert_eq!(app.events_of(thandi.id).await, events);
    let notice = app.deliver_mail().await.pop().unwrap();
    assert!(notice.contains("Subject: Your AI DocuMines password was changed"), "{notice}");
    assert!(notice.contains("A new client"), "{notice}");
    let secret = answer["client_secret"].as_str().unwrap();
    assert!(!notice.contains(secret), "a mail carries a client secret");
}

#[tokio::test]
async fn of_twenty_clients_the_one_that_was_unused_for_longest_makes_room() {
    let app = TestApp::start().await;
    let thandi = app.sign_up("thandi").await;
    let mut clients = vec![thandi.client.clone()];
    for _ in 1..20 {
        app.advance(hours(2));
        clients.push(app.anon().with_client_of(&reset_without_a_client(&app, &thandi.email, NEW_PASSWORD).await));
    }
    assert_eq!(clients_of(&app, &thandi).await, 20);
    // The first two are used; and what they did counts long after their sessions are gone.
    app.advance(hours(1));
    let second = clients[1].session(&clients[1].login(&thandi.email, NEW_PASSWORD).await);
    let first = clients[0].session(&clients[0].login(&thandi.email, NEW_PASSWORD).await);
    app.advance(seconds(10));
    first.caller.get_profile().await.expect(200);
    app.flush_usage().await;
    app.advance(days(40));
    documines_auth::housekeeping::sweep(&app.app).await.unwrap();
    second.caller.get_profile().await.refused(401, "invalid_token");

    clients.push(app.anon().with_client_of(&reset_without_a_client(&app, &thandi.email, NEW_PASSWORD).await));
    assert_eq!(clients_of(&app, &thandi).await, 20);
    clients[2].login(&thandi.email, NEW_PASSWORD).await.refused(401, "invalid_client");
    for client in [&clients[0], &clients[1], &clients[3], &clients[20]] {
        client.login(&thandi.email, NEW_PASSWORD).await.expect(200);
    }
    assert!(app.events_of(thandi.id).await.contains(&"client_revoked".to_owned()));
}

#[tokio::test]
async fn of_two_clients_in_use_the_one_that_called_last_stays() {
    let app = TestApp::start().await;
    let thandi = app.sign_up("thandi").await;
    let mut clients = vec![thandi.client.clone()];
    for _ in 1..20 {
        clients.push(app.anon().with_client_of(&reset_without_a_client(&app, &thandi.email, NEW_PASSWORD).await));
    }
    let mut sessions = Vec::new();
    for client in &clients {
        app.advance(seconds(2));
        sessions.push(client.session(&client.login(&thandi.email, NEW_PASSWORD).await));
    }
    app.advance(seconds(2));
    sessions[0].caller.get_profile().await.expect(200);
    app.flush_usage().await;
    reset_without_a_client(&app, &thandi.email, NEW_PASSWORD).await;
    clients[1].login(&thandi.email, NEW_PASSWORD).await.refused(401, "invalid_client");
    clients[0].login(&thandi.email, NEW_PASSWORD).await.expect(200);
}

#[tokio::test]
async fn neither_reset_nor_verification_wants_a_client() {
    let app = TestApp::start().await;
    app.anon().signup(&person("thandi")).await.expect(201);
    let welcome = token_in(app.deliver_mail().await.last().unwrap());
    app.anon().request_verification("thandi@example.com").await.expect(200);
    app.anon().verify_email(&welcome).await.refused(400, "invalid_verification_token");
    app.anon().verify_email(&token_in(app.deliver_mail().await.last().unwrap())).await.expect(200);
    let token = app.anon().request_reset("thandi@example.com").await.expect(200)["reset_token"].clone();
    app.anon().reset_password(token.as_str().unwrap(), NEW_PASSWORD).await.expect(200);
}

#[tokio::test]
async fn without_a_client_the_limits_of_the_source_hold() {
    let app = TestApp::start_with(&["--rate-limits=on", "--trusted-proxies=0.0.0.0/0"]).await;
    let (here, elsewhere) = (app.anon().from("192.0.2.7"), app.anon().from("198.51.100.9"));
    let mut number = 0;
    let refused = loop {
        number += 1;
        let answer = here.request_reset(&format!("nobody{number}@example.com")).await;
        if answer.status != 200 {
            break answer;
        }
        assert!(number < 1_000, "no limit was met");
    };
    refused.refused(429, "rate_limited");
    elsewhere.request_reset("nobody@example.com").await.expect(200);
}
