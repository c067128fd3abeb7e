//! One server at a time on an SQLite file, however the second one reaches it.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use crate::server::{Server, run};

/// One server runs on `data/auth.db`; another one that is started like this ends with a line that names what both want.
#[track_caller]
fn refused(folder: &Path, data: &str, url: Option<&str>, named: &str) {
    let environment: Vec<_> = url.map(|url| ("DATABASE_URL", url)).into_iter().collect();
    for arguments in [&["--listen", "127.0.0.1:0", "--data-dir", data][..], &["migrate", "--data-dir", data]] {
        let output = run(folder, arguments, &environment);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
        let told = format!("{named} is in use by another documines-auth process");
        assert!(said.contains(&told) && said.lines().count() == 1, "{said}");
    }
}

#[tokio::test]
async fn a_second_server_is_refused_however_it_reaches_the_database() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let server = Server::start(folder.path());
    let signed_up = server.sign_up("thandi").await;

    refused(folder.path(), "data", None, "data");
    let whole = at("data/auth.db");
    let url = format!("sqlite://{}?mode=rwc", whole.display());
    refused(folder.path(), "other", Some(&url), whole.to_str().unwrap());
    refused(folder.path(), "other", Some("sqlite://data/auth.db"), "--database-url: data/auth.db");
    refused(folder.path(), "other", Some("sqlite:other/../data/%61uth.db?mode=rw"), "other/../data/auth.db");
    for name in ["linked", "hard-linked"] {
        fs::create_dir(at(name)).unwrap();
    }
    symlink(&whole, at("linked/auth.db")).unwrap();
    refused(folder.path(), "linked", None, "linked/auth.db");
    fs::hard_link(&whole, at("hard-linked/auth.db")).unwrap();
    refused(folder.path(), "hard-linked", None, "hard-linked/auth.db");
    symlink("data", at("link")).unwrap();
    refused(folder.path(), "link", None, "link");
    fs::remove_file(at("data/lock")).unwrap();
    refused(folder.path(), "data", None, "--database-url: data/auth.db");

    // The first one has lost nothing of its own by all that; and when it is gone, the next may start.
    assert_eq!(server.log_in("thandi", &signed_up).await.0, 200);
    server.kill();
    fs::remove_file(at("hard-linked/auth.db")).unwrap();
    let key = at("data/secret.key").display().to_string();
    let server = Server::start_with(
        folder.path(),
        &["--data-dir", "other", "--secret-key-file", &key],
        &[("DATABASE_URL", &url)],
    );
    assert_eq!(server.log_in("thandi", &signed_up).await.0, 200);
}

#[tokio::test]
async fn commands_that_are_meant_to_run_beside_a_server_do() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let signed_up = server.sign_up("thandi").await;
    for arguments in [&["mail", "list"][..], &["mail", "retry", "--all"], &["audit", "verify"], &["audit", "export"]] {
        let output = run(folder.path(), arguments, &[]);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(server.log_in("thandi", &signed_up).await.0, 200);
    }
}

#[tokio::test]
async fn two_servers_on_two_databases_do_not_meet() {
    let folder = tempfile::tempdir().unwrap();
    let _one = Server::start(folder.path());
    let two = Server::start_with(folder.path(), &["--data-dir", "other"], &[]);
    two.sign_up("thandi").await;
}
