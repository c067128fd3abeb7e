use std::path::Path;

use crate::server::{Server, run, until};

const OLD: &str = "dGhpcnR5LXR3byBieXRlcyBvZiBzZWNyZXQga2V5ISE=";
const NEW: &str = "dHdvLWFuZC10aGlydHkgYnl0ZXMgb2YgYSBrZXkhISE=";

/// Mail stays in the outbox, sealed: nobody listens there. A server that is killed with a mail in its hands leaves it to
/// the next one soon.
const NO_MAIL: [&str; 6] =
    ["--smtp-url", "smtp://127.0.0.1:9", "--mail-from", "accounts@example.com", "--smtp-timeout", "1s"];

/// Whether the mail that waited is a file now; mail that failed is tried again as soon as an operator says so.
fn mail_arrives(folder: &Path) {
    let list = String::from_utf8(run(folder, &["mail", "list"], &[]).stdout).unwrap();
    for id in list.lines().skip(1).filter_map(|line| line.split_whitespace().next()) {
        run(folder, &["mail", "retry", id], &[]);
    }
    let is_mail = |file: &std::fs::DirEntry| file.path().extension().is_some_and(|extension| extension == "eml");
    until(|| std::fs::read_dir(folder.join("data/mail")).ok()?.flatten().find(is_mail));
}

#[track_caller]
fn rotated(folder: &Path, environment: &[(&str, &str)], count: u32) {
    let output = run(folder, &["key", "rotate"], environment);
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && said.starts_with(&format!("{count} sealed anew with the key ")), "{said}");
    assert!(!said.contains("opened by none"), "{said}");
}

#[track_caller]
fn refused(folder: &Path, arguments: &[&str], environment: &[(&str, &str)], what: &str) {
    let output = run(folder, arguments, environment);
    let line = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && line.contains(what) && line.lines().count() == 1, "{line}");
    assert!(!line.contains(OLD) && !line.contains(NEW), "{line}");
}

#[tokio::test]
async fn a_server_that_made_its_key_itself_is_given_a_new_one() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("data/secret.key");
    refused(folder.path(), &["key", "rotate"], &[], "there is no database");
    let server = Server::start_with(folder.path(), &NO_MAIL, &[]);
    server.sign_up("thandi").await;
    refused(folder.path(), &["key", "rotate"], &[], "--data-dir: data is in use by another documines-auth process");
    server.kill();

    let old = std::fs::read_to_string(&file).unwrap();
    // The mail and the check.
    rotated(folder.path(), &[], 2);
    let new = std::fs::read_to_string(&file).unwrap();
    assert!(new.trim() != old.trim() && new.trim().len() == 44, "one key");
    rotated(folder.path(), &[], 2);
    refused(folder.path(), &["migrate"], &[("DOCUMINES_SECRET_KEY", old.trim())], "another secret key");
    let _server = Server::start(folder.path());
    mail_arrives(folder.path());
}

#[tokio::test]
async fn a_rotation_that_was_interrupted_leaves_all_readable_and_is_finished_by_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("data/secret.key");
    let server = Server::start_with(folder.path(), &NO_MAIL, &[]);
    server.sign_up("thandi").await;
    server.kill();
    let old = std::fs::read_to_string(&file).unwrap();
    // As it is after its first step; and what a server adds that is started then.
    std::fs::write(&file, format!("{NEW}\n{old}\n")).unwrap();
    let server = Server::start_with(folder.path(), &NO_MAIL, &[]);
    server.sign_up("sipho").await;
    server.kill();
    rotated(folder.path(), &[], 2);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), NEW);
    let _server = Server::start(folder.path());
    mail_arrives(folder.path());
}

#[tokio::test]
async fn keys_of_the_operators_are_changed_step_by_step_while_the_server_runs() {
    let folder = tempfile::tempdir().unwrap();
    let keys = |keys: &'static str| [("DOCUMINES_SECRET_KEY", keys)];
    let both = format!("{NEW},{OLD}");
    let both = [("DOCUMINES_SECRET_KEY", both.as_str())];
    let server = Server::start_with(folder.path(), &NO_MAIL, &keys(OLD));
    server.sign_up("thandi").await;
    server.kill();
    refused(folder.path(), &["key", "rotate"], &keys(OLD), "--secret-key: holds one secret key");
    refused(folder.path(), &["key", "rotate"], &keys(NEW), "--secret-key: holds one secret key");

    let server = Server::start_with(folder.path(), &NO_MAIL, &both);
    rotated(folder.path(), &both, 2);
    rotated(folder.path(), &both, 0);
    server.kill();
    let told = "the database was sealed with another secret key (";
    refused(folder.path(), &["serve", "--listen", "127.0.0.1:0"], &keys(OLD), told);
    let _server = Server::start_with(folder.path(), &[], &keys(NEW));
    mail_arrives(folder.path());
}
