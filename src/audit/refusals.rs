//! Refusals, noted in memory and written down about once a second, so that whoever is refused makes us work as little
//! as can be.
//!
//! The first of its kind is written at the next turn. What follows from the same network within the minute becomes one
//! more row that says how often it happened. Of each kind so many are kept apart; those beyond are counted as one. So a
//! stranger can neither fill the disk nor push others off the record. What a crash can lose is the last second, and how
//! often the last minute's came again.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::app::App;
use crate::kernel::clock::Timestamp;
use crate::kernel::origin::Source;
use crate::store::audit::{self, Event, Reason, Refusal, Subject};
use crate::store::{AccountId, StoreError};

/// For how long the like of a refusal is counted rather than written.
const WINDOW: Duration = Duration::from_secs(60);
/// Pairs of an account and a network that are kept apart at a time, for each event and reason.
const KEPT_APART: usize = 128;

/// Refusals that are not written down yet.
#[derive(Debug, Default)]
pub struct Refusals {
    kinds: Mutex<HashMap<(Event, Reason), Kind>>,
    lumped: AtomicU64,
}

type Kind = HashMap<Whose, Noted>;

/// Whom it concerns and which network it came from; neither where there were too many.
type Whose = Option<(AccountId, Source)>;

#[derive(Debug)]
struct Noted {
    /// The first of them, when the last was, and how many are not written yet.
    refusal: Refusal,
    /// When the first was.
    since: Timestamp,
    was_written: bool,
}

/// Which refusals are to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// New ones, and the counts of those whose minute is over.
    Due,
    /// All: there will be no other time.
    All,
}

impl Refusals {
    /// Notes a refusal.
    pub fn note(&self, event: Event, reason: Reason, subject: Subject<'_>, now: Timestamp) {
        let refusal = Refusal {
            event,
            reason,
            account: subject.account,
            client: subject.client.cloned(),
            origin: Some(subject.origin.clone()),
            at: now,
            times: 1,
        };
        self.add(refusal, now);
    }

    /// How many were counted without their account and source, since the start.
    #[must_use]
    pub fn lumped(&self) -> u64 {
        self.lumped.load(Ordering::Relaxed)
    }

    fn add(&self, refusal: Refusal, since: Timestamp) {
        let mut kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        let kind = kinds.entry((refusal.event, refusal.reason)).or_default();
        let whose = refusal.origin.as_ref().map(|origin| (refusal.account, origin.source.network()));
        let has_room = kind.len() < KEPT_APART || kind.contains_key(&whose);
        let (whose, refusal) = match whose {
            Some(_) if !has_room => {
                self.lumped.fetch_add(refusal.times.unsigned_abs(), Ordering::Relaxed);
                (None, Refusal { account: AccountId::NOBODY, client: None, origin: None, ..refusal })
            }
            whose => (whose, refusal),
        };
        let (at, times) = (refusal.at, refusal.times);
        let blank = || Noted { refusal: Refusal { times: 0, ..refusal }, since, was_written: false };
        let noted = kind.entry(whose).or_insert_with(blank);
        noted.refusal.times += times;
        noted.refusal.at = noted.refusal.at.max(at);
    }

    /// Takes out what is to be written.
    fn take(&self, which: Which, now: Timestamp) -> Vec<Refusal> {
        let mut kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        let mut taken = Vec::new();
        for kind in kinds.values_mut() {
            kind.retain(|_, noted| {
                let is_over = now >= noted.since + WINDOW || which == Which::All;
                if noted.refusal.times > 0 && (is_over || !noted.was_written) {
                    taken.push(noted.refusal.clone());
                    noted.refusal.times = 0;
                    noted.was_written = true;
                }
                !is_over
            });
        }
        // In the order in which they happened.
        taken.sort_by_key(|refusal| refusal.at);
        taken
    }
}

/// Writes refusals down, in one transaction.
///
/// # Errors
/// Where the database does not take them; they are kept for the next time.
pub async fn write_down(app: &App, which: Which) -> Result<(), StoreError> {
    let taken = app.refusals.take(which, app.clock.now());
    if taken.is_empty() {
        return Ok(());
    }
    let written = write(app, &taken).await;
    if written.is_err() {
        taken.into_iter().for_each(|refusal| {
            let at = refusal.at;
            app.refusals.add(refusal, at);
        });
    }
    written
}

async fn write(app: &App, refusals: &[Refusal]) -> Result<(), StoreError> {
    let tx = app.begin().await?;
    audit::record_refusals(&tx, refusals).await?;
    app.commit(tx).await
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;
    use crate::kernel::origin::Origin;

    const NOW: Timestamp = Timestamp::from_micros(1_000_000_000_000);

    fn note(refusals: &Refusals, account: i64, source: u32, now: Timestamp) {
        let source = Source::new(IpAddr::V4(Ipv4Addr::from_bits(source)));
        let origin = Origin { source, user_agent: None, request_id: "a".to_owned(), standings: Default::default() };
        let subject = Subject { account: AccountId(account), session: None, client: None, origin: &origin };
        refusals.note(Event::LoginRefused, Reason::InvalidCredentials, subject, now);
    }

    fn times(taken: &[Refusal]) -> Vec<i64> {
        taken.iter().map(|refusal| refusal.times).collect()
    }

    #[test]
    fn the_first_is_written_at_once_and_the_others_of_its_minute_as_one() {
        let refusals = Refusals::default();
        note(&refusals, 1, 1, NOW);
        assert_eq!(times(&refusals.take(Which::Due, NOW)), [1]);
        for second in 1..60 {
            let now = NOW + Duration::from_secs(second);
            note(&refusals, 1, 1, now);
            assert!(refusals.take(Which::Due, now).is_empty());
        }
        assert_eq!(times(&refusals.take(Which::Due, NOW + WINDOW)), [59]);
        note(&refusals, 1, 1, NOW + WINDOW);
        assert_eq!(times(&refusals.take(Which::Due, NOW + WINDOW)), [1]);
        assert!(refusals.take(Which::All, NOW + WINDOW).is_empty());
    }

    #[test]
    fn accounts_and_sources_are_kept_apart() {
        let refusals = Refusals::default();
        for (account, source) in [(1, 1), (1, 2), (2, 1), (1, 1)] {
            note(&refusals, account, source, NOW);
        }
        let mut taken = times(&refusals.take(Which::Due, NOW));
        taken.sort_unstable();
        assert_eq!(taken, [1, 1, 2]);
    }

    #[test]
    fn a_flood_from_many_sources_takes_little_room_and_is_counted_whole() {
        let refusals = Refusals::default();
        for source in 0..10_000 {
            note(&refusals, 1, source, NOW);
        }
        let taken = refusals.take(Which::Due, NOW);
        assert_eq!(taken.len(), KEPT_APART + 1);
        assert_eq!(times(&taken).iter().sum::<i64>(), 10_000);
        let lump = taken.iter().find(|refusal| refusal.origin.is_none()).expect("those beyond are one");
        assert_eq!((lump.account, lump.times), (AccountId::NOBODY, 10_000 - KEPT_APART as i64));
        assert_eq!(refusals.lumped(), 10_000 - KEPT_APART as u64);
    }

    #[test]
    fn what_could_not_be_written_is_written_the_next_time() {
        let refusals = Refusals::default();
        note(&refusals, 1, 1, NOW);
        for failed in refusals.take(Which::Due, NOW) {
            refusals.add(failed, NOW);
        }
        note(&refusals, 1, 1, NOW);
        assert_eq!(times(&refusals.take(Which::All, NOW)), [2]);
    }
}
