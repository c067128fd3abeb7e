//! Mail by way of mail servers that are slow, write in another alphabet, or refuse us and not the mail.

use std::time::Duration;

use documines_auth::mail::worker;
use documines_auth::store::outbox::{self, Entry};
use tokio::sync::watch;

use crate::support::log::Log;
use crate::support::odd_mail_server::{Manners, OddMailServer};
use crate::support::{TestApp, days, person, seconds};

/// An app that sends by that server and wants each answer within a second, with a mail that is to go out.
async fn app_with(server: &OddMailServer) -> TestApp {
    let url = format!("--smtp-url=smtp://127.0.0.1:{}", server.port);
    let flags = [&url, "--mail-from=a@example.com", "--smtp-timeout=1s", "--reset-token-in-response=always"];
    let app = TestApp::start_with(&flags).await;
    app.anon().signup(&person("thandi")).await.expect(201);
    app
}

async fn deliver(app: &TestApp) {
    worker::deliver_waiting(&app.app).await.unwrap();
}

async fn entries(app: &TestApp) -> Vec<Entry> {
    outbox::list(app.app.reader()).await.unwrap()
}

/// How long the one mail waits, in minutes; `None` where it was given up.
async fn wait(app: &TestApp) -> Option<f64> {
    let entries = entries(app).await;
    let [entry] = &entries[..] else { panic!("one mail waits: {entries:?}") };
    let micros = entry.due_at?.micros_since(app.app.clock.now());
    Some(Duration::from_micros(micros.unsigned_abs()).as_secs_f64() / 60.0)
}

#[tokio::test]
async fn a_mail_server_that_takes_its_time_after_the_final_dot_has_one_copy() {
    let server = OddMailServer::start(Manners { pause: Duration::from_secs(3), ..Manners::default() });
    let app = app_with(&server).await;
    let look = async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        // No other worker may have it meanwhile, for as long as the server may take.
        assert!(wait(&app).await.unwrap() > 9.0);
    };
    tokio::join!(deliver(&app), look);
    assert_eq!((server.mails(), entries(&app).await.len()), (1, 0));
}

#[tokio::test]
async fn a_mail_that_may_have_arrived_is_sent_again_after_long_waits_and_few_times() {
    let server = OddMailServer::start(Manners { taken: None, ..Manners::default() });
    let app = app_with(&server).await;
    for at_least in [15.0, 35.0, 120.0] {
        deliver(&app).await;
        let minutes = wait(&app).await.unwrap();
        assert!(minutes > at_least, "{minutes}");
        assert!(entries(&app).await[0].last_error.as_deref().unwrap().contains("may have arrived"));
        app.advance(Duration::from_secs_f64(minutes * 60.0 + 1.0));
    }
    while wait(&app).await.is_some() {
        deliver(&app).await;
        app.advance(seconds(600));
    }
    assert!(server.mails() <= 5, "{}", server.mails());
}

#[tokio::test]
async fn a_mail_that_may_have_arrived_is_not_sent_again_where_its_token_has_expired_by_then() {
    let server = OddMailServer::start(Manners::default());
    let app = app_with(&server).await;
    deliver(&app).await;
    server.manners.lock().unwrap().taken = None;
    let thandi = app.sign_up("naledi").await;
    deliver(&app).await;
    let before = server.mails();
    thandi.request_reset().await;
    for _ in 0..12 {
        deliver(&app).await;
        app.advance(seconds(600));
    }
    // The welcome is tried once more in that time, the reset twice.
    assert!(server.mails() - before <= 3, "{}", server.mails() - before);
}

#[tokio::test]
async fn a_server_that_stops_does_not_wait_for_a_slow_mail_server_and_keeps_the_mail_for_later() {
    let server = OddMailServer::start(Manners { pause: Duration::from_secs(60), ..Manners::default() });
    let app = app_with(&server).await;
    let (stop, stopped) = watch::channel(false);
    let stopping = async {
        while server.mails() == 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        stop.send(true).unwrap();
        std::time::Instant::now()
    };
    let ((), told) = tokio::join!(worker::run(&app.app, stopped), stopping);
    // Of the five seconds that mail has when the server stops.
    assert!(told.elapsed() < Duration::from_millis(4_500), "{:?}", told.elapsed());
    assert!(wait(&app).await.unwrap() > 15.0);
}

#[tokio::test]
async fn an_answer_counts_by_its_code_in_whatever_alphabet_and_length() {
    let long = format!("250 {}", "queued ".repeat(700)).into_bytes();
    let gbk = b"250 Ok: \xd2\xd1\xbe\xad\xca\xd5\xb5\xbd".to_vec();
    let latin1 = b"220 mail.test Gr\xfc\xdfe vom Postamt K\xf6ln".to_vec();
    let extensions = b"250-mail.test Gr\xfc\xdfe\r\n250-X-\xd2\xd1\r\n250 SIZE 1000000".to_vec();
    let command = |name, answer: &[u8]| Manners { answers: [(name, answer.to_vec())].into(), ..Manners::default() };
    for manners in [
        Manners { greeting: latin1, ..Manners::default() },
        Manners { taken: Some(gbk), ..Manners::default() },
        Manners { taken: Some(long), ..Manners::default() },
        command("EHLO", &extensions),
        command("EHLO", b"502 5.5.2 Gr\xfc\xdfe"),
        command("EHLO", b"500 unknown"),
        command("RCPT", b"250 \xff\xfe"),
    ] {
        let server = OddMailServer::start(manners);
        let app = app_with(&server).await;
        deliver(&app).await;
        assert_eq!((server.mails(), entries(&app).await.len()), (1, 0), "{:?}", entries(&app).await);
    }
}

#[tokio::test]
async fn a_refusal_of_the_sender_keeps_the_mail_and_goes_out_once_that_is_mended() {
    for (command, answer) in [
        ("DATA", "550-5.4.5 Daily user sending limit exceeded.\r\n550 5.4.5 see help"),
        ("MAIL", "550 5.7.60 SMTP; Client does not have permissions to send as this sender"),
        ("MAIL", "553 sender is wrong"),
        ("RCPT", "554 5.7.1 <thandi@example.com>: Relay access denied"),
        ("RCPT", "553 5.7.1 <a@example.com>: Sender address rejected: not owned by user"),
        ("EHLO", "550 5.7.1 go away"),
    ] {
        let answers = [(command, answer.as_bytes().to_vec()), ("HELO", answer.as_bytes().to_vec())].into();
        let server = OddMailServer::start(Manners { answers, ..Manners::default() });
        let log = Log::start(tracing::Level::WARN);
        let app = app_with(&server).await;
        for _ in 0..6 {
            deliver(&app).await;
            app.advance(seconds(3_700));
        }
        assert_eq!(server.mails(), 0);
        assert!(wait(&app).await.is_some(), "{answer}");
        // The log says what to do.
        let text = log.text();
        assert!(text.contains("look at --mail-from") && !text.contains("thandi@"), "{text}");
        drop(log);
        server.manners.lock().unwrap().answers.clear();
        deliver(&app).await;
        assert_eq!((server.mails(), entries(&app).await.len()), (1, 0), "{answer}");
    }
}

#[tokio::test]
async fn a_refusal_of_the_recipient_gives_the_mail_up() {
    for answer in ["550 5.1.1 no such user", "550 no such user", "551 5.1.6 moved", "550 5.2.1 disabled"] {
        let answers = [("RCPT", answer.as_bytes().to_vec())].into();
        let server = OddMailServer::start(Manners { answers, ..Manners::default() });
        let app = app_with(&server).await;
        deliver(&app).await;
        assert_eq!(wait(&app).await, None, "{answer}");
    }
    let server = OddMailServer::start(Manners {
        answers: [("RCPT", b"554 5.7.1 policy".to_vec())].into(),
        ..Manners::default()
    });
    let app = app_with(&server).await;
    deliver(&app).await;
    app.advance(days(1));
    deliver(&app).await;
    // As long as any other mail that does not go out.
    assert_eq!(wait(&app).await, None);
}
