//! Connections to PostgreSQL, and how long their statements may take.

use std::time::Duration;

use sea_orm::sqlx::postgres::{PgConnectOptions, PgListener, PgPool, PgPoolOptions};
use sea_orm::sqlx::{AssertSqlSafe, Executor};
use sea_orm::{DatabaseConnection, SqlxError, SqlxPostgresConnector, TransactionTrait};

use super::aside::Aside;
use super::lines::Lines;
use crate::settings::PostgresSettings;
use crate::sqlite::PATIENCE;
use crate::store::changes::{CHANNEL, NOTIFY};
use crate::store::{LockedRow, StoreError};
use crate::transaction::Transaction;

/// Connections of a command.
const CONNECTIONS_OF_A_COMMAND: u32 = 16;
/// How long a statement may take beside its waiting for a row. Ours take milliseconds; the longest reads every account
/// once, at the start.
const LONGEST_STATEMENT: Duration = Duration::from_secs(30);
/// How long a transaction may wait for its next statement. A node that vanished would hold its rows for hours otherwise,
/// until the database's system gives its connection up.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// The connections of one process.
#[derive(Clone, Debug)]
pub(super) struct Postgres {
    pool: PgPool,
    /// The pool, as sea-orm has it.
    pub(super) connection: DatabaseConnection,
    lines: Lines,
    /// What a full pool must not stop: else this node would trust nothing that it remembers, and look as if it was down.
    heartbeat: Aside,
    ping: Aside,
}

impl Postgres {
    /// For the requests of a server, whose statements end in time, or for a command, whose statements take as long as they
    /// take.
    pub(super) async fn open(options: PgConnectOptions, limits: Option<PostgresSettings>) -> Result<Self, SqlxError> {
        let options = options.application_name("documines-auth");
        let timeouts = limits.map(|limits| timeouts(limits.lock_timeout)).unwrap_or_default();
        let aside = || Aside::new(options.clone(), timeouts.clone());
        let (heartbeat, ping) = (aside(), aside());
        let pool = open_pool(options, limits, timeouts).await?;
        let connection = SqlxPostgresConnector::from_sqlx_postgres_pool(pool.clone());
        let lines = Lines::new(limits.map_or(PATIENCE, |limits| limits.lock_timeout));
        Ok(Self { pool, connection, lines, heartbeat, ping })
    }

    pub(super) async fn begin_locking(
        &self,
        rows: impl IntoIterator<Item = LockedRow>,
    ) -> Result<Transaction, StoreError> {
        let place = self.lines.enter(rows).await?;
        Ok(Transaction::on_postgres(self.connection.begin().await?, Some(place)))
    }

    /// A connection of its own that hears what the nodes tell each other. One that hangs when it is given up would be lost
    /// to a pool that others use.
    pub(super) async fn listen(&self) -> Result<PgListener, StoreError> {
        let options = PgPoolOptions::new().max_connections(1).acquire_timeout(PATIENCE);
        let own = options.connect_with(self.pool.connect_options().as_ref().clone()).await?;
        let mut listener = PgListener::connect_with(&own).await?;
        listener.eager_reconnect(false);
        listener.listen(CHANNEL).await?;
        Ok(listener)
    }

    /// Tells every node at once.
    pub(super) async fn tell(&self, payload: &str) -> Result<(), StoreError> {
        self.heartbeat.run(NOTIFY, &[CHANNEL, payload]).await
    }

    /// Answers if the database does.
    pub(super) async fn ping(&self) -> Result<(), StoreError> {
        if self.pool.is_closed() {
            return Err(SqlxError::PoolClosed.into());
        }
        self.ping.run("SELECT 1", &[]).await
    }

    /// Connections of the pool that are open, and those of them that nobody uses.
    pub(super) fn count(&self) -> (usize, usize) {
        (self.pool.size() as usize, self.pool.num_idle())
    }

    pub(super) async fn close(self) -> Result<(), StoreError> {
        self.heartbeat.close().await?;
        self.ping.close().await?;
        Ok(self.connection.close().await?)
    }
}

async fn open_pool(
    options: PgConnectOptions,
    limits: Option<PostgresSettings>,
    timeouts: String,
) -> Result<PgPool, SqlxError> {
    let connections = limits.map_or(CONNECTIONS_OF_A_COMMAND, |limits| limits.database_connections);
    let pool = PgPoolOptions::new()
        .max_connections(connections)
        .min_connections(1)
        .acquire_timeout(PATIENCE)
        // Asking before each query would double the round trips. A connection that died is found out by the one
        // query that meets it, which hears 503, and is replaced.
        .test_before_acquire(false);
    let pool = pool.after_connect(move |connection, _| {
        let timeouts = AssertSqlSafe(timeouts.clone());
        Box::pin(async move { connection.execute(timeouts).await.map(|_| ()) })
    });
    pool.connect_with(options).await
}

/// What each connection of a server begins with. PgBouncer refuses these as parameters of the connection itself.
fn timeouts(lock_timeout: Duration) -> String {
    let timeouts = [
        ("lock_timeout", lock_timeout),
        ("statement_timeout", lock_timeout + LONGEST_STATEMENT),
        ("idle_in_transaction_session_timeout", LONGEST_PAUSE),
    ];
    timeouts.map(|(name, limit)| format!("SET {name} = {};", limit.as_millis())).concat()
}

/// What a transaction begins with that may take as long as it takes.
pub(super) const WITHOUT_TIMEOUTS: &str =
    "SET LOCAL lock_timeout = 0; SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0";
