//! How often mail is asked for, and passwords and tokens are tried.

use documines_auth::audit::refusals::{self, Which};
use documines_auth::store::audit;

use super::{NEW_EMAIL, UNKNOWN, is_verified, mails_to, token_to};
use crate::support::answer::Answer;
use crate::support::{NEW_PASSWORD, PASSWORD, TestApp, hours};
use crate::throttle::{limited, wait_for};

#[tokio::test]
async fn three_verification_mails_an_hour_go_to_one_address_and_nobody_can_tell() {
    let app = limited().await;
    let thandi = app.sign_up("thandi").await;
    let asker = thandi.client.named_only();
    for _ in 0..5 {
        let known = asker.from("203.0.113.9").request_verification(&thandi.email).await;
        let unknown = asker.from("203.0.113.10").request_verification("nobody@example.com").await;
        known.expect(200);
        assert_eq!(known.without_request_id(), unknown.without_request_id());
    }
    assert_eq!(mails_to(&app, &thandi.email).await.len(), 3);
    asker.verify_email(&token_to(&app, &thandi.email).await).await.expect(200);
}

#[tokio::test]
async fn twenty_verification_requests_an_hour_come_from_one_source() {
    let app = limited().await;
    let thandi = app.sign_up("thandi").await;
    let asker = thandi.client.named_only().from("203.0.113.9");
    for number in 0..20 {
        asker.request_verification(&format!("person{number}@example.com")).await.expect(200);
    }
    assert_eq!(wait_for(&asker.request_verification(&thandi.email).await, "email-request"), 180);
    assert!(mails_to(&app, &thandi.email).await.is_empty());
    thandi.client.named_only().request_verification(&thandi.email).await.expect(200);
}

#[tokio::test]
async fn thirty_tokens_an_hour_that_prove_nothing_come_from_one_source() {
    let app = limited().await;
    let thandi = app.join("thandi").await;
    let token = token_to(&app, &thandi.email).await;
    let guesser = thandi.client.named_only().from("203.0.113.9");
    for _ in 0..30 {
        guesser.verify_email(UNKNOWN).await.refused(400, "invalid_verification_token");
    }
    assert_eq!(wait_for(&guesser.verify_email(UNKNOWN).await, "verify-failures"), 120);
    assert!(!is_verified(&app, &thandi).await);
    // Neighbours behind the same address have tokens that are right.
    guesser.verify_email(&token).await.expect(200);
}

#[tokio::test]
async fn three_changes_an_hour_are_asked_for_by_one_account() {
    let app = limited().await;
    let thandi = app.sign_up("thandi").await;
    let session = thandi.log_in().await;
    for number in 0..3 {
        session.caller.change_email(&format!("thandi{number}@example.org"), PASSWORD).await.expect(200);
    }
    let answer = session.caller.change_email(NEW_EMAIL, PASSWORD).await;
    answer.refused(429, "rate_limited");
    assert!(answer.header("ratelimit").unwrap().contains("\"email-change\";r=0;t=1200"), "{:?}", answer.headers);
    assert!(mails_to(&app, NEW_EMAIL).await.is_empty());
    thandi.log_in().await;
    app.advance(hours(1));
    session.caller.change_email(NEW_EMAIL, PASSWORD).await.expect(200);
}

#[tokio::test]
async fn three_mails_an_hour_go_to_an_address_that_accounts_want_and_nobody_can_tell() {
    let app = limited().await;
    for number in 0..3 {
        let user = app.sign_up(&format!("person{number}")).await;
        user.log_in().await.caller.change_email(NEW_EMAIL, PASSWORD).await.expect(200);
    }
    let thandi = app.sign_up("thandi").await;
    let session = thandi.log_in().await;
    let wanted_often = session.caller.from("203.0.113.8").change_email(NEW_EMAIL, PASSWORD).await;
    assert_eq!(mails_to(&app, NEW_EMAIL).await.len(), 3);
    let other = app.sign_up("sipho").await.log_in().await;
    let wanted_once = other.caller.from("203.0.113.9").change_email("sipho@example.org", PASSWORD).await;
    assert_eq!(wanted_often.without_request_id(), wanted_once.without_request_id());
    let told = |answer: &Answer, limit: &str| {
        let all = answer.header("ratelimit").unwrap().split(", ");
        all.filter(|item| item.contains(limit)).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(told(&wanted_often, "\"email-change\""), ["\"email-change\";r=2"]);
    assert_eq!(told(&wanted_often, "\"email-change\""), told(&wanted_once, "\"email-change\""));
    assert!(told(&wanted_often, "email-wanted").is_empty());
}

#[tokio::test]
async fn a_stranger_who_wants_an_address_uses_up_nothing_of_its_owners() {
    let app = limited().await;
    let (thandi, stranger) = (app.sign_up("thandi").await, app.sign_up("stranger").await);
    let theirs = stranger.log_in().await;
    for _ in 0..3 {
        theirs.caller.change_email(&thandi.email, PASSWORD).await.expect(200);
    }
    let answer = thandi.log_in().await.caller.change_email(NEW_EMAIL, PASSWORD).await;
    answer.expect(200);
    assert!(answer.header("ratelimit").unwrap().contains("\"email-change\";r=2"), "{:?}", answer.headers);
    assert_eq!(mails_to(&app, NEW_EMAIL).await.len(), 1);
}

#[tokio::test]
async fn wrong_passwords_count_as_failed_logins_do() {
    let app = limited().await;
    let thandi = app.sign_up("thandi").await;
    let session = thandi.log_in().await;
    for _ in 0..6 {
        session.caller.change_email(NEW_EMAIL, NEW_PASSWORD).await.refused(403, "wrong_password");
    }
    session.caller.change_email(NEW_EMAIL, PASSWORD).await.refused(429, "rate_limited");
    thandi.client.login(&thandi.email, PASSWORD).await.refused(429, "rate_limited");
    assert!(app.waiting_mail().await.is_empty());
    app.advance(hours(1));
    session.caller.change_email(NEW_EMAIL, PASSWORD).await.expect(200);
    // The right one ends the row.
    thandi.client.login(&thandi.email, NEW_PASSWORD).await.refused(401, "invalid_credentials");
    thandi.log_in().await;
}

#[tokio::test]
async fn a_place_that_confirms_a_new_address_is_known_to_it() {
    let app = TestApp::start_with(&["--rate-limits=on", "--trusted-proxies=0.0.0.0/32"]).await;
    let thandi = app.sign_up("thandi").await;
    // Strangers guess at an address that nobody has yet.
    for number in 0..11 {
        let guesser = thandi.client.from(&format!("203.0.113.{number}"));
        guesser.login(NEW_EMAIL, NEW_PASSWORD).await.refused(401, "invalid_credentials");
    }
    let session = thandi.log_in().await;
    session.caller.change_email(NEW_EMAIL, PASSWORD).await.expect(200);
    thandi.client.named_only().verify_email(&token_to(&app, NEW_EMAIL).await).await.expect(200);
    thandi.client.login(NEW_EMAIL, PASSWORD).await.expect(200);
}

#[tokio::test]
async fn what_is_refused_is_on_the_record() {
    let app = TestApp::start_with(&["--login-requires-verified-email=on"]).await;
    let thandi = app.join("thandi").await;
    let client = thandi.client.named_only();
    thandi.client.login(&thandi.email, PASSWORD).await.refused(403, "email_not_verified");
    client.verify_email(UNKNOWN).await.refused(400, "invalid_verification_token");
    client.verify_email(&token_to(&app, &thandi.email).await).await.expect(200);
    let session = thandi.log_in().await;
    session.caller.change_email("sipho@example.com", NEW_PASSWORD).await.refused(403, "wrong_password");
    session.caller.change_email("sipho@example.com", PASSWORD).await.expect(200);
    let token = token_to(&app, "sipho@example.com").await;
    app.sign_up("sipho").await;
    client.verify_email(&token).await.refused(409, "email_taken");

    refusals::write_down(&app.app, Which::All).await.unwrap();
    let record = audit::oldest(app.app.reader(), 0, 1_000).await.unwrap();
    let refused = record.iter().filter(|event| event.outcome != audit::SUCCESS);
    let mut refused: Vec<(&str, &str, i64)> =
        refused.map(|event| (event.event.as_str(), event.outcome.as_str(), event.account)).collect();
    refused.sort_unstable();
    let expected = [
        ("email_change_refused", "wrong_password", thandi.id.0),
        ("email_verification_refused", "email_taken", thandi.id.0),
        ("email_verification_refused", "invalid_verification_token", 0),
        ("login_refused", "email_not_verified", thandi.id.0),
    ];
    assert_eq!(refused, expected);
}
