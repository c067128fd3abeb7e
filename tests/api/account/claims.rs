//! Accounts that nobody uses and whose address nobody verified: the address becomes free again.

use documines_auth::housekeeping;
use documines_auth::store::AccountId;
use documines_auth::store::accounts;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::mail::token_in;
use crate::support::{NEW_PASSWORD, PASSWORD, TestApp, days, person, seconds};

/// Everything that a claim may leave behind.
const TABLES: [&str; 5] = ["accounts", "clients", "sessions", "password_resets", "email_verifications"];

async fn rows(app: &TestApp) -> i64 {
    let mut rows = 0;
    for table in TABLES {
        rows += app.number(&format!("SELECT count(*) AS number FROM {table}")).await;
    }
    rows
}

async fn exists(app: &TestApp, id: AccountId) -> bool {
    accounts::find(app.app.reader(), id).await.unwrap().is_some()
}

#[tokio::test]
async fn an_account_that_nobody_ever_used_or_verified_goes_after_seven_days() {
    let app = TestApp::start().await;
    let squatter = app.join("victim").await;
    app.anon().request_reset(&squatter.email).await.expect(200);
    app.advance(days(7) - seconds(1));
    housekeeping::sweep(&app.app).await.unwrap();
    assert!(exists(&app, squatter.id).await);
    app.advance(seconds(1));
    housekeeping::sweep(&app.app).await.unwrap();
    assert_eq!(rows(&app).await, 0);
    // The record keeps a number that leads nowhere.
    assert_eq!(app.events_of(squatter.id).await.last().unwrap(), "claim_expired");
    let owner = app.join("victim").await;
    assert_ne!(owner.id, squatter.id);
    owner.log_in().await;
}

#[tokio::test]
async fn an_account_that_was_logged_in_to_or_verified_stays() {
    let app = TestApp::start().await;
    let used = app.sign_up("thandi").await;
    used.log_in().await;
    let verified = app.join("sipho").await;
    let token = token_in(app.deliver_mail().await.last().unwrap());
    app.anon().verify_email(&token).await.expect(200);
    app.advance(days(400));
    housekeeping::sweep(&app.app).await.unwrap();
    assert!(exists(&app, used.id).await && exists(&app, verified.id).await);
    for name in ["thandi", "sipho"] {
        app.anon().signup(&person(name)).await.refused(409, "email_taken");
    }
    verified.log_in().await;
}

#[tokio::test]
async fn a_sign_up_takes_an_old_claim_over_at_once() {
    let app = TestApp::start().await;
    let squatter = app.join("victim").await;
    app.advance(days(7) - seconds(1));
    app.anon().signup(&person("victim")).await.refused(409, "email_taken");
    app.advance(seconds(1));
    let owner = app.sign_up("victim").await;
    owner.log_in().await;
    squatter.client.login(&owner.email, PASSWORD).await.refused(401, "invalid_client");
    assert!(!exists(&app, squatter.id).await);
    assert_eq!(app.events_of(squatter.id).await, ["signed_up", "claim_expired"]);
}

#[tokio::test]
async fn an_old_claim_holds_no_username_either() {
    let app = TestApp::start().await;
    app.join("victim").await;
    let mut body = person("other");
    body["username"] = "victim".into();
    app.anon().signup(&body).await.refused(409, "username_taken");
    app.advance(days(7));
    app.anon().signup(&body).await.expect(201);
    app.sign_up("victim2").await;
}

#[tokio::test]
async fn somebody_may_move_to_an_address_with_an_old_claim() {
    let app = TestApp::start().await;
    let thandi = app.sign_up("thandi").await;
    thandi.log_in().await;
    let squatter = app.sign_up("victim").await;
    app.advance(days(8));
    let session = thandi.log_in().await;
    session.caller.change_email(&squatter.email, PASSWORD).await.expect(200);
    let token = token_in(app.deliver_mail().await.last().unwrap());
    app.anon().verify_email(&token).await.expect(200);
    thandi.client.login(&squatter.email, PASSWORD).await.expect(200);
    assert!(!exists(&app, squatter.id).await);
}

#[tokio::test]
async fn a_claim_that_is_not_yet_removed_can_still_be_used() {
    let app = TestApp::start().await;
    let late = app.sign_up("thandi").await;
    app.advance(days(9));
    late.log_in().await;
    housekeeping::sweep(&app.app).await.unwrap();
    assert!(exists(&app, late.id).await);
    app.anon().signup(&person("thandi")).await.refused(409, "email_taken");
}

#[tokio::test]
async fn failures_at_a_removed_account_close_nothing_to_its_successor() {
    let app = TestApp::start_with(&["--rate-limits=on"]).await;
    let squatter = app.sign_up("victim").await;
    for _ in 0..5 {
        squatter.client.login(&squatter.email, NEW_PASSWORD).await;
    }
    app.advance(days(7));
    housekeeping::sweep(&app.app).await.unwrap();
    app.sign_up("victim").await.log_in().await;
}

#[tokio::test]
async fn many_claims_go_in_one_sweep() {
    let app = TestApp::start().await;
    app.sign_up("thandi").await.log_in().await;
    let columns = "email, password_hash, organisation, contact_name, contact_phone, contact_email, created_at, \
                   subscription_plan, plan_expires_at, roles, preferences";
    for number in 0..250 {
        let email = format!("nobody{number}@example.com");
        app.execute(&format!(
            "INSERT INTO accounts ({columns}) VALUES ('{email}', 'x', 'x', 'x', 'x', '{email}', 0, 'x', 0, '[]', '{{}}')"
        ))
        .await;
    }
    housekeeping::sweep(&app.app).await.unwrap();
    assert_eq!(app.count_accounts().await, 1);
    assert_eq!(app.number("SELECT count(*) AS number FROM audit_events WHERE event = 'claim_expired'").await, 250);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_login_and_sign_ups_at_once_one_keeps_the_address() {
    let app = TestApp::start().await;
    let claim = app.sign_up("victim").await;
    app.advance(days(7));
    let anon = app.anon();
    let bodies: Vec<Value> = (0..8)
        .map(|number| {
            let mut body = person("victim");
            body["username"] = json!(format!("victim{number}"));
            body
        })
        .collect();
    let sign_ups = join_all(bodies.iter().map(|body| anon.signup(body)));
    let (login, sign_ups) = tokio::join!(claim.client.login(&claim.email, PASSWORD), sign_ups);
    let joined = sign_ups.iter().filter(|answer| answer.status == 201).count();
    assert_eq!(app.count_accounts().await, 1);
    assert_eq!(usize::from(login.status == 200) + joined, 1);
    assert!(sign_ups.iter().all(|answer| [201, 409].contains(&answer.status.as_u16())));
}
