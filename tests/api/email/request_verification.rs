use serde_json::json;

use super::{NEW_EMAIL, ask_for, is_verified, mails_to, token_to};
use crate::mail::header;
use crate::support::{TestApp, hours, seconds};

#[tokio::test]
async fn a_request_mails_a_token_that_no_answer_carries() {
    let app = TestApp::start_with(&["--reset-token-in-response=always"]).await;
    let thandi = app.sign_up("thandi").await;
    let answer = thandi.client.named_only().request_verification("THANDI@Example.com").await.expect(200);
    assert_eq!(answer, json!({"message": "Verification token sent to your email"}));
    let mails = mails_to(&app, &thandi.email).await;
    let [mail] = mails.as_slice() else { panic!("one mail went out, not {}", mails.len()) };
    assert_eq!(header(mail, "Subject"), "Confirm your e-mail address");
    assert!(mail.contains("2025-03-08 03:34:18 UTC"), "{mail}");
    thandi.client.named_only().verify_email(&token_to(&app, &thandi.email).await).await.expect(200);
    assert_eq!(app.events_of(thandi.id).await, ["signed_up", "email_verification_requested", "email_verified"]);
}

#[tokio::test]
async fn a_newer_token_takes_the_force_of_an_older_one_and_of_the_welcomes() {
    let app = TestApp::start().await;
    let thandi = app.join("thandi").await;
    let client = thandi.client.named_only();
    let welcome = token_to(&app, &thandi.email).await;
    client.request_verification(&thandi.email).await.expect(200);
    let older = token_to(&app, &thandi.email).await;
    client.request_verification(&thandi.email).await.expect(200);
    let newer = token_to(&app, &thandi.email).await;
    for void in [welcome, older] {
        client.verify_email(&void).await.refused(400, "invalid_verification_token");
    }
    assert!(!is_verified(&app, &thandi).await);
    client.verify_email(&newer).await.expect(200);
}

#[tokio::test]
async fn an_address_that_nobody_has_or_that_was_verified_gets_the_same_answer_and_no_mail() {
    let app = TestApp::start().await;
    let (thandi, sipho) = (app.sign_up("thandi").await, app.join("sipho").await);
    let client = thandi.client.named_only();
    client.verify_email(&token_to(&app, &sipho.email).await).await.expect(200);
    let sent = app.deliver_mail().await.len();

    let waits = client.request_verification(&thandi.email).await;
    waits.expect(200);
    for email in [sipho.email.as_str(), "nobody@example.com"] {
        let answer = client.request_verification(email).await;
        assert_eq!(answer.without_request_id(), waits.without_request_id(), "{email}");
    }
    // The same rows were written for each of them.
    assert_eq!(app.waiting_mail().await.len(), 3);
    let sizes: Vec<bool> = app.waiting_mail().await.iter().map(|sealed| sealed.len() > 100).collect();
    assert_eq!(sizes, [true; 3]);
    assert_eq!(app.number("SELECT count(*) AS number FROM email_verifications WHERE used_at IS NULL").await, 3);
    assert_eq!(app.deliver_mail().await.len(), sent + 1);
}

#[tokio::test]
async fn a_request_takes_no_force_from_a_change_that_waits() {
    let app = TestApp::start().await;
    let thandi = app.sign_up("thandi").await;
    let token = ask_for(&app, &thandi, NEW_EMAIL).await;
    let sipho = app.sign_up("sipho").await;
    sipho.client.named_only().request_verification(&thandi.email).await.expect(200);
    thandi.client.named_only().verify_email(&token).await.expect(200);
}

#[tokio::test]
async fn what_is_no_address_is_refused_and_mails_nothing() {
    let app = TestApp::start().await;
    let thandi = app.sign_up("thandi").await;
    thandi.client.named_only().request_verification("nobody").await.names(&["/email"]);
    app.anon().with_client_id("x").request_verification(&thandi.email).await.refused(401, "invalid_client");
    assert!(app.waiting_mail().await.is_empty());
}

#[tokio::test]
async fn how_long_a_token_lasts_is_set_by_the_operator() {
    let app = TestApp::start_with(&["--email-token-ttl=2h"]).await;
    let (thandi, sipho) = (app.join("thandi").await, app.join("sipho").await);
    let (early, late) = (token_to(&app, &thandi.email).await, token_to(&app, &sipho.email).await);
    app.advance(hours(2) - seconds(1));
    thandi.client.named_only().verify_email(&early).await.expect(200);
    app.advance(seconds(1));
    sipho.client.named_only().verify_email(&late).await.refused(400, "invalid_verification_token");
}
