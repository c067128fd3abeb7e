//! Refusals, noted in memory and written down about once a second, so that whoever is refused makes us work as little
//! as can be.
//!
//! The first of its kind is written at the next turn. What follows from the same network within the minute becomes one
//! more row that says how often it happened. So many pairs of account and network are kept apart, and of one account a
//! few; those beyond are counted by account, without their networks. Refusals that concern no account have a room of
//! their own. So a stranger can neither fill the disk nor hide behind a flood which account they try. What a crash can
//! lose is the last second, and how often the last minute's came again.

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
/// Networks that are kept apart at a time for each event and reason: those that met accounts, and those that met nobody's.
const NETWORKS: usize = 128;
/// Of the former those that met one account: so that a flood at one leaves room for others.
const NETWORKS_OF_ONE: usize = 16;
/// Rows of an event and reason at a time up to which an account whose networks have no room gets one of its own.
const ROWS: usize = 1_024;
/// How much earlier than it is written down a refusal may have happened by what the record says. One that the database
/// did not take for longer is dated to that: a record in which seals and dates disagree looks tampered with for ever.
pub const MOST_LATE: Duration = Duration::from_secs(5 * 60);

/// Refusals that are not written down yet.
#[derive(Debug, Default)]
pub struct Refusals {
    kinds: Mutex<HashMap<(Event, Reason), Kind>>,
    lumped: AtomicU64,
}

/// The refusals of one event and reason.
#[derive(Debug, Default)]
struct Kind {
    noted: HashMap<Whose, Noted>,
    /// How many networks are kept apart, by account.
    networks: HashMap<AccountId, usize>,
}

/// Whom it concerns and which network it came from, if that has room.
type Whose = (AccountId, Option<Source>);

#[derive(Debug)]
struct Noted {
    /// The first of them, when the last was, and how many are not written yet.
    refusal: Refusal,
    /// When the minute began in which the like of it is counted.
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
        let mut kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        let kind = kinds.entry((event, reason)).or_default();
        let whose = kind.place(subject.account, subject.origin.source.network());
        let has_network = whose.1.is_some();
        if !has_network {
            self.lumped.fetch_add(1, Ordering::Relaxed);
        }
        let blank = || Noted {
            refusal: Refusal {
                event,
                reason,
                account: whose.0,
                client: subject.client.filter(|_| has_network).cloned(),
                origin: has_network.then(|| subject.origin.clone()),
                at: now,
                times: 0,
            },
            since: now,
            was_written: false,
        };
        let noted = kind.noted.entry(whose).or_insert_with(blank);
        noted.refusal.times += 1;
        noted.refusal.at = noted.refusal.at.max(now);
    }

    /// How many were counted without their network, since the start.
    #[must_use]
    pub fn lumped(&self) -> u64 {
        self.lumped.load(Ordering::Relaxed)
    }

    /// What is to be written, in the order in which it happened. It stays noted until it [was written](Self::written).
    fn due(&self, which: Which, now: Timestamp) -> Vec<Refusal> {
        let kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = |noted: &&Noted| {
            let is_ripe = !noted.was_written || noted.is_over(which, now);
            noted.refusal.times > 0 && is_ripe
        };
        let noted = kinds.values().flat_map(|kind| kind.noted.values());
        let mut due: Vec<_> = noted.filter(is_due).map(|noted| noted.refusal.clone()).collect();
        due.sort_by_key(|refusal| refusal.at);
        due
    }

    /// Counts no more what was written, and forgets those whose minute is over.
    fn written(&self, refusals: &[Refusal], which: Which, now: Timestamp) {
        let mut kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        for refusal in refusals {
            let kind = kinds.get_mut(&(refusal.event, refusal.reason));
            let whose = (refusal.account, refusal.origin.as_ref().map(|origin| origin.source.network()));
            if let Some(noted) = kind.and_then(|kind| kind.noted.get_mut(&whose)) {
                noted.refusal.times -= refusal.times;
                noted.was_written = true;
                // Some came while these were being written: a new minute begins with them.
                if noted.is_over(which, now) && noted.refusal.times > 0 {
                    noted.since = now;
                }
            }
        }
        for kind in kinds.values_mut() {
            kind.noted.retain(|_, noted| noted.refusal.times > 0 || !noted.is_over(which, now));
            kind.count_networks();
        }
    }
}

impl Kind {
    /// Where a refusal is counted: with those of its account and network, or where there is no room with those of its
    /// account, or with all others.
    fn place(&mut self, account: AccountId, network: Source) -> Whose {
        let apart = (account, Some(network));
        if self.noted.contains_key(&apart) {
            return apart;
        }
        let of_this = self.networks.get(&account).copied().unwrap_or(0);
        let of_nobody = self.networks.get(&AccountId::NOBODY).copied().unwrap_or(0);
        let has_room = match account {
            AccountId::NOBODY => of_this < NETWORKS,
            _ => of_this < NETWORKS_OF_ONE && self.networks.values().sum::<usize>() - of_nobody < NETWORKS,
        };
        if has_room {
            *self.networks.entry(account).or_default() += 1;
            return apart;
        }
        let together = (account, None);
        let has_row = self.noted.contains_key(&together) || self.noted.len() < ROWS;
        if has_row { together } else { (AccountId::NOBODY, None) }
    }

    fn count_networks(&mut self) {
        self.networks.clear();
        for (account, _) in self.noted.keys().filter(|(_, network)| network.is_some()) {
            *self.networks.entry(*account).or_default() += 1;
        }
    }
}

impl Noted {
    /// Whether its minute is over. That of all is at the end.
    fn is_over(&self, which: Which, now: Timestamp) -> bool {
        now >= self.since + WINDOW || which == Which::All
    }
}

/// Writes refusals down, in one transaction.
///
/// # Errors
/// Where the database does not take them; they are due again at once.
pub async fn write_down(app: &App, which: Which) -> Result<(), StoreError> {
    let now = app.clock.now();
    let due = app.refusals.due(which, now);
    if !due.is_empty() {
        write(app, &due, now).await?;
    }
    app.refusals.written(&due, which, now);
    Ok(())
}

async fn write(app: &App, refusals: &[Refusal], now: Timestamp) -> Result<(), StoreError> {
    let date = |refusal: &Refusal| Refusal { at: refusal.at.max(now - MOST_LATE), ..refusal.clone() };
    let dated: Vec<_> = refusals.iter().map(date).collect();
    let tx = app.begin().await?;
    audit::record_refusals(&tx, &dated).await?;
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

    /// Writes down what is due, as a database does that takes it.
    fn write(refusals: &Refusals, which: Which, now: Timestamp) -> Vec<Refusal> {
        let due = refusals.due(which, now);
        refusals.written(&due, which, now);
        due
    }

    #[test]
    fn the_first_is_written_at_once_and_the_others_of_its_minute_as_one() {
        let refusals = Refusals::default();
        note(&refusals, 1, 1, NOW);
        assert_eq!(times(&write(&refusals, Which::Due, NOW)), [1]);
        for second in 1..60 {
            let now = NOW + Duration::from_secs(second);
            note(&refusals, 1, 1, now);
            assert!(write(&refusals, Which::Due, now).is_empty());
        }
        assert_eq!(times(&write(&refusals, Which::Due, NOW + WINDOW)), [59]);
        note(&refusals, 1, 1, NOW + WINDOW);
        assert_eq!(times(&write(&refusals, Which::Due, NOW + WINDOW)), [1]);
        assert!(write(&refusals, Which::All, NOW + WINDOW).is_empty());
    }

    #[test]
    fn accounts_and_sources_are_kept_apart() {
        let refusals = Refusals::default();
        for (account, source) in [(1, 1), (1, 2), (2, 1), (1, 1)] {
            note(&refusals, account, source, NOW);
        }
        let mut taken = times(&write(&refusals, Which::Due, NOW));
        taken.sort_unstable();
        assert_eq!(taken, [1, 1, 2]);
    }

    #[test]
    fn a_flood_from_many_sources_takes_little_room_and_is_counted_whole() {
        for (account, apart) in [(1, NETWORKS_OF_ONE), (0, NETWORKS)] {
            let refusals = Refusals::default();
            for source in 0..10_000 {
                note(&refusals, account, source, NOW);
            }
            let taken = write(&refusals, Which::Due, NOW);
            assert_eq!(taken.len(), apart + 1);
            assert_eq!(times(&taken).iter().sum::<i64>(), 10_000);
            let lump = taken.iter().find(|refusal| refusal.origin.is_none()).expect("those beyond are one");
            assert_eq!((lump.account, lump.times), (AccountId(account), 10_000 - apart as i64));
            assert_eq!(refusals.lumped(), 10_000 - apart as u64);
        }
    }

    #[test]
    fn a_flood_at_many_accounts_from_many_sources_takes_little_room_and_is_counted_whole() {
        let refusals = Refusals::default();
        for n in 0..10_000 {
            note(&refusals, i64::from(n % 2_000), n, NOW);
        }
        let taken = write(&refusals, Which::Due, NOW);
        assert!(taken.len() <= ROWS + 2 * NETWORKS, "{}", taken.len());
        assert_eq!(times(&taken).iter().sum::<i64>(), 10_000);
        // The room is free again after a minute.
        write(&refusals, Which::Due, NOW + WINDOW);
        note(&refusals, 7_000, 7, NOW + WINDOW);
        assert!(write(&refusals, Which::Due, NOW + WINDOW)[0].origin.is_some());
    }

    #[test]
    fn no_flood_hides_which_account_is_tried_nor_one_at_others_from_where() {
        let all: [fn(u32) -> i64; 3] = [|_| 0, |_| 1, |n| 1 + i64::from(n % 200)];
        for (flooded, has_network) in all.into_iter().zip([true, true, false]) {
            let refusals = Refusals::default();
            for n in 0..1_000 {
                note(&refusals, flooded(n), n, NOW);
            }
            note(&refusals, 9_999, 7_777, NOW);
            let taken = write(&refusals, Which::Due, NOW);
            let hidden =
                taken.iter().find(|refusal| refusal.account == AccountId(9_999)).expect("the account is named");
            assert_eq!((hidden.times, hidden.origin.is_some()), (1, has_network));
        }
    }

    #[test]
    fn what_could_not_be_written_is_due_at_once_and_counted_once() {
        let refusals = Refusals::default();
        note(&refusals, 1, 1, NOW);
        for _ in 0..3 {
            assert_eq!(times(&refusals.due(Which::Due, NOW)), [1]);
        }
        note(&refusals, 1, 1, NOW);
        assert_eq!(times(&write(&refusals, Which::Due, NOW)), [2]);
        // So too the count of a minute that is over, with what came while it was being written.
        note(&refusals, 1, 1, NOW);
        let due = refusals.due(Which::Due, NOW + WINDOW);
        note(&refusals, 1, 1, NOW + WINDOW);
        refusals.written(&due, Which::Due, NOW + WINDOW);
        assert!(refusals.due(Which::Due, NOW + WINDOW).is_empty());
        assert_eq!(times(&refusals.due(Which::Due, NOW + WINDOW + WINDOW)), [1]);
    }
}
