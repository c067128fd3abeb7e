use std::os::unix::fs::PermissionsExt;

use documines_auth::mail::worker;
use documines_auth::store::outbox::{self, NewMail};
use documines_auth::store::writes::Writes;
use sea_orm::{ConnectionTrait, DbBackend};

use crate::support::{NEW_PASSWORD, TestApp, hours, seconds};

/// The token that a mail carries: it stands on a line of its own, indented.
pub(crate) fn token_in(mail: &str) -> String {
    let is_token = |line: &&str| line.len() == 36 && line.matches('-').count() == 4;
    mail.lines().map(str::trim).find(is_token).unwrap_or_else(|| panic!("no token: {mail}")).to_owned()
}

pub(crate) fn header<'a>(mail: &'a str, name: &str) -> &'a str {
    let (head, _) = mail.split_once("\r\n\r\n").expect("a blank line ends the head");
    let line = head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    line.unwrap_or_else(|| panic!("no {name}: {head}"))
}

#[tokio::test]
async fn a_reset_request_mails_the_token_to_the_accounts_address() {
    let app = TestApp::start().await;
    let thandi = app.sign_up("thandi").await;
    let token = thandi.request_reset().await;
    assert_eq!(app.waiting_mail().await.len(), 1);

    let mails = app.deliver_mail().await;
    let [mail] = mails.as_slice() else { panic!("one mail went out, not {}", mails.len()) };
    assert_eq!(header(mail, "To"), "thandi@example.com");
    assert_eq!(header(mail, "Subject"), "Reset your AI DocuMines password");
    assert!(header(mail, "From").contains("no-reply@localhost"), "{mail}");
    assert_eq!(header(mail, "Date"), "Fri, 07 Mar 2025 03:34:18 +0000");
    assert!(header(mail, "Message-ID").ends_with("@localhost>"), "{mail}");
    assert_eq!(token_in(mail), token);
    assert!(mail.contains("2025-03-07 04:34:18 UTC"), "{mail}");
    assert!(app.waiting_mail().await.is_empty());
}

#[tokio::test]
async fn a_reset_mails_a_notice_without_a_token() {
    let app = TestApp::start().await;
    let thandi = app.sign_up("thandi").await;
    let token = thandi.request_reset().await;
    app.advance(seconds(60));
    thandi.client.named_only().reset_password(&token, NEW_PASSWORD).await.expect(200);
    assert_eq!(app.waiting_mail().await.len(), 2);

    let mails = app.deliver_mail().await;
    assert_eq!(mails.len(), 2);
    assert_eq!(header(&mails[1], "To"), "thandi@example.com");
    assert_eq!(header(&mails[1], "Subject"), "Your AI DocuMines password was changed");
    assert!(mails[1].contains("2025-03-07 03:35:18 UTC"), "{}", mails[1]);
    assert!(!mails[1].contains(&token) && !mails[1].contains(NEW_PASSWORD), "{}", mails[1]);
}

#[tokio::test]
async fn a_refused_reset_mails_nothing() {
    let app = TestApp::start().await;
    let thandi = app.sign_up("thandi").await;
    let client = thandi.client.named_only();
    client
        .reset_password("57dce062-4a15-42ef-a61e-c0fdaefac56a", NEW_PASSWORD)
        .await
        .refused(400, "invalid_reset_token");
    client.request_reset("nobody").await.names(&["/email"]);
    app.anon().with_client_id("x").request_reset(&thandi.email).await.refused(401, "invalid_client");
    assert!(app.waiting_mail().await.is_empty());
}

#[tokio::test]
async fn a_request_for_an_unknown_email_mails_nobody() {
    let app = TestApp::start().await;
    let thandi = app.sign_up("thandi").await;
    thandi.client.named_only().request_reset("nobody@example.com").await.expect(200);
    assert!(app.deliver_mail().await.is_empty());
    assert!(app.waiting_mail().await.is_empty());
}

#[tokio::test]
async fn mail_names_the_public_url_not_the_host_header() {
    let app = TestApp::start_with(&["--allowed-hosts=*"]).await;
    let thandi = app.sign_up("thandi").await;
    let call = thandi.client.named_only().post("/password/reset/request/").header("Host", "evil.example");
    call.json(&serde_json::json!({"email": thandi.email})).send().await.expect(200);
    let mails = app.deliver_mail().await;
    assert!(mails[0].contains("http://localhost:8020") && !mails[0].contains("evil.example"), "{}", mails[0]);
}

#[tokio::test]
async fn mail_is_written_for_the_owners_eyes_alone() {
    let app = TestApp::start().await;
    app.sign_up("thandi").await.request_reset().await;
    app.deliver_mail().await;
    let folder = app.data_dir().join("mail");
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    let files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files.len(), 1);
    assert_eq!(mode(&files[0]), 0o600);
    assert_eq!(files[0].extension().unwrap(), "eml");
}

#[tokio::test]
async fn mail_that_was_delivered_is_not_delivered_again() {
    let app = TestApp::start().await;
    let thandi = app.sign_up("thandi").await;
    thandi.request_reset().await;
    assert_eq!(app.deliver_mail().await.len(), 1);
    assert_eq!(app.deliver_mail().await.len(), 1);
    thandi.request_reset().await;
    assert_eq!(app.deliver_mail().await.len(), 2);
}

#[tokio::test]
async fn a_letter_sealed_with_another_key_stays_and_does_not_stop_the_others() {
    let app = TestApp::start().await;
    let tx = app.app.begin().await.unwrap();
    let now = app.app.clock.now();
    let sealed_mail = b"sealed with a key that was thrown away".to_vec();
    let mut writes = Writes::to(&tx);
    outbox::insert(&mut writes, NewMail { kind: "password_reset", sealed_mail, give_up_at: now + hours(24) }, now);
    app.app.commit_with(tx, writes).await.unwrap();
    app.sign_up("thandi").await.request_reset().await;

    assert_eq!(app.deliver_mail().await.len(), 1);
    let [stays] = &app.waiting_mail().await[..] else { panic!("one mail stays") };
    assert_eq!(stays, b"sealed with a key that was thrown away");
}

#[tokio::test]
async fn a_mail_whose_row_holds_an_impossible_date_goes_out_and_stops_no_other() {
    let app = TestApp::start().await;
    let thandi = app.sign_up("thandi").await;
    for (n, micros) in ["9000000000000000000", "-9000000000000000000"].into_iter().enumerate() {
        thandi.request_reset().await;
        app.execute(&format!("UPDATE outbox SET created_at = {micros}")).await;
        thandi.request_reset().await;
        assert_eq!(app.deliver_mail().await.len(), 2 * n + 2);
    }
}

#[tokio::test]
async fn what_became_of_a_mail_is_kept_until_the_database_takes_it() {
    let app = TestApp::start().await;
    let thandi = app.sign_up("thandi").await;
    thandi.request_reset().await;
    let (refuse, accept) = if app.app.reader().get_database_backend() == DbBackend::Postgres {
        (
            "CREATE TRIGGER stays BEFORE DELETE ON outbox FOR EACH ROW EXECUTE FUNCTION audit_refuse()",
            "DROP TRIGGER stays ON outbox",
        )
    } else {
        ("CREATE TRIGGER stays BEFORE DELETE ON outbox BEGIN SELECT RAISE(ABORT, 'not now'); END", "DROP TRIGGER stays")
    };
    app.execute(refuse).await;
    worker::deliver_waiting(&app.app).await.unwrap_err();
    app.execute(accept).await;
    let folder = app.data_dir().join("mail");
    let sent = std::fs::read_dir(&folder).unwrap().next().unwrap().unwrap().path();
    std::fs::remove_file(sent).unwrap();
    // The lease is over, and another lane looks first.
    app.advance(hours(1));
    assert_eq!(app.deliver_mail().await, Vec::<String>::new());
    assert_eq!(app.waiting_mail().await.len(), 0);
}

#[tokio::test]
async fn mail_survives_a_restart() {
    let app = TestApp::start().await;
    app.sign_up("thandi").await.request_reset().await;
    let app = app.restart_with(&[]).await;
    assert_eq!(app.deliver_mail().await.len(), 1);
}

#[tokio::test]
async fn more_mail_than_one_batch_goes_out() {
    let app = TestApp::start().await;
    let thandi = app.sign_up("thandi").await;
    for _ in 0..60 {
        thandi.request_reset().await;
    }
    assert_eq!(app.deliver_mail().await.len(), 60);
    assert!(app.waiting_mail().await.is_empty());
}

#[tokio::test]
async fn mail_that_cannot_become_a_file_waits_until_it_can_and_holds_up_nobody() {
    let app = TestApp::start().await;
    let thandi = app.sign_up("thandi").await;
    // A file is in the place of the folder.
    let folder = app.data_dir().join("mail");
    std::fs::write(&folder, "").unwrap();
    thandi.request_reset().await;
    worker::deliver_waiting(&app.app).await.unwrap();
    assert_eq!(app.waiting_mail().await.len(), 1);
    thandi.log_in().await;

    std::fs::remove_file(&folder).unwrap();
    app.advance(hours(1) / 2);
    assert_eq!(app.deliver_mail().await.len(), 1);
}
