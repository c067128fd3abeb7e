//! The connections of an SQLite database, outside of any pool.
//!
//! Each message to a connection's thread and back wakes two threads, which costs more than most statements do. A pool asks
//! a connection that comes back whether it still lives, before the next caller gets it; a local file does not drop its
//! connections. And what begins and ends a transaction can travel with the statements beside it.
//!
//! Each commit writes every page that it touched, and most transactions touch the same: the ends of the tables and of the
//! indexes by time. So those who write at the same time share a commit, each in a savepoint of their own: see [`turn`].

mod group;
mod others;
mod turn;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{self, Arc, MutexGuard, PoisonError};
use std::time::Duration;

use sea_orm::sqlx::sqlite::SqliteConnectOptions;
use sea_orm::sqlx::{ConnectOptions, Connection, SqliteConnection};
use sea_orm::{ConnAcquireErr, DbErr, ExecResult, QueryResult, RuntimeErr, SqlxError, Statement};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use self::group::Group;
pub(crate) use self::others::OthersCommits;
use self::turn::State;
pub(crate) use self::turn::Turn;

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
    /// How many were opened in the place of others that were given up.
    reopened: AtomicU64,
    rest: sync::Mutex<Rest>,
}

#[derive(Debug)]
struct Rest {
    /// Fewer than there are permits where one was given up: whoever finds none opens another.
    idle: Vec<(SqliteConnection, Group)>,
    /// How many callers wait for their turn.
    waiting: usize,
}

impl Shared {
    fn rest(&self) -> MutexGuard<'_, Rest> {
        self.rest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Rest {
    /// Whether a group is left with nobody to come who would end it.
    fn has_left_a_group(&self) -> bool {
        self.waiting == 0 && self.idle.iter().any(|(_, group)| !group.is_empty())
    }
}

/// A caller who waits for their turn.
struct Waiting<'a> {
    connections: &'a Connections,
    is_over: bool,
}

impl<'a> Waiting<'a> {
    fn new(connections: &'a Connections) -> Self {
        connections.0.rest().waiting += 1;
        Self { connections, is_over: false }
    }

    /// It is their turn; `None` where a connection has to be opened for it.
    fn over(mut self) -> Option<(SqliteConnection, Group)> {
        self.is_over = true;
        let mut rest = self.connections.0.rest();
        rest.waiting -= 1;
        rest.idle.pop()
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        let mut rest = self.connections.0.rest();
        rest.waiting -= 1;
        if rest.has_left_a_group() {
            self.connections.end_what_was_left();
        }
    }
}

impl Connections {
    pub(crate) async fn open(options: SqliteConnectOptions, count: u32) -> Result<Self, SqlxError> {
        let mut idle = Vec::new();
        for _ in 0..count {
            idle.push((options.connect().await?, Group::default()));
        }
        let permits = Arc::new(Semaphore::new(count as usize));
        let rest = Rest { idle, waiting: 0 }.into();
        Ok(Self(Arc::new(Shared { options, count, permits, reopened: AtomicU64::default(), rest })))
    }

    /// A connection whose first statement begins a transaction. For where there is one connection alone: with more, whoever
    /// waits might get another than the one that a group was left on.
    pub(crate) async fn begin(&self) -> Result<Turn, DbErr> {
        self.take(State::Beginning).await
    }

    /// Runs a statement, or a message of several, as a transaction of its own.
    pub(crate) async fn execute(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        let mut turn = self.take(State::Alone).await?;
        let outcome = turn.execute(statement).await?;
        turn.end().await?;
        Ok(outcome)
    }

    /// The same, for the first row that it returns.
    pub(crate) async fn query_one(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        let mut turn = self.take(State::Alone).await?;
        let row = turn.query_one(statement).await?;
        turn.end().await?;
        Ok(row)
    }

    /// The same, for all rows that it returns.
    pub(crate) async fn query_all(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        let mut turn = self.take(State::Alone).await?;
        let rows = turn.query_all(statement).await?;
        turn.end().await?;
        Ok(rows)
    }

    async fn take(&self, state: State) -> Result<Turn, DbErr> {
        let waiting = Waiting::new(self);
        let permit = tokio::time::timeout(PATIENCE, self.0.permits.clone().acquire_owned()).await;
        let permit = permit.map_err(|_| DbErr::ConnectionAcquire(ConnAcquireErr::Timeout))?;
        let permit = permit.map_err(|_| DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed))?;
        let (connection, group) = match waiting.over() {
            Some(idle) => idle,
            None => {
                let opened = self.0.options.connect().await;
                self.0.reopened.fetch_add(1, Ordering::SeqCst);
                let opened = opened.map_err(|error| DbErr::Conn(RuntimeErr::SqlxError(error.into())))?;
                (opened, Group::default())
            }
        };
        Ok(Turn::new(connection, group, self.clone(), permit, state))
    }

    fn is_waited_for(&self) -> bool {
        self.0.rest().waiting > 0
    }

    /// Gives a connection back.
    fn put_back(&self, connection: SqliteConnection, group: Group) {
        let mut rest = self.0.rest();
        rest.idle.push((connection, group));
        if rest.has_left_a_group() {
            self.end_what_was_left();
        }
    }

    /// Ends, in the background, the group that nobody else will end.
    fn end_what_was_left(&self) {
        let Ok(runtime) = Handle::try_current() else { return };
        let connections = self.clone();
        runtime.spawn(async move {
            // Where this waits for too long, whoever made it wait ends the group. Errors are told to its members.
            if let Ok(turn) = connections.take(State::Alone).await {
                let _ = turn.end().await;
            }
        });
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
        let idle = std::mem::take(&mut self.0.rest().idle);
        let mut closed = Ok(());
        for (connection, _) in idle {
            closed = closed.and(connection.close().await);
        }
        closed
    }
}

#[cfg(test)]
mod tests {
    use sea_orm::DbBackend;

    use super::*;
    use crate::store::writes::Writes;

    pub(super) fn sql(text: &str) -> Statement {
        Statement::from_string(DbBackend::Sqlite, text)
    }

    pub(super) async fn commit(turn: Turn) -> Result<(), DbErr> {
        turn.commit(Writes::none_to_sqlite()).await
    }

    /// One connection to a table with one row, written in a transaction of its own.
    pub(super) async fn one(folder: &tempfile::TempDir) -> Connections {
        let options = SqliteConnectOptions::new().filename(folder.path().join("t.db")).create_if_missing(true);
        let connections = Connections::open(options, 1).await.unwrap();
        let mut turn = connections.begin().await.unwrap();
        turn.execute(sql("CREATE TABLE t (n integer NOT NULL UNIQUE)")).await.unwrap();
        turn.execute(sql("INSERT INTO t VALUES (1)")).await.unwrap();
        commit(turn).await.unwrap();
        connections
    }

    pub(super) async fn count(connections: &Connections) -> i64 {
        let row = connections.query_one(sql("SELECT count(*) AS n FROM t")).await;
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
        connections.execute(sql("INSERT INTO t VALUES (2)")).await.unwrap();
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
            let _ = tokio::time::timeout(Duration::from_micros(patience * 20), connections.query_all(sql(long))).await;
            assert_eq!(count(&connections).await, 1);
        }
    }

    #[tokio::test]
    async fn whoever_waits_gets_the_connection_that_comes_free_first() {
        let folder = tempfile::tempdir().unwrap();
        let options = one(&folder).await.options();
        let connections = Connections::open(options, 2).await.unwrap();
        let (_slow, quick) = (connections.begin().await.unwrap(), connections.begin().await.unwrap());
        let (next, ()) = tokio::join!(connections.begin(), async { drop(quick) });
        assert!(next.is_ok());
    }

    #[tokio::test]
    async fn closed_connections_are_not_opened_again() {
        let folder = tempfile::tempdir().unwrap();
        let connections = one(&folder).await;
        connections.close().await.unwrap();
        let refused = connections.begin().await.unwrap_err();
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
