//! How many files the process may have open: each connection is one.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::settings::Settings;

/// No more are asked for: what a connection costs is memory too.
const MOST: u64 = 65_536;
/// What is kept for all but connections: the standard ones, listeners and the runtime's own, the database's files, mail on
/// its way, and some to spare.
const RESERVED: usize = 48;
/// So many connections there may be however few files are left.
const FEWEST: usize = 16;

/// Raises the soft limit to the hard one, which is the operator's; gives how many files there may be.
pub(crate) fn raise_limit() -> usize {
    let limit = getrlimit(Resource::Nofile);
    // No limit is none.
    let now = limit.current.unwrap_or(MOST);
    let wanted = limit.maximum.unwrap_or(MOST).min(MOST);
    let files = if now >= wanted {
        now
    } else {
        match setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum: limit.maximum }) {
            Ok(()) => wanted,
            Err(error) => {
                tracing::warn!(%error, "the limit of open files could not be raised");
                now
            }
        }
    };
    usize::try_from(files.min(MOST)).unwrap_or(usize::MAX)
}

/// How many connections callers may have in all, with files left for all else: running out of them must never meet the
/// database or the log.
pub(crate) fn left_for_callers(files: usize, settings: &Settings, is_postgres: bool) -> usize {
    // And one each to hear the other nodes, to tell them something, and for `/readyz`.
    let database = if is_postgres { settings.postgres.database_connections as usize + 3 } else { 0 };
    let metrics = if settings.metrics_listen.is_some() { super::METRICS_CONNECTIONS } else { 0 };
    let left = files.saturating_sub(RESERVED + database + metrics);
    if left < FEWEST {
        tracing::warn!(files, "too few files may be open (ulimit -n): the database may run out of them");
    }
    left.max(FEWEST)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::tests::settings;

    #[test]
    fn files_are_left_for_the_database_the_mail_and_the_metrics() {
        assert_eq!(left_for_callers(1_024, &settings(&[]), false), 1_024 - 48);
        assert_eq!(left_for_callers(1_024, &settings(&["--metrics-listen=127.0.0.1:1"]), false), 1_024 - 64);
        assert_eq!(left_for_callers(1_024, &settings(&["--database-connections=100"]), true), 1_024 - 151);
        assert_eq!(left_for_callers(20, &settings(&[]), true), FEWEST);
    }
}
