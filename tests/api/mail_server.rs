//! Mail by way of a mail server that is not ours: what it takes, and what becomes of what it does not.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use documines_auth::housekeeping;
use documines_auth::mail::worker;
use documines_auth::metrics;
use documines_auth::store::outbox::{self, Entry, Queue};
use documines_auth::store::writes::Writes;
use futures_util::future::join_all;
use serde_json::Value;

use crate::support::log::Log;
use crate::support::mail_server::MailServer;
use crate::support::postgres::TestDatabase;
use crate::support::{TestApp, days, hours, person, seconds};

const FROM: &str = "--mail-from=AI DocuMines <accounts@example.com>";
const KEY: &str = "dGhpcnR5LXR3byBieXRlcyBvZiBzZWNyZXQga2V5ISE=";

/// An app that sends by the server at that URL, with little patience.
async fn app_with(url: &str, flags: &[&str]) -> TestApp {
    let url = format!("--smtp-url={url}");
    let ours = [url.as_str(), FROM, "--smtp-timeout=5s", "--reset-token-in-response=always"];
    TestApp::start_with(&[&ours[..], flags].concat()).await
}

/// Signs people up, whose welcome is to go out.
async fn welcome(app: &TestApp, names: &[&str]) {
    for name in names {
        app.anon().signup(&person(name)).await.expect(201);
    }
}

async fn deliver(app: &TestApp) {
    worker::deliver_waiting(&app.app).await.unwrap();
}

async fn entries(app: &TestApp) -> Vec<Entry> {
    outbox::list(app.app.reader()).await.unwrap()
}

/// The one mail that is in the outbox.
async fn entry(app: &TestApp) -> Entry {
    let mut entries = entries(app).await;
    assert_eq!(entries.len(), 1, "{entries:?}");
    entries.remove(0)
}

async fn count(app: &TestApp) -> (u64, u64) {
    let count = outbox::count(app.app.reader()).await.unwrap();
    (count.waiting, count.given_up)
}

fn content(mail: &Value) -> String {
    mail["content"].as_str().unwrap().replace("=\r\n", "")
}

/// A key and a certificate for `localhost`, made anew: the file that the server takes, which a client may trust.
fn certificate(folder: &Path) -> PathBuf {
    let (key, certificate, both) = (folder.join("key.pem"), folder.join("cert.pem"), folder.join("both.pem"));
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"])
        .args([
            "-subj",
            "/CN=localhost",
            "-addext",
            "subjectAltName=DNS:localhost",
            "-addext",
            "basicConstraints=critical,CA:FALSE",
        ])
        .arg("-keyout")
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    std::fs::write(&both, [std::fs::read(&key).unwrap(), std::fs::read(&certificate).unwrap()].concat()).unwrap();
    both
}

#[tokio::test]
async fn mail_goes_out_by_the_server_and_not_to_files() {
    let Some(server) = MailServer::start(&[]) else { return };
    let app = app_with(&format!("smtp://127.0.0.1:{}", server.port), &[]).await;
    welcome(&app, &["thandi"]).await;
    deliver(&app).await;
    let mail = &server.taken(1)[0];
    assert_eq!((&mail["from"], &mail["to"][0]), (&"accounts@example.com".into(), &"thandi@example.com".into()));
    let content = content(mail);
    for line in [
        "From: \"AI DocuMines\" <accounts@example.com>",
        "To: thandi@example.com",
        "Subject: Welcome to AI DocuMines",
        "Auto-Submitted: auto-generated",
        "MIME-Version: 1.0",
    ] {
        assert!(content.lines().any(|found| found == line), "{line}: {content}");
    }
    for part in ["multipart/alternative", "text/plain; charset=utf-8", "text/html; charset=utf-8", "is ready"] {
        assert!(content.contains(part), "{part}: {content}");
    }
    assert_eq!(count(&app).await, (0, 0));
    assert!(!app.data_dir().join("mail").exists());
}

#[tokio::test]
async fn a_new_account_is_welcomed_without_what_its_maker_chose() {
    let app = TestApp::start().await;
    let mut somebody = person("thandi");
    somebody["contact_name"] = "Buy at evil.example".into();
    app.anon().signup(&somebody).await.expect(201);
    let mails = app.deliver_mail().await;
    assert!(mails[0].contains("Welcome to AI DocuMines") && !mails[0].contains("evil"), "{}", mails[0]);
}

#[tokio::test]
async fn the_answer_keeps_the_reset_token_to_itself_where_mail_goes_out() {
    let app = TestApp::start_with(&["--smtp-url=smtp://127.0.0.1:9", FROM]).await;
    let thandi = app.sign_up("thandi").await;
    let answer = thandi.client.named_only().request_reset(&thandi.email).await.expect(200);
    assert!(answer.get("reset_token").is_none(), "{answer}");
}

#[tokio::test]
async fn starttls_and_a_password_where_the_certificate_is_known() {
    let folder = tempfile::tempdir().unwrap();
    let file = certificate(folder.path());
    let file = file.to_str().unwrap();
    let Some(server) = MailServer::start(&["--certificate", file, "--password", "hunter2:/"]) else { return };
    let url = format!("smtp://documines:hunter2%3A%2F@localhost:{}?tls=required", server.port);
    let pem = std::fs::read_to_string(file).unwrap();
    let marked = folder.path().join("ca.pem");
    std::fs::write(&marked, format!("\u{feff}{}", &pem[pem.find("-----BEGIN CERTIFICATE").unwrap()..])).unwrap();
    let app = app_with(&url, &["--smtp-ca-file", marked.to_str().unwrap()]).await;
    welcome(&app, &["thandi"]).await;
    deliver(&app).await;
    let mail = &server.taken(1)[0];
    assert_eq!((&mail["tls"], &mail["user"]), (&true.into(), &"documines".into()));
}

#[tokio::test]
async fn tls_from_the_first_byte_where_the_certificate_is_known() {
    let folder = tempfile::tempdir().unwrap();
    let file = certificate(folder.path());
    let file = file.to_str().unwrap();
    let arguments = ["--certificate", file, "--implicit", "--password", "hunter2"];
    let Some(server) = MailServer::start(&arguments) else { return };
    let url = format!("smtps://documines:hunter2@localhost:{}", server.port);
    let app = app_with(&url, &["--smtp-ca-file", file]).await;
    welcome(&app, &["thandi"]).await;
    deliver(&app).await;
    assert_eq!(server.taken(1)[0]["tls"], true);
}

#[tokio::test]
async fn on_loopback_an_offer_of_tls_is_taken_with_any_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let file = certificate(folder.path());
    let Some(server) = MailServer::start(&["--certificate", file.to_str().unwrap()]) else { return };
    let app = app_with(&format!("smtp://127.0.0.1:{}", server.port), &[]).await;
    welcome(&app, &["thandi"]).await;
    deliver(&app).await;
    assert_eq!(server.taken(1)[0]["tls"], true);
}

#[tokio::test]
async fn nothing_is_sent_to_a_server_that_may_be_another() {
    let folder = tempfile::tempdir().unwrap();
    let file = certificate(folder.path());
    let file = file.to_str().unwrap();
    let Some(unknown) = MailServer::start(&["--certificate", file]) else { return };
    let Some(plain) = MailServer::start(&[]) else { return };
    let Some(closed) = MailServer::start(&["--certificate", file, "--password", "hunter2"]) else { return };
    for (server, user, flags, error) in [
        (&unknown, "", &[][..], "certificate"),
        (&plain, "", &[][..], "STARTTLS is not supported"),
        (&closed, "documines:hunter3@", &["--smtp-ca-file", file][..], "535"),
    ] {
        let url = format!("smtp://{user}localhost:{}?tls=required", server.port);
        let app = app_with(&url, flags).await;
        welcome(&app, &["thandi"]).await;
        deliver(&app).await;
        let entry = entry(&app).await;
        let found = entry.last_error.unwrap();
        assert!(found.contains(error) && !found.contains("hunter"), "{found}");
        // It is no fault of the mail's.
        assert!(entry.due_at.is_some(), "{found}");
        assert!(server.taken(0).is_empty());
    }
}

#[tokio::test]
async fn a_mail_that_fails_holds_up_no_other() {
    let Some(server) = MailServer::start(&[]) else { return };
    let log = Log::start(tracing::Level::INFO);
    let app = app_with(&format!("smtp://127.0.0.1:{}", server.port), &["--metrics-listen=127.0.0.1:0"]).await;
    let names = ["mute1", "refused1", "mute2", "busy1", "dropped1", "mute3", "a", "b", "c", "d", "e", "f"];
    welcome(&app, &names).await;
    deliver(&app).await;
    assert_eq!(server.recipients(6), ["a", "b", "c", "d", "e", "f"].map(|name| format!("{name}@example.com")));

    assert_eq!(count(&app).await, (5, 1));
    let mut found: Vec<_> = entries(&app).await;
    found.sort_by_key(|entry| entry.id);
    for (entry, (what, is_given_up)) in found.iter().zip([
        ("did not answer within 5s", false),
        ("permanent error (550): 5.1.1 … no such user here", true),
        ("did not answer within 5s", false),
        ("transient error (451): 4.7.1 Greylisted", false),
        ("", false),
        ("did not answer within 5s", false),
    ]) {
        let error = entry.last_error.as_deref().unwrap();
        assert!(error.contains(what) && entry.due_at.is_none() == is_given_up, "{what}: {entry:?}");
        assert_eq!((entry.attempts, entry.kind.as_str()), (1, "welcome"));
        assert!(!error.contains('@'), "{error}");
    }
    let log = log.text();
    assert!(log.contains("ERROR") && log.contains("a mail was given up") && log.contains("kind=\"welcome\""), "{log}");
    assert!(!log.contains("@example.com"), "{log}");
    let text = metrics::render(&app.app, app.app.metrics.as_ref().unwrap()).await;
    for line in [
        "documines_auth_outbox 5",
        "documines_auth_outbox_given_up 1",
        "documines_auth_mails_total{outcome=\"sent\"} 6",
        "documines_auth_mails_total{outcome=\"postponed\"} 5",
        "documines_auth_mails_total{outcome=\"given_up\"} 1",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}: {text}");
    }
}

/// What a number of tries waited for before the next, in seconds.
async fn waits(app: &TestApp, tries: usize) -> Vec<f64> {
    let mut waits = Vec::new();
    for _ in 0..tries {
        deliver(app).await;
        let wait = entry(app).await.due_at.unwrap().micros_since(app.app.clock.now());
        waits.push(Duration::from_micros(wait.unsigned_abs()).as_secs_f64());
        app.advance(Duration::from_micros(wait.unsigned_abs()));
    }
    waits
}

#[track_caller]
fn are_about(waits: &[f64], expected: &[f64]) {
    let is_about = |(wait, expected): (&f64, &f64)| (0.8..=1.2).contains(&(wait / expected));
    assert_eq!(waits.len(), expected.len());
    assert!(waits.iter().zip(expected).all(is_about), "{waits:?}");
}

#[tokio::test]
async fn a_mail_is_tried_again_after_growing_waits_and_given_up_after_a_day() {
    let Some(server) = MailServer::start(&[]) else { return };
    let app = app_with(&format!("smtp://127.0.0.1:{}", server.port), &[]).await;
    welcome(&app, &["busy"]).await;
    let expected = [10.0, 30.0, 120.0, 300.0, 900.0, 1800.0, 3600.0, 3600.0];
    are_about(&waits(&app, expected.len()).await, &expected);
    deliver(&app).await;
    // Not due: not tried.
    let tried = entry(&app).await.attempts;
    deliver(&app).await;
    assert_eq!(entry(&app).await.attempts, tried);
    app.advance(days(1));
    deliver(&app).await;
    assert_eq!((count(&app).await, entry(&app).await.due_at), ((0, 1), None));
    app.advance(days(3));
    deliver(&app).await;
    assert_eq!(entry(&app).await.attempts, tried + 1);
    // It is there for an operator to see for a month.
    housekeeping::sweep(&app.app).await.unwrap();
    assert_eq!(count(&app).await, (0, 1));
    app.advance(days(30));
    housekeeping::sweep(&app.app).await.unwrap();
    assert_eq!(count(&app).await, (0, 0));
}

#[tokio::test]
async fn what_has_expired_is_given_up_before_the_day_is_over() {
    let Some(server) = MailServer::start(&[]) else { return };
    let app = app_with(&format!("smtp://127.0.0.1:{}", server.port), &[]).await;
    app.sign_up("busy").await.request_reset().await;
    deliver(&app).await;
    app.advance(hours(1));
    deliver(&app).await;
    assert_eq!(count(&app).await, (0, 1));
}

#[tokio::test]
async fn mail_waits_for_a_server_that_is_down() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let app = app_with(&format!("smtp://127.0.0.1:{port}"), &[]).await;
    welcome(&app, &["thandi"]).await;
    // However long it is down, a mail is tried every five minutes: none is to be late when it is back.
    are_about(&waits(&app, 6).await, &[10.0, 30.0, 120.0, 300.0, 300.0, 300.0]);
    assert!(entry(&app).await.last_error.unwrap().contains("refused"));
    let Some(server) = MailServer::start(&["--port", &port.to_string()]) else { return };
    deliver(&app).await;
    assert_eq!(server.recipients(1), ["thandi@example.com"]);
    assert_eq!(count(&app).await, (0, 0));
}

#[tokio::test]
async fn a_server_that_is_down_is_not_asked_for_each_mail() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let app = app_with(&format!("smtp://127.0.0.1:{port}"), &[]).await;
    let names: Vec<_> = (0..20).map(|number| format!("thandi{number}")).collect();
    welcome(&app, &names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    deliver(&app).await;
    let tried = entries(&app).await.iter().filter(|entry| entry.attempts > 0).count();
    assert!((1..=4).contains(&tried), "{tried}");
}

#[tokio::test]
async fn mail_that_another_node_has_is_left_to_it_until_its_lease_is_over() {
    let app = TestApp::start().await;
    welcome(&app, &["thandi"]).await;
    let id = entry(&app).await.id;
    let lease = async |queue| {
        let now = app.app.clock.now();
        let before = Writes::to(app.app.writer());
        outbox::lease(app.app.writer(), before, queue, now, now + seconds(60)).await.unwrap()
    };
    let first = lease(Queue::New).await.unwrap();
    assert!(lease(Queue::New).await.is_none());
    assert!(lease(Queue::Again).await.is_none());
    assert!(app.deliver_mail().await.is_empty());
    // Nor can an operator take it from that node.
    assert!(!outbox::retry(app.app.reader(), id, app.app.clock.now()).await.unwrap_or(false));
    app.advance(seconds(61));
    let second = lease(Queue::Again).await.unwrap();
    assert_eq!((first.attempts, second.attempts), (1, 2));
    // Whoever comes back late has no say any more.
    let mut writes = Writes::to(app.app.writer());
    outbox::give_up(&mut writes, &first, app.app.clock.now(), "too late");
    writes.run(app.app.writer()).await.unwrap();
    assert_eq!(count(&app).await, (1, 0));
    app.advance(seconds(61));
    assert_eq!(app.deliver_mail().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "runs on PostgreSQL, as part of the whole suite there"]
async fn of_two_nodes_that_race_one_sends_each_mail() {
    let Some(server) = MailServer::start(&[]) else { return };
    let database = TestDatabase::migrated().await.unwrap();
    let url = format!("--smtp-url=smtp://127.0.0.1:{}", server.port);
    let node = async || TestApp::start_node(&database, &["--secret-key", KEY, &url, FROM]).await;
    let (a, b) = (node().await, node().await);
    let names: Vec<_> = (0..60).map(|number| format!("thandi{number:02}")).collect();
    join_all(names.iter().map(async |name| a.anon().signup(&person(name)).await.expect(201))).await;
    // Whoever finds nothing more looks once more than it has to.
    join_all((0..4).flat_map(|_| [&a, &b]).map(deliver)).await;
    assert_eq!(server.recipients(60), names.iter().map(|name| format!("{name}@example.com")).collect::<Vec<_>>());
    assert_eq!(count(&a).await, (0, 0));
}
