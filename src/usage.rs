//! What accounts do, counted in memory and written down about once a second.
//!
//! A profile read costs no database; neither may counting it. What a crash can lose is the last second of counts,
//! never an answer.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::app::App;
use crate::kernel::clock::Timestamp;
use crate::store::usage::Usage;
use crate::store::writes::Writes;
use crate::store::{self, AccountId, SessionId, StoreError};

/// Calls since the last flush, by session.
#[derive(Debug, Default)]
pub struct Tally {
    /// Several, so that threads that serve different sessions seldom wait for each other.
    shards: [Mutex<HashMap<SessionId, Usage>>; SHARDS],
}

const SHARDS: usize = 16;
/// Sessions that are written down in one message. Few, for connections remember the statements of each length.
const AT_ONCE: usize = 4;

impl Tally {
    /// Counts one call.
    pub fn count(&self, account: AccountId, session: SessionId, at: Timestamp) {
        let shard = &self.shards[session.0.unsigned_abs() as usize % SHARDS];
        let mut sessions = shard.lock().unwrap_or_else(PoisonError::into_inner);
        let usage = sessions.entry(session).or_insert(Usage { account, session, calls: 0, last_activity_at: at });
        usage.calls += 1;
        usage.last_activity_at = usage.last_activity_at.max(at);
    }

    /// Takes out what was counted.
    fn drain(&self) -> Vec<Usage> {
        let drain = |shard: &Mutex<HashMap<SessionId, Usage>>| {
            std::mem::take(&mut *shard.lock().unwrap_or_else(PoisonError::into_inner))
        };
        self.shards.iter().flat_map(drain).map(|(_, usage)| usage).collect()
    }

    /// Puts back what could not be written.
    fn put_back(&self, usages: Vec<Usage>) {
        for usage in usages {
            let shard = &self.shards[usage.session.0.unsigned_abs() as usize % SHARDS];
            let mut sessions = shard.lock().unwrap_or_else(PoisonError::into_inner);
            sessions.entry(usage.session).and_modify(|newer| newer.calls += usage.calls).or_insert(usage);
        }
    }
}

/// Writes down what was counted since the last time, in one transaction.
///
/// # Errors
/// Where the database does not take it; the counts are kept for the next time.
pub async fn flush(app: &App) -> Result<(), StoreError> {
    let usages = app.usage.drain();
    if usages.is_empty() {
        return Ok(());
    }
    let written = write(app, &usages).await;
    if written.is_err() {
        app.usage.put_back(usages);
    }
    written
}

async fn write(app: &App, usages: &[Usage]) -> Result<(), StoreError> {
    // Every node locks accounts in the same order, so that none waits for another in a circle.
    let mut usages = usages.to_vec();
    usages.sort_by_key(|usage| (usage.account.0, usage.session.0));
    let tx = app.begin().await?;
    for some in usages.chunks(AT_ONCE) {
        let mut writes = Writes::to(&tx);
        some.iter().for_each(|usage| store::usage::add(&mut writes, *usage));
        writes.run(&tx).await?;
    }
    app.commit(tx).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_not_be_written_is_counted_again() {
        let tally = Tally::default();
        let (account, session) = (AccountId(1), SessionId(17));
        let at = Timestamp::from_micros;
        tally.count(account, session, at(5));
        let failed = tally.drain();
        tally.count(account, session, at(9));
        tally.put_back(failed);
        let [usage] = tally.drain()[..] else { panic!("one session was counted") };
        assert_eq!((usage.calls, usage.last_activity_at), (2, at(9)));
        assert!(tally.drain().is_empty());
    }
}
