//! Noticing what others commit.

use std::sync::atomic::Ordering;

use sea_orm::{DbBackend, DbErr, Statement};

use super::Connections;
use super::turn::State;

/// What others committed until then, as far as it can be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OthersCommits {
    reopened: u64,
    version: i64,
}

impl Connections {
    /// What is another one after each commit of somebody else's: of another process, or of other connections of this one.
    /// For where there is one connection alone: each counts for itself.
    pub(crate) async fn others_commits(&self) -> Result<OthersCommits, DbErr> {
        let mut turn = self.take(State::Alone).await?;
        let row = turn.query_one(Statement::from_string(DbBackend::Sqlite, "PRAGMA data_version")).await?;
        // Nobody else opens one during this turn.
        let reopened = self.0.reopened.load(Ordering::SeqCst);
        turn.end().await?;
        let version = row.ok_or_else(|| DbErr::Custom("no data_version".to_owned()))?.try_get_by_index(0)?;
        Ok(OthersCommits { reopened, version })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{commit, count, one, sql};
    use super::super::turn::tests::{insert, next};
    use super::*;

    #[tokio::test]
    async fn what_others_commit_is_told_apart_from_our_own_commits() {
        let folder = tempfile::tempdir().unwrap();
        let connections = one(&folder).await;
        let others = Connections::open(connections.options(), 1).await.unwrap();
        let mut before = connections.others_commits().await.unwrap();
        // Enough for the write-ahead log to begin again.
        for n in 2..40 {
            let mut turn = insert(&connections, n).await;
            turn.execute(sql(&format!("INSERT INTO t VALUES ({n} + 1000); CREATE TABLE t{n} (b)"))).await.unwrap();
            turn.execute(sql(&format!("INSERT INTO t{n} VALUES (zeroblob(200000))"))).await.unwrap();
            commit(turn).await.unwrap();
            drop(insert(&connections, n + 500).await);
            count(&others).await;
            assert_eq!(connections.others_commits().await.unwrap(), before, "{n}");
        }
        for n in 100..103 {
            others.execute(sql(&format!("INSERT INTO t VALUES ({n})"))).await.unwrap();
            let after = connections.others_commits().await.unwrap();
            assert_ne!(after, before, "{n}");
            before = after;
        }
        // A connection that takes the place of another begins to count anew.
        connections.0.rest().idle.clear();
        assert_ne!(connections.others_commits().await.unwrap(), before);
    }

    #[tokio::test]
    async fn looking_for_others_commits_in_a_group_ends_it() {
        let folder = tempfile::tempdir().unwrap();
        let connections = one(&folder).await;
        let before = connections.others_commits().await.unwrap();
        let first = insert(&connections, 2).await;
        let (second, committing) = next(&connections, first).await;
        let looking = tokio::spawn({
            let connections = connections.clone();
            async move { connections.others_commits().await }
        });
        while !connections.is_waited_for() {
            tokio::task::yield_now().await;
        }
        commit(second).await.unwrap();
        assert_eq!(looking.await.unwrap().unwrap(), before);
        committing.await.unwrap().unwrap();
        assert_eq!(count(&connections).await, 2);
    }
}
