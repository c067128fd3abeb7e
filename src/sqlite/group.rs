//! Those who share a commit.

use sea_orm::DbErr;
use tokio::sync::oneshot;

/// Those whose part of an open transaction is done, and who wait for its commit. The connection is at the savepoint
/// `part` then.
#[derive(Debug, Default)]
pub(super) struct Group {
    members: Vec<oneshot::Sender<Result<(), DbErr>>>,
    /// Turns since it began, of members and of those who undid their part or had none.
    turns: usize,
}

impl Group {
    pub(super) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    pub(super) fn turns(&self) -> usize {
        self.turns
    }

    /// Counts a turn that ends without a commit, and returns how many there were.
    pub(super) fn pass(&mut self) -> usize {
        self.turns += usize::from(!self.is_empty());
        self.turns
    }

    /// Lets one more in, who hears by what is returned what became of it.
    pub(super) fn join(&mut self) -> oneshot::Receiver<Result<(), DbErr>> {
        let (member, outcome) = oneshot::channel();
        self.members.push(member);
        outcome
    }

    pub(super) fn tell(&mut self, outcome: &Result<(), DbErr>) {
        self.turns = 0;
        for member in self.members.drain(..) {
            // Who hung up need not know.
            let _ = member.send(outcome.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::tests::{commit, one, sql};

    #[tokio::test]
    async fn callers_who_write_nothing_do_not_put_off_the_commit_of_others_without_end() {
        let folder = tempfile::tempdir().unwrap();
        let connections = one(&folder).await;
        let next = || {
            tokio::spawn({
                let connections = connections.clone();
                async move { connections.begin().await.unwrap() }
            })
        };
        let is_waited_for = async || {
            while !connections.is_waited_for() {
                tokio::task::yield_now().await;
            }
        };
        let mut turn = connections.begin().await.unwrap();
        turn.execute(sql("INSERT INTO t VALUES (2)")).await.unwrap();
        let mut waiting = next();
        is_waited_for().await;
        let committing = tokio::spawn(commit(turn));
        for reads in [true, false].repeat(20) {
            turn = waiting.await.unwrap();
            waiting = next();
            is_waited_for().await;
            if reads {
                turn.query_all(sql("SELECT n FROM t")).await.unwrap();
            }
            drop(turn);
        }
        let _last = waiting.await.unwrap();
        tokio::time::timeout(Duration::from_secs(5), committing).await.unwrap().unwrap().unwrap();
    }
}
