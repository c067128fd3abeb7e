use documines_auth::audit::refusals::{self, Which};
use documines_auth::audit::verify::verify;
use documines_auth::database::{Database, begin_to_read};
use documines_auth::http::problem::Code;
use documines_auth::kernel::random::Random;
use documines_auth::kernel::token::{ClientId, Token};
use documines_auth::store::AccountId;
use documines_auth::store::audit::{self, Reason, Recorded};
use sea_orm::{ConnectionTrait, DbBackend};
use serde_json::json;

use crate::support::{NEW_PASSWORD, PASSWORD, TestApp, person, seconds};

const WRONG: &str = "violet-anchor-93-steam";

/// All that is on the record, with what waits to be written.
async fn record_of(app: &TestApp) -> Vec<Recorded> {
    refusals::write_down(&app.app, Which::All).await.unwrap();
    audit::oldest(app.app.reader(), 0, 1_000).await.unwrap()
}

/// What was put on the record last.
async fn last_of(app: &TestApp) -> Recorded {
    record_of(app).await.pop().unwrap()
}

/// Event, outcome, and account of the last that was put on the record.
async fn told(app: &TestApp) -> (String, String, AccountId) {
    let last = last_of(app).await;
    (last.event, last.outcome, AccountId(last.account))
}

fn refusal(event: &str, outcome: &str, account: AccountId) -> (String, String, AccountId) {
    (event.to_owned(), outcome.to_owned(), account)
}

#[tokio::test]
async fn every_success_leaves_its_event_with_who_and_where_from() {
    let app = TestApp::start().await;
    let thandi = app.sign_up("thandi").await;
    let session = thandi.log_in().await;
    session.caller.refresh(&session.refresh_token).await.expect(200);
    session.caller.update_profile(&json!({"address": "3 Vygie Street"})).await.expect(200);
    thandi.reset_password().await;

    let record = record_of(&app).await;
    let names: Vec<&str> = record.iter().map(|event| event.event.as_str()).collect();
    let expected =
        ["signed_up", "logged_in", "token_refreshed", "profile_updated", "password_reset_requested", "password_reset"];
    assert_eq!(names, expected);
    let acted = record.iter().map(|event| event.actor.is_some()).collect::<Vec<_>>();
    assert_eq!(acted, [false, true, true, true, false, false]);
    for event in &record {
        assert_eq!((event.outcome.as_str(), event.times, event.account), ("success", 1, thandi.id.0));
        assert_eq!(event.client, thandi.client.client_id);
        assert!(event.actor.is_none_or(|actor| actor == thandi.id.0));
        assert_eq!(event.source.as_deref(), Some("0.0.0.0"));
        assert!(event.request_id.as_ref().is_some_and(|id| !id.is_empty()));
    }
}

#[tokio::test]
async fn an_event_has_the_callers_user_agent_and_the_request_id_that_was_answered() {
    let app = TestApp::start().await;
    let thandi = app.sign_up("thandi").await;
    let body = json!({"email": thandi.email, "password": PASSWORD});
    let call = thandi.client.post("/login/").json(&body).header("User-Agent", "curl/8.14").header("X-Request-ID", "r1");
    call.send().await.expect(200);
    let last = last_of(&app).await;
    assert_eq!((last.user_agent.as_deref(), last.request_id.as_deref()), (Some("curl/8.14"), Some("r1")));
}

#[tokio::test]
async fn a_refused_login_is_on_the_record() {
    let app = TestApp::start().await;
    let thandi = app.sign_up("thandi").await;
    let sipho = app.sign_up("sipho").await;
    thandi.client.login(&thandi.email, WRONG).await.refused(401, "invalid_credentials");
    assert_eq!(told(&app).await, refusal("login_refused", "invalid_credentials", thandi.id));
    sipho.client.login(&thandi.email, PASSWORD).await.refused(401, "invalid_credentials");
    assert_eq!(told(&app).await, refusal("login_refused", "invalid_credentials", thandi.id));
    app.set_status(thandi.id, "Suspended").await;
    thandi.client.login(&thandi.email, PASSWORD).await.refused(403, "account_inactive");
    assert_eq!(told(&app).await, refusal("login_refused", "account_inactive", thandi.id));
}

#[tokio::test]
async fn an_unknown_address_is_on_the_record_without_what_was_typed() {
    let app = TestApp::start().await;
    let thandi = app.sign_up("thandi").await;
    thandi.client.login("my-password-by-mistake@example.com", WRONG).await.refused(401, "invalid_credentials");
    let last = last_of(&app).await;
    assert_eq!((last.event.as_str(), last.account), ("login_refused", 0));
    assert_eq!(last.client, thandi.client.client_id);
    assert!(!format!("{last:?}").contains("mistake"), "{last:?}");
}

#[tokio::test]
async fn a_refused_sign_up_is_on_the_record() {
    let app = TestApp::start().await;
    let thandi = app.sign_up("thandi").await;
    app.anon().signup(&person("thandi")).await.refused(409, "email_taken");
    assert_eq!(told(&app).await, refusal("signup_refused", "email_taken", thandi.id));
    let mut same_name = person("sipho");
    same_name["username"] = "thandi".into();
    app.anon().signup(&same_name).await.refused(409, "username_taken");
    assert_eq!(told(&app).await, refusal("signup_refused", "username_taken", AccountId::NOBODY));
    let mut weak = person("sipho");
    weak["password"] = "password1".into();
    app.anon().signup(&weak).await.refused(400, "weak_password");
    assert_eq!(told(&app).await, refusal("signup_refused", "weak_password", AccountId::NOBODY));
}

#[tokio::test]
async fn a_refused_refresh_is_on_the_record_and_a_theft_is_told_apart() {
    let app = TestApp::start().await;
    let thandi = app.sign_up("thandi").await;
    thandi.client.refresh("S4bXPJpLHtZDkFfTBmCFpgDaMEkDVX").await.refused(401, "invalid_refresh_token");
    assert_eq!(told(&app).await, refusal("refresh_refused", "invalid_refresh_token", AccountId::NOBODY));
    let session = thandi.log_in().await;
    let pair = thandi.client.session(&thandi.client.refresh(&session.refresh_token).await);
    pair.caller.get_profile().await.expect(200);
    app.advance(seconds(11));
    thandi.client.refresh(&session.refresh_token).await.refused(401, "invalid_refresh_token");
    assert_eq!(told(&app).await, refusal("refresh_token_reused", "invalid_refresh_token", thandi.id));
    thandi.client.refresh(&session.refresh_token).await.refused(401, "invalid_refresh_token");
    assert_eq!(told(&app).await, refusal("refresh_refused", "invalid_refresh_token", thandi.id));
}

#[tokio::test]
async fn a_refused_reset_is_on_the_record() {
    let app = TestApp::start().await;
    let thandi = app.sign_up("thandi").await;
    let named = thandi.client.named_only();
    let unknown = "de887d15-3463-418a-8f5f-2fa3da704569";
    named.reset_password(unknown, NEW_PASSWORD).await.refused(400, "invalid_reset_token");
    assert_eq!(told(&app).await, refusal("password_reset_refused", "invalid_reset_token", AccountId::NOBODY));
    let token = thandi.request_reset().await;
    named.reset_password(&token, "password1").await.refused(400, "weak_password");
    assert_eq!(told(&app).await, refusal("password_reset_refused", "weak_password", thandi.id));
}

#[tokio::test]
async fn credentials_that_are_refused_are_on_the_record() {
    let app = TestApp::start().await;
    let thandi = app.sign_up("thandi").await;
    let session = thandi.log_in().await;
    let random = Random::from_system();
    let (unknown, wrong) = (ClientId::new(&random), Token::new_client_secret(&random));
    let client = refusal("client_refused", "invalid_client", AccountId::NOBODY);

    thandi
        .client
        .with_client_secret(wrong.expose())
        .login(&thandi.email, PASSWORD)
        .await
        .refused(401, "invalid_client");
    assert_eq!(told(&app).await, client);
    session.caller.with_client_secret(wrong.expose()).get_profile().await.refused(401, "invalid_client");
    assert_eq!(told(&app).await, client);
    let stranger = app.anon().with_client_id(unknown.as_str());
    stranger.request_reset(&thandi.email).await.refused(401, "invalid_client");
    assert_eq!(told(&app).await, client);
    assert_eq!(last_of(&app).await.client.as_deref(), Some(unknown.as_str()));

    let call = session.caller.with_bearer("O3hznbqTVVQ7WtFISN3u54NdHIPpt6").get("/profile/");
    call.header("X-Request-ID", "r2").send().await.refused(401, "invalid_token");
    assert_eq!(told(&app).await, refusal("token_refused", "invalid_token", AccountId::NOBODY));
    assert_eq!(last_of(&app).await.request_id.as_deref(), Some("r2"));
}

#[tokio::test]
async fn credentials_that_were_not_sent_are_no_try() {
    let app = TestApp::start().await;
    let session = app.sign_up("thandi").await.log_in().await;
    let before = record_of(&app).await.len();
    session.caller.without_bearer().get_profile().await.refused(401, "invalid_token");
    session.caller.without_client_id().get_profile().await.refused(401, "invalid_client");
    session.caller.with_client_id("' OR 1=1 --").get_profile().await.refused(401, "invalid_client");
    assert_eq!(record_of(&app).await.len(), before);
}

#[tokio::test]
async fn the_like_of_a_refusal_is_counted_for_a_minute() {
    let app = TestApp::start().await;
    let thandi = app.sign_up("thandi").await;
    let refusals_of = async |app: &TestApp| {
        refusals::write_down(&app.app, Which::Due).await.unwrap();
        let record = audit::oldest(app.app.reader(), 0, 1_000).await.unwrap();
        record.iter().filter(|event| event.event == "login_refused").map(|event| event.times).collect::<Vec<_>>()
    };
    for _ in 0..5 {
        thandi.client.login(&thandi.email, WRONG).await.refused(401, "invalid_credentials");
        assert_eq!(refusals_of(&app).await, [1]);
        app.advance(seconds(5));
    }
    app.advance(seconds(60));
    assert_eq!(refusals_of(&app).await, [1, 4]);
    thandi.client.login(&thandi.email, WRONG).await.refused(401, "invalid_credentials");
    assert_eq!(refusals_of(&app).await, [1, 4, 1]);
}

#[tokio::test]
async fn refusals_that_the_database_does_not_take_are_kept_for_later() {
    let app = TestApp::start().await;
    let thandi = app.sign_up("thandi").await;
    thandi.client.login(&thandi.email, WRONG).await.refused(401, "invalid_credentials");
    let tx = app.app.begin().await.unwrap();
    tx.execute_unprepared("ALTER TABLE audit_events RENAME TO gone").await.unwrap();
    app.app.commit(tx).await.unwrap();
    refusals::write_down(&app.app, Which::Due).await.unwrap_err();
    app.execute("ALTER TABLE gone RENAME TO audit_events").await;
    // Not when its minute is over, but at the next turn.
    refusals::write_down(&app.app, Which::Due).await.unwrap();
    let record = audit::oldest(app.app.reader(), 0, 1_000).await.unwrap();
    let last = record.last().map(|event| (event.event.as_str(), event.account, event.times));
    assert_eq!(last, Some(("login_refused", thandi.id.0, 1)));
}

#[tokio::test]
async fn a_refusal_that_the_database_did_not_take_for_long_makes_no_record_that_looks_forged() {
    let app = TestApp::start().await;
    let thandi = app.sign_up("thandi").await;
    thandi.client.login(&thandi.email, WRONG).await.refused(401, "invalid_credentials");
    // Meanwhile others seal.
    app.advance(seconds(3_600));
    app.seal().await;
    refusals::write_down(&app.app, Which::Due).await.unwrap();
    app.seal().await;
    let tx =
        begin_to_read(&Database::connect_to_read(&app.app.settings.database().unwrap()).await.unwrap()).await.unwrap();
    let report = verify(&tx, std::slice::from_ref(&app.app.record_key), None).await.unwrap();
    assert!(report.findings.is_empty(), "{:?}", report.findings);
}

#[tokio::test]
async fn a_flood_of_refusals_hides_neither_the_account_nor_the_network_of_a_guess() {
    let app = TestApp::start_with(&["--trusted-proxies=0.0.0.0/32"]).await;
    let thandi = app.sign_up("thandi").await;
    let try_from = async |source: String, email: &str| {
        let body = json!({"email": email, "password": WRONG});
        let call = thandi.client.post("/login/").json(&body).header("X-Forwarded-For", &source);
        call.send().await.refused(401, "invalid_credentials");
    };
    for n in 0..140 {
        try_from(format!("198.51.100.{n}"), "nobody@example.com").await;
    }
    try_from("203.0.113.7".to_owned(), &thandi.email).await;
    let guess =
        record_of(&app).await.into_iter().find(|event| event.account == thandi.id.0 && event.event == "login_refused");
    assert_eq!(guess.unwrap().source.as_deref(), Some("203.0.113.7"));
}

#[tokio::test]
async fn the_database_refuses_to_change_or_remove_what_is_on_the_record() {
    let app = TestApp::start().await;
    app.sign_up("thandi").await;
    for is_sealed in [false, true] {
        for sql in [
            "UPDATE audit_events SET event = 'logged_in'",
            "UPDATE audit_events SET outcome = 'invalid_credentials', seal = 1",
            "UPDATE audit_events SET seal = NULL",
            "DELETE FROM audit_events",
        ] {
            let tx = app.app.begin().await.unwrap();
            let refusal = tx.execute_unprepared(sql).await.unwrap_err().to_string();
            assert!(refusal.contains("audit_events is append-only"), "{sql}: {refusal}");
        }
        if is_sealed {
            for sql in ["UPDATE audit_seals SET at = 0", "DELETE FROM audit_seals"] {
                let tx = app.app.begin().await.unwrap();
                let refusal = tx.execute_unprepared(sql).await.unwrap_err().to_string();
                assert!(refusal.contains("audit_seals is append-only"), "{sql}: {refusal}");
            }
        }
        app.seal().await;
    }
    assert_eq!(record_of(&app).await.len(), 1);
}

#[tokio::test]
async fn the_database_refuses_to_replace_what_is_on_the_record() {
    let app = TestApp::start().await;
    let thandi = app.sign_up("thandi").await;
    app.seal().await;
    thandi.log_in().await;
    let forged = "(id, at, event, account_id) SELECT id, at, 'forged', account_id FROM audit_events";
    let seal = "at, key_id, events, first_event, last_event, digest, removed_through, mac";
    let changed = "1, key_id, events, first_event, last_event, digest, removed_through, mac";
    let upsert = [
        format!("INSERT INTO audit_events {forged} WHERE true ON CONFLICT (id) DO UPDATE SET event = 'forged'"),
        format!(
            "INSERT INTO audit_seals (number, {seal}) SELECT number, {changed} FROM audit_seals WHERE true \
             ON CONFLICT (number) DO UPDATE SET at = 1"
        ),
    ];
    // SQLite alone can put a row in another's place, by its number.
    let replace = [
        format!("REPLACE INTO audit_events {forged}"),
        format!("INSERT OR REPLACE INTO audit_events {forged} WHERE seal IS NULL"),
        format!("REPLACE INTO audit_seals (number, {seal}) SELECT number, {changed} FROM audit_seals"),
        "UPDATE OR REPLACE audit_events SET id = 1 WHERE id = 2".to_owned(),
        // Such a row would be taken for the one that stands in the way of every later one.
        "INSERT INTO audit_events (id, at, event, account_id) VALUES (-1, 1, 'logged_in', 1)".to_owned(),
        format!("INSERT INTO audit_seals (number, {seal}) SELECT -1, {changed} FROM audit_seals"),
    ];
    let is_sqlite = app.app.reader().get_database_backend() == DbBackend::Sqlite;
    for sql in upsert.iter().chain(replace.iter().filter(|_| is_sqlite)) {
        let tx = app.app.begin().await.unwrap();
        let refusal = tx.execute_unprepared(sql).await.unwrap_err().to_string();
        assert!(refusal.contains("is append-only") || refusal.contains("counts from 1"), "{sql}: {refusal}");
    }
    let names: Vec<_> = record_of(&app).await.into_iter().map(|event| event.event).collect();
    assert_eq!(names, ["signed_up", "logged_in"]);
    app.seal().await;
    assert_eq!(app.number("SELECT count(*) AS number FROM audit_seals WHERE at > 1").await, 2);
}

#[test]
fn a_reason_has_the_name_of_the_code_that_was_answered() {
    for reason in Reason::ALL {
        assert!(Code::ALL.iter().any(|code| code.as_str() == reason.as_str()), "{reason:?}");
    }
}
