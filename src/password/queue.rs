//! Places in front of the password workers, and whose turn it is.
//!
//! A caller asks for a place before anything is done for it, and is refused at once where there is none. So a flood from
//! one source has that source's few places, and a flood from many sources leaves half of the places, and three turns in
//! four, to the callers who are known; these leave a quarter to strangers. Among equals the sources take turns, whatever
//! each has waiting, and where no place is left a source that has fewer takes one from the source that has most.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::hash::Hash;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::kernel::origin::Source;

/// Whom a place is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Who {
    /// The network that calls.
    pub source: Source,
    /// The e-mail address of the account whose password is checked, where it is.
    pub account: Option<String>,
    /// Whether the source logged in to that account before, or has shown a secret of its owner's.
    pub is_known: bool,
}

/// How many places there are, for those who wait and those who are served.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// For everybody together. Half of them are for the known alone, and a quarter for strangers.
    pub in_all: usize,
    /// For one source; for the known and for strangers apart.
    pub per_source: usize,
    /// For one account from all sources; for the known and for strangers apart, so that strangers at an account leave its
    /// owner's places.
    pub per_account: usize,
}

/// The queue. Clones are one queue.
pub struct Queue<J>(Arc<Shared<J>>);

/// A place, until the last clone of it is dropped.
pub struct Place<J>(Arc<Held<J>>);

struct Held<J> {
    queue: Queue<J>,
    who: Who,
    /// Whether it counts among the places that are held: until it is given back or taken by another source.
    counts: AtomicBool,
}

struct Shared<J> {
    bounds: Bounds,
    state: Mutex<State<J>>,
    is_there_work: Condvar,
}

struct State<J> {
    is_closed: bool,
    /// Of the known, and of strangers.
    held: [Counts; 2],
    waiting: [Turns<J>; 2],
    /// How often the known were served since a stranger was.
    known_in_a_row: usize,
}

/// How often the known are served before it is a stranger's turn, where both wait: callers who are known and never stop
/// shall not keep everybody out who logs in from somewhere new.
const KNOWN_IN_A_ROW: usize = 3;

#[derive(Default)]
struct Counts {
    in_all: usize,
    by_source: HashMap<Source, usize>,
    by_account: HashMap<String, usize>,
}

/// Jobs by source, and the sources that have any, in the order of their turns.
struct Turns<J> {
    jobs: HashMap<Source, VecDeque<(J, Place<J>)>>,
    sources: VecDeque<Source>,
}

impl<J> Queue<J> {
    /// An empty queue.
    pub fn new(bounds: Bounds) -> Self {
        let waiting = || Turns { jobs: HashMap::new(), sources: VecDeque::new() };
        let held = <[Counts; 2]>::default();
        let state = Mutex::new(State { is_closed: false, held, waiting: [waiting(), waiting()], known_in_a_row: 0 });
        Self(Arc::new(Shared { bounds, state, is_there_work: Condvar::new() }))
    }

    /// A place, where there is one.
    pub fn ask(&self, who: Who) -> Option<Place<J>> {
        let (bounds, mut state) = (&self.0.bounds, self.state());
        let [known, strangers] = &state.held;
        let all_are_held = known.in_all + strangers.in_all >= bounds.in_all;
        let (mine, is_full) = if who.is_known {
            (known, all_are_held || known.in_all >= bounds.in_all - bounds.in_all / 4)
        } else {
            (strangers, all_are_held || strangers.in_all >= bounds.in_all / 2)
        };
        let of_source = mine.by_source.get(&who.source).copied().unwrap_or(0);
        let of_account = who.account.as_ref().and_then(|account| mine.by_account.get(account)).copied().unwrap_or(0);
        if of_source >= bounds.per_source || of_account >= bounds.per_account {
            return None;
        }
        let taken = if is_full { Some(state.take_from_a_larger_source(class(&who), of_source)?) } else { None };
        let mine = &mut state.held[class(&who)];
        mine.in_all += 1;
        *mine.by_source.entry(who.source).or_default() += 1;
        if let Some(account) = &who.account {
            *mine.by_account.entry(account.clone()).or_default() += 1;
        }
        drop(state);
        drop(taken); // It may hold its place for the last time, and to give that back takes the lock.
        Some(Place(Arc::new(Held { queue: self.clone(), who, counts: AtomicBool::new(true) })))
    }

    /// Waits for a job, with the place to drop when it is done; `None` once the queue is closed.
    pub fn take(&self) -> Option<(J, Place<J>)> {
        let mut state = self.state();
        loop {
            if state.is_closed {
                return None;
            }
            let first = usize::from(state.known_in_a_row >= KNOWN_IN_A_ROW);
            let next = [first, 1 - first].into_iter().find_map(|class| Some((class, state.waiting[class].next()?)));
            if let Some((class, next)) = next {
                state.known_in_a_row = if class == 0 { state.known_in_a_row.saturating_add(1) } else { 0 };
                return Some(next);
            }
            state = self.0.is_there_work.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// How many jobs wait for a worker.
    pub fn waiting(&self) -> usize {
        self.state().waiting.iter().flat_map(|turns| turns.jobs.values()).map(VecDeque::len).sum()
    }

    /// Sends the workers home, and drops what waits.
    pub fn close(&self) {
        let mut state = self.state();
        state.is_closed = true;
        let gone: Vec<_> = state.waiting.iter_mut().flat_map(|turns| std::mem::take(&mut turns.jobs)).collect();
        drop(state);
        drop(gone); // Each holds a place, and to give it back takes the lock.
        self.0.is_there_work.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, State<J>> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<J> State<J> {
    /// Takes the last job that waits of the source that holds most places of its class, if those are two more than a
    /// source has that wants one; its place counts no longer.
    fn take_from_a_larger_source(&mut self, class: usize, of_source: usize) -> Option<(J, Place<J>)> {
        let held = &self.held[class].by_source;
        let waiting = self.waiting[class].jobs.keys().map(|source| (held.get(source).copied().unwrap_or(0), *source));
        let (most, source) = waiting.max_by_key(|(count, _)| *count)?;
        if most < of_source + 2 {
            return None;
        }
        let taken = self.waiting[class].take_last(source)?;
        self.give_back(&taken.1.0);
        Some(taken)
    }

    fn give_back(&mut self, held: &Held<J>) {
        if !held.counts.swap(false, Ordering::Relaxed) {
            return;
        }
        let mine = &mut self.held[class(&held.who)];
        mine.in_all -= 1;
        one_less(&mut mine.by_source, &held.who.source);
        if let Some(account) = &held.who.account {
            one_less(&mut mine.by_account, account);
        }
    }
}

impl<J> Place<J> {
    /// Whether another source took it, and the job that waited with it.
    pub fn was_taken(&self) -> bool {
        !self.0.counts.load(Ordering::Relaxed)
    }

    /// Puts a job into the queue.
    pub fn submit(&self, job: J) {
        let Held { queue, who, .. } = &*self.0;
        let mut state = queue.state();
        let turns = &mut state.waiting[class(who)];
        let jobs = turns.jobs.entry(who.source).or_default();
        if jobs.is_empty() {
            turns.sources.push_back(who.source);
        }
        jobs.push_back((job, self.clone()));
        drop(state);
        queue.0.is_there_work.notify_one();
    }

    /// Drops the jobs of this place that wait: their caller hung up.
    pub fn withdraw(&self) {
        let Held { queue, who, .. } = &*self.0;
        let mut state = queue.state();
        let turns = &mut state.waiting[class(who)];
        let Some(jobs) = turns.jobs.remove(&who.source) else { return };
        let (gone, left): (VecDeque<_>, VecDeque<_>) =
            jobs.into_iter().partition(|(_, place)| Arc::ptr_eq(&place.0, &self.0));
        if left.is_empty() {
            turns.sources.retain(|source| *source != who.source);
        } else {
            turns.jobs.insert(who.source, left);
        }
        drop(state);
        drop(gone); // Each holds the place, and to give it back takes the lock.
    }
}

impl<J> Turns<J> {
    fn next(&mut self) -> Option<(J, Place<J>)> {
        let source = self.sources.pop_front()?;
        let jobs = self.jobs.get_mut(&source)?;
        let next = jobs.pop_front();
        if jobs.is_empty() {
            self.jobs.remove(&source);
        } else {
            self.sources.push_back(source);
        }
        next
    }

    fn take_last(&mut self, source: Source) -> Option<(J, Place<J>)> {
        let jobs = self.jobs.get_mut(&source)?;
        let last = jobs.pop_back();
        if jobs.is_empty() {
            self.jobs.remove(&source);
            self.sources.retain(|waiting| *waiting != source);
        }
        last
    }
}

impl<J> Drop for Held<J> {
    fn drop(&mut self) {
        let queue = self.queue.clone();
        queue.state().give_back(self);
    }
}

/// The known stand before strangers in what is kept of the two.
fn class(who: &Who) -> usize {
    usize::from(!who.is_known)
}

/// No entry stays for a caller who holds nothing.
fn one_less<K: Eq + Hash>(counts: &mut HashMap<K, usize>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}

impl<J> Clone for Queue<J> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<J> Clone for Place<J> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<J> fmt::Debug for Place<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Place").field(&self.0.who).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds { in_all: 16, per_source: 4, per_account: 4 };

    fn who(source: u8, account: &str, is_known: bool) -> Who {
        let source = Source::new(std::net::Ipv4Addr::new(192, 0, 2, source).into());
        Who { source, account: Some(account.to_owned()), is_known }
    }

    /// As many places as there are for such callers, each with its number as a job.
    fn fill(queue: &Queue<u32>, callers: impl Iterator<Item = (u32, Who)>) -> usize {
        let places = callers.filter_map(|(number, who)| queue.ask(who).map(|place| place.submit(number)));
        places.count()
    }

    #[test]
    fn sources_take_turns_whatever_each_has_waiting() {
        let queue = Queue::new(BOUNDS);
        let sources = [1, 1, 1, 2, 2, 3];
        let callers = (0..).zip(sources).map(|(number, source)| (number, who(source, &number.to_string(), false)));
        assert_eq!(fill(&queue, callers), 6);
        let order: Vec<u32> = (0..6).map(|_| queue.take().unwrap().0).collect();
        assert_eq!(order, [0, 3, 5, 1, 4, 2]);
    }

    #[test]
    fn a_source_and_an_account_have_few_places_at_a_time() {
        let queue = Queue::new(BOUNDS);
        assert_eq!(fill(&queue, (0..9).map(|number| (number, who(1, &number.to_string(), false)))), 4);
        assert_eq!(fill(&queue, (0..9).map(|number| (number, who(2 + number as u8, "thandi", false)))), 4);
        // Strangers at an account leave its owner's places, whose neighbours they may be.
        assert_eq!(fill(&queue, (0..9).map(|number| (number, who(1, "thandi", true)))), 4);
    }

    #[test]
    fn half_of_the_places_and_three_turns_in_four_are_kept_for_the_known() {
        let queue = Queue::new(BOUNDS);
        assert_eq!(fill(&queue, (0..99).map(|number| (number, who(number as u8, &number.to_string(), false)))), 8);
        assert_eq!(fill(&queue, (100..199).map(|number| (number, who(number as u8, &number.to_string(), true)))), 8);
        assert_eq!(queue.waiting(), 16);
        let order: Vec<u32> = (0..16).map(|_| queue.take().unwrap().0).collect();
        let turns_of_strangers: Vec<usize> = (0..16).filter(|turn| order[*turn] < 8).collect();
        assert_eq!(turns_of_strangers, [3, 7, 10, 11, 12, 13, 14, 15]);
    }

    #[test]
    fn a_source_takes_a_place_from_the_one_that_has_most_where_none_is_left() {
        let queue = Queue::new(BOUNDS);
        let flood = (0..99).map(|number| (number, who(number as u8 % 3, &number.to_string(), true)));
        assert_eq!(fill(&queue, flood), 12, "a quarter is left to strangers");
        let last = queue.ask(who(9, "thandi", true)).expect("one of the three has four places");
        last.submit(100);
        assert_eq!(queue.waiting(), 12);
        assert_eq!(fill(&queue, (200..299).map(|number| (number, who(9, &number.to_string(), true)))), 2);
        assert!(queue.ask(who(0, "sipho", true)).is_none(), "who has as many takes none");
        assert!(queue.ask(who(8, "lerato", false)).is_some());
    }

    #[test]
    fn a_place_is_held_until_the_job_is_done_and_the_caller_has_left() {
        let queue = Queue::new(Bounds { per_source: 1, ..BOUNDS });
        let place = queue.ask(who(1, "thandi", true)).unwrap();
        place.submit(1);
        let (_, worked_on) = queue.take().unwrap();
        drop(place);
        assert!(queue.ask(who(1, "thandi", true)).is_none());
        drop(worked_on);
        assert!(queue.ask(who(1, "thandi", true)).is_some());
        let state = queue.state();
        assert!(state.held.iter().all(|held| held.in_all == 0 && held.by_source.is_empty()));
        assert!(state.held.iter().all(|held| held.by_account.is_empty()));
    }

    #[test]
    fn a_caller_who_hangs_up_frees_its_place_and_no_others() {
        let queue = Queue::new(Bounds { per_source: 2, ..BOUNDS });
        let (gone, stays) = (queue.ask(who(1, "thandi", false)).unwrap(), queue.ask(who(1, "sipho", false)).unwrap());
        gone.submit(1);
        stays.submit(2);
        gone.withdraw();
        drop(gone);
        let next = queue.ask(who(1, "thandi", false)).unwrap();
        next.submit(3);
        assert!(queue.ask(who(1, "lerato", false)).is_none());
        assert_eq!((queue.take().unwrap().0, queue.take().unwrap().0, queue.waiting()), (2, 3, 0));
    }

    #[test]
    fn a_closed_queue_sends_the_workers_home() {
        let queue = Queue::<u32>::new(BOUNDS);
        let worker = std::thread::spawn({
            let queue = queue.clone();
            move || queue.take().is_none()
        });
        queue.close();
        assert!(worker.join().unwrap());
    }
}
