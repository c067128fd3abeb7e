//! Settings as people write them.

use std::net::Ipv4Addr;

use reqwest::Method;

use crate::server::{Server, binary, run, until};
use crate::settings::refused;

/// The origin that an answer allows to a call from `origin`.
async fn allowed(server: &Server, origin: &str) -> Option<String> {
    let client = reqwest::Client::new();
    let answer = client.get(server.url("/livez")).header("Origin", origin).send().await.unwrap();
    answer.headers().get("access-control-allow-origin").map(|allowed| allowed.to_str().unwrap().to_owned())
}

#[tokio::test]
async fn lists_are_read_with_commas_blanks_and_line_ends_between() {
    let forms = |one: &str, other: &str| {
        [format!("{one},{other}"), format!("{one}, {other},"), format!("{one} {other}"), format!("\n{one}\n{other}\n")]
    };
    let (one, other) = ("https://a.example", "capacitor://localhost");
    let origins = forms(one, other);
    let networks = forms("10.0.0.0/8", "127.0.0.0/8");
    let hosts = forms("auth.internal", "accounts.internal");
    for ((origins, networks), hosts) in origins.iter().zip(&networks).zip(&hosts) {
        let folder = tempfile::tempdir().unwrap();
        let variables = [
            ("DOCUMINES_CORS_ORIGINS", origins.as_str()),
            ("DOCUMINES_TRUSTED_PROXIES", networks),
            ("DOCUMINES_ALLOWED_HOSTS", hosts),
            ("RUST_LOG", "info,access=info"),
        ];
        let server = Server::start_with(folder.path(), &[], &variables);
        for origin in [one, other] {
            assert_eq!(allowed(&server, origin).await.as_deref(), Some(origin), "{origins:?}");
        }
        assert_eq!(allowed(&server, "https://b.example").await, None);
        let named = [("Host", "accounts.internal"), ("X-Forwarded-For", "203.0.113.9")];
        assert_eq!(server.call(Method::GET, "/profile/", &named, None).await.0, 401, "{hosts:?}");
        // The line comes when it comes; `until` gives up on one that does not.
        until(|| server.log().contains("203.0.113.9").then_some(()));
    }
    let folder = tempfile::tempdir().unwrap();
    let twice = ["--cors-origins", one, "--cors-origins", other];
    let server = Server::start_with(folder.path(), &twice, &[]);
    assert_eq!(allowed(&server, one).await.as_deref(), Some(one));
}

#[test]
fn an_origin_that_no_browser_sends_is_refused_with_what_to_write() {
    let folder = tempfile::tempdir().unwrap();
    for (origin, words) in [
        ("https://*.example.com", "list each one"),
        ("https://a.example,*", "list each one"),
        ("null", "list the origin"),
        ("file:///", "serve it"),
    ] {
        let line = refused(folder.path(), &["--cors-origins", origin], &[], "--cors-origins");
        assert!(line.contains(words), "{line}");
    }
    let line = refused(folder.path(), &["--trusted-proxies", "10.0.0.0/8,traefik"], &[], "--trusted-proxies");
    assert!(line.contains("traefik: must be"), "{line}");
}

#[test]
fn an_address_to_listen_on_may_have_a_name_and_what_is_missing_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = binary(folder.path());
    command.args(["--listen", "localhost:0", "--metrics-listen", "localhost:0", "--argon2-memory-kib", "64"]);
    let server = Server::follow(command);
    assert_eq!(server.address.ip(), Ipv4Addr::LOCALHOST);
    for flag in ["--listen", "--metrics-listen"] {
        for (address, words) in
            [("127.0.0.1", "write 127.0.0.1:8020"), (":8020", "write 127.0.0.1:8020"), ("::1", "[::1]:8020")]
        {
            let line = refused(folder.path(), &[flag, address], &[], flag);
            assert!(line.contains(words), "{line}");
        }
    }
}

#[tokio::test]
async fn switches_and_other_words_are_read_in_the_forms_that_people_use() {
    for (word, status) in
        [("true", 403), ("YES", 403), ("1", 403), ("On", 403), ("false", 200), ("no", 200), ("0", 200)]
    {
        let folder = tempfile::tempdir().unwrap();
        let variables = [("DOCUMINES_LOGIN_REQUIRES_VERIFIED_EMAIL", word), ("DOCUMINES_LOG_FORMAT", "JSON")];
        let server = Server::start_with(folder.path(), &[], &variables);
        let signed_up = server.sign_up("thandi").await;
        assert_eq!(server.log_in("thandi", &signed_up).await.0, status, "{word}");
    }
    let folder = tempfile::tempdir().unwrap();
    let line = refused(folder.path(), &["--rate-limits", "maybe"], &[], "--rate-limits");
    assert!(line.contains("on, off"), "{line}");
}

#[tokio::test]
async fn a_secret_may_end_in_line_ends_and_its_file_begin_with_a_byte_order_mark() {
    let folder = tempfile::tempdir().unwrap();
    let marked = |name: &str, content: &str| {
        let file = folder.path().join(name);
        std::fs::write(&file, format!("\u{feff}{content}\r\n\n")).unwrap();
        file.to_str().unwrap().to_owned()
    };
    let key = "A".repeat(43) + "=";
    let (key_file, url) = (marked("key", &key), marked("url", "sqlite://elsewhere.db?mode=rwc"));
    let smtp = marked("smtp", "smtp://127.0.0.1:9");
    let files = [
        ("DOCUMINES_SECRET_KEY_FILE", key_file.as_str()),
        ("DATABASE_URL_FILE", &url),
        ("DOCUMINES_SMTP_URL_FILE", &smtp),
        ("DOCUMINES_MAIL_FROM", "accounts@example.com"),
    ];
    let server = Server::start_with(folder.path(), &[], &files);
    server.sign_up("thandi").await;
    assert!(folder.path().join("elsewhere.db").is_file());
    drop(server);
    let variables = [("DOCUMINES_SECRET_KEY", key.as_str()), ("DATABASE_URL", "sqlite://elsewhere.db?mode=rwc")];
    for (variable, value) in variables {
        let other = if variable == "DATABASE_URL" { files[0] } else { files[1] };
        let (value, from) = (format!("{value}\n"), "accounts@example.com\n");
        let given = run(folder.path(), &["migrate"], &[(variable, &value), other, ("DOCUMINES_MAIL_FROM", from)]);
        assert!(given.status.success(), "{variable}: {}", String::from_utf8_lossy(&given.stderr));
    }
    // The file that a server keeps for itself, edited by hand.
    std::fs::create_dir_all(folder.path().join("data")).unwrap();
    marked("data/secret.key", &key);
    let kept = run(folder.path(), &["migrate", "--database-url-file", &url], &[]);
    assert!(kept.status.success(), "{}", String::from_utf8_lossy(&kept.stderr));

    std::fs::write(folder.path().join("raw"), [0xff; 32]).unwrap();
    std::fs::write(folder.path().join("quoted"), format!("\"{key}\"")).unwrap();
    refused(folder.path(), &["--secret-key-file", "quoted"], &[], "--secret-key-file:");
    let line = refused(folder.path(), &["--secret-key-file", "raw"], &[], "--secret-key-file");
    assert!(line.contains("it is no text in UTF-8"), "{line}");
}
