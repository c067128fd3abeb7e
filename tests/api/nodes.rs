//! Two nodes on one PostgreSQL: what one of them does, the other keeps.

use std::ops::AsyncFn;
use std::sync::Arc;
use std::time::{Duration, Instant};

use documines_auth::app::App;
use documines_auth::kernel::clock::Clock;
use documines_auth::kernel::random::Random;
use futures_util::future::{join, join_all};
use poem::http::Method;
use sea_orm::ConnectionTrait;
use serde_json::json;

use crate::email;
use crate::support::answer::Answer;
use crate::support::app::settings_in;
use crate::support::caller::Caller;
use crate::support::people::Session;
use crate::support::postgres::{TestDatabase, VARIABLE};
use crate::support::relay::Relay;
use crate::support::{NEW_PASSWORD, PASSWORD, TestApp, person, seconds};

const KEY: &str = "dGhpcnR5LXR3byBieXRlcyBvZiBzZWNyZXQga2V5ISE=";
const ANOTHER_KEY: &str = "dHdvLWFuZC10aGlydHkgYnl0ZXMgb2YgYSBrZXkhISE=";

/// The promise: what changes on one node counts on the others so long after it was acknowledged, at the latest.
const PROMISE: Duration = seconds(1);
/// How long a test waits for what is promised no time.
const PATIENCE: Duration = seconds(30);

/// Two nodes that hear each other.
async fn two_nodes() -> (TestApp, TestApp) {
    two_nodes_with(&[]).await
}

/// The same, with these flags.
pub(crate) async fn two_nodes_with(flags: &[&str]) -> (TestApp, TestApp) {
    let database = own_database().await;
    (node(&database, flags).await, node(&database, flags).await)
}

async fn own_database() -> Arc<TestDatabase> {
    TestDatabase::migrated().await.unwrap_or_else(|| panic!("this test needs {VARIABLE}"))
}

/// A node that hears the others.
async fn node(database: &Arc<TestDatabase>, flags: &[&str]) -> TestApp {
    let node = TestApp::start_node(database, &[&["--secret-key", KEY], flags].concat()).await;
    node.hear_the_others();
    node
}

/// Tries until it holds.
async fn until(patience: Duration, what: &str, holds: impl AsyncFn() -> bool) {
    let start = Instant::now();
    while !holds().await {
        assert!(start.elapsed() < patience, "{what} within {patience:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Whether the node answers a read from memory: then it does not see what is changed behind every node's back.
async fn remembers(node: &TestApp, caller: &Caller<'_>) -> bool {
    let caller = caller.at(node);
    let before = caller.get_profile().await.expect(200);
    let sql = "UPDATE accounts SET contact_name = CASE contact_name WHEN 'I' THEN 'II' ELSE 'I' END";
    node.app.reader().execute_unprepared(sql).await.unwrap();
    caller.get_profile().await.expect(200) == before
}

async fn until_it_remembers(node: &TestApp, caller: &Caller<'_>) {
    until(PATIENCE, "it remembers", async || remembers(node, caller).await).await;
}

async fn until_refused_everywhere(nodes: [&TestApp; 2], caller: &Caller<'_>) {
    for node in nodes {
        until(PROMISE, "it is refused", async || caller.at(node).get_profile().await.status == 401).await;
        caller.at(node).get_profile().await.refused(401, "invalid_token");
    }
}

fn statuses(answers: &[Answer]) -> Vec<u16> {
    answers.iter().map(|answer| answer.status.as_u16()).collect()
}

fn count(answers: &[Answer], status: u16) -> usize {
    statuses(answers).into_iter().filter(|found| *found == status).count()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "runs on PostgreSQL, as part of the whole suite there"]
async fn a_password_reset_ends_sessions_on_the_other_node_within_a_second() {
    let (a, b) = two_nodes().await;
    let thandi = a.sign_up("thandi").await;
    let session = thandi.log_in().await;
    until_it_remembers(&b, &session.caller).await;
    thandi.reset_password().await;
    until_refused_everywhere([&b, &a], &session.caller).await;
    thandi.client.at(&b).refresh(&session.refresh_token).await.refused(401, "invalid_refresh_token");
    thandi.client.at(&b).login(&thandi.email, PASSWORD).await.refused(401, "invalid_credentials");
    thandi.client.at(&b).login(&thandi.email, NEW_PASSWORD).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "runs on PostgreSQL, as part of the whole suite there"]
async fn a_profile_change_shows_on_the_other_node_within_a_second() {
    let (a, b) = two_nodes().await;
    let session = a.sign_up("thandi").await.log_in().await;
    until_it_remembers(&b, &session.caller).await;
    session.caller.update_profile(&json!({"address": "3 Fynbos Road, Hermanus"})).await.expect(200);
    let shows = async || session.caller.at(&b).get_profile().await.expect(200)["address"] == "3 Fynbos Road, Hermanus";
    until(PROMISE, "it shows", shows).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "runs on PostgreSQL, as part of the whole suite there"]
async fn a_stolen_refresh_token_ends_the_session_on_the_other_node_within_a_second() {
    let (a, b) = two_nodes().await;
    let thandi = a.sign_up("thandi").await;
    let session = thandi.log_in().await;
    let renewed = thandi.client.session(&thandi.client.refresh(&session.refresh_token).await);
    until_it_remembers(&b, &renewed.caller).await;
    // As a server does each second: what was used there is known here.
    b.flush_usage().await;
    let_the_grace_pass(&a).await;
    thandi.client.refresh(&session.refresh_token).await.refused(401, "invalid_refresh_token");
    until_refused_everywhere([&b, &a], &renewed.caller).await;
    thandi.client.at(&b).refresh(&renewed.refresh_token).await.refused(401, "invalid_refresh_token");
}

/// As if spent refresh tokens had been spent eleven seconds earlier: these nodes' clocks cannot be moved.
async fn let_the_grace_pass(node: &TestApp) {
    let sql = "UPDATE refresh_tokens SET spent_at = spent_at - 11000000";
    node.app.reader().execute_unprepared(sql).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "runs on PostgreSQL, as part of the whole suite there"]
async fn of_32_resets_with_one_token_over_two_nodes_one_wins() {
    let (a, b) = two_nodes().await;
    let thandi = a.sign_up("thandi").await;
    let token = thandi.request_reset().await;
    let passwords: Vec<String> = (0..32).map(|number| format!("{NEW_PASSWORD}-{number}")).collect();
    let clients = [thandi.client.named_only(), thandi.client.named_only().at(&b)];
    let reset = |number: usize| clients[number % 2].reset_password(&token, &passwords[number]);
    let answers = join_all((0..32).map(reset)).await;
    assert_eq!((count(&answers, 200), count(&answers, 400)), (1, 31), "{:?}", statuses(&answers));
    for (answer, password) in answers.iter().zip(&passwords) {
        let login = thandi.client.at(&b).login(&thandi.email, password).await;
        if answer.status == 200 {
            login.expect(200);
        } else {
            answer.refused(400, "invalid_reset_token");
            login.refused(401, "invalid_credentials");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "runs on PostgreSQL, as part of the whole suite there"]
async fn of_32_sign_ups_with_one_email_over_two_nodes_one_wins() {
    let (a, b) = two_nodes().await;
    let sign_up = async |number: usize| {
        let mut somebody = person("thandi");
        somebody["username"] = json!(format!("thandi{number}"));
        [&a, &b][number % 2].anon().signup(&somebody).await
    };
    let answers = join_all((0..32).map(sign_up)).await;
    assert_eq!((count(&answers, 201), count(&answers, 409)), (1, 31), "{:?}", statuses(&answers));
    for answer in answers.iter().filter(|answer| answer.status == 409) {
        answer.refused(409, "email_taken");
    }
    assert_eq!(b.count_accounts().await, 1);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "runs on PostgreSQL, as part of the whole suite there"]
async fn of_32_sign_ups_with_one_username_over_two_nodes_one_wins() {
    let (a, b) = two_nodes().await;
    let sign_up = async |number: usize| {
        let mut somebody = person(&format!("thandi{number}"));
        somebody["username"] = json!(if number < 16 { "Thandi" } else { "thandi" });
        [&a, &b][number % 2].anon().signup(&somebody).await
    };
    let answers = join_all((0..32).map(sign_up)).await;
    assert_eq!((count(&answers, 201), count(&answers, 409)), (1, 31), "{:?}", statuses(&answers));
    for answer in answers.iter().filter(|answer| answer.status == 409) {
        answer.refused(409, "username_taken");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "runs on PostgreSQL, as part of the whole suite there"]
async fn thirty_two_refreshes_of_one_token_over_two_nodes_give_five_pairs_of_one_session_and_a_late_one_ends_it() {
    let (a, b) = two_nodes().await;
    let thandi = a.sign_up("thandi").await;
    let session = thandi.log_in().await;
    let clients = [thandi.client.clone(), thandi.client.at(&b)];
    let refresh = |number: usize| clients[number % 2].refresh(&session.refresh_token);
    let answers = join_all((0..32).map(refresh)).await;
    assert!(answers.iter().all(|answer| [200, 401].contains(&answer.status.as_u16())), "{:?}", statuses(&answers));
    assert_eq!(a.number("SELECT count(*) AS number FROM sessions").await, 1);
    let given = answers.iter().filter(|answer| answer.status == 200);
    let renewed: Vec<Session<'_>> = given.map(|answer| thandi.client.session(answer)).collect();
    assert_eq!(renewed.len(), 5);
    for session in &renewed {
        session.caller.get_profile().await.expect(200);
        session.caller.at(&b).get_profile().await.expect(200);
    }
    let_the_grace_pass(&a).await;
    thandi.client.at(&b).refresh(&session.refresh_token).await.refused(401, "invalid_refresh_token");
    for session in &renewed {
        until_refused_everywhere([&b, &a], &session.caller).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "runs on PostgreSQL, as part of the whole suite there"]
async fn logins_with_the_old_password_that_race_with_the_reset_leave_no_usable_session() {
    let (a, b) = two_nodes().await;
    for round in 0..8 {
        let thandi = a.sign_up(&format!("thandi{round}")).await;
        let token = thandi.request_reset().await;
        let clients = [thandi.client.clone(), thandi.client.at(&b)];
        let login = |number: usize| clients[number % 2].login(&thandi.email, PASSWORD);
        let logins = join_all((0..16).map(login));
        let reset = clients[round % 2].named_only();
        let (logins, reset) = join(logins, reset.reset_password(&token, NEW_PASSWORD)).await;
        reset.expect(200);
        for login in logins {
            if login.status != 200 {
                login.refused(401, "invalid_credentials");
                continue;
            }
            let session = thandi.client.session(&login);
            until_refused_everywhere([&a, &b], &session.caller).await;
            thandi.client.refresh(&session.refresh_token).await.refused(401, "invalid_refresh_token");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "runs on PostgreSQL, as part of the whole suite there"]
async fn a_change_of_address_shows_on_the_other_node_within_a_second() {
    let (a, b) = two_nodes().await;
    let thandi = a.sign_up("thandi").await;
    let session = thandi.log_in().await;
    let token = email::ask_for(&a, &thandi, email::NEW_EMAIL).await;
    until_it_remembers(&b, &session.caller).await;
    thandi.client.named_only().verify_email(&token).await.expect(200);
    let shows = async || session.caller.at(&b).get_profile().await.expect(200)["email"] == email::NEW_EMAIL;
    until(PROMISE, "it shows", shows).await;
    thandi.client.at(&b).login(&thandi.email, PASSWORD).await.refused(401, "invalid_credentials");
    thandi.client.at(&b).login(email::NEW_EMAIL, PASSWORD).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "runs on PostgreSQL, as part of the whole suite there"]
async fn of_32_confirmations_of_one_change_over_two_nodes_one_wins() {
    let (a, b) = two_nodes().await;
    let thandi = a.sign_up("thandi").await;
    let token = email::ask_for(&a, &thandi, email::NEW_EMAIL).await;
    let clients = [thandi.client.named_only(), thandi.client.named_only().at(&b)];
    let answers = join_all((0..32).map(|number| clients[number % 2].verify_email(&token))).await;
    assert_eq!((count(&answers, 200), count(&answers, 400)), (1, 31), "{:?}", statuses(&answers));
    thandi.client.at(&b).login(email::NEW_EMAIL, PASSWORD).await.expect(200);
}

/// Changes the profile on one node.
async fn move_to(caller: &Caller<'_>, number: u32) {
    caller.update_profile(&json!({"address": format!("{number} Fynbos Road")})).await.expect(200);
}

/// Whether a node answers that change.
async fn shows(node: &TestApp, caller: &Caller<'_>, number: u32) -> bool {
    caller.at(node).get_profile().await.expect(200)["address"] == format!("{number} Fynbos Road")
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "runs on PostgreSQL, as part of the whole suite there"]
async fn a_node_that_does_not_hear_the_others_answers_nothing_from_memory() {
    let (a, b) = two_nodes().await;
    let session = a.sign_up("thandi").await.log_in().await;
    until_it_remembers(&b, &session.caller).await;
    b.be_deaf();
    until(PROMISE, "it asks the database", async || !remembers(&b, &session.caller).await).await;
    for number in 0..20 {
        move_to(&session.caller, number).await;
        assert!(shows(&b, &session.caller, number).await, "the change is seen at the very next read");
    }
    // What it read before counts no more when it hears again: this one passes unheard.
    move_to(&session.caller, 20).await;
    b.hear_the_others();
    for _ in 0..100 {
        assert!(shows(&b, &session.caller, 20).await);
    }
    until_it_remembers(&b, &session.caller).await;
    assert!(shows(&b, &session.caller, 20).await);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "runs on PostgreSQL, as part of the whole suite there"]
async fn a_change_shows_within_a_second_on_a_node_whose_listening_connection_was_cut() {
    let (a, b) = two_nodes().await;
    let session = a.sign_up("thandi").await.log_in().await;
    let listening = "FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'";
    let (listeners, cut) =
        (format!("count(*) AS number {listening}"), format!("pg_terminate_backend(pid) {listening}"));
    for number in 0..5 {
        until(PATIENCE, "both listen", async || a.number(&format!("SELECT {listeners}")).await == 2).await;
        until_it_remembers(&b, &session.caller).await;
        a.app.reader().execute_unprepared(&format!("SELECT {cut}")).await.unwrap();
        move_to(&session.caller, number).await;
        until(PROMISE, "it shows", async || shows(&b, &session.caller, number).await).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "runs on PostgreSQL, as part of the whole suite there"]
async fn a_change_shows_within_a_second_on_a_node_whose_listening_connection_hangs() {
    let database = own_database().await;
    let relay = Relay::to(&database.url()).await;
    let through_relay = format!("--database-url={}", relay.url());
    let (a, b) = (node(&database, &[]).await, node(&database, &[&through_relay]).await);
    let session = a.sign_up("thandi").await.log_in().await;
    for number in 0..2 {
        until_it_remembers(&b, &session.caller).await;
        relay.be_mute(true);
        move_to(&session.caller, number).await;
        until(PROMISE, "it shows", async || shows(&b, &session.caller, number).await).await;
        // Until it tries another connection, which hangs too.
        tokio::time::sleep(seconds(4)).await;
        relay.be_mute(false);
    }
    until_it_remembers(&b, &session.caller).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "runs on PostgreSQL, as part of the whole suite there"]
async fn a_node_whose_pool_is_full_trusts_what_it_remembers_and_is_ready() {
    let node = node(&own_database().await, &["--database-connections=4"]).await;
    let caller = node.sign_up("thandi").await.log_in().await.caller;
    until_it_remembers(&node, &caller).await;
    let taken = join_all((0..4).map(|_| node.app.begin())).await;
    assert!(taken.iter().all(Result::is_ok));
    let start = Instant::now();
    while start.elapsed() < seconds(3) {
        let asked = Instant::now();
        caller.get_profile().await.expect(200);
        assert_eq!(node.anon().page(Method::GET, "/readyz").send().await.status, 200);
        assert!(asked.elapsed() < seconds(1), "{:?}", asked.elapsed());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    drop(taken);
    // The same at the next change.
    move_to(&caller, 1).await;
    until(PROMISE, "it shows", async || shows(&node, &caller, 1).await).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "runs on PostgreSQL, as part of the whole suite there"]
async fn a_node_is_not_ready_while_its_database_is_silent_and_soon_after_is_again() {
    let database = own_database().await;
    let relay = Relay::to(&database.url()).await;
    let node = node(&database, &[&format!("--database-url={}", relay.url())]).await;
    let caller = node.sign_up("thandi").await.log_in().await.caller;
    let is_ready = async || node.anon().page(Method::GET, "/readyz").send().await.status == 200;
    for _ in 0..2 {
        until_it_remembers(&node, &caller).await;
        assert!(is_ready().await);
        relay.be_silent(true);
        let asked = Instant::now();
        assert!(!is_ready().await);
        assert!(asked.elapsed() < seconds(3), "{:?}", asked.elapsed());
        relay.be_silent(false);
        until(seconds(3), "it is ready", is_ready).await;
    }
    until_it_remembers(&node, &caller).await;
}

#[tokio::test]
#[ignore = "runs on PostgreSQL, as part of the whole suite there"]
async fn a_node_with_another_key_than_the_databases_does_not_start() {
    let database = TestDatabase::migrated().await.unwrap();
    TestApp::start_node(&database, &["--secret-key", KEY]).await;
    let folder = tempfile::tempdir().unwrap();
    let settings = settings_in(folder.path(), Some(&database.url()), &["--secret-key", ANOTHER_KEY]);
    let refusal = App::start(settings, Clock::system(), Random::from_system()).await.unwrap_err().to_string();
    assert!(refusal.starts_with("--secret-key: ") && refusal.contains("another secret key"), "{refusal}");
    assert!(!refusal.contains(ANOTHER_KEY), "{refusal}");
}
