//! What happens on PostgreSQL while another transaction holds a row.

use std::time::{Duration, Instant};

use documines_auth::usage;
use sea_orm::{ConnectionTrait, Database, DatabaseTransaction, TransactionTrait};
use serde_json::json;

use crate::support::people::User;
use crate::support::{PASSWORD, TestApp};

/// Holds an account's row, from outside of the server, until it is dropped or rolled back.
async fn hold(app: &TestApp, person: &User<'_>) -> DatabaseTransaction {
    hold_rows(app, &format!("accounts WHERE id = {}", person.id.0)).await
}

/// The same with any rows.
pub(crate) async fn hold_rows(app: &TestApp, rows: &str) -> DatabaseTransaction {
    let url = app.database.as_ref().unwrap_or_else(|| panic!("this test needs PostgreSQL")).url();
    let tx = Database::connect(url).await.unwrap().begin().await.unwrap();
    tx.execute_unprepared(&format!("SELECT 1 FROM {rows} FOR UPDATE")).await.unwrap();
    tx
}

async fn calls(app: &TestApp, person: &User<'_>) -> i64 {
    app.account(person.id).await.standing.api_calls
}

#[tokio::test]
#[ignore = "runs on PostgreSQL, as part of the whole suite there"]
async fn a_call_that_waits_for_a_held_row_is_refused_for_now_after_the_lock_timeout() {
    let app = TestApp::start_with(&["--lock-timeout=300ms"]).await;
    let (thandi, sipho) = (app.sign_up("thandi").await, app.sign_up("sipho").await);
    let (one, other) = (thandi.log_in().await, sipho.log_in().await);
    let held = hold(&app, &thandi).await;
    let asked = Instant::now();
    one.caller.update_profile(&json!({"industry": "Mining"})).await.refused(503, "unavailable");
    assert!(asked.elapsed() > Duration::from_millis(250), "{:?}", asked.elapsed());
    other.caller.update_profile(&json!({"industry": "Mining"})).await.expect(200);
    held.rollback().await.unwrap();
    one.caller.update_profile(&json!({"industry": "Mining"})).await.expect(200);
}

#[tokio::test]
#[ignore = "runs on PostgreSQL, as part of the whole suite there"]
async fn a_held_row_keeps_the_counts_of_its_own_account_waiting_alone() {
    let app = TestApp::start().await;
    let (thandi, sipho) = (app.sign_up("thandi").await, app.sign_up("sipho").await);
    let (one, other) = (thandi.log_in().await, sipho.log_in().await);
    let held = hold(&app, &thandi).await;
    one.caller.get_profile().await.expect(200);
    other.caller.get_profile().await.expect(200);
    for _ in 0..2 {
        usage::flush(&app.app).await.unwrap();
        assert_eq!((calls(&app, &thandi).await, calls(&app, &sipho).await), (0, 2));
        assert!(!app.app.usage.is_empty());
    }
    held.rollback().await.unwrap();
    one.caller.get_profile().await.expect(200);
    usage::flush(&app.app).await.unwrap();
    assert_eq!((calls(&app, &thandi).await, calls(&app, &sipho).await), (3, 2));
    assert!(app.app.usage.is_empty());
}

#[tokio::test]
#[ignore = "runs on PostgreSQL, as part of the whole suite there"]
async fn a_right_password_that_met_a_held_row_is_no_failure() {
    let app = TestApp::start_with(&["--rate-limits=on", "--lock-timeout=100ms"]).await;
    let thandi = app.sign_up("thandi").await;
    let session = thandi.log_in().await;
    let held = hold(&app, &thandi).await;
    // More often than failures are free.
    for _ in 0..4 {
        thandi.client.login(&thandi.email, PASSWORD).await.refused(503, "unavailable");
        session.caller.change_email("other@example.com", PASSWORD).await.refused(503, "unavailable");
    }
    held.rollback().await.unwrap();
    let answer = thandi.client.login(&thandi.email, "not-the-password").await;
    answer.refused(401, "invalid_credentials");
    assert_eq!(answer.header("ratelimit"), Some("\"login\";r=4"));
}

#[tokio::test]
#[ignore = "runs on PostgreSQL, as part of the whole suite there"]
async fn a_held_session_keeps_its_own_counts_waiting_alone() {
    let app = TestApp::start().await;
    let (thandi, sipho) = (app.sign_up("thandi").await, app.sign_up("sipho").await);
    let (one, other, somebody) = (thandi.log_in().await, thandi.log_in().await, sipho.log_in().await);
    usage::flush(&app.app).await.unwrap();
    let first = app.number(&format!("SELECT min(id) AS number FROM sessions WHERE account_id = {}", thandi.id.0)).await;
    let held = hold_rows(&app, &format!("sessions WHERE id = {first}")).await;
    for session in [&one, &other, &somebody] {
        session.caller.get_profile().await.expect(200);
    }
    for _ in 0..2 {
        usage::flush(&app.app).await.unwrap();
        assert_eq!((calls(&app, &thandi).await, calls(&app, &sipho).await), (3, 2));
        assert!(!app.app.usage.is_empty());
    }
    held.rollback().await.unwrap();
    usage::flush(&app.app).await.unwrap();
    assert_eq!((calls(&app, &thandi).await, calls(&app, &sipho).await), (4, 2));
    assert!(app.app.usage.is_empty());
}
