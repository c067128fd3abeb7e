//! The suite once more, on PostgreSQL; and what PostgreSQL alone has to keep.

use std::io::Write;
use std::process::Command;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use migration::{Migrator, MigratorTrait};
use poem::http::Method;
use sea_orm::{ConnectionTrait, Database, DbBackend, Statement};

use crate::support::postgres::{self, TestDatabase, VARIABLE, maintenance_url};
use crate::support::postgres_server::Postgres;
use crate::support::{TestApp, seconds};

const WHOLE_SUITE: &str = "postgres::the_whole_suite_passes_on_postgres";

/// Each test's servers hold up to 19 connections each, of the 400 that there are.
const TESTS_AT_ONCE: &str = "--test-threads=8";

#[test]
fn the_whole_suite_passes_on_postgres() {
    if maintenance_url().is_some() {
        return;
    }
    let Some(server) = Postgres::start() else { return skip() };
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--include-ignored", TESTS_AT_ONCE, "--skip", WHOLE_SUITE, "--skip", "endurance::"])
        .env(VARIABLE, server.url("postgres"))
        .output()
        .unwrap();
    let (output, errors) = (String::from_utf8_lossy(&child.stdout), String::from_utf8_lossy(&child.stderr));
    assert!(child.status.success(), "{output}\n{errors}");
}

/// Past the test runner, which keeps to itself what a test prints that passes.
#[expect(clippy::disallowed_methods, reason = "it is the suite's setting, not the server's")]
fn skip() {
    assert!(std::env::var("CI").as_deref() != Ok("true"), "no PostgreSQL: install it, or set CI to something else");
    let mut stderr = std::io::stderr();
    writeln!(stderr, "{WHOLE_SUITE} skipped: no PostgreSQL").unwrap();
}

#[tokio::test]
#[ignore = "runs on PostgreSQL, as part of the whole suite there"]
async fn migrations_go_up_down_and_up_again() {
    let empty = TestDatabase::empty().await;
    let database = postgres::open(&empty.url()).await;
    database.migrate().await.unwrap();
    let first = columns(database.reader()).await;
    assert!(first.contains(&"accounts.email text".to_owned()), "{first:?}");
    Migrator::down(&Database::connect(empty.url()).await.unwrap(), None).await.unwrap();
    let left = columns(database.reader()).await;
    assert!(left.iter().all(|column| column.starts_with("seaql_migrations.")), "{left:?}");
    database.migrate().await.unwrap();
    assert_eq!(columns(database.reader()).await, first);
}

async fn columns(connection: &impl ConnectionTrait) -> Vec<String> {
    let sql = "SELECT table_name || '.' || column_name || ' ' || data_type AS found \
               FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1";
    let rows = connection.query_all_raw(Statement::from_string(DbBackend::Postgres, sql)).await.unwrap();
    rows.iter().map(|row| row.try_get("", "found").unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "runs on PostgreSQL, as part of the whole suite there"]
async fn ten_nodes_may_migrate_a_fresh_database_at_once() {
    let empty = TestDatabase::empty().await;
    let start = async || {
        let database = postgres::open(&empty.url()).await;
        database.migrate().await.unwrap();
        database.close().await.unwrap();
    };
    join_all((0..10).map(|_| start())).await;
    let database = postgres::open(&empty.url()).await;
    assert!(columns(database.reader()).await.contains(&"accounts.email text".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "runs on PostgreSQL, as part of the whole suite there"]
async fn a_node_uses_three_connections_beside_its_pool() {
    let database = TestDatabase::migrated().await.unwrap();
    let node = TestApp::start_node(&database, &["--database-connections=4"]).await;
    node.hear_the_others();
    let open = "SELECT count(*) AS number FROM pg_stat_activity \
                WHERE datname = current_database() AND application_name = 'documines-auth'";
    // All of the pool's but one, which counts.
    let taken = join_all((0..3).map(|_| node.app.begin())).await;
    join_all((0..16).map(|_| node.anon().page(Method::GET, "/readyz").send())).await;
    // One of the three hears the other nodes, one tells them, one asks whether the database is there.
    let start = Instant::now();
    while node.number(open).await < 4 + 3 && start.elapsed() < seconds(10) {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(node.number(open).await, 4 + 3);
    assert!(taken.iter().all(Result::is_ok));
}

#[tokio::test]
#[ignore = "runs on PostgreSQL, as part of the whole suite there"]
async fn the_suite_is_on_postgres_when_it_says_so() {
    let app = TestApp::start().await;
    assert_eq!(app.app.reader().get_database_backend(), DbBackend::Postgres);
}
