//! PostgreSQL goes away and comes back.

use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use sea_orm::{ConnectionTrait, TransactionTrait};

use crate::load::{Api, Load, Outcome};
use crate::postgres_server::Postgres;
use crate::server::{PATIENCE, Server};
use crate::skip;

/// The promise: refusals come within two seconds, and half a second for the machine that runs the test.
const REFUSAL: Duration = Duration::from_millis(2_500);
/// The promise: it is well so long after the database is back.
const RECOVERY: Duration = Duration::from_secs(5);
/// How long a node answers from memory when it does not hear the others.
const TRUST: Duration = Duration::from_secs(1);

impl Postgres {
    /// Stops it as this signal does: SIGINT is "fast", SIGQUIT "immediate".
    fn stop(&mut self, signal: Signal) {
        let file = std::fs::read_to_string(self.folder.path().join("data/postmaster.pid")).unwrap();
        let pid = file.lines().next().unwrap().parse().unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
        self.keeper.take().unwrap().wait().unwrap();
    }

    async fn execute(&self, sql: &str) {
        let connection = sea_orm::Database::connect(self.url("template1")).await.unwrap();
        connection.execute_unprepared(sql).await.unwrap();
        connection.close().await.unwrap();
    }
}

fn server_on(postgres: &Postgres, folder: &std::path::Path) -> Server {
    Server::start_with(folder, &[], &[("DATABASE_URL", &postgres.url("postgres"))])
}

fn is_success_or_for_later(outcome: &Outcome) -> bool {
    outcome.answer.is_success() || outcome.answer.is_for_later()
}

async fn outage(case: &str, signal: Signal) {
    let Some(mut postgres) = Postgres::start() else { return skip(case, "no PostgreSQL") };
    let folder = tempfile::tempdir().unwrap();
    let server = server_on(&postgres, folder.path());
    let api = Api::of(&server);
    let load = Load::start(&api).await;
    load.until_well(PATIENCE).await;

    postgres.stop(signal);
    // Every caller, those who read what is remembered too.
    let enough = |seen: &[&Outcome]| seen.len() >= 64;
    let gone = Instant::now() + TRUST;
    load.until(PATIENCE, "it is refused", gone, enough).await;
    let ready = api.get("/readyz").await;
    assert!(ready.is_for_later(), "{ready:?}");
    assert_eq!(api.get("/livez").await.status, 200);
    let returning = Instant::now();
    postgres.run();
    load.until_well(RECOVERY).await;
    assert_eq!(api.get("/readyz").await.status, 200);

    let outcomes = load.stop().await;
    for outcome in outcomes {
        assert!(is_success_or_for_later(&outcome), "{outcome:?}");
        assert!(outcome.took < REFUSAL || outcome.answer.is_success(), "{outcome:?}");
        let was_gone = outcome.started > gone && outcome.started + outcome.took < returning;
        assert!(!was_gone || outcome.answer.is_for_later(), "{outcome:?}");
    }
    assert!(!server.log().contains("panic"), "{}", server.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_are_refused_for_now_while_postgres_is_stopped_and_served_when_it_is_back() {
    outage("calls_are_refused_for_now_while_postgres_is_stopped_and_served_when_it_is_back", Signal::INT).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_are_refused_for_now_while_postgres_recovers_from_a_crash_and_served_when_it_is_back() {
    outage("calls_are_refused_for_now_while_postgres_recovers_from_a_crash_and_served_when_it_is_back", Signal::QUIT)
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_were_cut_are_made_anew() {
    let Some(postgres) = Postgres::start() else {
        return skip("connections_that_were_cut_are_made_anew", "no PostgreSQL");
    };
    let folder = tempfile::tempdir().unwrap();
    let server = server_on(&postgres, folder.path());
    let load = Load::start(&Api::of(&server)).await;
    for _ in 0..3 {
        load.until_well(RECOVERY).await;
        let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'postgres'";
        postgres.execute(sql).await;
    }
    load.until_well(RECOVERY).await;
    for outcome in load.stop().await {
        assert!(is_success_or_for_later(&outcome) && outcome.took < REFUSAL, "{outcome:?}");
    }
    assert!(!server.log().contains("panic"), "{}", server.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn it_stops_in_time_though_somebody_holds_the_row_that_it_would_write_last() {
    let Some(postgres) = Postgres::start() else {
        return skip("it_stops_in_time_though_somebody_holds_the_row_that_it_would_write_last", "no PostgreSQL");
    };
    let folder = tempfile::tempdir().unwrap();
    let mut server = server_on(&postgres, folder.path());
    let api = Api::of(&server);
    let thandi = api.join("thandi").await;
    let holder = sea_orm::Database::connect(postgres.url("postgres")).await.unwrap();
    let held = holder.begin().await.unwrap();
    held.execute_unprepared("SELECT 1 FROM accounts FOR UPDATE").await.unwrap();
    assert!(api.get_profile(&thandi).await.unwrap().is_success());
    let asked = Instant::now();
    server.terminate();
    assert_eq!(server.wait().code(), Some(0), "{}", server.log());
    assert!(asked.elapsed() < Duration::from_secs(12), "{:?}", asked.elapsed());
    held.rollback().await.unwrap();
}
