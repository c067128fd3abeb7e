//! Time: an instant to the microsecond, and the clock that tells it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use chrono::{DateTime, Days, SecondsFormat, Utc};
use serde::{Serialize, Serializer};

/// An instant in UTC, in whole microseconds since 1970-01-01T00:00:00Z.
///
/// Written as RFC 3339 with six digits of fraction and `Z`: `2025-03-07T03:34:18.305185Z`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// The last instant of the year 9999.
const LAST: Timestamp = Timestamp(253_402_300_799_999_999);

impl Timestamp {
    /// The instant `micros` microseconds after the epoch.
    #[must_use]
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since the epoch: how the database keeps it.
    #[must_use]
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// Microseconds from `earlier` to this instant; 0 where `earlier` is the later one.
    #[must_use]
    pub fn micros_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0).max(0)
    }

    /// Midnight UTC of the day that is `days` after this one.
    #[must_use]
    pub fn midnight_after(self, days: u64) -> Self {
        let day = self.utc().date_naive().checked_add_days(Days::new(days));
        day.map_or(LAST, |day| Self(day.and_time(chrono::NaiveTime::MIN).and_utc().timestamp_micros()))
    }

    /// `2025-03-08 03:41:37`: to the second, UTC, with neither `T` nor zone (the seed's `expires`).
    #[must_use]
    pub fn to_seconds_with_space(self) -> String {
        self.utc().format("%Y-%m-%d %H:%M:%S").to_string()
    }

    /// `2025-06-06T00:00:00Z`: RFC 3339 to the second (the seed's `plan_expiry_date`).
    #[must_use]
    pub fn to_rfc3339_seconds(self) -> String {
        self.utc().to_rfc3339_opts(SecondsFormat::Secs, true)
    }

    /// The same instant as chrono has it, for whatever writes it down. What lies outside of the years 1970 to 9999 becomes
    /// their first or last instant: a database that was tampered with may hold any number, formats and libraries know no
    /// other years, and some panic.
    #[must_use]
    pub fn utc(self) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(self.0.clamp(0, LAST.0)).unwrap_or_default()
    }
}

impl std::ops::Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)))
    }
}

impl std::ops::Sub<Duration> for Timestamp {
    type Output = Self;

    fn sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.utc().to_rfc3339_opts(SecondsFormat::Micros, true))
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Where the time comes from. The system's, or one that a test moves by hand.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System,
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// The machine's clock.
    #[must_use]
    pub const fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that stands at `start` until [`advance`](Self::advance) moves it; clones move together.
    #[must_use]
    pub fn manual(start: Timestamp) -> Self {
        Self(Source::Manual(Arc::new(AtomicI64::new(start.0))))
    }

    /// The present instant.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the machine's clock")]
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Source::System => Timestamp(Utc::now().timestamp_micros()),
            Source::Manual(micros) => Timestamp(micros.load(Ordering::SeqCst)),
        }
    }

    /// Moves a manual clock forward; the system's takes no orders.
    pub fn advance(&self, by: Duration) {
        if let Source::Manual(micros) = &self.0 {
            micros.fetch_add(i64::try_from(by.as_micros()).unwrap_or(i64::MAX), Ordering::SeqCst);
        }
    }
}

/// How long something took in all, in microseconds; written as an ISO 8601 duration (`PT1H2M3S`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TotalTime(pub i64);

impl fmt::Display for TotalTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0 / 1_000_000;
        let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        f.write_str("PT")?;
        if hours > 0 {
            write!(f, "{hours}H")?;
        }
        if minutes > 0 {
            write!(f, "{minutes}M")?;
        }
        if rest > 0 || seconds == 0 {
            write!(f, "{rest}S")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SEED: Timestamp = Timestamp::from_micros(1_741_318_458_305_185);

    #[test]
    fn an_instant_is_written_with_six_digits_of_fraction() {
        assert_eq!(SEED.to_string(), "2025-03-07T03:34:18.305185Z");
        assert_eq!(Timestamp::from_micros(0).to_string(), "1970-01-01T00:00:00.000000Z");
    }

    #[test]
    fn the_seeds_own_formats() {
        assert_eq!(SEED.to_seconds_with_space(), "2025-03-07 03:34:18");
        assert_eq!(SEED.midnight_after(91).to_rfc3339_seconds(), "2025-06-06T00:00:00Z");
    }

    #[test]
    fn a_total_is_an_iso_8601_duration() {
        assert_eq!(TotalTime(0).to_string(), "PT0S");
        assert_eq!(TotalTime(3_723_000_000).to_string(), "PT1H2M3S");
        assert_eq!(TotalTime(7_200_000_000).to_string(), "PT2H");
        assert_eq!(TotalTime(90_000_000_000 * 60).to_string(), "PT1500H");
    }

    proptest! {
        #[test]
        fn no_number_makes_an_instant_panic(one in edge(), other in edge(), days in any::<u64>()) {
            let (at, earlier) = (Timestamp::from_micros(one), Timestamp::from_micros(other));
            prop_assert!(at.micros_since(earlier) >= 0);
            prop_assert_eq!(at.to_string().len(), 27);
            prop_assert_eq!(at.to_seconds_with_space().len(), 19);
            prop_assert!(at.midnight_after(days) <= LAST);
            prop_assert!(at + Duration::MAX >= at && at - Duration::MAX <= at);
            let _ = std::time::SystemTime::from(at.utc());
            let _ = TotalTime(one).to_string();
        }
    }

    /// Any number, and those where something ends.
    fn edge() -> impl Strategy<Value = i64> {
        prop_oneof![any::<i64>(), Just(i64::MIN), Just(i64::MAX), Just(-1), Just(LAST.0), Just(LAST.0 + 1)]
    }

    #[test]
    fn a_manual_clock_stands_until_it_is_moved() {
        let clock = Clock::manual(SEED);
        let twin = clock.clone();
        assert_eq!(clock.now(), SEED);
        twin.advance(Duration::from_secs(1));
        assert_eq!(clock.now(), SEED + Duration::from_secs(1));
    }
}
