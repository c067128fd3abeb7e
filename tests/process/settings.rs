use std::net::TcpListener;
use std::path::Path;

use reqwest::Method;
use serde_json::json;

use crate::server::{Server, run};

/// Asserts that it ends at once, not well, with one line that names `name`.
#[track_caller]
pub(crate) fn refused(folder: &Path, arguments: &[&str], environment: &[(&str, &str)], name: &str) -> String {
    let output = run(folder, arguments, environment);
    let line = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success(), "{arguments:?} {environment:?} was taken");
    assert!(output.stdout.is_empty());
    assert_eq!(line.lines().count(), 1, "{line}");
    assert!(line.starts_with("documines-auth: ") && line.contains(name), "{arguments:?} {environment:?}: {line}");
    line
}

#[test]
fn a_bad_flag_ends_the_start_with_one_line_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let bad = [
        ("--listen", "8020"),
        ("--lock-timeout", "0s"),
        ("--connections-per-source", "0"),
        ("--database-connections", "1"),
        ("--public-url", "localhost"),
        ("--allowed-hosts", "*.example.com"),
        ("--access-token-ttl", "soon"),
        ("--refresh-token-ttl", "0s"),
        ("--reset-token-ttl", "100y"),
        ("--audit-retention", "0s"),
        ("--argon2-memory-kib", "much"),
        ("--argon2-memory-kib", "1"),
        ("--argon2-iterations", "0"),
        ("--argon2-parallelism", "0"),
        ("--trusted-proxies", "10.0.0.0/33"),
        ("--cors-origins", "https://example.com/path"),
        ("--email-token-ttl", "0s"),
        ("--login-requires-verified-email", "maybe"),
        ("--rate-limits", "some"),
        ("--trusted-proxies", "10.0.0.0/33"),
        ("--idle-timeout", "0s"),
        ("--idle-timeout", "2h"),
        ("--log-format", "xml"),
        ("--log-filter", "a=b=c"),
        ("--reset-token-in-response", "sometimes"),
        ("--database-url", "postgres://localhost/auth"),
        ("--secret-key", "short"),
        ("--smtp-url", "mail.example.com"),
        ("--smtp-url", "smtp://u:hunter2@"),
        ("--smtp-url-file", "/nowhere/url"),
        ("--smtp-ca-file", "/nowhere/ca.pem"),
        ("--smtp-timeout", "0s"),
        ("--mail-from", "nobody"),
        ("--lisen", "127.0.0.1:0"),
    ];
    for (flag, value) in bad {
        refused(folder.path(), &[flag, value], &[], flag);
        refused(folder.path(), &["serve", flag, value], &[], flag);
        // A migration reads nothing of what sends mail: where that is wrong, the database can be brought up to date.
        if ["--smtp-url", "--smtp-url-file", "--smtp-ca-file"].contains(&flag) {
            assert!(run(folder.path(), &["migrate", flag, value], &[]).status.success(), "{flag}");
        } else {
            refused(folder.path(), &["migrate", flag, value], &[], flag);
        }
    }
}

#[test]
fn a_bad_variable_ends_the_start_with_one_line_that_names_its_flag() {
    let folder = tempfile::tempdir().unwrap();
    let bad = [
        ("DOCUMINES_LISTEN", "8020", "--listen"),
        ("DOCUMINES_PUBLIC_URL", "ftp://example.com", "--public-url"),
        ("DOCUMINES_ACCESS_TOKEN_TTL", "soon", "--access-token-ttl"),
        ("DOCUMINES_ARGON2_ITERATIONS", "-1", "--argon2-iterations"),
        ("DOCUMINES_TRUSTED_PROXIES", "10.0.0.0/8,localhost", "--trusted-proxies"),
        ("DOCUMINES_AUDIT_RETENTION", "for ever", "--audit-retention"),
        ("DOCUMINES_CORS_ORIGINS", "*", "--cors-origins"),
        ("DOCUMINES_RATE_LIMITS", "maybe", "--rate-limits"),
        ("DOCUMINES_RESET_TOKEN_IN_RESPONSE", "yes", "--reset-token-in-response"),
        ("DATABASE_URL", "mysql://localhost/auth", "--database-url"),
        ("DOCUMINES_SECRET_KEY", "short", "--secret-key"),
        ("DOCUMINES_SMTP_URL", "ftp://example.com", "--smtp-url"),
        ("DOCUMINES_SMTP_URL", "smtp://mail.example.com", "--mail-from"),
        ("DOCUMINES_MAIL_FROM", "a@b@c", "--mail-from"),
        ("RUST_LOG", "a=b=c", "--log-filter"),
    ];
    for (variable, value, flag) in bad {
        refused(folder.path(), &[], &[(variable, value)], flag);
    }
}

#[test]
fn a_secret_file_that_cannot_be_used_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty");
    std::fs::write(&empty, "\n").unwrap();
    for file in ["/nowhere/key", empty.to_str().unwrap()] {
        for (variable, flag) in [
            ("DOCUMINES_SECRET_KEY_FILE", "--secret-key-file"),
            ("DATABASE_URL_FILE", "--database-url-file"),
            ("DOCUMINES_SMTP_URL_FILE", "--smtp-url-file"),
        ] {
            let line = refused(folder.path(), &[], &[(variable, file)], flag);
            assert!(line.contains(file), "{line}");
        }
    }
}

#[test]
fn a_secret_comes_from_its_variable_or_its_file_not_both() {
    let folder = tempfile::tempdir().unwrap();
    let both = [("DOCUMINES_SECRET_KEY", "hunter2"), ("DOCUMINES_SECRET_KEY_FILE", "/run/secrets/key")];
    let line = refused(folder.path(), &[], &both, "--secret-key");
    assert!(!line.contains("hunter2"), "{line}");
}

#[test]
fn a_refused_secret_is_not_shown() {
    let folder = tempfile::tempdir().unwrap();
    for arguments in [
        ["--secret-key", "hunter2"],
        ["--database-url", "postgres://u:hunter2@localhost/auth"],
        ["--smtp-url", "http://u:hunter2@localhost"],
    ] {
        let line = refused(folder.path(), &arguments, &[], arguments[0]);
        assert!(!line.contains("hunter2"), "{line}");
    }
}

#[tokio::test]
async fn secrets_are_read_from_files() {
    let folder = tempfile::tempdir().unwrap();
    let (key, url) = (folder.path().join("key"), folder.path().join("url"));
    std::fs::write(&key, format!("{}\n", "A".repeat(43) + "=")).unwrap();
    std::fs::write(&url, "sqlite://elsewhere.db?mode=rwc\n").unwrap();
    let files = [("DOCUMINES_SECRET_KEY_FILE", key.to_str().unwrap()), ("DATABASE_URL_FILE", url.to_str().unwrap())];
    let server = Server::start_with(folder.path(), &[], &files);
    server.sign_up("thandi").await;
    assert!(folder.path().join("elsewhere.db").is_file());
    assert!(!folder.path().join("data/auth.db").exists());
    assert!(!folder.path().join("data/secret.key").exists());
}

#[test]
fn an_empty_variable_is_as_if_it_were_not_set() {
    let folder = tempfile::tempdir().unwrap();
    let empty = [
        "DOCUMINES_CORS_ORIGINS",
        "DATABASE_URL",
        "DOCUMINES_SECRET_KEY",
        "DOCUMINES_SECRET_KEY_FILE",
        "DOCUMINES_SMTP_URL",
        "DOCUMINES_MAIL_FROM",
    ];
    let server = Server::start_with(folder.path(), &[], &empty.map(|variable| (variable, "")));
    assert!(folder.path().join("data/auth.db").is_file());
    drop(server);
}

#[test]
fn a_second_process_on_the_same_folder_ends_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let _server = Server::start(folder.path());
    for arguments in [&["--listen", "127.0.0.1:0"][..], &["migrate"]] {
        refused(folder.path(), arguments, &[], "--data-dir");
    }
}

#[tokio::test]
async fn metrics_are_on_an_address_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start_with(folder.path(), &["--metrics-listen", "127.0.0.1:0"], &[]);
    let log = server.log();
    let address = log.lines().find(|line| line.contains("serving metrics")).unwrap();
    let address = address.split("address=").nth(1).unwrap().split_whitespace().next().unwrap();
    let status = async |url: &str| reqwest::get(url).await.unwrap().status().as_u16();
    assert_eq!(status(&format!("http://{address}/metrics")).await, 200);
    assert_eq!(status(&format!("http://{address}/api/v1/auth/profile/")).await, 404);
    assert_eq!(status(&server.url("/metrics")).await, 404);
}

#[test]
fn an_address_in_use_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let line = refused(folder.path(), &["--listen", &address], &[], "--listen");
    assert!(line.contains(&address), "{line}");
}

#[test]
fn a_data_folder_that_cannot_be_made_is_named() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("file"), "").unwrap();
    std::os::unix::fs::symlink("not-there", folder.path().join("dangling")).unwrap();
    for (data_dir, words) in [
        ("file", "file is no folder"),
        ("file/data", "file is no folder"),
        ("dangling", "dangling is a link to not-there, which is not there"),
        ("dangling/data", "dangling is a link to not-there, which is not there"),
    ] {
        for command in ["serve", "migrate"] {
            let line = refused(folder.path(), &[command, "--data-dir", data_dir], &[], "--data-dir");
            assert!(line.contains(words), "{line}");
        }
    }
}

#[test]
fn a_flag_wins_over_its_variable() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start_with(folder.path(), &["--data-dir", "flag"], &[("DOCUMINES_DATA_DIR", "variable")]);
    assert!(folder.path().join("flag/auth.db").is_file());
    assert!(!folder.path().join("variable").exists());
    drop(server);
}

#[test]
fn the_log_warns_where_limits_are_off() {
    let folder = tempfile::tempdir().unwrap();
    let warns = |server: Server| server.log().contains("--rate-limits off");
    assert!(warns(Server::start(folder.path())));
    assert!(!warns(Server::start_with(folder.path(), &["--rate-limits", "on"], &[])));
}

#[test]
fn the_log_warns_where_the_reset_token_is_always_in_the_answer() {
    let folder = tempfile::tempdir().unwrap();
    let warns =
        |server: Server| server.log().contains("WARN") && server.log().contains("--reset-token-in-response always");
    assert!(warns(Server::start_with(
        folder.path(),
        &["--reset-token-in-response", "always", "--rate-limits=on"],
        &[]
    )));
    assert!(!warns(Server::start(folder.path())));
}

#[test]
fn the_log_says_who_is_shown_the_reset_token_and_why_nobody_is() {
    let folder = tempfile::tempdir().unwrap();
    let log = |arguments: &[&str]| Server::start_with(folder.path(), arguments, &[]).log();
    let local = log(&[]);
    assert!(local.contains("shows the token to callers on this machine"), "{local}");
    for (arguments, reason) in [
        (["--public-url", "https://auth.example.com"], "--public-url is not a loopback host"),
        (["--trusted-proxies", "127.0.0.1"], "--trusted-proxies names a proxy"),
        (["--reset-token-in-response", "never"], "the setting says so"),
    ] {
        let log = log(&arguments);
        assert!(log.contains("no answer shows a reset token") && log.contains(reason), "{log}");
    }
}

/// What a stranger gets who comes by way of a reverse proxy: it talks to a loopback address, as everybody on this machine.
#[tokio::test]
async fn nobody_behind_a_proxy_is_answered_a_reset_token() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start_with(folder.path(), &["--rate-limits", "on"], &[]);
    let thandi = server.sign_up("thandi").await;
    let id = [("X-Client-ID", thandi["client_id"].as_str().unwrap())];
    let body = json!({"email": "thandi@example.com"});
    let ask = async |headers: &[(&str, &str)]| {
        let headers = [&id[..], headers].concat();
        let (status, answer) = server.call(Method::POST, "/password/reset/request/", &headers, Some(&body)).await;
        assert!(status == 200 || status == 421, "{answer}");
        answer.get("reset_token").is_some()
    };
    assert!(ask(&[]).await);
    assert!(!ask(&[("X-Forwarded-For", "203.0.113.9")]).await);
    assert!(!ask(&[("Host", "auth.example.com")]).await);
    drop(server);

    let as_documented = [("DOCUMINES_PUBLIC_URL", "https://auth.example.com")];
    let server = Server::start_with(folder.path(), &[], &as_documented);
    let (status, answer) = server.call(Method::POST, "/password/reset/request/", &id, Some(&body)).await;
    assert_eq!((status, answer.get("reset_token")), (200, None));
}
