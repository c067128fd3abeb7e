//! Lines in front of the pool of connections: callers who want to lock the same row of PostgreSQL wait for each other
//! before they take a connection.
//!
//! A transaction that waits for a row holds a connection. Without lines, as many callers as the pool has connections could
//! wait for one row, and no other caller would be served meanwhile. So at most [`AT_ONCE`] transactions of a node want one
//! row, and the other callers wait without a connection.
//!
//! A caller names all rows that it will lock, and gets its turns in one order, before its transaction begins. A task that
//! has a place waits for no other one: it ends its transaction before it begins the next.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sea_orm::DbErr;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use crate::store::{LockedRow, StoreError};

/// Transactions that may want one row at a time: while one commits, the next is ready.
const AT_ONCE: usize = 2;
/// Callers in one line. Each takes a few KiB of memory, for the time that it may wait.
const MOST: usize = 1_024;

/// The lines of a node. Clones are one table; it has no entry for a row that no caller waits for.
#[derive(Clone, Debug)]
pub(crate) struct Lines {
    table: Arc<Mutex<HashMap<LockedRow, Line>>>,
    patience: Duration,
}

#[derive(Debug)]
struct Line {
    turns: Arc<Semaphore>,
    /// Those that wait and those that have their turn.
    callers: usize,
}

/// A caller's place in the lines of its rows, until it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    lines: Lines,
    rows: BTreeSet<LockedRow>,
    turns: Vec<OwnedSemaphorePermit>,
}

impl Lines {
    /// `patience` is how long a caller waits for its turns.
    pub(crate) fn new(patience: Duration) -> Self {
        Self { table: Arc::default(), patience }
    }

    /// Waits until it is the caller's turn in the lines of all of these rows.
    ///
    /// # Errors
    /// Where a line is full, or the turn does not come in time.
    pub(crate) async fn enter(&self, rows: impl IntoIterator<Item = LockedRow>) -> Result<Place, StoreError> {
        let deadline = Instant::now() + self.patience;
        let mut place = Place { lines: self.clone(), rows: BTreeSet::new(), turns: Vec::new() };
        for turns in place.join(rows.into_iter().collect())? {
            let turn = timeout_at(deadline, turns.acquire_owned()).await;
            let turn = turn.map_err(|_| unavailable("other callers wanted the same row for too long"))?;
            place.turns.push(turn.map_err(|error| unavailable(&error.to_string()))?);
        }
        Ok(place)
    }

    fn table(&self) -> MutexGuard<'_, HashMap<LockedRow, Line>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// The rows that it is the caller's turn to lock.
    pub(crate) fn rows(&self) -> impl Iterator<Item = &LockedRow> {
        self.rows.iter()
    }

    /// Counts the caller in each line, and returns what its turns come from, in the order in which every caller takes them.
    fn join(&mut self, rows: BTreeSet<LockedRow>) -> Result<Vec<Arc<Semaphore>>, StoreError> {
        let mut table = self.lines.table();
        let is_full = |row| table.get(row).is_some_and(|line| line.callers >= MOST);
        if rows.iter().any(is_full) {
            return Err(unavailable("too many other callers want the same row"));
        }
        let join = |row: &LockedRow| {
            let new = || Line { turns: Arc::new(Semaphore::new(AT_ONCE)), callers: 0 };
            let line = table.entry(*row).or_insert_with(new);
            line.callers += 1;
            line.turns.clone()
        };
        let turns = rows.iter().map(join).collect();
        self.rows = rows;
        Ok(turns)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.turns.clear();
        let mut table = self.lines.table();
        for row in &self.rows {
            let Some(line) = table.get_mut(row) else { continue };
            line.callers -= 1;
            if line.callers == 0 {
                table.remove(row);
            }
        }
    }
}

fn unavailable(why: &str) -> StoreError {
    StoreError::Unavailable(DbErr::Custom(why.to_owned()))
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use futures_util::future::join_all;

    use super::*;
    use crate::kernel::token::Digest;
    use crate::store::AccountId;

    const ONE: LockedRow = LockedRow::Account(AccountId(1));
    const OTHER: LockedRow = LockedRow::Account(AccountId(2));

    fn lines() -> Lines {
        Lines::new(Duration::from_secs(2))
    }

    #[tokio::test]
    async fn two_callers_at_a_time_have_their_turn_at_one_row_and_the_others_in_order() {
        let lines = lines();
        let (first, _second) = (lines.enter([ONE]).await.unwrap(), lines.enter([ONE]).await.unwrap());
        let mut third = Box::pin(lines.enter([ONE]));
        assert!(third.as_mut().now_or_never().is_none());
        let mut fourth = Box::pin(lines.enter([ONE]));
        assert!(fourth.as_mut().now_or_never().is_none());
        assert!(lines.enter([OTHER]).now_or_never().is_some(), "others wait for nothing");
        drop(first);
        assert!(fourth.as_mut().now_or_never().is_none());
        assert!(third.now_or_never().is_some_and(|place| place.is_ok()));
    }

    #[tokio::test]
    async fn a_turn_that_does_not_come_in_time_is_a_passing_failure() {
        let lines = Lines::new(Duration::from_millis(20));
        let _places = (lines.enter([OTHER]).await.unwrap(), lines.enter([OTHER]).await.unwrap());
        let refused = lines.enter([ONE, OTHER]).await.unwrap_err();
        assert!(matches!(refused, StoreError::Unavailable(_)), "{refused}");
        assert_eq!(lines.table().len(), 1);
    }

    #[tokio::test]
    async fn a_full_line_is_refused_at_once_and_leaves_no_trace_in_another() {
        let lines = lines();
        let _places = (lines.enter([ONE]).await.unwrap(), lines.enter([ONE]).await.unwrap());
        let mut waiting: Vec<_> = (2..MOST).map(|_| Box::pin(lines.enter([ONE]))).collect();
        for caller in &mut waiting {
            assert!(caller.as_mut().now_or_never().is_none());
        }
        assert_eq!(lines.table()[&ONE].callers, MOST);
        assert!(lines.enter([OTHER, ONE]).now_or_never().is_some_and(|place| place.is_err()));
        assert!(!lines.table().contains_key(&OTHER));
    }

    #[tokio::test]
    async fn callers_who_want_several_rows_in_whatever_order_never_wait_for_each_other_without_end() {
        let lines = lines();
        let counter = LockedRow::Counter(Digest::of("1"));
        let rows = [[ONE, OTHER, counter], [counter, OTHER, ONE], [OTHER, counter, OTHER]];
        let callers = (0..120).map(|number| {
            let (lines, rows) = (lines.clone(), rows[number % rows.len()]);
            async move {
                let place = lines.enter(rows).await.unwrap();
                tokio::task::yield_now().await;
                drop(place);
            }
        });
        join_all(callers).await;
        assert!(lines.table().is_empty());
    }

    #[tokio::test]
    async fn a_caller_who_stops_waiting_frees_its_place() {
        let lines = lines();
        let places = (lines.enter([ONE]).await.unwrap(), lines.enter([ONE]).await.unwrap());
        let mut third = Box::pin(lines.enter([ONE]));
        assert!(third.as_mut().now_or_never().is_none());
        drop(third);
        assert_eq!(lines.table()[&ONE].callers, 2);
        drop(places);
        assert!(lines.table().is_empty());
    }
}
