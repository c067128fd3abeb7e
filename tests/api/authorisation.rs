//! Who may call what: a table of every operation, and every way in which credentials can be wrong.

use documines_auth::http::spec;
use poem::http::Method;

use crate::support::answer::Answer;
use crate::support::caller::Caller;
use crate::support::people::{Session, User};
use crate::support::{PASSWORD, TestApp, hours, schema};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Wants {
    Nothing,
    /// The client id, where there is one: it may be omitted, and has to be right.
    MaybeClientId,
    Client,
    ClientAndBearer,
}

use Wants::{Client, ClientAndBearer, MaybeClientId, Nothing};

const TABLE: [(&str, Wants); 11] = [
    ("signup", Nothing),
    ("login", Client),
    ("refreshToken", Client),
    ("getProfile", ClientAndBearer),
    ("updateProfile", ClientAndBearer),
    ("requestPasswordReset", MaybeClientId),
    ("resetPassword", MaybeClientId),
    ("requestEmailVerification", MaybeClientId),
    ("verifyEmail", MaybeClientId),
    ("changeEmail", ClientAndBearer),
    ("listActivity", ClientAndBearer),
];

fn operations_that(want: impl Fn(Wants) -> bool) -> impl Iterator<Item = &'static str> {
    TABLE.into_iter().filter(move |(_, wants)| want(*wants)).map(|(id, _)| id)
}

/// Calls an operation with the body that the spec shows, which is a good one.
async fn call(caller: &Caller<'_>, id: &str) -> Answer {
    call_at(caller, id, "").await
}

async fn call_at(caller: &Caller<'_>, id: &str, query: &str) -> Answer {
    let operation = schema::operation(id);
    let method: Method = operation.method.to_ascii_uppercase().parse().unwrap();
    let call = caller.call(method, &format!("{}{query}", operation.path));
    match operation.request_content() {
        Some(content) => call.json(&content["example"]).send().await,
        None => call.send().await,
    }
}

async fn logged_in(app: &TestApp) -> (User<'_>, Session<'_>) {
    let thandi = app.sign_up("thandi").await;
    let session = thandi.log_in().await;
    (thandi, session)
}

#[test]
fn every_operation_stands_in_the_table() {
    let mut operations = spec::operation_ids();
    let mut table: Vec<&str> = operations_that(|_| true).collect();
    operations.sort_unstable();
    table.sort_unstable();
    assert_eq!(operations, table);
}

#[test]
fn the_spec_asks_for_the_credentials_that_the_table_has() {
    for (id, wants) in TABLE {
        let expected: &[&str] = match wants {
            Nothing => &[],
            MaybeClientId => &["clientId"],
            Client => &["clientId", "clientSecret"],
            ClientAndBearer => &["bearer", "clientId", "clientSecret"],
        };
        let security = schema::operation(id).value["security"].as_array().cloned().unwrap_or_default();
        // One requirement that names them all: several would be alternatives. An empty one says that they may be omitted.
        let (named, empty): (Vec<_>, Vec<_>) =
            security.iter().partition(|all| all.as_object().is_some_and(|all| !all.is_empty()));
        assert_eq!(named.len(), usize::from(wants != Nothing), "{id}");
        assert_eq!(empty.len(), usize::from(wants == MaybeClientId), "{id}");
        let names: Vec<&str> =
            security.iter().flat_map(|all| all.as_object().unwrap().keys()).map(String::as_str).collect();
        assert_eq!(names, expected, "{id}");
    }
}

#[tokio::test]
async fn the_right_credentials_open_every_operation() {
    let app = TestApp::start().await;
    let (thandi, session) = logged_in(&app).await;
    for (id, wants) in TABLE {
        let caller = match wants {
            Nothing => app.anon(),
            MaybeClientId => thandi.client.named_only(),
            Client => thandi.client.clone(),
            ClientAndBearer => session.caller.clone(),
        };
        let answer = call(&caller, id).await;
        // What the examples name is not there (an account, a token): that is another refusal than of credentials.
        let code = if answer.status.is_success() { String::new() } else { answer.json()["code"].to_string() };
        assert!(!code.contains("invalid_client") && !code.contains("invalid_token\""), "{id}: {code}");
    }
}

#[tokio::test]
async fn a_missing_client_id_is_refused_where_a_client_has_to_prove_itself() {
    let app = TestApp::start().await;
    let (_, session) = logged_in(&app).await;
    for id in operations_that(|wants| matches!(wants, Client | ClientAndBearer)) {
        call(&session.caller.without_client_id(), id).await.refused(401, "invalid_client");
    }
    for id in operations_that(|wants| wants == MaybeClientId) {
        let answer = call(&app.anon(), id).await;
        assert_ne!(answer.status, 401, "{id}");
    }
}

#[tokio::test]
async fn an_unknown_or_malformed_client_id_is_refused() {
    let app = TestApp::start().await;
    let (_, session) = logged_in(&app).await;
    let own = session.caller.client_id.clone().unwrap();
    let unknown = "0sTxkNaAwCRiG4kl1QrhGTuYL9PspG7ziGy5vzBo";
    let (shorter, longer) = (&own[1..], format!("{own}x"));
    let bad = [unknown, "", shorter, &longer, &format!("{shorter}-"), &format!("{shorter}é"), "' OR 1=1 --"];
    for id in operations_that(|wants| wants != Nothing) {
        for client_id in bad {
            call(&session.caller.with_client_id(client_id), id).await.refused(401, "invalid_client");
        }
    }
}

#[tokio::test]
async fn a_client_id_is_taken_to_the_letter() {
    let app = TestApp::start().await;
    let (_, session) = logged_in(&app).await;
    let own = session.caller.client_id.clone().unwrap();
    for other_case in [own.to_lowercase(), own.to_uppercase()] {
        session.caller.with_client_id(&other_case).get_profile().await.refused(401, "invalid_client");
    }
}

#[tokio::test]
async fn a_revoked_client_is_refused() {
    let app = TestApp::start().await;
    let (thandi, session) = logged_in(&app).await;
    session.caller.get_profile().await.expect(200);
    app.revoke(thandi.client.client_id.as_deref().unwrap()).await;
    for id in operations_that(|wants| wants != Nothing) {
        call(&session.caller, id).await.refused(401, "invalid_client");
    }
}

#[tokio::test]
async fn a_missing_or_wrong_client_secret_is_refused() {
    let app = TestApp::start().await;
    let (_, session) = logged_in(&app).await;
    let sipho = app.sign_up("sipho").await;
    // Seen once, so that what is remembered is asked too.
    session.caller.get_profile().await.expect(200);
    let own = session.caller.client_secret.clone().unwrap();
    let anothers = sipho.client.client_secret.clone().unwrap();
    let wrong = [&"x".repeat(128), &anothers, "", &own[1..], &format!("{own}x"), &own.to_lowercase()];
    for id in operations_that(|wants| matches!(wants, Client | ClientAndBearer)) {
        call(&session.caller.without_client_secret(), id).await.refused(401, "invalid_client");
        for secret in wrong {
            call(&session.caller.with_client_secret(secret), id).await.refused(401, "invalid_client");
        }
    }
}

#[tokio::test]
async fn a_credential_that_is_sent_twice_is_refused() {
    let app = TestApp::start().await;
    let (_, session) = logged_in(&app).await;
    let caller = &session.caller;
    let bearer = format!("Bearer {}", session.access_token);
    let client = [("X-Client-ID", &caller.client_id), ("X-Client-Secret", &caller.client_secret)];
    for (name, value) in client {
        let call = caller.get("/profile/").header(name, value.as_deref().unwrap());
        call.send().await.refused(401, "invalid_client");
    }
    caller.get("/profile/").header("Authorization", &bearer).send().await.refused(401, "invalid_token");
    caller.get_profile().await.expect(200);
}

#[tokio::test]
async fn a_missing_bearer_is_refused() {
    let app = TestApp::start().await;
    let (_, session) = logged_in(&app).await;
    for id in operations_that(|wants| wants == ClientAndBearer) {
        let answer = call(&session.caller.without_bearer(), id).await;
        answer.refused(401, "invalid_token");
        assert_eq!(answer.header("www-authenticate"), Some("Bearer realm=\"AI DocuMines\""));
    }
}

#[tokio::test]
async fn another_scheme_than_bearer_is_as_if_nothing_was_sent() {
    let app = TestApp::start().await;
    let (_, session) = logged_in(&app).await;
    let token = &session.access_token;
    for value in [token.clone(), format!("Basic {token}"), format!("Bearer{token}"), "Bearer".into(), "Bearer ".into()]
    {
        let answer = session.caller.with_authorization(&value).get_profile().await;
        answer.refused(401, "invalid_token");
        assert_eq!(answer.header("www-authenticate"), Some("Bearer realm=\"AI DocuMines\""), "{value}");
    }
}

#[tokio::test]
async fn the_scheme_bearer_may_come_in_any_case() {
    let app = TestApp::start().await;
    let (_, session) = logged_in(&app).await;
    for scheme in ["bearer", "BEARER"] {
        let caller = session.caller.with_authorization(&format!("{scheme} {}", session.access_token));
        caller.get_profile().await.expect(200);
    }
}

#[tokio::test]
async fn an_unknown_bearer_is_refused_and_the_challenge_says_so() {
    let app = TestApp::start().await;
    let (_, session) = logged_in(&app).await;
    let own = &session.access_token;
    for bad in ["O3hznbqTVVQ7WtFISN3u54NdHIPpt6", "x", &own[1..], &format!("{own}x"), &own.to_lowercase()] {
        for id in operations_that(|wants| wants == ClientAndBearer) {
            let answer = call(&session.caller.with_bearer(bad), id).await;
            answer.refused(401, "invalid_token");
            let challenge = answer.header("www-authenticate").unwrap();
            assert!(
                challenge.starts_with("Bearer realm=") && challenge.contains("error=\"invalid_token\""),
                "{challenge}"
            );
        }
    }
}

#[tokio::test]
async fn an_expired_bearer_is_refused() {
    let app = TestApp::start().await;
    let (_, session) = logged_in(&app).await;
    session.caller.get_profile().await.expect(200);
    app.advance(hours(24));
    for id in operations_that(|wants| wants == ClientAndBearer) {
        call(&session.caller, id).await.refused(401, "invalid_token");
    }
}

#[tokio::test]
async fn a_bearer_revoked_by_a_reset_is_refused() {
    let app = TestApp::start().await;
    let (thandi, session) = logged_in(&app).await;
    session.caller.get_profile().await.expect(200);
    thandi.reset_password().await;
    for id in operations_that(|wants| wants == ClientAndBearer) {
        call(&session.caller, id).await.refused(401, "invalid_token");
    }
}

#[tokio::test]
async fn a_bearer_issued_to_another_client_is_refused() {
    let app = TestApp::start().await;
    let (thandi, session) = logged_in(&app).await;
    let sipho = app.sign_up("sipho").await;
    let platform = app.platform_client().await;
    let by_platform = platform.session(&platform.login(&thandi.email, PASSWORD).await);
    session.caller.get_profile().await.expect(200);
    for id in operations_that(|wants| wants == ClientAndBearer) {
        for other in [&sipho.client, &platform] {
            call(&other.with_bearer(&session.access_token), id).await.refused(401, "invalid_token");
        }
        let own_account = thandi.client.with_bearer(&by_platform.access_token);
        call(&own_account, id).await.refused(401, "invalid_token");
    }
}

#[tokio::test]
async fn credentials_in_a_query_are_not_taken() {
    let app = TestApp::start().await;
    let (thandi, session) = logged_in(&app).await;
    let token = &session.access_token;
    let query = format!("?access_token={token}&bearer={token}&token={token}");
    for id in operations_that(|wants| wants == ClientAndBearer) {
        call_at(&thandi.client, id, &query).await.refused(401, "invalid_token");
    }
    let (client_id, secret) = (thandi.client.client_id.unwrap(), thandi.client.client_secret.unwrap());
    let query =
        format!("?client_id={client_id}&client_secret={secret}&X-Client-ID={client_id}&X-Client-Secret={secret}");
    for id in operations_that(|wants| matches!(wants, Client | ClientAndBearer)) {
        call_at(&app.anon(), id, &query).await.refused(401, "invalid_client");
    }
}

#[tokio::test]
async fn credentials_are_asked_before_the_body_is_looked_at() {
    let app = TestApp::start().await;
    let (thandi, _) = logged_in(&app).await;
    for (id, wants) in TABLE {
        let operation = schema::operation(id);
        if operation.request_content().is_none() || wants == Nothing {
            continue;
        }
        let method: Method = operation.method.to_ascii_uppercase().parse().unwrap();
        let caller = if wants == MaybeClientId { app.anon().with_client_id("x") } else { app.anon() };
        let broken = caller.call(method.clone(), operation.path).body("{");
        broken.send().await.refused(401, "invalid_client");
        if wants == ClientAndBearer {
            let broken = thandi.client.call(method, operation.path).body("{");
            broken.send().await.refused(401, "invalid_token");
        }
    }
}

#[tokio::test]
async fn a_refused_client_is_not_challenged_for_a_bearer() {
    let app = TestApp::start().await;
    let answer = app.anon().get_profile().await;
    answer.refused(401, "invalid_client");
    assert_eq!(answer.header("www-authenticate"), Some("ClientCredentials realm=\"AI DocuMines\""));
}
