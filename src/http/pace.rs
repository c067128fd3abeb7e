//! How fast refusals go out: for limits, for load, and for credentials that open nothing.
//!
//! A program that calls again as soon as it was refused takes the processor from those who are served: a refusal costs
//! a third of a millisecond, and a login's hash runs at a lower priority. So where there are many refusals in a second,
//! the later ones wait for a while before they go out. A person who meets a limit once waits for nothing.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, SemaphorePermit};

use super::problem::Code;

/// Refusals for limits and load that go out at once, in each second.
const AT_ONCE: u32 = 32;
/// The same, for credentials that open nothing: of many applications some have a token that has just expired.
const CREDENTIALS_AT_ONCE: u32 = 256;
/// How long the others wait.
const WAIT: Duration = Duration::from_secs(1);
/// Refusals that wait at a time. Each holds its connection and a few KiB.
const MOST_WAITING: usize = 4096;

/// Decides which refusals wait.
#[derive(Debug)]
pub(super) struct Pace {
    second: Mutex<Second>,
    credentials: Mutex<Second>,
    waiting: Semaphore,
}

/// What was refused since an instant, for a second at most.
#[derive(Debug)]
struct Second {
    began: Instant,
    refused: u32,
}

impl Pace {
    /// The pace of a server that starts.
    pub(super) fn new() -> Self {
        let second = || Mutex::new(Second { began: Instant::now(), refused: 0 });
        Self { second: second(), credentials: second(), waiting: Semaphore::new(MOST_WAITING) }
    }

    /// Returns when a refusal with this code may go out.
    pub(super) async fn keep(&self, code: Code) {
        if let Some(_place) = self.place_to_wait(code, Instant::now()) {
            tokio::time::sleep(WAIT).await;
        }
    }

    /// A place among those that wait; `None` where the refusal goes out at once.
    fn place_to_wait(&self, code: Code, now: Instant) -> Option<SemaphorePermit<'_>> {
        let (second, at_once) = match code {
            Code::RateLimited | Code::Overloaded | Code::Unavailable => (&self.second, AT_ONCE),
            Code::InvalidClient | Code::InvalidToken => (&self.credentials, CREDENTIALS_AT_ONCE),
            _ => return None,
        };
        let mut second = second.lock().unwrap_or_else(PoisonError::into_inner);
        if now.duration_since(second.began) >= Duration::from_secs(1) {
            *second = Second { began: now, refused: 0 };
        }
        second.refused = second.refused.saturating_add(1);
        if second.refused <= at_once { None } else { self.waiting.try_acquire().ok() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_beyond_those_of_a_second_wait() {
        let (pace, now) = (Pace::new(), Instant::now());
        let waits = |code, now| pace.place_to_wait(code, now).is_some();
        assert!((0..AT_ONCE).all(|_| !waits(Code::RateLimited, now)));
        assert!(waits(Code::RateLimited, now) && waits(Code::Overloaded, now));
        assert!(!waits(Code::RateLimited, now + Duration::from_secs(1)), "a new second");
    }

    #[test]
    fn credentials_that_open_nothing_wait_later_and_apart() {
        let (pace, now) = (Pace::new(), Instant::now());
        assert!((0..CREDENTIALS_AT_ONCE).all(|_| pace.place_to_wait(Code::InvalidToken, now).is_none()));
        assert!(pace.place_to_wait(Code::InvalidClient, now).is_some());
        assert!(pace.place_to_wait(Code::RateLimited, now).is_none());
    }

    #[test]
    fn other_answers_never_wait() {
        let (pace, now) = (Pace::new(), Instant::now());
        assert!((0..2 * CREDENTIALS_AT_ONCE).all(|_| pace.place_to_wait(Code::InvalidCredentials, now).is_none()));
    }

    #[test]
    fn those_who_wait_are_bounded_in_number() {
        let (pace, now) = (Pace::new(), Instant::now());
        for _ in 0..AT_ONCE {
            pace.place_to_wait(Code::RateLimited, now);
        }
        let waiting: Vec<_> = std::iter::from_fn(|| pace.place_to_wait(Code::RateLimited, now)).collect();
        assert_eq!(waiting.len(), MOST_WAITING);
    }
}
