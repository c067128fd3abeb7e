//! What accounts do, counted in memory and written down about once a second.
//!
//! A profile read costs no database; neither may counting it. What a crash can lose is the last second of counts,
//! never an answer.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::app::App;
use crate::kernel::clock::Timestamp;
use crate::kernel::token::Digest;
use crate::store::usage::Usage;
use crate::store::{self, AccountId, SessionId, StoreError};

/// Calls since the last flush, by session.
#[derive(Debug, Default)]
pub struct Tally {
    /// Several, so that threads that serve different sessions seldom wait for each other.
    shards: [Mutex<HashMap<SessionId, Usage>>; SHARDS],
}

const SHARDS: usize = 16;
/// Accounts that are written down in one transaction, and sessions of theirs where one account has no more than that:
/// others who write wait for that long at most.
const ACCOUNTS_AT_ONCE: usize = 250;
const SESSIONS_AT_ONCE: usize = 1_000;

impl Tally {
    /// Counts one call.
    pub fn count(&self, account: AccountId, session: SessionId, at: Timestamp) {
        self.change(account, session, at, |usage| {
            usage.calls += 1;
            usage.last_activity_at = usage.last_activity_at.max(at);
        });
    }

    /// Keeps that a session used a pair that this refresh token was exchanged for.
    pub fn note_use(&self, account: AccountId, session: SessionId, exchanged: Digest, at: Timestamp) {
        self.change(account, session, at, |usage| {
            if !usage.used_first.contains(&exchanged) {
                usage.used_first.push(exchanged);
            }
        });
    }

    /// Whether such a use is known here and not written down yet.
    #[must_use]
    pub fn knows_use(&self, session: SessionId, exchanged: &Digest) -> bool {
        self.shard(session).get(&session).is_some_and(|usage| usage.used_first.contains(exchanged))
    }

    fn change(&self, account: AccountId, session: SessionId, at: Timestamp, change: impl FnOnce(&mut Usage)) {
        let usage = || Usage { account, session, calls: 0, last_activity_at: at, used_first: Vec::new() };
        change(self.shard(session).entry(session).or_insert_with(usage));
    }

    fn shard(&self, session: SessionId) -> MutexGuard<'_, HashMap<SessionId, Usage>> {
        let shard = &self.shards[session.0.unsigned_abs() as usize % SHARDS];
        shard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes out what was counted.
    fn drain(&self) -> Vec<Usage> {
        let drain = |shard: &Mutex<HashMap<SessionId, Usage>>| {
            std::mem::take(&mut *shard.lock().unwrap_or_else(PoisonError::into_inner))
        };
        self.shards.iter().flat_map(drain).map(|(_, usage)| usage).collect()
    }

    /// Whether all that was counted is written down.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.shards.iter().all(|shard| shard.lock().unwrap_or_else(PoisonError::into_inner).is_empty())
    }

    /// Puts back what could not be written.
    fn put_back(&self, usages: impl IntoIterator<Item = Usage>) {
        for usage in usages {
            let (session, at) = (usage.session, usage.last_activity_at);
            self.change(usage.account, session, at, |newer| {
                newer.calls += usage.calls;
                newer.last_activity_at = newer.last_activity_at.max(at);
                newer.used_first.extend(usage.used_first);
            });
        }
    }
}

/// Writes down what was counted since the last time, in transactions of a few hundred accounts. On PostgreSQL the counts
/// whose account's or session's row another transaction holds are kept for the next time.
///
/// # Errors
/// Where the database does not take them; what it did not take is kept for the next time.
pub async fn flush(app: &App) -> Result<(), StoreError> {
    let mut usages = app.usage.drain();
    // An account's stand together.
    usages.sort_by_key(|usage| (usage.account.0, usage.session.0));
    let mut rest = &usages[..];
    while !rest.is_empty() {
        let (some, later) = rest.split_at(part(rest));
        match write(app, some).await {
            Ok(held) => app.usage.put_back(held),
            Err(error) => {
                app.usage.put_back(rest.iter().cloned());
                return Err(error);
            }
        }
        rest = later;
    }
    Ok(())
}

/// How many of `usages`, which are sorted by account, go into one transaction: whole accounts, and at least one.
fn part(usages: &[Usage]) -> usize {
    let mut part = 0;
    for of_one in usages.chunk_by(|one, other| one.account == other.account).take(ACCOUNTS_AT_ONCE) {
        if part > 0 && part + of_one.len() > SESSIONS_AT_ONCE {
            break;
        }
        part += of_one.len();
    }
    part
}

/// Writes them down, but for those whose account or session another transaction holds, which it returns.
async fn write(app: &App, usages: &[Usage]) -> Result<Vec<Usage>, StoreError> {
    let tx = app.begin().await?;
    let (free, held) = store::usage::lock_free(&tx, usages).await?;
    store::usage::add(&tx, &free).await?;
    app.commit(tx).await?;
    Ok(held)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::random::Random;
    use crate::kernel::token::Token;

    #[test]
    fn what_could_not_be_written_is_counted_again() {
        let tally = Tally::default();
        let (account, session) = (AccountId(1), SessionId(17));
        let at = Timestamp::from_micros;
        let exchanged = Token::new_bearer(&Random::seeded(1)).digest();
        tally.count(account, session, at(5));
        tally.note_use(account, session, exchanged, at(5));
        assert!(tally.knows_use(session, &exchanged));
        let failed = tally.drain();
        tally.count(account, session, at(9));
        tally.put_back(failed);
        let [usage] = &tally.drain()[..] else { panic!("one session was counted") };
        assert_eq!((usage.calls, usage.last_activity_at, &usage.used_first[..]), (2, at(9), &[exchanged][..]));
        assert!(tally.is_empty());
    }

    #[test]
    fn whole_accounts_go_into_one_transaction_a_few_hundred_at_a_time() {
        let usage = |account, session| {
            let (account, session) = (AccountId(account), SessionId(session));
            let last_activity_at = Timestamp::from_micros(5);
            Usage { account, session, calls: 1, last_activity_at, used_first: Vec::new() }
        };
        let one_each: Vec<_> = (1..=600).map(|account| usage(account, account)).collect();
        assert_eq!(part(&one_each), ACCOUNTS_AT_ONCE);
        let of_one = (1..=5_000).map(|session| usage(7, session));
        let many: Vec<_> = of_one.chain([usage(8, 5_001)]).collect();
        assert_eq!(part(&many), 5_000);
        let few_with_many: Vec<_> = (0..2_000).map(|session| usage(session / 400, session)).collect();
        assert_eq!(part(&few_with_many), 800);
    }
}
