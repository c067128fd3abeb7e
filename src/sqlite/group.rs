//! Those who share a commit.

use sea_orm::DbErr;
use tokio::sync::oneshot;

/// Those whose part of an open transaction is done, and who wait for its commit. The connection is at the savepoint
/// `part` then.
#[derive(Debug, Default)]
pub(super) struct Group(Vec<oneshot::Sender<Result<(), DbErr>>>);

impl Group {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Lets one more in, who hears by what is returned what became of it.
    pub(super) fn join(&mut self) -> oneshot::Receiver<Result<(), DbErr>> {
        let (member, outcome) = oneshot::channel();
        self.0.push(member);
        outcome
    }

    pub(super) fn tell(&mut self, outcome: &Result<(), DbErr>) {
        for member in self.0.drain(..) {
            // Who hung up need not know.
            let _ = member.send(outcome.clone());
        }
    }
}
