//! Connections to PostgreSQL, and how long their statements may take.

use std::time::Duration;

use sea_orm::SqlxError;
use sea_orm::sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sea_orm::sqlx::{AssertSqlSafe, Executor};

use crate::settings::PostgresSettings;
use crate::sqlite::PATIENCE;

/// Connections of a command.
const CONNECTIONS_OF_A_COMMAND: u32 = 16;
/// How long a statement may take beside its waiting for a row. Ours take milliseconds; the longest reads every account
/// once, at the start.
const LONGEST_STATEMENT: Duration = Duration::from_secs(30);
/// How long a transaction may wait for its next statement. A node that vanished would hold its rows for hours otherwise,
/// until the database's system gives its connection up.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// A pool for the requests of a server, whose statements end in time, or for a command, whose statements take as long as
/// they take.
pub(super) async fn open(options: PgConnectOptions, limits: Option<PostgresSettings>) -> Result<PgPool, SqlxError> {
    let connections = limits.map_or(CONNECTIONS_OF_A_COMMAND, |limits| limits.database_connections);
    let pool = PgPoolOptions::new()
        .max_connections(connections)
        .min_connections(1)
        .acquire_timeout(PATIENCE)
        // Asking before each query would double the round trips. A connection that died is found out by the one
        // query that meets it, which hears 503, and is replaced.
        .test_before_acquire(false);
    let pool = match limits {
        Some(limits) => with_timeouts(pool, limits.lock_timeout),
        None => pool,
    };
    pool.connect_with(options.application_name("documines-auth")).await
}

/// Has each connection set its timeouts when it is made. PgBouncer refuses them as parameters of the connection itself.
fn with_timeouts(pool: PgPoolOptions, lock_timeout: Duration) -> PgPoolOptions {
    let timeouts = [
        ("lock_timeout", lock_timeout),
        ("statement_timeout", lock_timeout + LONGEST_STATEMENT),
        ("idle_in_transaction_session_timeout", LONGEST_PAUSE),
    ];
    let sql: String = timeouts.map(|(name, limit)| format!("SET {name} = {};", limit.as_millis())).concat();
    pool.after_connect(move |connection, _| {
        let sql = AssertSqlSafe(sql.clone());
        Box::pin(async move { connection.execute(sql).await.map(|_| ()) })
    })
}

/// What a transaction begins with that may take as long as it takes.
pub(super) const WITHOUT_TIMEOUTS: &str =
    "SET LOCAL lock_timeout = 0; SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0";
