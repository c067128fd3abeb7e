//! One caller's hold of a connection, and how those who write at once share a commit.
//!
//! Who wants to commit while others wait leaves that to them: it opens a savepoint and passes the connection on, with the
//! transaction open. The next one's part is undone by going back to the savepoint, or kept by moving the savepoint on. The
//! last one in the queue commits for all of them, and nobody's commit has returned before.
//!
//! Who comes later in a group reads what the earlier ones wrote, and nobody outside of it does yet. A refusal for what was
//! read there may thus be for a change that a full disk undoes a moment later.

use std::future::ready;

use futures_util::TryStreamExt;
use sea_orm::sea_query::Values;
use sea_orm::sqlx::query::Query;
use sea_orm::sqlx::sqlite::{SqliteQueryResult, SqliteRow};
use sea_orm::sqlx::{self, AssertSqlSafe, Connection, Either, Executor, Sqlite, SqliteConnection};
use sea_orm::{ConnAcquireErr, DbErr, ExecResult, QueryResult, RuntimeErr, SqlxError, Statement};
use sea_query_sqlx::SqlxValues;
use tokio::runtime::Handle;
use tokio::sync::OwnedSemaphorePermit;

use super::Connections;
use super::group::Group;
use crate::store::writes::Writes;

/// Callers whose turns share a commit at most, with those who undo theirs or write nothing: the first waits for the last.
const MOST: usize = 16;

/// One caller's hold of a connection. Dropped with a transaction that was not committed, it undoes that.
#[derive(Debug)]
pub(crate) struct Turn {
    /// `None` once its thread is gone, or the turn over.
    connection: Option<SqliteConnection>,
    group: Group,
    connections: Connections,
    permit: Option<OwnedSemaphorePermit>,
    state: State,
    /// Whether a message is on its way.
    is_busy: bool,
    /// Whether SQLite may have undone the transaction by itself: where it did, the next statements would be none of one.
    has_failed: bool,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Each statement is a transaction of its own.
    Alone,
    /// The next statement begins the transaction, or this caller's part of one.
    Beginning,
    /// There is something to undo.
    Begun,
}

impl Turn {
    pub(super) fn new(
        connection: SqliteConnection,
        group: Group,
        connections: Connections,
        permit: OwnedSemaphorePermit,
        state: State,
    ) -> Self {
        Self {
            connection: Some(connection),
            group,
            connections,
            permit: Some(permit),
            state,
            is_busy: false,
            has_failed: false,
        }
    }

    pub(crate) async fn execute(&mut self, statement: Statement) -> Result<ExecResult, DbErr> {
        let (_, outcome) = self.run(statement, 1, DbErr::Exec).await?;
        Ok(outcome.into())
    }

    pub(crate) async fn query_one(&mut self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        Ok(self.query_all(statement).await?.into_iter().next())
    }

    pub(crate) async fn query_all(&mut self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        let (rows, _) = self.run(statement, 1, DbErr::Query).await?;
        Ok(rows.into_iter().map(Into::into).collect())
    }

    /// Runs a message of so many statements, at least. Returns their rows, and the outcome of the last: SQLite's count of
    /// changed rows stays as it was over a BEGIN, so that the sum over all of them would tell of somebody else's.
    async fn run(
        &mut self,
        statement: Statement,
        count: usize,
        kind: fn(RuntimeErr) -> DbErr,
    ) -> Result<(Vec<SqliteRow>, SqliteQueryResult), DbErr> {
        let count = count + usize::from(self.is_to_begin());
        let (connection, query) = self.prepare(statement)?;
        let (mut rows, mut outcome, mut done) = (Vec::new(), SqliteQueryResult::default(), 0);
        let each = connection.fetch_many(query).try_for_each(|item| {
            match item {
                Either::Left(result) => (outcome, done) = (result, done + 1),
                Either::Right(row) => rows.push(row),
            }
            ready(Ok(()))
        });
        let ended = each.await;
        // A thread that dies ends the outcomes without an error.
        let ended = if ended.is_ok() && done < count { Err(SqlxError::WorkerCrashed) } else { ended };
        self.checked(ended, kind)?;
        Ok((rows, outcome))
    }

    /// Runs the writes and commits. That is not on the disk then: see [`crate::journal`].
    pub(crate) async fn commit(self, writes: Writes) -> Result<(), DbErr> {
        if self.state != State::Begun && writes.is_empty() {
            return Ok(());
        }
        if self.has_failed {
            return Err(lost());
        }
        self.finish(writes).await
    }

    /// Ends the turn of a caller who is alone, and the group's with it.
    pub(super) async fn end(self) -> Result<(), DbErr> {
        if self.group.is_empty() {
            return Ok(());
        }
        self.finish(Writes::none_to_sqlite()).await
    }

    async fn finish(self, writes: Writes) -> Result<(), DbErr> {
        if self.group.is_empty() {
            return self.commit_or_leave(writes).await;
        }
        // Others wait for this: it goes on where its caller hangs up.
        let finishing = tokio::spawn(self.commit_or_leave(writes));
        finishing.await.unwrap_or_else(|_| Err(lost()))
    }

    async fn commit_or_leave(mut self, writes: Writes) -> Result<(), DbErr> {
        let has_part = self.state == State::Begun || !writes.is_empty();
        let leaves = self.group.turns() + 1 < MOST && self.connections.is_waited_for();
        let (last, count) = match (leaves, self.group.is_empty()) {
            (false, _) => ("COMMIT", 1),
            (true, true) => ("SAVEPOINT part", 1),
            (true, false) => ("RELEASE part; SAVEPOINT part", 2),
        };
        let count = writes.len() + count;
        if let Err(error) = self.run(writes.in_one_message(Some(last)), count, DbErr::Exec).await {
            if !has_part {
                self.group.tell(&Err(error.clone()));
            }
            return Err(error);
        }
        self.state = State::Alone;
        if !leaves {
            self.group.tell(&Ok(()));
            return Ok(());
        }
        let outcome = self.group.join();
        drop(self);
        outcome.await.unwrap_or_else(|_| Err(lost()))
    }

    /// Whether the next message begins a transaction.
    fn is_to_begin(&self) -> bool {
        self.state == State::Beginning && self.group.is_empty()
    }

    /// The first statement of a transaction begins it too, and takes the write lock at once: one that reads first and then
    /// wants to write would be refused, however patient it is, where another process wrote in between.
    fn prepare(
        &mut self,
        statement: Statement,
    ) -> Result<(&mut SqliteConnection, Query<'static, Sqlite, SqlxValues>), DbErr> {
        let is_to_begin = self.is_to_begin();
        let connection = self.connection.as_mut().ok_or_else(lost)?;
        let sql = if is_to_begin { format!("BEGIN IMMEDIATE; {}", statement.sql) } else { statement.sql };
        if self.state == State::Beginning || !self.group.is_empty() {
            self.state = State::Begun;
        }
        self.is_busy = true;
        let values = statement.values.unwrap_or_else(|| Values(Vec::new()));
        Ok((connection, sqlx::query_with(AssertSqlSafe(sql), SqlxValues(values))))
    }

    /// A message was answered. A connection whose thread is gone is given up.
    fn checked<T>(&mut self, result: Result<T, SqlxError>, kind: fn(RuntimeErr) -> DbErr) -> Result<T, DbErr> {
        self.is_busy = false;
        result.map_err(|error| {
            // Only what is taken already undoes its own statement and no more.
            self.has_failed |= !error.as_database_error().is_some_and(|error| error.is_unique_violation());
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
        let mut group = std::mem::take(&mut self.group);
        let has_begun = self.state == State::Begun;
        let is_due = group.pass() >= MOST;
        if !has_begun && !self.is_busy && !is_due {
            self.connections.put_back(connection, group);
            return;
        }
        // Without a runtime the connection goes away, and SQLite undoes what it had begun.
        let Ok(runtime) = Handle::try_current() else { return };
        let (connections, permit) = (self.connections.clone(), self.permit.take());
        runtime.spawn(async move {
            let undo = if group.is_empty() { "ROLLBACK" } else { "ROLLBACK TO part" };
            let rested = if has_begun {
                sqlx::query(undo).execute(&mut connection).await.map(|_| ())
            } else {
                connection.ping().await
            };
            let rested = match rested {
                Ok(()) if is_due => sqlx::query("COMMIT").execute(&mut connection).await.map(|_| group.tell(&Ok(()))),
                rested => rested,
            };
            // An error may mean no more than that SQLite had undone it by itself, and then the group's other parts too; a
            // new connection is sure to be clean.
            if rested.is_ok() {
                connections.put_back(connection, group);
            }
            drop(permit);
        });
    }
}

/// Nobody can tell any more what became of it.
fn lost() -> DbErr {
    DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed)
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::Duration;

    use futures_util::future::join_all;
    use tokio::task::JoinHandle;

    use super::super::tests::{commit, count, one, sql};
    use super::*;

    pub(in super::super) async fn insert(connections: &Connections, n: u32) -> Turn {
        let mut turn = connections.begin().await.unwrap();
        turn.execute(sql(&format!("INSERT INTO t VALUES ({n})"))).await.unwrap();
        turn
    }

    /// The turn of somebody who came while `first` had theirs; and the commit of `first`, which waits.
    pub(in super::super) async fn next(
        connections: &Connections,
        first: Turn,
    ) -> (Turn, JoinHandle<Result<(), DbErr>>) {
        let waiting = tokio::spawn({
            let connections = connections.clone();
            async move { connections.begin().await.unwrap() }
        });
        while !connections.is_waited_for() {
            tokio::task::yield_now().await;
        }
        let committing = tokio::spawn(commit(first));
        (waiting.await.unwrap(), committing)
    }

    #[tokio::test]
    async fn who_commits_while_others_wait_commits_with_them() {
        let folder = tempfile::tempdir().unwrap();
        let connections = one(&folder).await;
        let others = Connections::open(connections.options(), 1).await.unwrap();
        let first = insert(&connections, 2).await;
        let (mut second, committing) = next(&connections, first).await;
        second.execute(sql("INSERT INTO t VALUES (3)")).await.unwrap();
        assert!(!committing.is_finished());
        assert_eq!(count(&others).await, 1);
        commit(second).await.unwrap();
        committing.await.unwrap().unwrap();
        assert_eq!(count(&others).await, 3);
    }

    #[tokio::test]
    async fn what_one_of_them_drops_is_undone_alone() {
        let folder = tempfile::tempdir().unwrap();
        let connections = one(&folder).await;
        let first = insert(&connections, 2).await;
        let (mut second, committing) = next(&connections, first).await;
        second.execute(sql("INSERT INTO t VALUES (3)")).await.unwrap();
        second.execute(sql("INSERT INTO t VALUES (2)")).await.unwrap_err();
        drop(second);
        committing.await.unwrap().unwrap();
        assert_eq!(count(&connections).await, 2);
    }

    #[tokio::test]
    async fn who_does_nothing_does_not_keep_the_others() {
        let folder = tempfile::tempdir().unwrap();
        let connections = one(&folder).await;
        let first = insert(&connections, 2).await;
        let (second, committing) = next(&connections, first).await;
        commit(second).await.unwrap();
        committing.await.unwrap().unwrap();
        assert_eq!(count(&connections).await, 2);
    }

    #[tokio::test]
    async fn statements_alone_share_the_commit_too() {
        let folder = tempfile::tempdir().unwrap();
        let connections = one(&folder).await;
        let first = insert(&connections, 2).await;
        let (second, committing) = next(&connections, first).await;
        let alone = tokio::spawn({
            let connections = connections.clone();
            async move { connections.execute(sql("INSERT INTO t VALUES (4)")).await }
        });
        while !connections.is_waited_for() {
            tokio::task::yield_now().await;
        }
        drop(second);
        assert_eq!(alone.await.unwrap().unwrap().rows_affected(), 1);
        committing.await.unwrap().unwrap();
        assert_eq!(count(&connections).await, 3);
    }

    #[tokio::test]
    async fn a_group_that_was_left_for_somebody_who_gave_up_is_committed() {
        let folder = tempfile::tempdir().unwrap();
        let connections = one(&folder).await;
        for n in 2..52 {
            let first = insert(&connections, n).await;
            let gives_up = tokio::time::timeout(Duration::from_micros(u64::from(n) * 20), connections.begin());
            let (committed, _) = tokio::join!(commit(first), gives_up);
            committed.unwrap();
            assert_eq!(count(&connections).await, i64::from(n));
        }
    }

    #[tokio::test]
    async fn nobody_is_told_that_what_is_gone_was_committed() {
        let folder = tempfile::tempdir().unwrap();
        let connections = one(&folder).await;
        let first = insert(&connections, 2).await;
        let (mut second, committing) = next(&connections, first).await;
        // As SQLite does by itself where the disk is full.
        second.execute(sql("ROLLBACK")).await.unwrap();
        commit(second).await.unwrap_err();
        committing.await.unwrap().unwrap_err();
        assert_eq!(count(&connections).await, 1);
    }

    #[tokio::test]
    async fn who_goes_on_after_a_full_disk_commits_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let options = one(&folder).await.options().pragma("max_page_count", "20");
        let connections = Connections::open(options, 1).await.unwrap();
        let mut first = insert(&connections, 2).await;
        first.execute(sql("INSERT INTO t VALUES (zeroblob(200000))")).await.unwrap_err();
        let (_, committing) = next(&connections, first).await;
        committing.await.unwrap().unwrap_err();
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn of_many_at_once_all_that_returned_is_there_and_nothing_that_was_undone() {
        let folder = tempfile::tempdir().unwrap();
        let connections = one(&folder).await;
        let callers = (2..300).map(|n: u32| {
            let connections = connections.clone();
            tokio::spawn(async move {
                let turn = insert(&connections, n).await;
                match n % 5 {
                    0 => {
                        drop(turn);
                        Some((n, false))
                    }
                    1 => {
                        let _ = tokio::time::timeout(Duration::from_micros(u64::from(n)), commit(turn)).await;
                        None
                    }
                    _ => {
                        commit(turn).await.unwrap();
                        Some((n, true))
                    }
                }
            })
        });
        let outcomes = join_all(callers).await;
        for (n, is_there) in outcomes.into_iter().filter_map(Result::unwrap) {
            let found = connections.query_all(sql(&format!("SELECT n FROM t WHERE n = {n}"))).await.unwrap();
            assert_eq!(!found.is_empty(), is_there, "{n}");
        }
    }
}
