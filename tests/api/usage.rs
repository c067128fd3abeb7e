use std::time::{Duration, Instant};

use documines_auth::store::accounts::Standing;
use documines_auth::store::{AccountId, SessionId};
use serde_json::json;

use crate::support::app::START;
use crate::support::{TestApp, hours, seconds};

async fn standing(app: &TestApp, id: AccountId) -> Standing {
    app.flush_usage().await;
    app.account(id).await.standing
}

#[tokio::test]
async fn a_login_is_noted_at_once() {
    let app = TestApp::start().await;
    let thandi = app.sign_up("thandi").await;
    app.advance(seconds(5));
    thandi.log_in().await;
    assert_eq!(app.account(thandi.id).await.standing.last_login_at, Some(START + seconds(5)));
    app.advance(hours(1));
    thandi.log_in().await;
    assert_eq!(app.account(thandi.id).await.standing.last_login_at, Some(START + seconds(3605)));
}

#[tokio::test]
async fn signing_up_is_no_activity() {
    let app = TestApp::start().await;
    let thandi = app.sign_up("thandi").await;
    let standing = standing(&app, thandi.id).await;
    assert_eq!((standing.api_calls, standing.last_activity_at, standing.logged_in_micros), (0, None, 0));
}

#[tokio::test]
async fn calls_that_an_account_makes_are_counted() {
    let app = TestApp::start().await;
    let thandi = app.sign_up("thandi").await;
    let session = thandi.log_in().await;
    let logged_in = standing(&app, thandi.id).await.api_calls;
    for _ in 0..3 {
        session.caller.get_profile().await.expect(200);
    }
    session.caller.update_profile(&json!({})).await.expect(200);
    assert_eq!(standing(&app, thandi.id).await.api_calls, logged_in + 4);
    thandi.client.refresh(&session.refresh_token).await.expect(200);
    assert_eq!(standing(&app, thandi.id).await.api_calls, logged_in + 5);
}

#[tokio::test]
async fn refused_calls_are_not_counted() {
    let app = TestApp::start().await;
    let thandi = app.sign_up("thandi").await;
    let session = thandi.log_in().await;
    let before = standing(&app, thandi.id).await;
    app.advance(seconds(60));
    thandi.client.with_bearer("S4bXPJpLHtZDkFfTBmCFpgDaMEkDVX").get_profile().await.refused(401, "invalid_token");
    session.caller.without_client_secret().get_profile().await.refused(401, "invalid_client");
    thandi.client.refresh(&session.access_token).await.refused(401, "invalid_refresh_token");
    let after = standing(&app, thandi.id).await;
    assert_eq!((after.api_calls, after.last_activity_at), (before.api_calls, before.last_activity_at));
}

#[tokio::test]
async fn the_last_activity_is_the_last_call() {
    let app = TestApp::start().await;
    let thandi = app.sign_up("thandi").await;
    let (one, other) = (thandi.log_in().await, thandi.log_in().await);
    app.advance(seconds(40));
    one.caller.get_profile().await.expect(200);
    assert_eq!(standing(&app, thandi.id).await.last_activity_at, Some(START + seconds(40)));
    app.advance(seconds(20));
    other.caller.get_profile().await.expect(200);
    one.caller.get_profile().await.expect(200);
    assert_eq!(standing(&app, thandi.id).await.last_activity_at, Some(START + seconds(60)));
}

#[tokio::test]
async fn the_time_logged_in_runs_from_login_to_the_last_call_summed_over_sessions() {
    let app = TestApp::start().await;
    let thandi = app.sign_up("thandi").await;
    let minutes = |standing: &Standing| standing.logged_in_micros / 60_000_000;
    let one = thandi.log_in().await;
    for _ in 0..2 {
        app.advance(seconds(600));
        one.caller.get_profile().await.expect(200);
        app.flush_usage().await;
    }
    assert_eq!(minutes(&standing(&app, thandi.id).await), 20);
    app.advance(hours(5));
    let other = thandi.log_in().await;
    app.advance(seconds(300));
    other.caller.get_profile().await.expect(200);
    assert_eq!(minutes(&standing(&app, thandi.id).await), 25);
}

#[tokio::test]
async fn each_account_is_counted_for_itself() {
    let app = TestApp::start().await;
    let (thandi, sipho) = (app.sign_up("thandi").await, app.sign_up("sipho").await);
    let session = thandi.log_in().await;
    session.caller.get_profile().await.expect(200);
    assert!(standing(&app, thandi.id).await.api_calls > 0);
    assert_eq!(standing(&app, sipho.id).await.api_calls, 0);
}

#[tokio::test]
async fn five_thousand_sessions_of_one_account_are_counted_in_one_update() {
    let app = TestApp::start().await;
    let (thandi, sipho) = (app.sign_up("thandi").await, app.sign_up("sipho").await);
    let (one, other) = (thandi.log_in().await, sipho.log_in().await);
    app.flush_usage().await;
    app.execute(&format!(
        "INSERT INTO sessions (account_id, client_id, created_at, last_activity_at, expires_at) \
         WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < 4999) \
         SELECT sessions.account_id, client_id, created_at, last_activity_at, expires_at FROM sessions, number \
         WHERE account_id = {}",
        thandi.id.0
    ))
    .await;
    let last = app.number("SELECT max(id) AS number FROM sessions").await;
    for session in (last - 4_998)..=last {
        app.app.usage.count(thandi.id, SessionId(session), START + seconds(2));
    }
    app.advance(seconds(1));
    one.caller.get_profile().await.expect(200);
    other.caller.get_profile().await.expect(200);
    let started = Instant::now();
    app.flush_usage().await;
    // An update a session took more than ten seconds on PostgreSQL.
    assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
    let standing = app.account(thandi.id).await.standing;
    assert_eq!((standing.api_calls, standing.last_activity_at), (5_001, Some(START + seconds(2))));
    assert_eq!(standing.logged_in_micros, 4_999 * 2_000_000 + 1_000_000);
    assert_eq!(app.account(sipho.id).await.standing.api_calls, 2);
}

#[tokio::test]
async fn what_an_account_did_that_is_gone_is_not_kept() {
    let app = TestApp::start().await;
    let thandi = app.sign_up("thandi").await;
    app.app.usage.count(AccountId(4_711), SessionId(4_711), START);
    thandi.log_in().await;
    app.flush_usage().await;
    assert!(app.app.usage.is_empty());
    assert_eq!(app.account(thandi.id).await.standing.api_calls, 1);
}
