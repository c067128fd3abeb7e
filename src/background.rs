//! The jobs that run beside requests, supervised: one that panics is started again after a pause, and is known meanwhile
//! to `/readyz` and the metrics.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;

/// How long a job rests after a panic: what made it panic may well be there still.
pub const PAUSE: Duration = Duration::from_secs(5);

/// What the jobs are called, in the log, by `/readyz` and in the metrics.
pub mod name {
    #![expect(missing_docs, reason = "each says what it is")]
    pub const CHANGES: &str = "changes";
    pub const COUNTS: &str = "counts";
    pub const HOUSEKEEPING: &str = "housekeeping";
    pub const LOG: &str = "log";
    pub const MAIL: &str = "mail";
    pub const REFUSALS: &str = "refusals";
    pub const SEALS: &str = "seals";
}

/// How the jobs of this process fare.
#[derive(Debug, Default)]
pub struct Jobs(Mutex<BTreeMap<&'static str, State>>);

#[derive(Clone, Copy, Debug, Default)]
struct State {
    /// Copies of the job that rest after a panic: mail has several.
    down: u64,
    panics: u64,
    /// Rounds that ended with an error.
    failures: u64,
    /// When a round last ended without one, in microseconds since 1970.
    succeeded_at: Option<i64>,
}

impl Jobs {
    /// Runs `job` until it ends by itself, again and again as often as it panics.
    pub async fn supervise<F: Future<Output = ()>>(&self, name: &'static str, pause: Duration, job: impl Fn() -> F) {
        self.change(name, |_| {});
        while AssertUnwindSafe(async { job().await }).catch_unwind().await.is_err() {
            // What the panic said is in the log already.
            tracing::error!(job = name, pause_seconds = pause.as_secs(), "a background job panicked; it starts again");
            self.change(name, |state| {
                state.down += 1;
                state.panics += 1;
            });
            tokio::time::sleep(pause).await;
            self.change(name, |state| state.down -= 1);
        }
    }

    /// A job that does not run because it panicked.
    #[must_use]
    pub fn one_that_is_down(&self) -> Option<&'static str> {
        let jobs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        jobs.iter().find(|(_, state)| state.down > 0).map(|(name, _)| *name)
    }

    /// How often each job panicked.
    #[must_use]
    pub fn panics(&self) -> Vec<(&'static str, u64)> {
        let jobs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        jobs.iter().map(|(name, state)| (*name, state.panics)).collect()
    }

    /// Keeps how a round of a job ended, at this instant in microseconds since 1970.
    pub fn ended<T, E>(&self, name: &'static str, outcome: &Result<T, E>, at: i64) {
        self.change(name, |state| match outcome {
            Ok(_) => state.succeeded_at = Some(at),
            Err(_) => state.failures += 1,
        });
    }

    /// How many rounds of each job failed, and when one last did not.
    #[must_use]
    pub fn rounds(&self) -> Vec<(&'static str, u64, Option<i64>)> {
        let jobs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        jobs.iter().map(|(name, state)| (*name, state.failures, state.succeeded_at)).collect()
    }

    fn change(&self, name: &'static str, change: impl FnOnce(&mut State)) {
        change(self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(name).or_default());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn a_job_that_panics_is_started_again_until_it_ends_by_itself() {
        let (jobs, runs) = (Jobs::default(), AtomicUsize::new(0));
        let run = || async {
            assert_eq!(jobs.one_that_is_down(), None);
            let run = runs.fetch_add(1, Ordering::SeqCst);
            tokio::task::yield_now().await;
            assert!(run == 3, "three times in a row");
        };
        jobs.supervise("test", Duration::from_millis(1), run).await;
        assert_eq!((runs.load(Ordering::SeqCst), jobs.panics()), (4, vec![("test", 3)]));
    }
}
