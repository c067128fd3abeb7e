use std::path::Path;
use std::process::Output;

use crate::mail_server::MailServer;
use crate::server::{Server, run, until};

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn list(folder: &Path) -> String {
    let output = run(folder, &["mail", "list"], &[]);
    assert!(output.status.success(), "{}", text(&output));
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn an_operator_sees_what_was_given_up_and_has_it_tried_again_while_the_server_runs() {
    let folder = tempfile::tempdir().unwrap();
    let Some(mails) = MailServer::start(&[]) else { return };
    let url = format!("smtp://documines:hunter2@127.0.0.1:{}", mails.port);
    let settings = [("DOCUMINES_SMTP_URL", url.as_str()), ("DOCUMINES_MAIL_FROM", "accounts@example.com")];
    // That server knows no passwords: nothing leaves.
    let server = Server::start_with(folder.path(), &[], &settings);
    server.sign_up("thandi").await;
    // While it is being sent, the list has it already, without a reason.
    let failed = |line: &&str| line.contains("offers no login");
    let line = until(|| list(folder.path()).lines().nth(1).filter(failed).map(str::to_owned));
    assert!(line.contains("welcome") && line.contains(" in "), "{line}");
    server.kill();

    let url = format!("smtp://127.0.0.1:{}", mails.port);
    let settings = [("DOCUMINES_SMTP_URL", url.as_str()), ("DOCUMINES_MAIL_FROM", "accounts@example.com")];
    let server = Server::start_with(folder.path(), &[], &settings);
    server.sign_up("refused").await;
    let given_up = || list(folder.path()).lines().find(|line| line.contains("given up")).map(str::to_owned);
    let line = until(given_up);
    assert!(line.contains("550") && !line.contains('@'), "{line}");
    let id = line.split_whitespace().next().unwrap();

    let again = run(folder.path(), &["mail", "retry", "--all"], &[]);
    assert_eq!((again.status.code(), text(&again).as_str()), (Some(0), "1 mail to be tried again\n"));
    until(given_up);
    let again = run(folder.path(), &["mail", "retry", id], &[]);
    assert_eq!((again.status.code(), text(&again).as_str()), (Some(0), "1 mail to be tried again\n"));
    until(given_up);
    assert_eq!(server.log().matches("a mail was given up").count(), 3, "{}", server.log());
    assert!(!server.log().contains("hunter2") && !server.log().contains("@example.com"), "{}", server.log());
    // The other one went out meanwhile, or does when it is due.
    let first = list(folder.path());
    if let Some(line) = first.lines().find(|line| line.contains(" in ")) {
        let id = line.split_whitespace().next().unwrap();
        run(folder.path(), &["mail", "retry", id], &[]);
    }
    assert_eq!(mails.recipients(1), ["thandi@example.com"]);
}

#[tokio::test]
async fn a_server_that_stops_lets_mail_on_its_way_arrive() {
    let folder = tempfile::tempdir().unwrap();
    let Some(mails) = MailServer::start(&[]) else { return };
    let url = format!("smtp://127.0.0.1:{}", mails.port);
    let settings = [("DOCUMINES_SMTP_URL", url.as_str()), ("DOCUMINES_MAIL_FROM", "accounts@example.com")];
    for round in 0..3 {
        let mut server = Server::start_with(folder.path(), &[], &settings);
        server.sign_up(&format!("thandi{round}")).await;
        server.terminate();
        assert!(server.wait().success());
    }
    let server = Server::start_with(folder.path(), &[], &settings);
    until(|| (list(folder.path()).lines().count() == 1).then_some(()));
    drop(server);
    assert_eq!(mails.recipients(3), [0, 1, 2].map(|round| format!("thandi{round}@example.com")));
}

#[test]
fn what_cannot_be_tried_again_is_named() {
    let folder = tempfile::tempdir().unwrap();
    for (arguments, what) in [
        (&["mail", "list"][..], "--data-dir: there is no database"),
        (&["mail", "retry", "--all"], "--data-dir: there is no database"),
        (&["mail", "retry"], "required"),
        (&["mail", "retry", "7", "--all"], "cannot be used with"),
        (&["mail", "retry", "x"], "invalid value 'x'"),
    ] {
        let output = run(folder.path(), arguments, &[]);
        assert_eq!(output.status.code(), Some(2));
        assert!(text(&output).contains(what) && text(&output).lines().count() == 1, "{}", text(&output));
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    drop(Server::start(folder.path()));
    let output = run(folder.path(), &["mail", "retry", "7"], &[]);
    assert_eq!((output.status.code(), text(&output).as_str()), (Some(1), "documines-auth: no mail 7 has failed\n"));
    assert_eq!(list(folder.path()).lines().count(), 1);
}

#[test]
fn the_log_warns_of_a_mail_server_that_cannot_be_used() {
    let folder = tempfile::tempdir().unwrap();
    let flags = ["--smtp-url", "smtp://documines:hunter2@127.0.0.1:9", "--mail-from", "accounts@example.com"];
    let server = Server::start_with(folder.path(), &flags, &[]);
    let warning =
        until(|| server.log().lines().find(|line| line.contains("the mail server cannot")).map(str::to_owned));
    assert!(warning.contains("127.0.0.1:9") && !warning.contains("hunter2"), "{warning}");
}
