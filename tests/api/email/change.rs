use futures_util::future::join_all;
use serde_json::json;

use super::{NEW_EMAIL, ask_for, is_verified, mails_to, token_to};
use crate::mail::header;
use crate::support::people::User;
use crate::support::{NEW_PASSWORD, PASSWORD, TestApp, hours, person};

/// Asserts that the account is as it was.
async fn unchanged(app: &TestApp, user: &User<'_>) {
    let account = app.account(user.id).await;
    assert_eq!(account.profile.email, user.email);
    user.log_in().await;
}

fn subjects(mails: &[String]) -> Vec<&str> {
    mails.iter().map(|mail| header(mail, "Subject")).collect()
}

#[tokio::test]
async fn a_change_takes_effect_when_the_new_address_confirms() {
    let app = TestApp::start().await;
    let thandi = app.sign_up("thandi").await;
    let session = thandi.log_in().await;
    let answer = session.caller.change_email("Thandi.Botha@Example.ORG", PASSWORD).await.expect(200);
    assert_eq!(answer, json!({"message": "Verification token sent to your new email"}));
    unchanged(&app, &thandi).await;
    thandi.client.login(NEW_EMAIL, PASSWORD).await.refused(401, "invalid_credentials");

    let token = token_to(&app, NEW_EMAIL).await;
    let answer = thandi.client.named_only().verify_email(&token).await.expect(200);
    assert_eq!(answer["email"], NEW_EMAIL);
    thandi.client.login(&thandi.email, PASSWORD).await.refused(401, "invalid_credentials");
    thandi.client.login(NEW_EMAIL, PASSWORD).await.expect(200);
    assert!(is_verified(&app, &thandi).await);
    // Sessions go on, and see it at once.
    assert_eq!(session.caller.get_profile().await.expect(200)["email"], NEW_EMAIL);
    let events = ["signed_up", "logged_in", "email_change_requested", "logged_in", "email_changed", "logged_in"];
    assert_eq!(app.events_of(thandi.id).await, events);
}

#[tokio::test]
async fn both_addresses_are_told() {
    let app = TestApp::start().await;
    let thandi = app.sign_up("thandi").await;
    app.verify(&thandi).await;
    let token = ask_for(&app, &thandi, NEW_EMAIL).await;
    let to_change = "Your AI DocuMines e-mail address is to change";
    assert_eq!(subjects(&mails_to(&app, &thandi.email).await), [to_change]);
    thandi.client.named_only().verify_email(&token).await.expect(200);
    let changed = "Your AI DocuMines e-mail address was changed";
    let (old, new) = (mails_to(&app, &thandi.email).await, mails_to(&app, NEW_EMAIL).await);
    assert_eq!(subjects(&old), [to_change, changed]);
    assert_eq!(subjects(&new), ["Confirm your e-mail address", changed]);
    // The old mailbox may be somebody else's by now.
    assert!(old.iter().all(|mail| !mail.contains(NEW_EMAIL) && !mail.contains(&token)), "{old:?}");
}

#[tokio::test]
async fn a_wrong_password_changes_nothing_and_mails_nothing() {
    let app = TestApp::start().await;
    let thandi = app.sign_up("thandi").await;
    let session = thandi.log_in().await;
    session.caller.change_email(NEW_EMAIL, NEW_PASSWORD).await.refused(403, "wrong_password");
    session.caller.change_email(NEW_EMAIL, "").await.names(&["/password"]);
    session.caller.change_email("nobody", PASSWORD).await.names(&["/email"]);
    assert!(app.waiting_mail().await.is_empty());
    assert_eq!(app.number("SELECT count(*) AS number FROM email_verifications WHERE is_change").await, 0);
    unchanged(&app, &thandi).await;
}

#[tokio::test]
async fn the_address_that_one_has_is_no_new_one() {
    let app = TestApp::start().await;
    let thandi = app.sign_up("thandi").await;
    let session = thandi.log_in().await;
    session.caller.change_email("THANDI@example.com", PASSWORD).await.names(&["/email"]);
    assert!(app.waiting_mail().await.is_empty());
}

#[tokio::test]
async fn whether_somebody_has_the_new_address_is_not_told() {
    let app = TestApp::start().await;
    let (thandi, sipho) = (app.sign_up("thandi").await, app.sign_up("sipho").await);
    let session = thandi.log_in().await;
    app.verify(&thandi).await;
    let free = session.caller.change_email(NEW_EMAIL, PASSWORD).await;
    free.expect(200);
    assert_eq!(app.waiting_mail().await.len(), 2);
    let earlier = token_to(&app, NEW_EMAIL).await;
    let taken = session.caller.change_email(&sipho.email, PASSWORD).await;
    assert_eq!(free.without_request_id(), taken.without_request_id());
    assert_eq!(app.waiting_mail().await.len(), 2, "the same letters were written");
    assert!(mails_to(&app, &sipho.email).await.is_empty());
    // Nor by what becomes of the request before.
    thandi.client.named_only().verify_email(&earlier).await.refused(400, "invalid_verification_token");
    unchanged(&app, &thandi).await;
}

#[tokio::test]
async fn an_address_that_was_taken_meanwhile_is_refused_and_changes_nothing() {
    let app = TestApp::start().await;
    let thandi = app.sign_up("thandi").await;
    let token = ask_for(&app, &thandi, "sipho@example.com").await;
    let sipho = app.sign_up("sipho").await;
    thandi.client.named_only().verify_email(&token).await.refused(409, "email_taken");
    unchanged(&app, &thandi).await;
    unchanged(&app, &sipho).await;
}

#[tokio::test]
async fn the_contact_address_goes_along_where_it_was_the_same() {
    let app = TestApp::start().await;
    let thandi = app.sign_up("thandi").await;
    let token = ask_for(&app, &thandi, NEW_EMAIL).await;
    thandi.client.named_only().verify_email(&token).await.expect(200);
    assert_eq!(app.account(thandi.id).await.profile.contact_email, "office@example.com");

    let sipho = app.sign_up("sipho").await;
    let session = sipho.log_in().await;
    session.caller.update_profile(&json!({"contact_email": sipho.email})).await.expect(200);
    let token = ask_for(&app, &sipho, "sipho@example.org").await;
    sipho.client.named_only().verify_email(&token).await.expect(200);
    assert_eq!(app.account(sipho.id).await.profile.contact_email, "sipho@example.org");
}

#[tokio::test]
async fn a_newer_change_takes_the_force_of_an_older_one() {
    let app = TestApp::start().await;
    let thandi = app.sign_up("thandi").await;
    let older = ask_for(&app, &thandi, "older@example.org").await;
    let newer = ask_for(&app, &thandi, NEW_EMAIL).await;
    let client = thandi.client.named_only();
    client.verify_email(&older).await.refused(400, "invalid_verification_token");
    client.verify_email(&newer).await.expect(200);
    client.verify_email(&newer).await.refused(400, "invalid_verification_token");
}

#[tokio::test]
async fn a_change_waits_for_a_day() {
    let app = TestApp::start().await;
    let thandi = app.sign_up("thandi").await;
    let token = ask_for(&app, &thandi, NEW_EMAIL).await;
    app.advance(hours(24));
    thandi.client.named_only().verify_email(&token).await.refused(400, "invalid_verification_token");
    unchanged(&app, &thandi).await;
}

#[tokio::test]
async fn a_change_voids_what_was_mailed_to_the_old_address() {
    let app = TestApp::start().await;
    let thandi = app.join("thandi").await;
    let (verification, reset) = (token_to(&app, &thandi.email).await, thandi.request_reset().await);
    let token = ask_for(&app, &thandi, NEW_EMAIL).await;
    let client = thandi.client.named_only();
    client.verify_email(&token).await.expect(200);
    client.verify_email(&verification).await.refused(400, "invalid_verification_token");
    client.reset_password(&reset, NEW_PASSWORD).await.refused(400, "invalid_reset_token");
    thandi.client.login(NEW_EMAIL, PASSWORD).await.expect(200);
    // From now on they go to the new one.
    client.request_reset(&thandi.email).await.expect(200);
    client.request_reset(NEW_EMAIL).await.expect(200);
    let token = token_to(&app, NEW_EMAIL).await;
    client.reset_password(&token, NEW_PASSWORD).await.expect(200);
}

#[tokio::test]
async fn a_reset_ends_a_change_that_waits() {
    let app = TestApp::start().await;
    let thandi = app.sign_up("thandi").await;
    let token = ask_for(&app, &thandi, NEW_EMAIL).await;
    thandi.reset_password().await;
    thandi.client.named_only().verify_email(&token).await.refused(400, "invalid_verification_token");
    thandi.client.login(&thandi.email, NEW_PASSWORD).await.expect(200);
}

#[tokio::test]
async fn the_old_address_is_free_again() {
    let app = TestApp::start().await;
    let thandi = app.sign_up("thandi").await;
    let token = ask_for(&app, &thandi, NEW_EMAIL).await;
    thandi.client.named_only().verify_email(&token).await.expect(200);
    let mut successor = person("thandi");
    successor["username"] = "successor".into();
    app.anon().signup(&successor).await.expect(201);
    assert_eq!(app.count_accounts().await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_32_confirmations_of_one_change_at_once_one_wins() {
    let app = TestApp::start().await;
    let thandi = app.sign_up("thandi").await;
    let token = ask_for(&app, &thandi, NEW_EMAIL).await;
    let client = thandi.client.named_only();
    let answers = join_all((0..32).map(|_| client.verify_email(&token))).await;
    let (won, lost): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
    assert_eq!(won.len(), 1);
    lost.iter().for_each(|answer| drop(answer.refused(400, "invalid_verification_token")));
    thandi.client.login(NEW_EMAIL, PASSWORD).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_eight_accounts_that_confirm_one_address_at_once_one_gets_it() {
    let app = TestApp::start().await;
    let mut tokens = Vec::new();
    for number in 0..8 {
        let user = app.sign_up(&format!("person{number}")).await;
        tokens.push((ask_for(&app, &user, NEW_EMAIL).await, user));
    }
    let answers = join_all(tokens.iter().map(async |(token, user)| {
        let client = user.client.named_only();
        client.verify_email(token).await
    }))
    .await;
    let won: Vec<_> = answers.iter().zip(&tokens).filter(|(answer, _)| answer.status == 200).collect();
    assert_eq!(won.len(), 1);
    for (answer, (_, user)) in answers.iter().zip(&tokens).filter(|(answer, _)| answer.status != 200) {
        answer.refused(409, "email_taken");
        unchanged(&app, user).await;
    }
    assert_eq!(app.account(won[0].1.1.id).await.profile.email, NEW_EMAIL);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_renews_the_hash_meanwhile_makes_no_right_password_wrong() {
    let app = TestApp::start().await;
    let mut people = Vec::new();
    for n in 0..12 {
        let person = person(&format!("thandi{n}"));
        let answer = app.anon().signup(&person).await.expect(201);
        let [id, secret] = ["client_id", "client_secret"].map(|member| answer[member].as_str().unwrap().to_owned());
        let email = person["email"].as_str().unwrap().to_owned();
        let client = app.anon().with_client(&id, &secret);
        let bearer = client.session(&client.login(&email, PASSWORD).await).access_token;
        people.push((email, (id, secret), bearer));
    }
    let app = app.restart_with(&["--argon2-iterations=2"]).await;
    for (n, (email, (id, secret), bearer)) in people.iter().enumerate() {
        let client = app.anon().with_client(id, secret);
        let caller = client.with_bearer(bearer);
        let to = format!("other{n}@example.com");
        let (login, change) =
            futures_util::future::join(client.login(email, PASSWORD), caller.change_email(&to, PASSWORD)).await;
        login.expect(200);
        change.expect(200);
    }
}
