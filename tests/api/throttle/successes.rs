//! What succeeds has budgets too: nobody fills the disk with it.

use std::cell::RefCell;

use documines_auth::throttle::limits::{ACCOUNT_REFRESHES, LOGINS, PROFILE_UPDATES};
use poem::http::Method;
use sea_orm::{ConnectionTrait, DbBackend};
use serde_json::{Value, json};

use super::limited;
use crate::support::answer::Answer;
use crate::support::caller::Caller;
use crate::support::{NEW_PASSWORD, PASSWORD, TestApp, seconds};

/// Asserts that this limit was met, among those that the answer tells of.
#[track_caller]
fn met(answer: &Answer, limit: &str, wait: u64) {
    answer.refused(429, "rate_limited");
    assert_eq!(answer.header("retry-after"), Some(wait.to_string().as_str()));
    let told = answer.header("ratelimit").unwrap();
    assert!(told.split(", ").any(|item| item == format!("\"{limit}\";r=0;t={wait}")), "{told}");
}

async fn rows(app: &TestApp, table: &str) -> i64 {
    app.number(&format!("SELECT count(*) AS number FROM {table}")).await
}

#[tokio::test]
async fn a_session_is_refreshed_120_times_an_hour_and_an_account_600_times() {
    let app = limited().await;
    let thandi = app.sign_up("thandi").await;
    for number in 0..5 {
        let mut token = thandi.log_in().await.refresh_token;
        for left in (0..120).rev() {
            let answer = thandi.client.refresh(&token).await;
            let told = answer.header("ratelimit").unwrap();
            assert!(told.contains(&format!("\"refreshes\";r={left}")), "{number}: {told}");
            token = answer.expect(200)["refresh_token"].as_str().unwrap().to_owned();
        }
        let (tokens, events) = (rows(&app, "refresh_tokens").await, rows(&app, "audit_events").await);
        met(&thandi.client.refresh(&token).await, "refreshes", 30);
        assert_eq!((rows(&app, "refresh_tokens").await, rows(&app, "audit_events").await), (tokens, events));
    }
    let session = thandi.log_in().await;
    met(&thandi.client.refresh(&session.refresh_token).await, "account-refreshes", 6);
    app.advance(seconds(6));
    thandi.client.refresh(&session.refresh_token).await.expect(200);
    let sipho = app.sign_up("sipho").await;
    sipho.client.refresh(&sipho.log_in().await.refresh_token).await.expect(200);
}

#[tokio::test]
async fn an_account_is_logged_in_to_300_times_an_hour() {
    let app = limited().await;
    let thandi = app.sign_up("thandi").await;
    for _ in 0..300 {
        thandi.log_in().await;
    }
    for _ in 0..8 {
        met(&thandi.client.login(&thandi.email, PASSWORD).await, "logins", 12);
    }
    thandi.client.login(&thandi.email, NEW_PASSWORD).await.refused(401, "invalid_credentials");
    assert_eq!(rows(&app, "sessions").await, 300);
    app.advance(seconds(12));
    thandi.log_in().await;
}

#[tokio::test]
async fn a_profile_changes_240_times_an_hour() {
    let app = limited().await;
    let session = app.sign_up("thandi").await.log_in().await;
    for number in 0..240 {
        session.caller.update_profile(&json!({"industry": format!("Geology {number}")})).await.expect(200);
    }
    let events = rows(&app, "audit_events").await;
    met(&session.caller.update_profile(&json!({"industry": "Hydrology"})).await, "profile-updates", 15);
    assert_eq!(rows(&app, "audit_events").await, events);
    assert_eq!(session.caller.get_profile().await.expect(200)["industry"], "Geology 239");
    app.advance(seconds(15));
    session.caller.update_profile(&json!({"industry": "Hydrology"})).await.expect(200);
}

#[tokio::test]
async fn an_update_that_changes_nothing_writes_nothing() {
    let app = limited().await;
    let thandi = app.sign_up("thandi").await;
    let session = thandi.log_in().await;
    let all = json!({
        "organisation": "Botha Surveys", "contact_name": "Thandi Botha", "contact_phone": "+27 21 555 0199",
        "contact_email": "botha@example.com", "address": "3 Vygie Street", "industry": "Hydrology",
        "use_case": "Finding wells.", "user_preferences": {"theme": "dark", "columns": 4}, "notifications_enabled": false,
    });
    session.caller.update_profile(&all).await.expect(200);
    let kept = async || [rows(&app, "audit_events").await, rows(&app, "throttles").await];
    let before = kept().await;
    for body in [all.clone(), json!({}), json!({"industry": " Hydrology "})] {
        for _ in 0..100 {
            session
                .caller
                .call(Method::PUT, "/profile/update/")
                .json(&body)
                .beyond_the_schema()
                .send()
                .await
                .expect(200);
        }
    }
    assert_eq!(kept().await, before);
    let other_order = json!({"user_preferences": {"columns": 4, "theme": "dark"}});
    session.caller.update_profile(&other_order).await.expect(200);
    assert_eq!(rows(&app, "audit_events").await, before[0] + 1);
}

/// The size of the database in bytes.
async fn size(app: &TestApp) -> i64 {
    app.number(match app.app.reader().get_database_backend() {
        DbBackend::Postgres => "SELECT pg_database_size(current_database()) AS number",
        _ => "SELECT page_count * page_size AS number FROM pragma_page_count(), pragma_page_size()",
    })
    .await
}

/// A call that makes the record's row as long as it gets.
async fn call(caller: &Caller<'_>, method: Method, path: &str, body: Value) -> Value {
    let (agent, id) = ("\u{1f98a}".repeat(255), "x".repeat(64));
    let call = caller.call(method, path).header("User-Agent", &agent).header("X-Request-ID", &id).json(&body);
    call.send().await.expect(200)
}

#[tokio::test]
async fn one_account_makes_the_database_grow_by_at_most_200_megabytes_a_day() {
    const CALLS: u32 = 300;
    let app = TestApp::start().await;
    let thandi = app.sign_up("thandi").await;
    let session = thandi.log_in().await;
    let source = "2001:db8:1111:2222:3333:4444:5555:6666";
    let (client, caller) = (thandi.client.from(source), session.caller.from(source));
    let login = async |_: u32| {
        let body = json!({"email": thandi.email, "password": PASSWORD});
        call(&client, Method::POST, "/login/", body).await;
    };
    let latest = RefCell::new(json!(session.refresh_token));
    let refresh = async |_: u32| {
        let body = json!({"refresh_token": latest.borrow().clone()});
        let pair = call(&client, Method::POST, "/refresh-token/", body).await;
        latest.replace(pair["refresh_token"].clone());
    };
    let update = async |number: u32| {
        call(&caller, Method::PUT, "/profile/update/", json!({"industry": format!("{number}")})).await;
    };
    let mut a_day = 0;
    for (kind, quota) in [(1, ACCOUNT_REFRESHES.quota), (2, PROFILE_UPDATES.quota), (0, LOGINS.quota)] {
        let before = size(&app).await;
        for number in 0..CALLS {
            match kind {
                0 => login(number).await,
                1 => refresh(number).await,
                _ => update(number).await,
            }
        }
        // All of a budget at once, and what comes back of it within the day.
        let each = (size(&app).await - before) / i64::from(CALLS);
        assert!((500..6_000).contains(&each), "{kind}: {each} bytes");
        a_day += each * i64::from(quota) * 25;
    }
    assert!(a_day < 200_000_000, "{a_day} bytes");
}
