//! Errors of ours in the log, bounded: one cause that many requests meet, such as a database that is gone, shall not fill
//! the disk with lines that say the same.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::problem::Problem;
use super::request_id::RequestId;

/// Errors that are logged in a second.
const MOST: u32 = 50;

/// Logs errors, and counts those that it leaves out.
#[derive(Debug)]
pub(super) struct ErrorLog(Mutex<Second>);

#[derive(Debug)]
struct Second {
    began: Instant,
    errors: u32,
}

impl ErrorLog {
    /// The log of a server that starts.
    pub(super) fn new() -> Self {
        Self(Mutex::new(Second { began: Instant::now(), errors: 0 }))
    }

    /// Logs the cause of a problem, where it has one.
    pub(super) fn note(&self, request_id: &RequestId, problem: &Problem) {
        let Some(cause) = problem.cause() else { return };
        let (is_logged, left_out) = self.count(Instant::now());
        if left_out > 0 {
            tracing::error!(
                left_out,
                "more requests failed through no doing of the caller's than are logged in a second"
            );
        }
        if is_logged {
            let code = problem.code().as_str();
            tracing::error!(%request_id, code, cause, "a request failed through no doing of the caller's");
        }
    }

    /// Whether one more is logged, and how many were left out in a second that has ended.
    fn count(&self, now: Instant) -> (bool, u32) {
        let mut second = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut left_out = 0;
        if now.duration_since(second.began) >= Duration::from_secs(1) {
            left_out = second.errors.saturating_sub(MOST);
            *second = Second { began: now, errors: 0 };
        }
        second.errors = second.errors.saturating_add(1);
        (second.errors <= MOST, left_out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_beyond_those_of_a_second_are_counted_and_not_logged() {
        let (log, now) = (ErrorLog::new(), Instant::now());
        assert!((0..MOST).all(|_| log.count(now) == (true, 0)));
        assert!((0..7).all(|_| log.count(now) == (false, 0)));
        let later = now + Duration::from_secs(1);
        assert_eq!((log.count(later), log.count(later)), ((true, 7), (true, 0)));
    }
}
