//! The connections of an SQLite database, outside of any pool.
//!
//! Each message to a connection's thread and back wakes two threads, which costs more than most statements do. A pool asks
//! a connection that comes back whether it still lives, before the next caller gets it; a local file does not drop its
//! connections. And what begins and ends a transaction can travel with the statements beside it.

use std::sync::{self, Arc, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::TryStreamExt;
use sea_orm::sea_query::Values;
use sea_orm::sqlx::query::Query;
use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteQueryResult};
use sea_orm::sqlx::{self, AssertSqlSafe, ConnectOptions, Connection, Either, Executor, Sqlite, SqliteConnection};
use sea_orm::{ConnAcquireErr, DbErr, ExecResult, QueryResult, RuntimeErr, SqlxError, Statement};
use sea_query_sqlx::SqlxValues;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::store::writes::Writes;

/// How long a caller waits for a free connection before it hears 503.
pub(crate) const PATIENCE: Duration = Duration::from_millis(1_500);

/// Some connections to one file, each for one caller at a time.
#[derive(Clone, Debug)]
pub(crate) struct Connections(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    options: SqliteConnectOptions,
    count: u32,
    /// One for each connection; closed with them.
    permits: Arc<Semaphore>,
    /// Fewer than there are permits where one was given up: whoever finds none opens another.
    idle: sync::Mutex<Vec<SqliteConnection>>,
}

impl Shared {
    fn idle(&self) -> MutexGuard<'_, Vec<SqliteConnection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Connections {
    pub(crate) async fn open(options: SqliteConnectOptions, count: u32) -> Result<Self, SqlxError> {
        let mut idle = Vec::new();
        for _ in 0..count {
            idle.push(options.connect().await?);
        }
        let permits = Arc::new(Semaphore::new(count as usize));
        Ok(Self(Arc::new(Shared { options, count, permits, idle: idle.into() })))
    }

    /// A connection whose statements are transactions of their own.
    pub(crate) async fn alone(&self) -> Result<Turn, DbErr> {
        self.take(State::Alone).await
    }

    /// A connection whose first statement begins a transaction.
    pub(crate) async fn begin(&self) -> Result<Turn, DbErr> {
        self.take(State::Beginning).await
    }

    async fn take(&self, state: State) -> Result<Turn, DbErr> {
        let permit = tokio::time::timeout(PATIENCE, self.0.permits.clone().acquire_owned()).await;
        let permit = permit.map_err(|_| DbErr::ConnectionAcquire(ConnAcquireErr::Timeout))?;
        let permit = permit.map_err(|_| DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed))?;
        let idle = self.0.idle().pop();
        let connection = match idle {
            Some(connection) => connection,
            None => {
                let opened = self.0.options.connect().await;
                opened.map_err(|error| DbErr::Conn(RuntimeErr::SqlxError(error.into())))?
            }
        };
        Ok(Turn { connection: Some(connection), shared: self.0.clone(), permit: Some(permit), state, is_busy: false })
    }

    /// How many there are, and how many of them nobody uses.
    pub(crate) fn count(&self) -> (usize, usize) {
        (self.0.count as usize, self.0.permits.available_permits())
    }

    pub(crate) fn options(&self) -> SqliteConnectOptions {
        self.0.options.clone()
    }

    /// Closes them all, once everybody's turn is over.
    pub(crate) async fn close(&self) -> Result<(), SqlxError> {
        let Ok(_all) = self.0.permits.acquire_many(self.0.count).await else { return Ok(()) };
        self.0.permits.close();
        let idle = std::mem::take(&mut *self.0.idle());
        let mut closed = Ok(());
        for connection in idle {
            closed = closed.and(connection.close().await);
        }
        closed
    }
}

/// One caller's hold of a connection. Dropped with a transaction that was not committed, it undoes that.
#[derive(Debug)]
pub(crate) struct Turn {
    /// `None` once its thread is gone, or the turn over.
    connection: Option<SqliteConnection>,
    shared: Arc<Shared>,
    permit: Option<OwnedSemaphorePermit>,
    state: State,
    /// Whether a message is on its way.
    is_busy: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    /// Each statement is a transaction of its own.
    Alone,
    /// The next statement begins one.
    Beginning,
    /// It has begun.
    Begun,
}

impl Turn {
    pub(crate) async fn execute(&mut self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.execute_all(statement, 1).await
    }

    /// Runs a message of so many statements. The outcome is that of the last: SQLite's count of changed rows stays as it
    /// was over a BEGIN, so that the sum over all of them would tell of somebody else's.
    async fn execute_all(&mut self, statement: Statement, count: usize) -> Result<ExecResult, DbErr> {
        let count = count + usize::from(self.state == State::Beginning);
        let (connection, query) = self.prepare(statement)?;
        let next = async |(done, last), outcome| match outcome {
            Either::Left(result) => Ok((done + 1, result)),
            Either::Right(_) => Ok((done, last)),
        };
        let outcomes = connection.fetch_many(query).try_fold((0, SqliteQueryResult::default()), next).await;
        // A thread that dies ends the outcomes without an error.
        let last =
            outcomes.and_then(|(done, last)| if done < count { Err(SqlxError::WorkerCrashed) } else { Ok(last) });
        self.checked(last, DbErr::Exec).map(Into::into)
    }

    pub(crate) async fn query_one(&mut self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        let (connection, query) = self.prepare(statement)?;
        let row = query.fetch_optional(connection).await;
        Ok(self.checked(row, DbErr::Query)?.map(Into::into))
    }

    pub(crate) async fn query_all(&mut self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        let (connection, query) = self.prepare(statement)?;
        let rows = query.fetch_all(connection).await;
        Ok(self.checked(rows, DbErr::Query)?.into_iter().map(Into::into).collect())
    }

    /// Runs the writes and commits. That is not on the disk then: see [`crate::journal`].
    pub(crate) async fn commit(mut self, writes: Writes) -> Result<(), DbErr> {
        if self.state == State::Beginning && writes.is_empty() {
            return Ok(());
        }
        let count = writes.len() + 1;
        self.execute_all(writes.in_one_message(Some("COMMIT")), count).await?;
        self.state = State::Beginning;
        Ok(())
    }

    /// The first statement of a transaction begins it too, and takes the write lock at once: one that reads first and then
    /// wants to write would be refused, however patient it is, where another process wrote in between.
    fn prepare(
        &mut self,
        statement: Statement,
    ) -> Result<(&mut SqliteConnection, Query<'static, Sqlite, SqlxValues>), DbErr> {
        let connection = self.connection.as_mut();
        let connection = connection.ok_or(DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed))?;
        let sql = if self.state == State::Beginning {
            self.state = State::Begun;
            format!("BEGIN IMMEDIATE; {}", statement.sql)
        } else {
            statement.sql
        };
        self.is_busy = true;
        let values = statement.values.unwrap_or_else(|| Values(Vec::new()));
        Ok((connection, sqlx::query_with(AssertSqlSafe(sql), SqlxValues(values))))
    }

    /// A message was answered. A connection whose thread is gone is given up.
    fn checked<T>(&mut self, result: Result<T, SqlxError>, kind: fn(RuntimeErr) -> DbErr) -> Result<T, DbErr> {
        self.is_busy = false;
        result.map_err(|error| {
            if matches!(error, SqlxError::WorkerCrashed) {
                self.connection = None;
            }
            kind(RuntimeErr::SqlxError(error.into()))
        })
    }
}

impl Drop for Turn {
    /// Undoes what was not committed, and waits for what runs at this moment, before the next caller has the connection:
    /// its thread takes one message after the other.
    fn drop(&mut self) {
        let Some(mut connection) = self.connection.take() else { return };
        let has_begun = self.state == State::Begun;
        if !has_begun && !self.is_busy {
            self.shared.idle().push(connection);
            return;
        }
        // Without a runtime the connection goes away, and SQLite undoes what it had begun.
        let Ok(runtime) = Handle::try_current() else { return };
        let (shared, permit) = (self.shared.clone(), self.permit.take());
        runtime.spawn(async move {
            let rested = if has_begun {
                sqlx::query("ROLLBACK").execute(&mut connection).await.map(|_| ())
            } else {
                connection.ping().await
            };
            // An error may mean no more than that SQLite had undone it by itself; a new connection is sure to be clean.
            if rested.is_ok() {
                shared.idle().push(connection);
            }
            drop(permit);
        });
    }
}

#[cfg(test)]
mod tests {
    use sea_orm::DbBackend;

    use super::*;

    fn sql(text: &str) -> Statement {
        Statement::from_string(DbBackend::Sqlite, text)
    }

    async fn commit(turn: Turn) -> Result<(), DbErr> {
        turn.commit(Writes::none_to_sqlite()).await
    }

    /// One connection to a table with one row, written in a transaction of its own.
    async fn one(folder: &tempfile::TempDir) -> Connections {
        let options = SqliteConnectOptions::new().filename(folder.path().join("t.db")).create_if_missing(true);
        let connections = Connections::open(options, 1).await.unwrap();
        let mut turn = connections.begin().await.unwrap();
        turn.execute(sql("CREATE TABLE t (n integer NOT NULL UNIQUE)")).await.unwrap();
        turn.execute(sql("INSERT INTO t VALUES (1)")).await.unwrap();
        commit(turn).await.unwrap();
        connections
    }

    async fn count(connections: &Connections) -> i64 {
        let mut turn = connections.alone().await.unwrap();
        let row = turn.query_one(sql("SELECT count(*) AS n FROM t")).await;
        row.unwrap().unwrap().try_get("", "n").unwrap()
    }

    #[tokio::test]
    async fn the_statement_that_begins_tells_of_its_own_rows_alone() {
        let folder = tempfile::tempdir().unwrap();
        let connections = one(&folder).await;
        for (update, rows) in [("UPDATE t SET n = 2 WHERE n = 7", 0), ("UPDATE t SET n = 2 WHERE n = 1", 1)] {
            let mut turn = connections.begin().await.unwrap();
            assert_eq!(turn.execute(sql(update)).await.unwrap().rows_affected(), rows, "{update}");
            commit(turn).await.unwrap();
        }
    }

    #[tokio::test]
    async fn what_is_dropped_is_undone_before_the_next_begins() {
        let folder = tempfile::tempdir().unwrap();
        let connections = one(&folder).await;
        let mut turn = connections.begin().await.unwrap();
        turn.execute(sql("INSERT INTO t VALUES (2)")).await.unwrap();
        drop(turn);
        assert_eq!(count(&connections).await, 1);
    }

    #[tokio::test]
    async fn a_statement_alone_stays() {
        let folder = tempfile::tempdir().unwrap();
        let connections = one(&folder).await;
        let mut turn = connections.alone().await.unwrap();
        turn.execute(sql("INSERT INTO t VALUES (2)")).await.unwrap();
        drop(turn);
        assert_eq!(count(&connections).await, 2);
    }

    #[tokio::test]
    async fn what_is_cut_off_in_the_middle_of_a_statement_is_undone() {
        let folder = tempfile::tempdir().unwrap();
        let connections = one(&folder).await;
        let many = "WITH RECURSIVE s(n) AS (SELECT 2 UNION ALL SELECT n + 1 FROM s WHERE n < 2000) \
                    INSERT INTO t SELECT n FROM s";
        for patience in 0..50 {
            let mut turn = connections.begin().await.unwrap();
            let cut_off = turn.execute(sql(many));
            let _ = tokio::time::timeout(Duration::from_micros(patience * 20), cut_off).await;
            drop(turn);
            assert_eq!(count(&connections).await, 1);
        }
    }

    #[tokio::test]
    async fn who_comes_after_a_read_that_was_cut_off_reads_their_own() {
        let folder = tempfile::tempdir().unwrap();
        let connections = one(&folder).await;
        let long = "WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < 20000) SELECT n FROM s";
        for patience in 0..50 {
            let mut turn = connections.alone().await.unwrap();
            let _ = tokio::time::timeout(Duration::from_micros(patience * 20), turn.query_all(sql(long))).await;
            drop(turn);
            assert_eq!(count(&connections).await, 1);
        }
    }

    #[tokio::test]
    async fn whoever_waits_gets_the_connection_that_comes_free_first() {
        let folder = tempfile::tempdir().unwrap();
        let options = one(&folder).await.options();
        let connections = Connections::open(options, 2).await.unwrap();
        let (_slow, quick) = (connections.alone().await.unwrap(), connections.alone().await.unwrap());
        let (next, ()) = tokio::join!(connections.alone(), async { drop(quick) });
        assert!(next.is_ok());
    }

    #[tokio::test]
    async fn closed_connections_are_not_opened_again() {
        let folder = tempfile::tempdir().unwrap();
        let connections = one(&folder).await;
        connections.close().await.unwrap();
        let refused = connections.alone().await.unwrap_err();
        assert!(matches!(refused, DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed)), "{refused}");
    }

    #[tokio::test]
    async fn after_an_error_nothing_of_the_transaction_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let connections = one(&folder).await;
        let mut turn = connections.begin().await.unwrap();
        turn.execute(sql("INSERT INTO t VALUES (2); INSERT INTO t VALUES (1); COMMIT")).await.unwrap_err();
        drop(turn);
        assert_eq!(count(&connections).await, 1);
    }

    #[tokio::test]
    async fn a_connection_whose_transaction_is_gone_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let connections = one(&folder).await;
        let mut turn = connections.begin().await.unwrap();
        // As SQLite does by itself where the disk is full.
        turn.execute(sql("ROLLBACK")).await.unwrap();
        commit(turn).await.unwrap_err();
        assert_eq!(count(&connections).await, 1);
    }

    #[tokio::test]
    async fn who_waits_too_long_for_their_turn_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let connections = one(&folder).await;
        let _busy = connections.begin().await.unwrap();
        let refused = connections.begin().await.unwrap_err();
        assert!(matches!(refused, DbErr::ConnectionAcquire(ConnAcquireErr::Timeout)), "{refused}");
        assert_eq!(connections.count(), (1, 0));
    }
}
