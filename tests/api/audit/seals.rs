use std::time::Duration;

use documines_auth::audit::refusals::{self, Which};
use documines_auth::audit::seal;
use documines_auth::audit::verify::{Mark, Report, verify};
use documines_auth::database::{Database, begin_to_read};
use documines_auth::housekeeping;
use documines_auth::kernel::keys::SecretKey;
use documines_auth::kernel::random::Random;
use documines_auth::kernel::record_key::RecordKey;
use futures_util::future::join_all;
use sea_orm::{ConnectionTrait, DbBackend};
use serde_json::json;

use crate::support::postgres::TestDatabase;
use crate::support::{PASSWORD, TestApp, days};

async fn check_with(app: &TestApp, keys: &[RecordKey], expected: Option<&Mark>) -> Report {
    let db = Database::connect_to_read(&app.app.settings.database().unwrap()).await.unwrap();
    let tx = begin_to_read(&db).await.unwrap();
    verify(&tx, keys, expected).await.unwrap()
}

async fn check(app: &TestApp) -> Report {
    check_with(app, std::slice::from_ref(&app.app.record_key), None).await
}

#[track_caller]
fn whole(report: &Report) {
    assert!(report.findings.is_empty(), "{:?}", report.findings);
}

#[track_caller]
fn finds(report: &Report, expected: &[&str]) {
    assert_eq!(report.findings.len(), expected.len(), "{:?}", report.findings);
    for (finding, expected) in report.findings.iter().zip(expected) {
        assert!(finding.contains(expected), "{:?}", report.findings);
    }
}

/// Does what somebody could who owns the database: past the triggers.
async fn tamper(app: &TestApp, sql: &[&str]) {
    let tx = app.app.begin().await.unwrap();
    let disarm: &[&str] = if tx.get_database_backend() == DbBackend::Postgres {
        &["ALTER TABLE audit_events DISABLE TRIGGER USER", "ALTER TABLE audit_seals DISABLE TRIGGER USER"]
    } else {
        &[
            "DROP TRIGGER audit_events_keep_what_they_say",
            "DROP TRIGGER audit_events_stay",
            "DROP TRIGGER audit_seals_keep_what_they_say",
            "DROP TRIGGER audit_seals_stay",
        ]
    };
    for sql in disarm.iter().chain(sql) {
        tx.execute_unprepared(sql).await.unwrap();
    }
    app.app.commit(tx).await.unwrap();
}

/// Three seals: over signing up and logging in, over two changes, and over a refusal.
async fn three_seals() -> TestApp {
    let app = TestApp::start().await;
    {
        let thandi = app.sign_up("thandi").await;
        let session = thandi.log_in().await;
        app.seal().await;
        for number in 0..2 {
            session.caller.update_profile(&json!({"address": format!("{number} Vygie Street")})).await.expect(200);
        }
        app.seal().await;
        thandi.client.login(&thandi.email, "violet-anchor-93-steam").await.refused(401, "invalid_credentials");
        refusals::write_down(&app.app, Which::All).await.unwrap();
        app.seal().await;
    }
    app
}

const INSERTION: &str = "INSERT INTO audit_events (at, event, outcome, times, account_id, seal) \
                         SELECT at, event, outcome, times, account_id, seal FROM audit_events WHERE id = 3";

#[tokio::test]
async fn a_record_that_nobody_touched_is_whole() {
    let app = three_seals().await;
    let report = check(&app).await;
    whole(&report);
    assert_eq!((report.seals, report.events, report.unsealed), (3, 5, 0));
    app.sign_up("sipho").await;
    let report = check(&app).await;
    whole(&report);
    assert_eq!((report.seals, report.events, report.unsealed), (3, 5, 1));
    // Nothing new, no seal.
    app.seal().await;
    app.seal().await;
    assert_eq!(check(&app).await.seals, 4);
}

#[tokio::test]
async fn a_changed_event_is_found_whatever_was_changed() {
    for change in [
        "at = at + 1",
        "event = 'logged_in'",
        "outcome = 'weak_password'",
        "times = times + 1",
        "actor_id = 7",
        "account_id = 7",
        "session_id = 7",
        "client_id = 'x'",
        "source = '::1'",
        "user_agent = 'x'",
        "request_id = NULL",
    ] {
        let app = three_seals().await;
        tamper(&app, &[&format!("UPDATE audit_events SET {change} WHERE id = 3")]).await;
        finds(&check(&app).await, &["events 3 to 4 under seal 2: changed or reordered"]);
    }
}

#[tokio::test]
async fn missing_reordered_and_inserted_events_are_found() {
    for (sql, expected) in [
        (&["DELETE FROM audit_events WHERE id = 4"][..], &["events 3 to 4 under seal 2: 1 of 2 missing"][..]),
        (&["DELETE FROM audit_events WHERE seal = 2"], &["events 3 to 4 under seal 2: 2 of 2 missing"]),
        (
            &[
                "UPDATE audit_events SET id = 9 WHERE id = 2",
                "UPDATE audit_events SET id = 2 WHERE id = 1",
                "UPDATE audit_events SET id = 1 WHERE id = 9",
            ],
            &["events 1 to 2 under seal 1: changed or reordered"],
        ),
        (
            &["UPDATE audit_events SET seal = 3 WHERE id = 4"],
            &["events 3 to 4 under seal 2: 1 of 2 missing", "event 4: says that it is under seal 3"],
        ),
        (&["UPDATE audit_events SET seal = NULL WHERE id = 4"], &["events 3 to 4 under seal 2: 1 of 2 missing"]),
        (&[INSERTION], &["event 6: says that it is under seal 2"]),
        (
            &["DELETE FROM audit_events WHERE id = 4", INSERTION, "UPDATE audit_events SET id = 4 WHERE id = 6"],
            &["events 3 to 4 under seal 2: changed or reordered"],
        ),
    ] {
        let app = three_seals().await;
        tamper(&app, sql).await;
        finds(&check(&app).await, expected);
    }
}

#[tokio::test]
async fn changed_and_missing_seals_are_found() {
    for (sql, expected) in [
        ("UPDATE audit_seals SET at = at + 1 WHERE number = 2", &["seal 2: changed"][..]),
        (
            "UPDATE audit_seals SET removed_through = 2 WHERE number = 3",
            &["seal 3: changed", "event 1:", "event 2:", "event 3:", "event 4:"],
        ),
        (
            "UPDATE audit_seals SET key_id = 'x' WHERE number = 2",
            &["seal 2: made with the key \"x\", which is not given"],
        ),
        ("DELETE FROM audit_seals WHERE number = 2", &["seals 2 to 2: missing", "event 3:", "event 4:"]),
        ("DELETE FROM audit_seals WHERE number = 1", &["seals 1 to 1: missing", "event 1:", "event 2:"]),
    ] {
        let app = three_seals().await;
        tamper(&app, &[sql]).await;
        finds(&check(&app).await, expected);
    }
}

#[tokio::test]
async fn an_end_that_was_cut_off_is_found_by_whoever_kept_a_seal() {
    let app = three_seals().await;
    let kept = check(&app).await.newest.unwrap();
    assert_eq!(kept.to_string().parse::<Mark>().unwrap(), kept);
    let keys = [app.app.record_key.clone()];
    whole(&check_with(&app, &keys, Some(&kept)).await);
    tamper(&app, &["DELETE FROM audit_events WHERE seal = 3", "DELETE FROM audit_seals WHERE number = 3"]).await;
    whole(&check(&app).await);
    finds(&check_with(&app, &keys, Some(&kept)).await, &["seals 3 to 3: missing at the end"]);
    // Nor does another in its place pass for it.
    app.sign_up("sipho").await;
    app.seal().await;
    finds(&check_with(&app, &keys, Some(&kept)).await, &["seal 3: is not the one that was expected"]);
}

#[tokio::test]
async fn seals_of_another_key_are_judged_where_that_key_is_given() {
    let app = three_seals().await;
    let other = RecordKey::derive(&SecretKey::new(Random::from_system().bytes()));
    let report = check_with(&app, std::slice::from_ref(&other), None).await;
    finds(&report, &["seal 1: made with", "seal 2: made with", "seal 3: made with"]);
    whole(&check_with(&app, &[other, app.app.record_key.clone()], None).await);
}

#[tokio::test]
async fn whoever_has_not_got_the_key_can_make_no_seal() {
    let app = three_seals().await;
    let copy = "INSERT INTO audit_seals (number, at, key_id, events, first_event, last_event, digest, removed_through, mac) \
                SELECT 4, at, key_id, 0, 0, 0, digest, 2, mac FROM audit_seals WHERE number = 3";
    // The database lets it pass, and then lets events go that it says are old.
    let tx = app.app.begin().await.unwrap();
    tx.execute_unprepared(copy).await.unwrap();
    tx.execute_unprepared("DELETE FROM audit_events WHERE seal <= 2").await.unwrap();
    app.app.commit(tx).await.unwrap();
    finds(&check(&app).await, &["seal 4: changed", "events 0 to 0 under seal 4: changed"]);
}

#[tokio::test]
async fn old_events_go_with_their_seals_word_and_the_rest_is_whole() {
    let app = three_seals().await;
    app.advance(days(399));
    housekeeping::sweep(&app.app).await.unwrap();
    assert_eq!(app.number("SELECT count(*) AS number FROM audit_events").await, 5);
    app.sign_up("sipho").await;
    app.seal().await;
    app.advance(days(2));
    app.sign_up("lindiwe").await;
    housekeeping::sweep(&app.app).await.unwrap();
    assert_eq!(app.number("SELECT count(*) AS number FROM audit_events").await, 2);
    let report = check(&app).await;
    whole(&report);
    assert_eq!((report.seals, report.events, report.unsealed), (5, 2, 0));
    // What is left is held as before.
    tamper(&app, &["UPDATE audit_events SET event = 'logged_in' WHERE seal = 4"]).await;
    finds(&check(&app).await, &["under seal 4: changed"]);
}

#[tokio::test]
async fn retention_is_a_setting_and_leaves_the_table_as_small_as_what_is_kept() {
    let app = TestApp::start_with(&["--audit-retention=1d"]).await;
    let thandi = app.sign_up("thandi").await;
    for _ in 0..3 {
        for _ in 0..30 {
            thandi.log_in().await;
            app.seal().await;
        }
        app.advance(Duration::from_secs(25 * 60 * 60));
        housekeeping::sweep(&app.app).await.unwrap();
        assert_eq!(app.number("SELECT count(*) AS number FROM audit_events").await, 0);
        whole(&check(&app).await);
    }
}

#[tokio::test]
async fn many_events_are_sealed_in_batches() {
    let app = TestApp::start().await;
    app.sign_up("thandi").await;
    let tx = app.app.begin().await.unwrap();
    let copy = "INSERT INTO audit_events (at, event, account_id) SELECT at, event, account_id FROM audit_events";
    for _ in 0..11 {
        tx.execute_unprepared(copy).await.unwrap();
    }
    app.app.commit(tx).await.unwrap();
    app.seal().await;
    let report = check(&app).await;
    whole(&report);
    assert_eq!((report.seals, report.events), (5, 2_048));
}

#[tokio::test]
async fn events_with_a_date_of_somebodys_choice_are_found() {
    let minute = 60_000_000;
    for (shift, is_found) in [(-1_440 * minute, true), (-11 * minute, true), (11 * minute, true), (-9 * minute, false)]
    {
        let app = three_seals().await;
        let now = app.app.clock.now().as_micros();
        app.execute(&format!(
            "INSERT INTO audit_events (at, event, account_id) VALUES ({}, 'password_reset', 1)",
            now + shift
        ))
        .await;
        app.seal().await;
        let expected: &[&str] = if is_found { &["events 6 to 6 under seal 4: 1 with a date"] } else { &[] };
        finds(&check(&app).await, expected);
    }
}

#[tokio::test]
async fn events_that_waited_long_for_their_seal_are_where_they_belong() {
    let app = three_seals().await;
    let tx = app.app.begin().await.unwrap();
    let copy = "INSERT INTO audit_events (at, event, account_id) SELECT at, event, account_id FROM audit_events";
    for _ in 0..8 {
        tx.execute_unprepared(copy).await.unwrap();
    }
    app.app.commit(tx).await.unwrap();
    // No seal was made for a day: the second one of then is over events that are a day older than the first.
    app.advance(days(1));
    app.seal().await;
    let report = check(&app).await;
    whole(&report);
    assert_eq!((report.seals, report.events), (6, 5 * 256));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "runs on PostgreSQL, as part of the whole suite there"]
async fn nodes_that_seal_at_once_make_one_chain() {
    let database = TestDatabase::migrated().await.unwrap();
    const KEY: &str = "--secret-key=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    let nodes = [TestApp::start_node(&database, &[KEY]).await, TestApp::start_node(&database, &[KEY]).await];
    let thandi = nodes[0].sign_up("thandi").await;
    for _ in 0..10 {
        let logins = join_all((0..8).map(|_| thandi.client.login(&thandi.email, PASSWORD)));
        let seals = join_all(nodes.iter().cycle().take(8).map(|node| seal::seal_all(&node.app)));
        let (_, sealed) = futures_util::future::join(logins, seals).await;
        sealed.into_iter().for_each(|sealed| sealed.unwrap());
    }
    nodes[1].seal().await;
    let report = check(&nodes[0]).await;
    whole(&report);
    assert_eq!((report.events, report.unsealed), (81, 0));
}

#[tokio::test]
#[ignore = "runs on PostgreSQL, as part of the whole suite there"]
async fn an_event_that_appears_after_later_ones_were_sealed_is_sealed_next() {
    let app = TestApp::start().await;
    let slow = app.app.begin().await.unwrap();
    let insertion = "INSERT INTO audit_events (at, event, account_id) VALUES (1741318458305185, 'logged_in', 1)";
    slow.execute_unprepared(insertion).await.unwrap();
    app.sign_up("thandi").await;
    app.seal().await;
    app.app.commit(slow).await.unwrap();
    assert_eq!(app.number("SELECT min(id) AS number FROM audit_events WHERE seal IS NULL").await, 1);
    let report = check(&app).await;
    whole(&report);
    assert_eq!((report.events, report.unsealed), (1, 1));
    app.seal().await;
    let report = check(&app).await;
    whole(&report);
    assert_eq!((report.events, report.unsealed), (2, 0));
}
