//! What another process writes into an SQLite file that a server uses.

use std::time::{Duration, Instant};

use documines_auth::database::Database;
use sea_orm::ConnectionTrait;

use crate::support::people::Session;
use crate::support::{TestApp, postgres, seconds};

/// The promise: what another process commits counts so long after it, at the latest.
const PROMISE: Duration = seconds(1);

/// A server that looks for others' commits; `None` on PostgreSQL, whose nodes tell each other.
async fn looking() -> Option<TestApp> {
    if postgres::maintenance_url().is_some() {
        return None;
    }
    let app = TestApp::start().await;
    app.hear_the_others();
    Some(app)
}

/// As a command or a script does: through connections of its own.
async fn write_elsewhere(app: &TestApp, sql: &str) {
    let other = Database::open_existing(&app.app.settings.database().unwrap()).await.unwrap();
    other.writer().execute_unprepared(sql).await.unwrap();
    other.close().await.unwrap();
}

/// Whether it answers a read from memory: then it does not see what was changed behind its back just now.
async fn until_it_remembers(app: &TestApp, session: &Session<'_>) {
    let start = Instant::now();
    loop {
        let before = session.caller.get_profile().await.expect(200);
        app.execute("UPDATE accounts SET contact_name = CASE contact_name WHEN 'I' THEN 'II' ELSE 'I' END").await;
        if session.caller.get_profile().await.expect(200) == before {
            return;
        }
        assert!(start.elapsed() < seconds(30), "it remembers nothing");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_process_ends_or_revokes_in_the_sqlite_file_is_refused_within_a_second() {
    let Some(app) = looking().await else { return };
    for (number, (sql, code)) in [
        ("UPDATE sessions SET ended_at = 1", "invalid_token"),
        ("UPDATE accounts SET status = 'inactive'", "invalid_token"),
        ("UPDATE clients SET revoked_at = 1", "invalid_client"),
        ("UPDATE clients SET secret_digest = zeroblob(32)", "invalid_client"),
        ("DELETE FROM access_tokens", "invalid_token"),
    ]
    .into_iter()
    .enumerate()
    {
        let person = app.sign_up(&format!("thandi{number}")).await;
        let session = person.log_in().await;
        until_it_remembers(&app, &session).await;
        write_elsewhere(&app, sql).await;
        let start = Instant::now();
        while session.caller.get_profile().await.status == 200 {
            assert!(start.elapsed() < PROMISE, "{sql}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        session.caller.get_profile().await.refused(401, code);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_forgets_nothing_for_what_it_writes_itself() {
    let Some(app) = looking().await else { return };
    let session = app.sign_up("thandi").await.log_in().await;
    // On a busy machine a look may come too late, and then nothing counts for a moment.
    for _ in 0..10 {
        until_it_remembers(&app, &session).await;
        let remembered = session.caller.get_profile().await.expect(200);
        let mut unchanged = 0;
        while unchanged < 20 && session.caller.get_profile().await.expect(200) == remembered {
            // Past every way that rules have: it tells nobody.
            app.execute("UPDATE accounts SET contact_name = 'Somebody else'").await;
            tokio::time::sleep(Duration::from_millis(100)).await;
            unchanged += 1;
        }
        if unchanged == 20 {
            return;
        }
    }
    panic!("what it writes itself makes it forget");
}

#[tokio::test(flavor = "multi_thread")]
async fn while_another_process_writes_for_long_nothing_is_answered_from_memory() {
    let Some(app) = looking().await else { return };
    let session = app.sign_up("thandi").await.log_in().await;
    until_it_remembers(&app, &session).await;
    let other = Database::open_existing(&app.app.settings.database().unwrap()).await.unwrap();
    let tx = other.begin().await.unwrap();
    tx.execute_unprepared("UPDATE sessions SET ended_at = 1").await.unwrap();
    // Somebody of the server waits for the lock that it holds, and the question behind them.
    let waiting = tokio::spawn({
        let app = app.app.clone();
        async move {
            for _ in 0..3 {
                if let Ok(tx) = app.begin().await {
                    let _ = tx.execute_unprepared("UPDATE accounts SET api_calls = 0").await;
                }
            }
        }
    });
    tokio::time::sleep(PROMISE).await;
    session.caller.get_profile().await.expect(200);
    other.commit(tx).await.unwrap();
    session.caller.get_profile().await.refused(401, "invalid_token");
    waiting.await.unwrap();
}
