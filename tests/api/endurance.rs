//! 100,000 logins and refreshes over a hundred days of the test's clock. Minutes long: run by `tests/endurance`.

use std::collections::{BTreeMap, VecDeque};
use std::io::Write;
use std::process::Command;

use documines_auth::housekeeping;
use futures_util::stream::{self, StreamExt};
use poem::http::header::{CONTENT_TYPE, HOST};
use poem::http::{Method, StatusCode};
use sea_orm::{ConnectionTrait, DbBackend, Statement};
use serde_json::{Value, json};

use crate::support::postgres::{VARIABLE, maintenance_url};
use crate::support::postgres_server::Postgres;
use crate::support::{PASSWORD, TestApp, days, person};

const DAYS: usize = 102;
const LOGINS_A_DAY: usize = 250;
/// So many that nobody has more sessions at once than an account may have.
const PEOPLE: usize = 50;
/// A session is refreshed once on each of so many days, and then left alone for the rest of its thirty.
const REFRESHES_OF_A_SESSION: usize = 3;
/// By then as many sessions end each day as begin.
const WARM_UP: usize = 35;
/// What may be added after that, for pages that are split here and merged there: one part in so many.
const SLACK: u64 = 10;

const ON_ONE_DATABASE: &str = "endurance::tables_and_files_stay_flat_over_100_000_logins_and_refreshes";

/// Who logs in, and the headers of their client.
struct Person {
    email: String,
    client: [(&'static str, String); 2],
}

/// A session: whose it is, and the token that it goes on with.
struct Session {
    person: usize,
    refresh_token: String,
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "minutes long; run by tests/endurance"]
async fn tables_and_files_stay_flat_over_100_000_logins_and_refreshes() {
    let app = TestApp::start_with(&["--argon2-memory-kib=8", "--audit-retention=30d"]).await;
    let mut people = Vec::new();
    for number in 0..PEOPLE {
        people.push(sign_up(&app, &format!("thandi{number}")).await);
    }
    let mut calls = 0;
    let mut recent: VecDeque<Vec<Session>> = VecDeque::new();
    let mut sizes = Vec::new();
    for day in 1..=DAYS {
        let mut today = Vec::new();
        for sessions in &mut recent {
            *sessions = all(sessions.iter().map(|session| refresh(&app, &people, session))).await;
            calls += sessions.len();
        }
        today.extend(all((0..LOGINS_A_DAY).map(|number| log_in(&app, &people, number % people.len()))).await);
        calls += today.len();
        recent.push_front(today);
        recent.truncate(REFRESHES_OF_A_SESSION);
        app.flush_usage().await;
        app.advance(days(1));
        clean_up(&app).await;
        sizes.push((rows(&app).await, bytes(&app).await));
        if day % 5 == 0 {
            let (rows, bytes) = &sizes[day - 1];
            writeln!(std::io::stderr(), "day {day}: {calls} calls, {bytes} bytes, {rows:?}").unwrap();
        }
    }
    assert!(calls >= 100_000, "{calls}");
    let (steady_rows, steady_bytes) = &sizes[WARM_UP];
    assert!(steady_rows["refresh_tokens"] > 20_000 && steady_rows["sessions"] > 5_000, "{steady_rows:?}");
    for (rows, bytes) in &sizes[WARM_UP..] {
        assert_eq!(rows, steady_rows);
        assert!(*bytes <= steady_bytes + steady_bytes / SLACK, "{bytes} bytes after {steady_bytes}");
    }
}

#[test]
#[ignore = "minutes long; run by tests/endurance"]
fn the_same_on_postgres() {
    let server = Postgres::start().expect("PostgreSQL is installed");
    let mut again = Command::new(std::env::current_exe().unwrap());
    again.args(["--ignored", "--nocapture", "--exact", ON_ONE_DATABASE]).env(VARIABLE, server.url("postgres"));
    assert!(again.status().unwrap().success());
}

/// What the server does every minute, and what PostgreSQL does as often by itself (a day passes here in a second).
async fn clean_up(app: &TestApp) {
    app.seal().await;
    housekeeping::sweep(&app.app).await.unwrap();
    if maintenance_url().is_some() {
        app.app.reader().execute_unprepared("VACUUM").await.unwrap();
    }
}

/// How many rows each table has.
async fn rows(app: &TestApp) -> BTreeMap<String, i64> {
    let names = match app.app.reader().get_database_backend() {
        DbBackend::Postgres => "SELECT relname::text AS name FROM pg_stat_user_tables",
        _ => "SELECT name FROM sqlite_master WHERE type = 'table'",
    };
    let names = Statement::from_string(app.app.reader().get_database_backend(), names);
    let mut rows = BTreeMap::new();
    for table in app.app.reader().query_all_raw(names).await.unwrap() {
        let table: String = table.try_get("", "name").unwrap();
        let count = app.number(&format!("SELECT count(*) AS number FROM {table}")).await;
        rows.insert(table, count);
    }
    // Seals stay for good: a few small rows a day here.
    rows.remove("audit_seals");
    rows
}

/// What the tables and their indexes take.
async fn bytes(app: &TestApp) -> u64 {
    if maintenance_url().is_some() {
        let sizes = "SELECT sum(pg_total_relation_size(relid))::bigint AS number FROM pg_stat_user_tables";
        return app.number(sizes).await.try_into().unwrap();
    }
    let files = ["auth.db", "auth.db-wal"].map(|name| app.data_dir().join(name).metadata().unwrap().len());
    files.iter().sum()
}

/// All of these calls, eight at once.
async fn all<T>(calls: impl Iterator<Item = impl Future<Output = T>>) -> Vec<T> {
    stream::iter(calls).buffered(8).collect().await
}

async fn sign_up(app: &TestApp, name: &str) -> Person {
    let answer = call(app, "/signup/", &[], &person(name)).await;
    let text = |member: &str| answer[member].as_str().unwrap().to_owned();
    let client = [("X-Client-ID", text("client_id")), ("X-Client-Secret", text("client_secret"))];
    Person { email: format!("{name}@example.com"), client }
}

async fn log_in(app: &TestApp, people: &[Person], person: usize) -> Session {
    let Person { email, client } = &people[person];
    let pair = call(app, "/login/", client, &json!({"email": email, "password": PASSWORD})).await;
    Session { person, refresh_token: pair["refresh_token"].as_str().unwrap().to_owned() }
}

async fn refresh(app: &TestApp, people: &[Person], session: &Session) -> Session {
    let body = json!({"refresh_token": session.refresh_token});
    let pair = call(app, "/refresh-token/", &people[session.person].client, &body).await;
    Session { person: session.person, refresh_token: pair["refresh_token"].as_str().unwrap().to_owned() }
}

/// Calls without holding the answer against the spec, which would take longer than the call. On a busy machine the
/// database can be late; the server then says so, and is asked again.
async fn call(app: &TestApp, path: &str, headers: &[(&str, String)], body: &Value) -> Value {
    let mut refusal = String::new();
    for _ in 0..10 {
        let request = poem::Request::builder().method(Method::POST).uri_str(format!("/api/v1/auth{path}"));
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, value));
        let request = request.header(HOST, "localhost").header(CONTENT_TYPE, "application/json").body(body.to_string());
        let response = app.call(request).await;
        let status = response.status();
        let answer = response.into_body().into_string().await.unwrap();
        if status.is_success() {
            return serde_json::from_str(&answer).unwrap();
        }
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{answer}");
        refusal = answer;
    }
    panic!("{refusal}");
}
