//! Many callers who want the same row at once. On PostgreSQL they wait for each other before they take a connection.

use std::time::{Duration, Instant};

use documines_auth::store::LockedRow;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, join, join_all};
use poem::http::Method;
use serde_json::json;

use crate::email;
use crate::held_rows::hold_rows;
use crate::support::answer::Answer;
use crate::support::caller::Caller;
use crate::support::people::User;
use crate::support::{NEW_PASSWORD, PASSWORD, TestApp, person};

const LIMITS: &str = "--rate-limits=on";
/// The callers' addresses are those that a proxy says.
const PROXY: &str = "--trusted-proxies=0.0.0.0/32";
/// More callers than the pool has connections.
const MANY: usize = 40;
/// Others are served long before a row that is held would let them go on.
const AT_ONCE: Duration = Duration::from_secs(1);

type Calls<'a> = Vec<BoxFuture<'a, Answer>>;

/// What somebody else does meanwhile, each in its time.
async fn others_are_served(somebody: &User<'_>, caller: &Caller<'_>, newcomer: &str) {
    // The calls that are to wait do so by now.
    tokio::time::sleep(Duration::from_millis(300)).await;
    let anon = caller.without_bearer().without_client_id().without_client_secret();
    let client = caller.without_bearer();
    let (change, newcomer) = (json!({"industry": newcomer}), person(newcomer));
    let calls: [(&str, BoxFuture<'_, Answer>); 5] = [
        ("/readyz", anon.page(Method::GET, "/readyz").send().boxed()),
        ("profile", caller.get_profile().boxed()),
        ("update", caller.update_profile(&change).boxed()),
        ("login", client.login(&somebody.email, PASSWORD).boxed()),
        ("sign-up", anon.signup(&newcomer).boxed()),
    ];
    for (what, call) in calls {
        let asked = Instant::now();
        let answer = call.await;
        assert!(answer.status.is_success(), "{what}: {} {}", answer.status, answer.text());
        assert!(asked.elapsed() < AT_ONCE, "{what}: {:?}", asked.elapsed());
    }
}

fn all_hear_503(answers: &[Answer]) {
    for answer in answers {
        answer.refused(503, "unavailable");
    }
}

/// Calls of every kind that changes an account, as many of each as its limits let in at once. The last four end what the
/// others go by.
async fn calls_at<'a>(app: &'a TestApp, thandi: &'a User<'a>) -> Calls<'a> {
    let session = thandi.log_in().await;
    let verification = email::ask_for(app, thandi, email::NEW_EMAIL).await;
    let reset = thandi.request_reset().await;
    let named = thandi.client.named_only();
    let mut calls: Calls<'a> = Vec::new();
    for number in 0..MANY - 14 {
        let caller = session.caller.clone();
        calls.push(async move { caller.update_profile(&json!({"industry": format!("{number}")})).await }.boxed());
    }
    for number in 0..2 {
        let (caller, client, named) = (session.caller.clone(), thandi.client.clone(), named.clone());
        calls.push(async move { client.login(&thandi.email, PASSWORD).await }.boxed());
        let address = format!("thandi{number}@example.org");
        calls.push(async move { caller.change_email(&address, PASSWORD).await }.boxed());
        let refresh_token = session.refresh_token.clone();
        let client = thandi.client.clone();
        calls.push(async move { client.refresh(&refresh_token).await }.boxed());
        let (one, other) = (named.clone(), named.clone());
        calls.push(async move { one.request_reset(&thandi.email).await }.boxed());
        calls.push(async move { other.request_verification(&thandi.email).await }.boxed());
    }
    for number in 0..2 {
        let (one, other, verification, reset) = (named.clone(), named.clone(), verification.clone(), reset.clone());
        calls.push(async move { one.verify_email(&verification).await }.boxed());
        calls.push(async move { other.reset_password(&reset, &format!("{NEW_PASSWORD}{number}")).await }.boxed());
    }
    assert_eq!(calls.len(), MANY);
    calls
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "runs on PostgreSQL, as part of the whole suite there"]
async fn forty_callers_who_wait_for_one_held_account_keep_nobody_else_waiting() {
    let app = TestApp::start_with(&[LIMITS]).await;
    let (thandi, sipho) = (app.sign_up("thandi").await, app.sign_up("sipho").await);
    let other = sipho.log_in().await;
    let calls = calls_at(&app, &thandi).await;
    let held = hold_rows(&app, &format!("accounts WHERE id = {}", thandi.id.0)).await;
    let others = others_are_served(&sipho, &other.caller, "lindiwe");
    let (answers, ()) = join(join_all(calls), others).await;
    all_hear_503(&answers);
    held.rollback().await.unwrap();
    let again = thandi.log_in().await.caller;
    again.update_profile(&json!({"industry": "Mining"})).await.expect(200);
}

/// A call that counts something against its source, and nothing else that lasts.
async fn fail<'a>(app: &'a TestApp, sipho: &'a User<'a>, number: usize) -> Answer {
    let source = "203.0.113.7";
    let (anon, client) = (app.anon().from(source), sipho.client.from(source));
    let token = format!("{number:030}");
    match number % 5 {
        0 => client.named_only().verify_email(&token).await,
        1 => client.refresh(&token).await,
        2 => client.with_client_secret(&"x".repeat(128)).login("nobody@example.com", PASSWORD).await,
        3 => client.named_only().reset_password(&token, NEW_PASSWORD).await,
        _ => anon.signup(&person("sipho")).await,
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "runs on PostgreSQL, as part of the whole suite there"]
async fn forty_callers_who_wait_for_the_held_counters_of_one_source_keep_nobody_else_waiting() {
    let app = TestApp::start_with(&[LIMITS, PROXY]).await;
    let sipho = app.sign_up("sipho").await;
    let other = sipho.log_in().await.caller.from("198.51.100.9");
    app.execute("DELETE FROM throttles").await;
    join_all((0..5).map(|number| fail(&app, &sipho, number))).await;
    let counters = app.number("SELECT count(*) AS number FROM throttles").await;
    assert_eq!(counters, 5, "one of each kind");
    let held = hold_rows(&app, "throttles").await;
    let calls = (0..MANY).map(|number| fail(&app, &sipho, number));
    let others = others_are_served(&sipho, &other, "lindiwe");
    let (answers, ()) = join(join_all(calls), others).await;
    all_hear_503(&answers);
    held.rollback().await.unwrap();
    fail(&app, &sipho, 0).await.refused(400, "invalid_verification_token");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_who_write_to_one_account_at_once_all_succeed() {
    for limits in [LIMITS, "--rate-limits=off"] {
        let app = TestApp::start_with(&[limits]).await;
        let thandi = app.sign_up("thandi").await;
        let mut calls = calls_at(&app, &thandi).await;
        let last = calls.split_off(MANY - 4);
        for answer in join_all(calls).await {
            answer.expect(200);
        }
        for answer in join_all(last).await {
            assert!([200, 400].contains(&answer.status.as_u16()), "{limits}: {}", answer.text());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "runs on PostgreSQL, as part of the whole suite there"]
async fn callers_who_want_one_account_take_two_connections_at_most() {
    let app = TestApp::start_with(&["--database-connections=4"]).await;
    let thandi = app.sign_up("thandi").await;
    let row = || app.app.begin_locking([LockedRow::Account(thandi.id)]);
    let two = (row().await.unwrap(), row().await.unwrap());
    let mut third = Box::pin(row());
    assert!(third.as_mut().now_or_never().is_none());
    // Of four connections these have the other two.
    let others = (app.app.begin().await.unwrap(), app.app.begin().await.unwrap());
    drop(others);
    drop(two);
    third.await.unwrap();
}
