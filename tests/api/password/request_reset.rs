use std::time::Duration;

use sea_orm::ConnectionTrait;
use serde_json::json;

use crate::support::answer::member_names;
use crate::support::{NEW_PASSWORD, TestApp};

#[tokio::test]
async fn a_request_answers_a_message_and_a_token() {
    let app = TestApp::start().await;
    let thandi = app.sign_up("thandi").await;
    let answer = thandi.client.named_only().request_reset(&thandi.email).await.expect(200);
    assert_eq!(member_names(&answer), ["message", "reset_token"]);
    assert_eq!(answer["message"], "Password reset token sent to your email");
    let token = answer["reset_token"].as_str().unwrap();
    let groups: Vec<usize> = token.split('-').map(str::len).collect();
    assert_eq!(groups, [8, 4, 4, 4, 12]);
    assert!(token.chars().all(|c| c == '-' || c.is_ascii_digit() || ('a'..='f').contains(&c)), "{token}");
    assert_eq!(app.events_of(thandi.id).await, ["signed_up", "password_reset_requested"]);
}

#[tokio::test]
async fn an_unknown_email_gets_the_same_answer_with_a_token_that_opens_nothing() {
    let app = TestApp::start().await;
    let thandi = app.sign_up("thandi").await;
    let client = thandi.client.named_only();
    let known = client.request_reset(&thandi.email).await;
    let unknown = client.request_reset("nobody@example.com").await;
    let shape = |answer: &crate::support::answer::Answer| {
        let body = answer.expect(200);
        let names: Vec<String> = member_names(&body).into_iter().map(str::to_owned).collect();
        let mut headers: Vec<String> = answer.headers.keys().map(ToString::to_string).collect();
        headers.sort();
        (names, headers, body["message"].clone(), body["reset_token"].as_str().unwrap().len())
    };
    assert_eq!(shape(&known), shape(&unknown));
    let token = unknown.json()["reset_token"].as_str().unwrap().to_owned();
    client.reset_password(&token, NEW_PASSWORD).await.refused(400, "invalid_reset_token");
}

#[tokio::test]
async fn any_registered_client_may_ask() {
    let app = TestApp::start().await;
    let thandi = app.sign_up("thandi").await;
    let sipho = app.sign_up("sipho").await;
    let platform = app.platform_client().await;
    for client in [&sipho.client, &platform] {
        client.named_only().request_reset(&thandi.email).await.expect(200);
    }
}

#[tokio::test]
async fn the_email_address_may_come_in_any_case() {
    let app = TestApp::start().await;
    let thandi = app.sign_up("thandi").await;
    let client = thandi.client.named_only();
    let answer = client.request_reset("THANDI@Example.com").await.expect(200);
    client.reset_password(answer["reset_token"].as_str().unwrap(), NEW_PASSWORD).await.expect(200);
}

#[tokio::test]
async fn a_request_alone_changes_neither_password_nor_sessions() {
    let app = TestApp::start().await;
    let thandi = app.sign_up("thandi").await;
    let session = thandi.log_in().await;
    thandi.request_reset().await;
    session.caller.get_profile().await.expect(200);
    thandi.log_in().await;
}

#[tokio::test]
async fn the_token_stays_out_of_the_answer_where_the_operator_says_never() {
    absent_with(&["--reset-token-in-response=never"]).await;
}

#[tokio::test]
async fn the_token_stays_out_of_the_answer_where_strangers_can_call() {
    absent_with(&["--listen=0.0.0.0:8020"]).await;
    absent_with(&["--listen=192.0.2.7:8020", "--reset-token-in-response=auto"]).await;
    absent_with(&["--listen=[::]:8020"]).await;
}

#[tokio::test]
async fn the_token_stays_out_of_the_answer_behind_a_reverse_proxy() {
    absent_with(&["--public-url=https://auth.example.com"]).await;
    absent_with(&["--public-url=http://localhost.example.com:8020"]).await;
    absent_with(&["--trusted-proxies=127.0.0.1"]).await;
    absent_with(&["--trusted-proxies=10.0.0.0/8", "--reset-token-in-response=auto"]).await;
}

#[tokio::test]
async fn a_call_that_came_through_a_proxy_or_by_another_name_is_not_shown_the_token() {
    let app = TestApp::start().await;
    let thandi = app.sign_up("thandi").await;
    let client = thandi.client.named_only();
    let ask = |name: &'static str, value: &'static str| {
        let call = client.post("/password/reset/request/").header(name, value);
        async {
            call.json(&json!({"email": "thandi@example.com"})).send().await.expect(200).get("reset_token").is_some()
        }
    };
    for host in ["localhost", "127.0.0.1:8020", "[::1]", "LOCALHOST:1"] {
        assert!(ask("Host", host).await, "{host}");
    }
    for host in ["192.0.2.7", "[2001:db8::7]:8020", "0.0.0.0:8020"] {
        assert!(!ask("Host", host).await, "{host}");
    }
    for name in ["Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-IP", "Via"] {
        assert!(!ask(name, "127.0.0.1").await, "{name}");
    }
}

async fn absent_with(flags: &[&str]) {
    let app = TestApp::start_with(flags).await;
    let thandi = app.sign_up("thandi").await;
    let client = thandi.client.named_only();
    for email in [thandi.email.as_str(), "nobody@example.com"] {
        let answer = client.request_reset(email).await.expect(200);
        assert_eq!(answer, json!({"message": "Password reset token sent to your email"}));
    }
    let mails = app.deliver_mail().await;
    let token = crate::mail::token_in(&mails[0]);
    client.reset_password(&token, NEW_PASSWORD).await.expect(200);
}

#[tokio::test]
async fn the_token_is_in_the_answer_where_the_operator_says_always() {
    let app = TestApp::start_with(&["--listen=0.0.0.0:8020", "--reset-token-in-response=always"]).await;
    let thandi = app.sign_up("thandi").await;
    thandi.reset_password().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_changes_at_that_moment_gets_no_token_for_the_account() {
    let app = TestApp::start().await;
    let thandi = app.sign_up("thandi").await;
    let client = thandi.client.named_only();
    let changing = app.app.begin().await.unwrap();
    let sql = "UPDATE accounts SET email = 'thandi.new@example.org'";
    changing.execute_unprepared(sql).await.unwrap();
    let change = async {
        // Until the request has found whose address it was, and waits to write.
        tokio::time::sleep(Duration::from_millis(200)).await;
        app.app.commit(changing).await.unwrap();
    };
    let (answer, ()) = tokio::join!(client.request_reset(&thandi.email), change);
    let token = answer.expect(200)["reset_token"].as_str().unwrap().to_owned();
    client.reset_password(&token, NEW_PASSWORD).await.refused(400, "invalid_reset_token");
}
