//! Secrets stay secret: in the log, in debug output, in the files.

use data_encoding::HEXLOWER;
use documines_auth::account::api::SignupBody;
use documines_auth::kernel::optional::Optional;
use documines_auth::kernel::password::Password;
use documines_auth::kernel::token::Token;
use documines_auth::password::api::ResetPasswordBody;
use documines_auth::session::api::{LoginBody, RefreshTokenBody};

use crate::support::log::Log;
use crate::support::postgres;
use crate::support::{NEW_PASSWORD, PASSWORD, TestApp, seconds};

const WRONG_PASSWORD: &str = "violet-anchor-93-steam";

/// Does all that there is to do, with some refusals on the way, and gives every secret that was in play.
async fn walk(app: &TestApp) -> Vec<String> {
    let thandi = app.sign_up("thandi").await;
    thandi.client.login(&thandi.email, WRONG_PASSWORD).await.refused(401, "invalid_credentials");
    let broken = format!("{{\"email\": \"thandi@example.com\", \"password\": {WRONG_PASSWORD}}}");
    let call = thandi.client.post("/login/").header("Content-Type", "application/json").body(broken);
    call.send().await.refused(400, "invalid_request");
    let first = thandi.log_in().await;
    first.caller.get_profile().await.expect(200);
    let second = thandi.client.session(&thandi.client.refresh(&first.refresh_token).await);
    second.caller.get_profile().await.expect(200);
    app.advance(seconds(60));
    thandi.client.refresh(&first.refresh_token).await.refused(401, "invalid_refresh_token");
    thandi.client.named_only().request_verification(&thandi.email).await.expect(200);
    second.caller.change_email("thandi.botha@example.com", WRONG_PASSWORD).await.refused(401, "invalid_token");
    let other = thandi.log_in().await;
    other.caller.change_email("thandi.botha@example.com", WRONG_PASSWORD).await.refused(403, "wrong_password");
    other.caller.change_email("thandi.botha@example.com", PASSWORD).await.expect(200);
    let token = thandi.request_reset().await;
    thandi.client.named_only().reset_password(&token, NEW_PASSWORD).await.expect(200);
    let third = thandi.client.session(&thandi.client.login(&thandi.email, NEW_PASSWORD).await);
    third.caller.get_profile().await.expect(200);
    app.flush_usage().await;
    let mut secrets = vec![PASSWORD.to_owned(), NEW_PASSWORD.to_owned(), WRONG_PASSWORD.to_owned(), token];
    secrets.extend(thandi.client.client_secret);
    for session in [first, second, third, other] {
        secrets.extend([session.access_token, session.refresh_token]);
    }
    secrets
}

/// The tokens that mails carry: for a reset, for an address, for another one.
fn mailed_tokens(mails: &[String]) -> Vec<String> {
    let carries = |mail: &&String| mail.contains("with this token") || mail.contains("use this token");
    let tokens: Vec<String> = mails.iter().filter(carries).map(|mail| crate::mail::token_in(mail)).collect();
    assert_eq!(tokens.len(), 3);
    tokens
}

#[tokio::test]
async fn no_secret_is_logged_at_any_level() {
    let log = Log::start(tracing::Level::TRACE);
    let app = TestApp::start().await;
    let mut secrets = walk(&app).await;
    secrets.extend(mailed_tokens(&app.deliver_mail().await));

    let log = log.text();
    assert!(log.contains(" access: answered "), "the log was seen: {log}");
    for secret in secrets {
        assert!(!log.contains(&secret), "{secret} is in the log");
    }
}

#[tokio::test]
async fn no_secret_is_in_the_debug_output_of_the_app() {
    let app = TestApp::start().await;
    let mut secrets = walk(&app).await;
    secrets.push(std::fs::read_to_string(app.data_dir().join("secret.key")).unwrap());
    let debug = format!("{:?} {:#?}", app.app, app.app);
    assert!(debug.contains("argon2_memory_kib: 64"), "{debug}");
    for secret in secrets {
        assert!(!debug.contains(secret.trim()), "{secret} is in {debug}");
    }
}

#[test]
fn no_secret_is_in_the_debug_output_of_a_request() {
    let email = || "thandi@example.com".parse().unwrap();
    let token = || Token::received("S4bXPJpLHtZDkFfTBmCFpgDaMEkDVX");
    let requests = [
        format!("{:?}", LoginBody { email: email(), password: Password::received(PASSWORD) }),
        format!("{:?}", RefreshTokenBody { refresh_token: token() }),
        format!(
            "{:?}",
            ResetPasswordBody {
                token: token(),
                new_password: PASSWORD.parse().unwrap(),
                new_client: Optional::Omitted
            }
        ),
        format!("{:?}", {
            SignupBody {
                username: Optional::Omitted,
                email: email(),
                password: PASSWORD.parse().unwrap(),
                organisation: "Nkosi".parse().unwrap(),
                contact_name: "Thandi".parse().unwrap(),
                contact_phone: "+27 21 555 0147".parse().unwrap(),
                contact_email: Optional::Omitted,
                address: Optional::Omitted,
                industry: Optional::Omitted,
                use_case: Optional::Omitted,
            }
        }),
    ];
    for request in requests {
        assert!(request.contains("Body {"), "{request}");
        assert!(!request.contains(PASSWORD) && !request.contains("S4bXPJpLHtZDkFfTBmCFpgDaMEkDVX"), "{request}");
    }
}

#[tokio::test]
async fn no_secret_is_kept_anywhere_but_in_the_mail() {
    let app = TestApp::start().await;
    let mut secrets = walk(&app).await;
    // Once with mail in the outbox, once after it was delivered, once when the database is folded into its file.
    search(&app, &secrets).await;
    let mails = app.deliver_mail().await;
    secrets.extend(mailed_tokens(&mails));
    let mails = mails.concat();
    assert!(secrets.iter().any(|secret| mails.contains(secret.as_str())), "the mail carries the reset token");
    search(&app, &secrets).await;
    app.app.database().clone().close().await.unwrap();
    search(&app, &secrets).await;
}

async fn search(app: &TestApp, secrets: &[String]) {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(app.data_dir()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            all.extend(std::fs::read(&path).unwrap());
        } else {
            assert_eq!(path.file_name().unwrap(), "mail");
        }
    }
    if let Some(database) = &app.database {
        all.extend(postgres::dump(&database.url()).await.into_bytes());
    }
    let contains = |text: &str| all.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(contains("thandi@example.com"), "the database was read");
    for secret in secrets {
        assert!(!contains(secret), "{secret} is kept");
        // PostgreSQL shows bytes in this form.
        assert!(!contains(&HEXLOWER.encode(secret.as_bytes())), "{secret} is kept as bytes");
    }
}
