//! A connection to PostgreSQL beside the pool, for what must go on while callers use all of the pool's connections.

use std::sync::Arc;

use sea_orm::sqlx::postgres::{PgConnectOptions, PgConnection};
use sea_orm::sqlx::{self, AssertSqlSafe, ConnectOptions, Connection, Executor};
use sea_orm::{ConnAcquireErr, DbErr, SqlxError};
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::sqlite::PATIENCE;
use crate::store::StoreError;

/// One connection, made when it is first needed. One that fails or hangs is given up, and the next statement makes
/// another: a pool would wait for one that hangs. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct Aside(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    options: PgConnectOptions,
    /// What it runs first.
    settings: String,
    connection: Mutex<Option<PgConnection>>,
}

impl Aside {
    pub(super) fn new(options: PgConnectOptions, settings: String) -> Self {
        Self(Arc::new(Inner { options, settings, connection: Mutex::default() }))
    }

    /// Runs one statement.
    ///
    /// # Errors
    /// Where it fails or takes too long.
    pub(super) async fn run(&self, sql: &'static str, arguments: &[&str]) -> Result<(), StoreError> {
        let ran = timeout(PATIENCE, self.run_in_turn(sql, arguments)).await;
        Ok(ran.map_err(|_| DbErr::ConnectionAcquire(ConnAcquireErr::Timeout))??)
    }

    async fn run_in_turn(&self, sql: &'static str, arguments: &[&str]) -> Result<(), SqlxError> {
        let mut kept = self.0.connection.lock().await;
        // Taken out, so that it is dropped wherever this ends early.
        let mut connection = match kept.take() {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        let query = arguments.iter().fold(sqlx::query(sql), |query, argument| query.bind(*argument));
        query.execute(&mut connection).await?;
        *kept = Some(connection);
        Ok(())
    }

    async fn connect(&self) -> Result<PgConnection, SqlxError> {
        let mut connection = self.0.options.connect().await?;
        connection.execute(AssertSqlSafe(self.0.settings.clone())).await?;
        Ok(connection)
    }

    /// Closes the connection, if there is one.
    ///
    /// # Errors
    /// Where it does not close cleanly.
    pub(super) async fn close(&self) -> Result<(), SqlxError> {
        match self.0.connection.lock().await.take() {
            Some(connection) => connection.close().await,
            None => Ok(()),
        }
    }
}
