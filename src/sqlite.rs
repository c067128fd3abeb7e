//! The connections of an SQLite database, outside of any pool.
//!
//! Each message to a connection's thread and back wakes two threads, which costs more than most statements do. A pool asks
//! a connection that comes back whether it still lives, before the next caller gets it; a local file does not drop its
//! connections. And what begins and ends a transaction can travel with the statements beside it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::TryStreamExt;
use sea_orm::sea_query::Values;
use sea_orm::sqlx::query::Query;
use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteQueryResult};
use sea_orm::sqlx::{self, AssertSqlSafe, ConnectOptions, Connection, Either, Executor, Sqlite, SqliteConnection};
use sea_orm::{ConnAcquireErr, DbErr, ExecResult, QueryResult, RuntimeErr, SqlxError, Statement};
use sea_query_sqlx::SqlxValues;
use tokio::runtime::Handle;
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::store::writes::Writes;

/// How long a caller waits for a free connection before it hears 503.
pub(crate) const PATIENCE: Duration = Duration::from_millis(1_500);

/// Some connections to one file, each for one caller at a time.
#[derive(Clone, Debug)]
pub(crate) struct Connections(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    options: SqliteConnectOptions,
    slots: Vec<Arc<Mutex<Slot>>>,
    /// Where the next one waits who finds none free.
    next: AtomicUsize,
    is_closed: AtomicBool,
}

/// `None` where the last one was given up.
type Slot = Option<SqliteConnection>;

impl Connections {
    pub(crate) async fn open(options: SqliteConnectOptions, count: usize) -> Result<Self, SqlxError> {
        let mut slots = Vec::with_capacity(count);
        for _ in 0..count {
            slots.push(Arc::new(Mutex::new(Some(options.connect().await?))));
        }
        Ok(Self(Arc::new(Shared { options, slots, next: AtomicUsize::new(0), is_closed: AtomicBool::new(false) })))
    }

    /// A connection whose statements are transactions of their own.
    pub(crate) async fn alone(&self) -> Result<Turn, DbErr> {
        Ok(Turn { slot: Some(self.take().await?), state: State::Alone })
    }

    /// A connection whose first statement begins a transaction.
    pub(crate) async fn begin(&self) -> Result<Turn, DbErr> {
        Ok(Turn { slot: Some(self.take().await?), state: State::Beginning })
    }

    async fn take(&self) -> Result<OwnedMutexGuard<Slot>, DbErr> {
        let free = self.0.slots.iter().find_map(|slot| slot.clone().try_lock_owned().ok());
        let mut slot = match free {
            Some(slot) => slot,
            None => {
                let next = self.0.next.fetch_add(1, Ordering::Relaxed) % self.0.slots.len();
                let waiting = tokio::time::timeout(PATIENCE, self.0.slots[next].clone().lock_owned());
                waiting.await.map_err(|_| DbErr::ConnectionAcquire(ConnAcquireErr::Timeout))?
            }
        };
        if self.0.is_closed.load(Ordering::SeqCst) {
            return Err(DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed));
        }
        if slot.is_none() {
            let opened = self.0.options.connect().await;
            *slot = Some(opened.map_err(|error| DbErr::Conn(RuntimeErr::SqlxError(error.into())))?);
        }
        Ok(slot)
    }

    /// How many there are, and how many of them nobody uses.
    pub(crate) fn count(&self) -> (usize, usize) {
        (self.0.slots.len(), self.0.slots.iter().filter(|slot| slot.try_lock().is_ok()).count())
    }

    pub(crate) fn options(&self) -> SqliteConnectOptions {
        self.0.options.clone()
    }

    pub(crate) async fn close(&self) -> Result<(), SqlxError> {
        self.0.is_closed.store(true, Ordering::SeqCst);
        for slot in &self.0.slots {
            if let Some(connection) = slot.lock().await.take() {
                connection.close().await?;
            }
        }
        Ok(())
    }
}

/// One caller's hold of a connection. Dropped with a transaction that was not committed, it undoes that.
#[derive(Debug)]
pub(crate) struct Turn {
    /// `None` once it is over.
    slot: Option<OwnedMutexGuard<Slot>>,
    state: State,
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
    /// The outcome is that of the last statement in the message. SQLite's count of changed rows stays as it was over a
    /// BEGIN, so that the sum over all of them would tell of somebody else's.
    pub(crate) async fn execute(&mut self, statement: Statement) -> Result<ExecResult, DbErr> {
        let (connection, query) = self.prepare(statement)?;
        let last = async |last, outcome| match outcome {
            Either::Left(done) => Ok(done),
            Either::Right(_) => Ok(last),
        };
        let last = connection.fetch_many(query).try_fold(SqliteQueryResult::default(), last).await;
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
        self.execute(writes.in_one_message(Some("COMMIT"))).await?;
        self.state = State::Beginning;
        Ok(())
    }

    /// The first statement of a transaction begins it too, and takes the write lock at once: one that reads first and then
    /// wants to write would be refused, however patient it is, where another process wrote in between.
    fn prepare(
        &mut self,
        statement: Statement,
    ) -> Result<(&mut SqliteConnection, Query<'static, Sqlite, SqlxValues>), DbErr> {
        let sql = if self.state == State::Beginning {
            self.state = State::Begun;
            format!("BEGIN IMMEDIATE; {}", statement.sql)
        } else {
            statement.sql
        };
        let connection = self.slot.as_mut().and_then(|slot| slot.as_mut());
        let connection = connection.ok_or(DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed))?;
        let values = statement.values.unwrap_or_else(|| Values(Vec::new()));
        Ok((connection, sqlx::query_with(AssertSqlSafe(sql), SqlxValues(values))))
    }

    /// A connection whose thread is gone is replaced.
    fn checked<T>(&mut self, result: Result<T, SqlxError>, kind: fn(RuntimeErr) -> DbErr) -> Result<T, DbErr> {
        result.map_err(|error| {
            if matches!(error, SqlxError::WorkerCrashed)
                && let Some(slot) = &mut self.slot
            {
                **slot = None;
            }
            kind(RuntimeErr::SqlxError(error.into()))
        })
    }
}

impl Drop for Turn {
    /// Undoes what was not committed before the next caller has the connection. What runs at this moment runs to its
    /// end first: SQLite's thread takes one message after the other.
    fn drop(&mut self) {
        let Some(mut slot) = self.slot.take().filter(|_| self.state == State::Begun) else { return };
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
