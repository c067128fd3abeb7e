//! Transactions that write, on either database.
//!
//! PostgreSQL's are sea-orm's own. SQLite's have one connection to take turns on, outside of any pool, for two reasons,
//! both of them messages to SQLite's thread and back, which cost more than most statements do. A pool asks a connection
//! that comes back whether it still lives, before the next caller gets it; a local file does not drop its connections.
//! And what begins and ends a transaction can travel with the statements beside it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::TryStreamExt;
use sea_orm::sea_query::Values;
use sea_orm::sqlx::query::Query;
use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteQueryResult};
use sea_orm::sqlx::{self, AssertSqlSafe, ConnectOptions, Connection, Either, Executor, Sqlite, SqliteConnection};
use sea_orm::{
    ConnAcquireErr, ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, ExecResult, QueryResult, RuntimeErr,
    SqlxError, Statement,
};
use sea_query_sqlx::SqlxValues;
use tokio::runtime::Handle;
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::store::StoreError;
use crate::store::writes::Writes;

/// A transaction that will write. Dropped without a commit it changes nothing.
#[derive(Debug)]
pub struct Transaction(Kind);

#[derive(Debug)]
enum Kind {
    Sqlite(Mutex<Turn>),
    Postgres(DatabaseTransaction),
}

impl Transaction {
    pub(crate) fn on_postgres(tx: DatabaseTransaction) -> Self {
        Self(Kind::Postgres(tx))
    }

    /// Runs the writes and commits. On SQLite it is not on the disk then: see [`crate::journal`].
    #[expect(clippy::disallowed_methods, reason = "this is what App::commit calls")]
    pub(crate) async fn commit(self, writes: Writes) -> Result<(), StoreError> {
        match self.0 {
            Kind::Sqlite(turn) => turn.into_inner().commit(writes).await?,
            Kind::Postgres(tx) => {
                writes.run(&tx).await?;
                tx.commit().await?;
            }
        }
        Ok(())
    }
}

#[async_trait]
impl ConnectionTrait for Transaction {
    fn get_database_backend(&self) -> DbBackend {
        match &self.0 {
            Kind::Sqlite(_) => DbBackend::Sqlite,
            Kind::Postgres(_) => DbBackend::Postgres,
        }
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        match &self.0 {
            Kind::Sqlite(turn) => turn.lock().await.execute(statement).await,
            Kind::Postgres(tx) => tx.execute_raw(statement).await,
        }
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        match &self.0 {
            Kind::Sqlite(turn) => turn.lock().await.execute(Statement::from_string(DbBackend::Sqlite, sql)).await,
            Kind::Postgres(tx) => tx.execute_unprepared(sql).await,
        }
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        match &self.0 {
            Kind::Sqlite(turn) => turn.lock().await.query_one(statement).await,
            Kind::Postgres(tx) => tx.query_one_raw(statement).await,
        }
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        match &self.0 {
            Kind::Sqlite(turn) => turn.lock().await.query_all(statement).await,
            Kind::Postgres(tx) => tx.query_all_raw(statement).await,
        }
    }
}

/// The one connection of an SQLite database that writes; whoever wants to waits in line for it.
#[derive(Clone, Debug)]
pub(crate) struct SqliteWriter {
    options: Arc<SqliteConnectOptions>,
    slot: Arc<Mutex<Slot>>,
}

/// `None` where the last one was given up.
type Slot = Option<SqliteConnection>;

impl SqliteWriter {
    pub(crate) async fn open(options: SqliteConnectOptions) -> Result<Self, SqlxError> {
        let connection = options.connect().await?;
        Ok(Self { options: Arc::new(options), slot: Arc::new(Mutex::new(Some(connection))) })
    }

    /// Begins a transaction, after `patience` at most: with its first statement, which takes the write lock at once. One
    /// that reads first and then wants to write would be refused, however patient it is, where another process wrote in
    /// between.
    pub(crate) async fn begin(&self, patience: Duration) -> Result<Transaction, StoreError> {
        let slot = tokio::time::timeout(patience, self.slot.clone().lock_owned()).await;
        let mut slot = slot.map_err(|_| DbErr::ConnectionAcquire(ConnAcquireErr::Timeout))?;
        if slot.is_none() {
            *slot = Some(self.options.connect().await?);
        }
        Ok(Transaction(Kind::Sqlite(Mutex::new(Turn { slot: Some(slot), has_begun: false }))))
    }

    /// Whether nobody writes.
    pub(crate) fn is_idle(&self) -> bool {
        self.slot.try_lock().is_ok()
    }

    pub(crate) fn options(&self) -> SqliteConnectOptions {
        (*self.options).clone()
    }

    pub(crate) async fn close(self) -> Result<(), StoreError> {
        match self.slot.lock().await.take() {
            Some(connection) => Ok(connection.close().await?),
            None => Ok(()),
        }
    }
}

/// One caller's hold of the connection.
#[derive(Debug)]
struct Turn {
    /// `None` once it is over.
    slot: Option<OwnedMutexGuard<Slot>>,
    has_begun: bool,
}

impl Turn {
    /// The outcome is that of the last statement in the message. SQLite's count of changed rows stays as it was over a
    /// BEGIN, so that the sum over all of them would tell of somebody else's.
    async fn execute(&mut self, statement: Statement) -> Result<ExecResult, DbErr> {
        let refused = |error: SqlxError| DbErr::Exec(RuntimeErr::SqlxError(error.into()));
        let (connection, query) = self.prepare(statement)?;
        let mut outcomes = connection.fetch_many(query);
        let mut last = SqliteQueryResult::default();
        while let Some(outcome) = outcomes.try_next().await.map_err(refused)? {
            if let Either::Left(done) = outcome {
                last = done;
            }
        }
        Ok(last.into())
    }

    async fn query_one(&mut self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        let (connection, query) = self.prepare(statement)?;
        let row = query.fetch_optional(connection).await.map_err(refused_query)?;
        Ok(row.map(Into::into))
    }

    async fn query_all(&mut self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        let (connection, query) = self.prepare(statement)?;
        let rows = query.fetch_all(connection).await.map_err(refused_query)?;
        Ok(rows.into_iter().map(Into::into).collect())
    }

    async fn commit(mut self, writes: Writes) -> Result<(), DbErr> {
        if !self.has_begun && writes.is_empty() {
            return Ok(());
        }
        self.execute(writes.in_one_message(Some("COMMIT"))).await?;
        self.has_begun = false;
        Ok(())
    }

    /// The first statement is what begins the transaction too.
    fn prepare(
        &mut self,
        statement: Statement,
    ) -> Result<(&mut SqliteConnection, Query<'static, Sqlite, SqlxValues>), DbErr> {
        let has_begun = std::mem::replace(&mut self.has_begun, true);
        let sql = if has_begun { statement.sql } else { format!("BEGIN IMMEDIATE; {}", statement.sql) };
        let connection = self.slot.as_mut().and_then(|slot| slot.as_mut());
        let connection = connection.ok_or(DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed))?;
        let values = statement.values.unwrap_or_else(|| Values(Vec::new()));
        Ok((connection, sqlx::query_with(AssertSqlSafe(sql), SqlxValues(values))))
    }
}

fn refused_query(error: SqlxError) -> DbErr {
    DbErr::Query(RuntimeErr::SqlxError(error.into()))
}

impl Drop for Turn {
    /// Undoes what was not committed before the next caller has the connection. What runs at this moment runs to its
    /// end first: SQLite's thread takes one message after the other.
    fn drop(&mut self) {
        let Some(mut slot) = self.slot.take().filter(|_| self.has_begun) else { return };
        let Ok(runtime) = Handle::try_current() else {
            *slot = None; // SQLite undoes what a connection that goes away had begun.
            return;
        };
        runtime.spawn(async move {
            let Some(connection) = slot.as_mut() else { return };
            // An error may mean no more than that SQLite had undone it by itself; a new connection is sure to be clean.
            if sqlx::query("ROLLBACK").execute(connection).await.is_err() {
                *slot = None;
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(10);

    /// A table with one row, written in a transaction of its own.
    async fn writer(folder: &tempfile::TempDir) -> SqliteWriter {
        let options = SqliteConnectOptions::new().filename(folder.path().join("t.db")).create_if_missing(true);
        let writer = SqliteWriter::open(options).await.unwrap();
        let tx = writer.begin(PATIENCE).await.unwrap();
        tx.execute_unprepared("CREATE TABLE t (n integer NOT NULL UNIQUE)").await.unwrap();
        tx.execute_unprepared("INSERT INTO t VALUES (1)").await.unwrap();
        commit(tx).await.unwrap();
        writer
    }

    async fn commit(tx: Transaction) -> Result<(), StoreError> {
        let none = Writes::to(&tx);
        tx.commit(none).await
    }

    async fn count(writer: &SqliteWriter) -> i64 {
        let tx = writer.begin(PATIENCE).await.unwrap();
        let row = tx.query_one_raw(Statement::from_string(DbBackend::Sqlite, "SELECT count(*) AS n FROM t")).await;
        row.unwrap().unwrap().try_get("", "n").unwrap()
    }

    #[tokio::test]
    async fn the_statement_that_begins_tells_of_its_own_rows_alone() {
        let folder = tempfile::tempdir().unwrap();
        let writer = writer(&folder).await;
        for (sql, rows) in [("UPDATE t SET n = 2 WHERE n = 7", 0), ("UPDATE t SET n = 2 WHERE n = 1", 1)] {
            let tx = writer.begin(PATIENCE).await.unwrap();
            assert_eq!(tx.execute_unprepared(sql).await.unwrap().rows_affected(), rows, "{sql}");
            commit(tx).await.unwrap();
        }
    }

    #[tokio::test]
    async fn what_is_dropped_is_undone_before_the_next_begins() {
        let folder = tempfile::tempdir().unwrap();
        let writer = writer(&folder).await;
        let tx = writer.begin(PATIENCE).await.unwrap();
        tx.execute_unprepared("INSERT INTO t VALUES (2)").await.unwrap();
        drop(tx);
        assert_eq!(count(&writer).await, 1);
    }

    #[tokio::test]
    async fn what_is_cut_off_in_the_middle_of_a_statement_is_undone() {
        let folder = tempfile::tempdir().unwrap();
        let writer = writer(&folder).await;
        for patience in 0..50 {
            let tx = writer.begin(PATIENCE).await.unwrap();
            let many = "WITH RECURSIVE s(n) AS (SELECT 2 UNION ALL SELECT n + 1 FROM s WHERE n < 2000) \
                        INSERT INTO t SELECT n FROM s";
            let cut_off = async { tx.execute_unprepared(many).await.map(|_| ()) };
            let _ = tokio::time::timeout(Duration::from_micros(patience * 20), cut_off).await;
            drop(tx);
            assert_eq!(count(&writer).await, 1);
        }
    }

    #[tokio::test]
    async fn after_an_error_nothing_of_the_transaction_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let writer = writer(&folder).await;
        let tx = writer.begin(PATIENCE).await.unwrap();
        tx.execute_unprepared("INSERT INTO t VALUES (2); INSERT INTO t VALUES (1); COMMIT").await.unwrap_err();
        drop(tx);
        assert_eq!(count(&writer).await, 1);
    }

    #[tokio::test]
    async fn a_connection_whose_transaction_is_gone_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let writer = writer(&folder).await;
        let tx = writer.begin(PATIENCE).await.unwrap();
        // As SQLite does by itself where the disk is full.
        tx.execute_unprepared("ROLLBACK").await.unwrap();
        commit(tx).await.unwrap_err();
        assert_eq!(count(&writer).await, 1);
        assert!(writer.begin(Duration::from_millis(500)).await.is_ok(), "nobody holds it");
    }

    #[tokio::test]
    async fn who_waits_too_long_for_their_turn_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let writer = writer(&folder).await;
        let _busy = writer.begin(PATIENCE).await.unwrap();
        let refused = writer.begin(Duration::from_millis(10)).await.unwrap_err();
        assert!(matches!(refused, StoreError::Unavailable(_)), "{refused}");
        assert!(!writer.is_idle());
    }
}
