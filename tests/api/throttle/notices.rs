//! Mail that tells of what happened: to whom, how often, and in whose words.

use super::limited;
use crate::mail::header;
use crate::support::people::User;
use crate::support::{NEW_PASSWORD, PASSWORD, TestApp, hours};

const SAYS: &str = "Your account is LOCKED - call +1 800 555 0100 or visit evil-example dot com Firefox/1.0 (Linux)";

/// A login from there by a device that says whatever it likes.
async fn log_in_from(user: &User<'_>, source: &str) {
    let body = serde_json::json!({"email": user.email, "password": PASSWORD});
    let call = user.client.from(source).post("/login/").header("User-Agent", SAYS).json(&body);
    call.send().await.expect(200);
}

async fn subjects(app: &TestApp) -> Vec<String> {
    app.deliver_mail().await.iter().map(|mail| header(mail, "Subject").to_owned()).collect()
}

#[tokio::test]
async fn an_address_that_was_never_verified_gets_no_notice() {
    let app = limited().await;
    let stranger = app.sign_up("victim").await;
    for number in 0..20 {
        log_in_from(&stranger, &format!("2001:db8:77:{number:x}::1")).await;
    }
    let session = stranger.log_in().await;
    session.caller.change_email("stranger@example.org", PASSWORD).await.expect(200);
    let mails = app.deliver_mail().await;
    let [mail] = mails.as_slice() else { panic!("{} mails", mails.len()) };
    assert_eq!(header(mail, "To"), "stranger@example.org");
    let token = crate::mail::token_in(mail);
    stranger.client.named_only().verify_email(&token).await.expect(200);
    assert!(app.deliver_mail().await.iter().all(|mail| header(mail, "To") != stranger.email));
}

#[tokio::test]
async fn an_address_gets_ten_notices_an_hour_and_one_mail_that_there_was_more() {
    let app = limited().await;
    let thandi = app.sign_up("thandi").await;
    app.verify(&thandi).await;
    for number in 0..40 {
        log_in_from(&thandi, &format!("2001:db8:77:{number:x}::1")).await;
    }
    let mails = subjects(&app).await;
    assert_eq!(mails.iter().filter(|subject| *subject == "New login to your AI DocuMines account").count(), 10);
    assert_eq!(mails[10..], ["More happened to your AI DocuMines account"]);
    // Other kinds of notices are counted with them; a token that the owner asks for has a limit of its own.
    let token = thandi.request_reset().await;
    thandi.client.named_only().reset_password(&token, NEW_PASSWORD).await.expect(200);
    assert_eq!(subjects(&app).await[11..], ["Reset your AI DocuMines password"]);
    app.advance(hours(1));
    thandi.client.from("203.0.113.9").login(&thandi.email, NEW_PASSWORD).await.expect(200);
    assert_eq!(subjects(&app).await.len(), 13);
}

#[tokio::test]
async fn a_notice_of_a_login_holds_nothing_that_the_caller_chose() {
    let app = limited().await;
    let thandi = app.sign_up("thandi").await;
    app.verify(&thandi).await;
    for number in 0..2 {
        log_in_from(&thandi, &format!("203.0.113.{number}")).await;
    }
    let mails = app.deliver_mail().await;
    let [mail] = mails.as_slice() else { panic!("{} mails", mails.len()) };
    assert!(mail.contains("Device: Firefox on Linux"), "{mail}");
    for chosen in ["LOCKED", "555", "evil", "1.0"] {
        assert!(!mail.replace("MIME-Version: 1.0", "").contains(chosen), "{chosen}: {mail}");
    }
}
