//! How often something may be done: quotas that refill, waits that double, and what an answer tells of them.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::clock::Timestamp;

/// What is kept of one thing that is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counter {
    /// How often it happened, where that matters.
    pub count: i64,
    /// Of a [`Policy`]: when its quota will be whole again. Of a [`Ladder`]: when the next try may come.
    pub until: Timestamp,
    /// From then on it is as if it had never been.
    pub expires_at: Timestamp,
}

impl Counter {
    /// Nothing has happened yet.
    pub const NEW: Self = Self { count: 0, until: Timestamp::from_micros(0), expires_at: Timestamp::from_micros(0) };

    /// What counts of it at that instant.
    #[must_use]
    pub fn at(self, now: Timestamp) -> Self {
        if now < self.expires_at { self } else { Self::NEW }
    }
}

/// A quota that refills evenly: all of it may be spent at once, and the whole comes back within the window (the generic
/// cell rate algorithm, ITU-T I.371).
#[derive(Debug)]
pub struct Policy {
    /// What it is called on the wire: letters, digits and hyphens.
    pub name: &'static str,
    /// How many there are, at least one.
    pub quota: u32,
    /// How long all of them take to come back.
    pub window: Duration,
}

impl Policy {
    /// Spends one; or how long until there is one again.
    ///
    /// # Errors
    /// Where none is left.
    pub fn spend(&self, kept: Counter, now: Timestamp) -> Result<Counter, Duration> {
        let whole_at = kept.at(now).until.max(now) + self.interval();
        let latest = now + self.window;
        if whole_at > latest {
            return Err(between(latest, whole_at));
        }
        Ok(Counter { count: 0, until: whole_at, expires_at: whole_at })
    }

    /// Gives one back.
    #[must_use]
    pub fn refund(&self, kept: Counter, now: Timestamp) -> Counter {
        let until = kept.at(now).until - self.interval();
        Counter { count: 0, until, expires_at: until }
    }

    /// How many are left.
    #[must_use]
    pub fn remaining(&self, kept: Counter, now: Timestamp) -> u32 {
        let spent = between(now, kept.at(now).until).as_nanos().div_ceil(self.interval().as_nanos());
        self.quota.saturating_sub(u32::try_from(spent).unwrap_or(u32::MAX))
    }

    /// How long one takes to come back.
    fn interval(&self) -> Duration {
        self.window / self.quota
    }
}

/// Waits that double with each failure, after some that cost nothing.
#[derive(Debug)]
pub struct Ladder {
    /// Failures that cost nothing.
    pub free: u32,
    /// The wait after the first failure that costs one.
    pub first: Duration,
    /// The longest wait.
    pub longest: Duration,
    /// After so long without a failure, all are forgotten; longer than the longest wait.
    pub memory: Duration,
}

impl Ladder {
    /// Counts one failure more; or how long until one may be risked.
    ///
    /// # Errors
    /// Where the wait is not over.
    pub fn fail(&self, kept: Counter, now: Timestamp) -> Result<Counter, Duration> {
        let kept = kept.at(now);
        if now < kept.until {
            return Err(between(now, kept.until));
        }
        let count = kept.count + 1;
        Ok(Counter { count, until: now + self.wait_after(count), expires_at: now + self.memory })
    }

    /// How long to wait after so many failures.
    #[must_use]
    pub fn wait_after(&self, failures: i64) -> Duration {
        let costly = failures - i64::from(self.free);
        if costly <= 0 {
            return Duration::ZERO;
        }
        let doublings = u32::try_from(costly - 1).unwrap_or(u32::MAX);
        let wait = 2_u32.checked_pow(doublings).and_then(|times| self.first.checked_mul(times));
        wait.map_or(self.longest, |wait| wait.min(self.longest))
    }
}

/// What an answer tells of a policy.
#[derive(Clone, Copy, Debug)]
pub struct Standing {
    /// Which one.
    pub policy: &'static Policy,
    /// How many are left.
    pub remaining: u32,
    /// How long until another try makes sense; zero where one may come at once.
    pub wait: Duration,
}

impl Standing {
    /// Nothing is left, for so long.
    #[must_use]
    pub const fn exhausted(policy: &'static Policy, wait: Duration) -> Self {
        Self { policy, remaining: 0, wait }
    }

    /// The wait in whole seconds, rounded up.
    #[must_use]
    pub fn wait_seconds(&self) -> u64 {
        self.wait.as_secs() + u64::from(self.wait.subsec_nanos() > 0)
    }
}

/// It was done too often: try again after the wait.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("too many tries ({})", .0.policy.name)]
pub struct Throttled(pub Standing);

/// The standings that one call learns of on its way, for its answer. Clones are one list.
#[derive(Clone, Debug, Default)]
pub struct Standings(Arc<Mutex<Vec<Standing>>>);

impl Standings {
    /// Keeps what a limit said, whichever it was; a later word of the same policy takes the place of an earlier one.
    ///
    /// # Errors
    /// The refusal, where it was one.
    pub fn note(&self, said: Result<Option<Standing>, Throttled>) -> Result<(), Throttled> {
        let standing = match &said {
            Ok(standing) => *standing,
            Err(Throttled(standing)) => Some(*standing),
        };
        if let Some(standing) = standing {
            let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            all.retain(|earlier| earlier.policy.name != standing.policy.name);
            all.push(standing);
        }
        said.map(drop)
    }

    /// All of them.
    #[must_use]
    pub fn all(&self) -> Vec<Standing> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn between(earlier: Timestamp, later: Timestamp) -> Duration {
    Duration::from_micros(later.micros_since(earlier).unsigned_abs())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const START: Timestamp = Timestamp::from_micros(1_741_318_458_305_185);
    const THREE_AN_HOUR: Policy = Policy { name: "test", quota: 3, window: Duration::from_secs(3600) };
    const LADDER: Ladder = Ladder {
        free: 5,
        first: Duration::from_secs(1),
        longest: Duration::from_secs(900),
        memory: Duration::from_secs(86_400),
    };

    #[test]
    fn a_quota_may_be_spent_at_once_and_comes_back_evenly() {
        let mut counter = Counter::NEW;
        for left in [2, 1, 0] {
            counter = THREE_AN_HOUR.spend(counter, START).unwrap();
            assert_eq!(THREE_AN_HOUR.remaining(counter, START), left);
        }
        assert_eq!(THREE_AN_HOUR.spend(counter, START), Err(Duration::from_secs(1200)));
        let later = START + Duration::from_secs(1199);
        assert_eq!(THREE_AN_HOUR.spend(counter, later), Err(Duration::from_secs(1)));
        let later = START + Duration::from_secs(1200);
        assert_eq!(THREE_AN_HOUR.remaining(counter, later), 1);
        let counter = THREE_AN_HOUR.spend(counter, later).unwrap();
        assert_eq!(THREE_AN_HOUR.remaining(counter, later + Duration::from_secs(3600)), 3);
    }

    #[test]
    fn what_is_given_back_can_be_spent_again() {
        let spent = THREE_AN_HOUR.spend(Counter::NEW, START).unwrap();
        assert_eq!(THREE_AN_HOUR.remaining(THREE_AN_HOUR.refund(spent, START), START), 3);
    }

    #[test]
    fn waits_double_from_one_second_to_a_quarter_of_an_hour() {
        let waits: Vec<u64> = (0..18).map(|failures| LADDER.wait_after(failures).as_secs()).collect();
        assert_eq!(waits, [0, 0, 0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900]);
        assert_eq!(LADDER.wait_after(i64::MAX), Duration::from_secs(900));
    }

    #[test]
    fn a_try_before_the_wait_is_over_does_not_count() {
        let mut counter = Counter::NEW;
        for _ in 0..6 {
            counter = LADDER.fail(counter, START).unwrap();
        }
        assert_eq!(LADDER.fail(counter, START), Err(Duration::from_secs(1)));
        let later = START + Duration::from_secs(1);
        counter = LADDER.fail(counter, later).unwrap();
        assert_eq!((counter.count, LADDER.fail(counter, later)), (7, Err(Duration::from_secs(2))));
        assert_eq!(LADDER.fail(counter, later + LADDER.memory).unwrap().count, 1);
    }

    proptest! {
        #[test]
        fn no_window_gives_more_than_twice_the_quota(pauses in proptest::collection::vec(0_u64..2_000, 1..60)) {
            let (mut now, mut counter, mut spent) = (START, Counter::NEW, Vec::new());
            for pause in pauses {
                now = now + Duration::from_secs(pause);
                if let Ok(next) = THREE_AN_HOUR.spend(counter, now) {
                    counter = next;
                    spent.push(now);
                }
            }
            for first in &spent {
                let within = |at: &&Timestamp| **at >= *first && **at < *first + THREE_AN_HOUR.window;
                prop_assert!(spent.iter().filter(within).count() <= 6);
            }
        }
    }
}
