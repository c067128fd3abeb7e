//! Checking the record against its seals.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use data_encoding::HEXLOWER_PERMISSIVE;
use sea_orm::ConnectionTrait;

use super::refusals::MOST_LATE;
use super::seal::{BATCH, digest, message};
use crate::kernel::Invalid;
use crate::kernel::clock::Timestamp;
use crate::kernel::record_key::RecordKey;
use crate::store::StoreError;
use crate::store::audit::{self, Recorded};
use crate::store::seals::{self, Seal};

/// Seals that are read at once.
const PAGE: u64 = 1_000;
/// Events outside of any seal that are named, one by one.
const MOST_STRAYS: u64 = 100;
/// How far an event's instant may lie outside of the time that its seal covers: nodes' clocks differ, a transaction takes
/// a while, and refusals are written late ([`MOST_LATE`]).
const TOLERANCE: Duration = MOST_LATE.saturating_mul(2);

/// What is to be told: what was found, and what was looked at.
#[derive(Debug, Default)]
pub struct Report {
    /// One line for each thing that is not as it was sealed. Empty where the record is whole.
    pub findings: Vec<String>,
    /// Seals that there are.
    pub seals: u64,
    /// Events under them that were compared.
    pub events: u64,
    /// Events that are too new for a seal.
    pub unsealed: u64,
    /// The newest seal: kept elsewhere, it shows later that nothing was cut off at the end.
    pub newest: Option<Mark>,
}

/// A seal's number and its HMAC: `17:3f0c…`, with 64 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    number: i64,
    mac: Vec<u8>,
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.number, HEXLOWER_PERMISSIVE.encode(&self.mac))
    }
}

impl FromStr for Mark {
    type Err = Invalid;

    fn from_str(raw: &str) -> Result<Self, Invalid> {
        let read = || {
            let (number, mac) = raw.trim().split_once(':')?;
            let mac = HEXLOWER_PERMISSIVE.decode(mac.as_bytes()).ok()?;
            Some(Self { number: number.parse().ok().filter(|number| *number > 0)?, mac })
        };
        let mark = read().filter(|mark| mark.mac.len() == 32);
        mark.ok_or_else(|| Invalid::because("must be a seal as audit verify prints it, such as 17:3f0c…"))
    }
}

/// Compares the events with the seals, and the seals with each other. `db` has to stand still: a transaction that sees
/// one state of the database throughout.
///
/// # Errors
/// Where the database does not answer.
pub async fn verify(
    db: &impl ConnectionTrait,
    keys: &[RecordKey],
    expected: Option<&Mark>,
) -> Result<Report, StoreError> {
    let mut report = Report { unsealed: audit::count_unsealed(db).await?, ..Report::default() };
    let newest = seals::last(db).await?;
    let removed_through = newest.as_ref().map_or(0, |newest| newest.removed_through);
    let mut previous: Option<Seal> = None;
    // When the last seal was made that left no event behind: what a later one is over happened after it.
    let mut covered = None;
    loop {
        let after = previous.as_ref().map_or(0, |previous| previous.number);
        let page = seals::after(db, after, PAGE).await?;
        if page.is_empty() {
            break;
        }
        for seal in page {
            report.seals += 1;
            report.findings.extend(compare_seal(&seal, previous.as_ref(), keys));
            if let Some(expected) = expected.filter(|expected| expected.number == seal.number)
                && expected.mac != seal.mac
            {
                report.findings.push(format!("seal {}: is not the one that was expected", seal.number));
            }
            if seal.number > removed_through {
                report.findings.extend(compare_events(db, &seal, covered).await?);
                report.events += seal.events.unsigned_abs();
            }
            if seal.events.unsigned_abs() < BATCH {
                covered = Some(seal.at);
            }
            previous = Some(seal);
        }
    }
    let last = previous.as_ref().map_or(0, |previous| previous.number);
    if let Some(expected) = expected.filter(|expected| expected.number > last) {
        report.findings.push(format!("seals {} to {}: missing at the end", last + 1, expected.number));
    }
    let strays = seals::strays(db, removed_through, MOST_STRAYS).await?;
    let tell = |(event, seal)| format!("event {event}: says that it is under seal {seal}, which is not over it");
    report.findings.extend(strays.into_iter().map(tell));
    report.newest = previous.map(|seal| Mark { number: seal.number, mac: seal.mac });
    Ok(report)
}

/// What is wrong with a seal, seen from the one before.
fn compare_seal(seal: &Seal, previous: Option<&Seal>, keys: &[RecordKey]) -> Option<String> {
    let number = seal.number;
    let expected = previous.map_or(0, |previous| previous.number) + 1;
    if number != expected {
        return Some(format!("seals {expected} to {}: missing", number - 1));
    }
    let previous_mac = previous.map(|previous| previous.mac.as_slice());
    match keys.iter().find(|key| key.id() == seal.key_id) {
        Some(key) if key.accepts(&message(seal, previous_mac), &seal.mac) => None,
        Some(_) => Some(format!("seal {number}: changed, or not the one that followed seal {}", number - 1)),
        // The id is quoted: whoever changed it may have written anything there.
        None => Some(format!("seal {number}: made with the key {:?}, which is not given; not judged", seal.key_id)),
    }
}

/// What is wrong with the events under a seal, which happened after `covered` and before the seal was made.
async fn compare_events(
    db: &impl ConnectionTrait,
    seal: &Seal,
    covered: Option<Timestamp>,
) -> Result<Option<String>, StoreError> {
    let events = audit::under_seal(db, seal.number, (seal.first_event, seal.last_event)).await?;
    let (found, sealed) = (events.len() as u64, seal.events.unsigned_abs());
    let which = format!("events {} to {} under seal {}", seal.first_event, seal.last_event, seal.number);
    Ok(if found < sealed {
        Some(format!("{which}: {} of {sealed} missing", sealed - found))
    } else if found > sealed {
        Some(format!("{which}: {} more than the {sealed} that were sealed", found - sealed))
    } else if digest(&events)[..] != seal.digest[..] {
        Some(format!("{which}: changed or reordered"))
    } else {
        let is_misdated = |event: &&Recorded| {
            event.at > seal.at + TOLERANCE || covered.is_some_and(|covered| event.at < covered - TOLERANCE)
        };
        let misdated: Vec<_> = events.iter().filter(is_misdated).collect();
        misdated.first().map(|event| {
            let (count, id, at) = (misdated.len(), event.id, event.at);
            format!("{which}: {count} with a date at which the seal was not over them, the first {id} with {at}")
        })
    })
}
