//! Sealing the record: every half minute the new events are put under a seal, which is over them and over the seal
//! before. Whoever changes, removes or moves an event afterwards would have to make all later seals anew, and has not
//! got the key.
//!
//! An event is sealed once it is seen, whatever its number: on PostgreSQL one with a lower number can appear after
//! others, and is then under a later seal. Several nodes may seal; of two that make the seal of one number, one is kept.

use std::time::Duration;

use crate::app::App;
use crate::background::name;
use crate::kernel::clock::Timestamp;
use crate::kernel::record_key::{Message, RecordKey};
use crate::store::StoreError;
use crate::store::audit::{self, Recorded};
use crate::store::seals::{self, Seal};

/// How often what is new is sealed.
const INTERVAL: Duration = Duration::from_secs(30);
/// Events under one seal at most: few, so that nobody waits long behind them. A seal over fewer left none behind, by which
/// [`super::verify`] judges dates; so seals that exist would be judged by another number if this one changed.
pub(super) const BATCH: u64 = 500;
/// Seals whose events are removed at once, and events under them, at most (but for the last seal's).
const REMOVED_SEALS: u64 = 100;
const REMOVED_EVENTS: i64 = 1_000;

/// Seals what is new, for ever.
pub async fn run(app: &App) {
    loop {
        tokio::time::sleep(INTERVAL).await;
        let outcome = seal_all(app).await;
        app.jobs.ended(name::SEALS, &outcome, app.clock.now().as_micros());
        if let Err(error) = outcome {
            tracing::warn!(%error, "the record could not be sealed; trying again later");
        }
    }
}

/// Seals all that is new by now, batch by batch.
///
/// # Errors
/// Where the database does not take it; what was sealed before stays so.
pub async fn seal_all(app: &App) -> Result<(), StoreError> {
    // Asked first, on a connection that nobody waits for.
    while audit::count_unsealed(app.reader()).await? > 0 {
        if !seal(app, None).await? {
            return Ok(());
        }
    }
    Ok(())
}

/// Removes the events that were sealed longer ago than the operator wants them kept, batch by batch. Their seals stay.
///
/// # Errors
/// Where the database does not take it; what went before stays removed.
pub async fn remove_old(app: &App) -> Result<(), StoreError> {
    let before = app.clock.now() - app.settings.audit_retention;
    loop {
        let removed_through = seals::last(app.reader()).await?.map_or(0, |last| last.removed_through);
        let oldest = seals::after(app.reader(), removed_through, 1).await?;
        let is_old = oldest.first().is_some_and(|seal| seal.at < before);
        if !is_old || !seal(app, Some(before)).await? {
            return Ok(());
        }
    }
}

/// Makes the next seal. With `remove_before`, the events under the oldest seals that were made before it go, and this
/// seal says so. `false` where another node was quicker.
async fn seal(app: &App, remove_before: Option<Timestamp>) -> Result<bool, StoreError> {
    let tx = app.begin().await?;
    let last = seals::last(&tx).await?;
    let removed_through = last.as_ref().map_or(0, |last| last.removed_through);
    let old = match remove_before {
        Some(before) => old_seals(seals::after(&tx, removed_through, REMOVED_SEALS).await?, before),
        None => Vec::new(),
    };
    let events = audit::unsealed(&tx, BATCH).await?;
    let removed_through = old.last().map_or(removed_through, |newest| newest.number);
    let next = make(&app.record_key, last.as_ref(), &events, removed_through, app.clock.now());
    let number = next.number;
    if !seals::insert(&tx, next).await? {
        return Ok(false);
    }
    if audit::put_under_seal(&tx, number, &events).await? != events.len() as u64 {
        // Somebody else, who is no node, has sealed or removed some of them meanwhile.
        return Ok(false);
    }
    if let (Some(first), Some(newest)) = (old.first(), old.last()) {
        let numbers = old.iter().filter(|seal| seal.events > 0);
        let least = numbers.clone().map(|seal| seal.first_event).min().unwrap_or(0);
        let greatest = numbers.map(|seal| seal.last_event).max().unwrap_or(0);
        let removed = audit::remove(&tx, (first.number, newest.number), (least, greatest)).await?;
        let expected = old.iter().map(|seal| seal.events).sum::<i64>();
        if removed != expected.unsigned_abs() {
            let (first, last) = (first.number, newest.number);
            tracing::error!(first, last, removed, expected, "old events were not those that had been sealed");
        }
    }
    app.commit(tx).await?;
    Ok(true)
}

/// Of the oldest seals those made before `before`, as many as are removed at once.
fn old_seals(oldest: Vec<Seal>, before: Timestamp) -> Vec<Seal> {
    let mut events = 0;
    let is_next = |seal: &Seal| {
        let has_room = events < REMOVED_EVENTS;
        events += seal.events;
        has_room && seal.at < before
    };
    oldest.into_iter().take_while(is_next).collect()
}

/// The seal that follows `last`, over `events`.
fn make(key: &RecordKey, last: Option<&Seal>, events: &[Recorded], removed_through: i64, now: Timestamp) -> Seal {
    let unsigned = Seal {
        number: last.map_or(0, |last| last.number) + 1,
        at: now,
        key_id: key.id().to_owned(),
        events: i64::try_from(events.len()).unwrap_or(i64::MAX),
        first_event: events.first().map_or(0, |event| event.id),
        last_event: events.last().map_or(0, |event| event.id),
        digest: digest(events).to_vec(),
        removed_through,
        mac: Vec::new(),
    };
    let mac = key.mac(&message(&unsigned, last.map(|last| last.mac.as_slice())));
    Seal { mac: mac.to_vec(), ..unsigned }
}

/// What a seal's HMAC is over: all that the seal says, and the HMAC before it.
pub(super) fn message(seal: &Seal, previous_mac: Option<&[u8]>) -> Message {
    Message::default()
        .number(seal.number)
        .number(seal.at.as_micros())
        .bytes(seal.key_id.as_bytes())
        .number(seal.events)
        .number(seal.first_event)
        .number(seal.last_event)
        .bytes(&seal.digest)
        .number(seal.removed_through)
        .bytes(previous_mac.unwrap_or_default())
}

/// The SHA-256 of events, in the order of their numbers.
pub(super) fn digest(events: &[Recorded]) -> [u8; 32] {
    let add = |message: Message, event: &Recorded| {
        message
            .number(event.id)
            .number(event.at.as_micros())
            .bytes(event.event.as_bytes())
            .bytes(event.outcome.as_bytes())
            .number(event.times)
            .maybe_number(event.actor)
            .number(event.account)
            .maybe_number(event.session)
            .maybe_text(event.client.as_deref())
            .maybe_text(event.source.as_deref())
            .maybe_text(event.user_agent.as_deref())
            .maybe_text(event.request_id.as_deref())
    };
    events.iter().fold(Message::default(), add).digest()
}
