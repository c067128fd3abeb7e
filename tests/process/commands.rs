use std::path::Path;

use crate::server::{Server, run};

fn committed() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi/openapi.json")).unwrap()
}

#[test]
fn openapi_prints_the_committed_document_each_time() {
    let folder = tempfile::tempdir().unwrap();
    for arguments in [&["openapi"][..], &["openapi", "--format", "json"]] {
        let output = run(folder.path(), arguments, &[]);
        assert!(output.status.success());
        assert_eq!(String::from_utf8(output.stdout).unwrap(), committed());
        assert!(output.stderr.is_empty());
    }
}

#[test]
fn openapi_needs_no_settings_and_makes_no_folder() {
    let folder = tempfile::tempdir().unwrap();
    let nonsense = [
        ("DOCUMINES_LISTEN", "nowhere"),
        ("DOCUMINES_ACCESS_TOKEN_TTL", "soon"),
        ("DATABASE_URL", "nonsense"),
        ("DOCUMINES_SECRET_KEY_FILE", "/nowhere"),
        ("RUST_LOG", "=="),
    ];
    let output = run(folder.path(), &["openapi"], &nonsense);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8(output.stdout).unwrap(), committed());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn openapi_prints_the_same_document_in_yaml() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(folder.path(), &["openapi", "--format", "yaml"], &[]);
    let yaml: serde_json::Value = serde_yaml::from_slice(&output.stdout).unwrap();
    assert_eq!(yaml, serde_json::from_str::<serde_json::Value>(&committed()).unwrap());
}

#[tokio::test]
async fn migrate_makes_the_database_that_serve_then_uses() {
    let folder = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        let output = run(folder.path(), &["migrate"], &[]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(folder.path().join("data/auth.db").is_file());
    }
    let server = Server::start_with(folder.path(), &[], &[]);
    server.sign_up("thandi").await;
}

#[test]
fn a_log_line_in_json_says_when_in_utc() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(folder.path(), &["migrate", "--log-format", "json", "--log-filter", "info"], &[]);
    let log = String::from_utf8(output.stderr).unwrap();
    assert!(!log.is_empty());
    for line in log.lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let when = line["timestamp"].as_str().unwrap();
        assert!(when.len() == "2025-03-07T03:34:18.305185Z".len() && when.ends_with('Z'), "{line}");
        assert!(line["level"].is_string() && line["target"].is_string(), "{line}");
    }
}

#[tokio::test]
async fn serve_may_be_said_or_left_away() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let signed_up = server.sign_up("thandi").await;
    server.kill();
    let mut said = crate::server::binary(folder.path());
    said.args(["serve", "--listen", "256.0.0.1:0"]);
    assert!(String::from_utf8_lossy(&said.output().unwrap().stderr).contains("--listen"));
    let server = Server::start_with(folder.path(), &[], &[("DOCUMINES_DATA_DIR", "data")]);
    assert_eq!(server.log_in("thandi", &signed_up).await.0, 200);
}

#[test]
fn help_lists_every_setting_with_its_variable() {
    let settings = [
        ("--listen", "DOCUMINES_LISTEN"),
        ("--data-dir", "DOCUMINES_DATA_DIR"),
        ("--database-url", "DATABASE_URL"),
        ("--database-url-file", "DATABASE_URL_FILE"),
        ("--lock-timeout", "DOCUMINES_LOCK_TIMEOUT"),
        ("--connections-per-source", "DOCUMINES_CONNECTIONS_PER_SOURCE"),
        ("--database-connections", "DOCUMINES_DATABASE_CONNECTIONS"),
        ("--public-url", "DOCUMINES_PUBLIC_URL"),
        ("--allowed-hosts", "DOCUMINES_ALLOWED_HOSTS"),
        ("--smtp-url", "DOCUMINES_SMTP_URL"),
        ("--smtp-url-file", "DOCUMINES_SMTP_URL_FILE"),
        ("--smtp-ca-file", "DOCUMINES_SMTP_CA_FILE"),
        ("--smtp-timeout", "DOCUMINES_SMTP_TIMEOUT"),
        ("--mail-from", "DOCUMINES_MAIL_FROM"),
        ("--secret-key", "DOCUMINES_SECRET_KEY"),
        ("--secret-key-file", "DOCUMINES_SECRET_KEY_FILE"),
        ("--reset-token-in-response", "DOCUMINES_RESET_TOKEN_IN_RESPONSE"),
        ("--access-token-ttl", "DOCUMINES_ACCESS_TOKEN_TTL"),
        ("--refresh-token-ttl", "DOCUMINES_REFRESH_TOKEN_TTL"),
        ("--reset-token-ttl", "DOCUMINES_RESET_TOKEN_TTL"),
        ("--argon2-memory-kib", "DOCUMINES_ARGON2_MEMORY_KIB"),
        ("--argon2-iterations", "DOCUMINES_ARGON2_ITERATIONS"),
        ("--argon2-parallelism", "DOCUMINES_ARGON2_PARALLELISM"),
        ("--email-token-ttl", "DOCUMINES_EMAIL_TOKEN_TTL"),
        ("--login-requires-verified-email", "DOCUMINES_LOGIN_REQUIRES_VERIFIED_EMAIL"),
        ("--rate-limits", "DOCUMINES_RATE_LIMITS"),
        ("--trusted-proxies", "DOCUMINES_TRUSTED_PROXIES"),
        ("--audit-retention", "DOCUMINES_AUDIT_RETENTION"),
        ("--cors-origins", "DOCUMINES_CORS_ORIGINS"),
        ("--idle-timeout", "DOCUMINES_IDLE_TIMEOUT"),
        ("--log-format", "DOCUMINES_LOG_FORMAT"),
        ("--log-filter", "RUST_LOG"),
    ];
    let folder = tempfile::tempdir().unwrap();
    let secrets = [
        ("DATABASE_URL", "sqlite://hunter2"),
        ("DOCUMINES_SECRET_KEY", "hunter3"),
        ("DOCUMINES_SMTP_URL", "smtp://u:hunter4@h"),
    ];
    for arguments in [
        &["--help"][..],
        &["serve", "--help"],
        &["migrate", "--help"],
        &["mail", "list", "--help"],
        &["mail", "retry", "--help"],
        &["key", "rotate", "--help"],
        &["audit", "verify", "--help"],
        &["audit", "export", "--help"],
    ] {
        let output = run(folder.path(), arguments, &secrets);
        assert!(output.status.success());
        let help = String::from_utf8(output.stdout).unwrap();
        let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
        for (flag, variable) in settings {
            assert!(
                help.contains(&format!("{flag} <")) && help.contains(&format!("[env: {variable}")),
                "{flag}: {help}"
            );
        }
        assert!(!help.contains("hunter"), "{help}");
    }
    let help = String::from_utf8(run(folder.path(), &["--help"], &[]).stdout).unwrap();
    for command in ["serve", "migrate", "mail", "key", "audit", "openapi", "walk"] {
        assert!(help.contains(&format!("  {command} ")), "{command}: {help}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}
