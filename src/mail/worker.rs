//! The worker that empties the outbox.
//!
//! Several lanes carry mail at once, each one mail at a time; mail that failed before has lanes of its own. So neither a
//! mail that its server is slow to take nor a heap of failed ones holds up the others. A lane leases the mail it carries:
//! of all lanes on all nodes, one has it. The mail's row goes after the mail has left; a crash in between sends it again
//! when the lease is over, with the same message id.

use std::time::Duration;

use futures_util::future::{join, join_all, try_join_all};
use tokio::sync::{Mutex, watch};

use super::message::Letter;
use super::smtp::AFTER_THE_DOT;
use super::transport::{Carrier, Failure};
use crate::app::App;
use crate::background::{self, name};
use crate::kernel::clock::Timestamp;
use crate::kernel::seal::KeyId;
use crate::store::outbox::{self, Leased, Queue};
use crate::store::writes::Writes;
use crate::store::{StoreError, sealed};

/// Mails of a queue that a node carries at once.
const LANES: usize = 4;
/// How much longer a lease is than what it is for may take.
const MARGIN: Duration = Duration::from_secs(15);
/// How often a lane looks without the bell: for mail that other nodes left, or that is due again.
const PAUSE: Duration = Duration::from_secs(5);
/// How long a mail waits after its first failure, its second, and so on; the last holds for all that come.
const WAITS: [Duration; 7] = {
    const fn minutes(minutes: u64) -> Duration {
        Duration::from_secs(60 * minutes)
    }
    [Duration::from_secs(10), Duration::from_secs(30), minutes(2), minutes(5), minutes(15), minutes(30), minutes(60)]
};
/// How long it waits at most where no mail leaves at all: that ends for all at once.
const OUTAGE_WAIT: Duration = Duration::from_secs(5 * 60);
/// How long a mail waits at least that may have left, and after that three times as long as it is old: a mail server that
/// never says whether it took one has four copies of it in a day.
const UNCERTAIN_WAIT: Duration = Duration::from_secs(20 * 60);

/// Empties the outbox whenever there is something in it, until it is told to stop; then finishes what it carries.
pub async fn run(app: &App, stop: watch::Receiver<bool>) {
    let stop = &stop;
    // Each lane by itself: what makes one panic does not cut off the mails that the others carry.
    let supervised = |queue| app.jobs.supervise(name::MAIL, background::PAUSE, move || lane(app, queue, stop.clone()));
    let lanes = |queue| join_all((0..LANES).map(|_| supervised(queue)));
    let probe = app.jobs.supervise(name::MAIL, background::PAUSE, || async {
        let mut stopped = stop.clone();
        tokio::select! {
            () = app.mail_transport.probe() => {}
            _ = stopped.wait_for(|stop| *stop) => {}
        }
    });
    join(probe, join(lanes(Queue::New), lanes(Queue::Again))).await;
    if let Err(error) = write_settled(app).await {
        tracing::warn!(%error, "what became of the last mails could not be written; some may go out twice");
    }
}

/// Carries all that is due by now: for tests.
///
/// # Errors
/// Where the database does not answer.
pub async fn deliver_waiting(app: &App) -> Result<(), StoreError> {
    let (_, going_on) = watch::channel(false);
    let lanes = |queue| try_join_all((0..LANES).map(|_| carry_due(app, queue, &going_on)));
    let (new, again) = join(lanes(Queue::New), lanes(Queue::Again)).await;
    new.and(again).map(|_| ())
}

async fn lane(app: &App, queue: Queue, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        let outcome = carry_due(app, queue, &stop).await;
        app.jobs.ended(name::MAIL, &outcome, app.clock.now().as_micros());
        if let Err(error) = outcome {
            tracing::warn!(%error, "the outbox could not be read or written; trying again later");
        }
        let bell = async {
            match queue {
                Queue::New => app.mail_bell.notified().await,
                // The bell is for new mail.
                Queue::Again => std::future::pending().await,
            }
        };
        tokio::select! {
            () = bell => {}
            () = tokio::time::sleep(PAUSE) => {}
            _ = stop.wait_for(|stop| *stop) => {}
        }
    }
}

/// Carries what is due, one after the other, until nothing is, nothing leaves, or it is told to stop.
async fn carry_due(app: &App, queue: Queue, stop: &watch::Receiver<bool>) -> Result<(), StoreError> {
    let mut carrier = Carrier::new(&app.mail_transport);
    let mut goes_on = true;
    while goes_on && !*stop.borrow() {
        let Some(mut mail) = take(app, queue).await? else { break };
        let outcome = carry(app, &mut carrier, &mut mail, stop).await;
        goes_on = !matches!(outcome, Err(Failure::Unreachable(_)));
        let mut writes = Writes::to(app.writer());
        settle(app, &mut writes, &mail, outcome);
        app.settled_mail.0.lock().await.push(writes);
    }
    write_settled(app).await?;
    carrier.rest().await;
    Ok(())
}

/// What became of mails and is not written down yet, of all lanes: before any of them leases a mail, this is written, so
/// that none whose lease is over after a lock goes out twice. It is kept until it was written; to write some of it twice
/// does no harm.
#[derive(Debug, Default)]
pub struct Settled(Mutex<Vec<Writes>>);

fn together(app: &App, settled: &[Writes]) -> Writes {
    settled.iter().fold(Writes::to(app.writer()), |mut together, writes| {
        together.append(writes.clone());
        together
    })
}

async fn write_settled(app: &App) -> Result<(), StoreError> {
    let mut settled = app.settled_mail.0.lock().await;
    together(app, &settled).run(app.writer()).await?;
    settled.clear();
    Ok(())
}

/// Writes down what became of mails before, and leases one that is due. A power failure that forgets the former does
/// what a crash does: that mail goes out again.
async fn take(app: &App, queue: Queue) -> Result<Option<Leased>, StoreError> {
    let now = app.clock.now();
    // For connecting, for the mail, and for the first part of the wait for the last word on it.
    let until = now + app.settings.smtp_timeout * 3 + MARGIN;
    let mut settled = app.settled_mail.0.lock().await;
    let leased = outbox::lease(app.writer(), together(app, &settled), queue, now, until).await?;
    settled.clear();
    drop(settled);
    if leased.is_some() {
        // What the mail tells of is on the disk before the mail leaves.
        app.database().make_durable().await?;
    }
    Ok(leased)
}

async fn carry(
    app: &App,
    carrier: &mut Carrier<'_>,
    mail: &mut Leased,
    stop: &watch::Receiver<bool>,
) -> Result<(), Failure> {
    let plain = app.sealer.open(sealed::OUTBOX.purpose, &mail.sealed_mail).ok_or_else(|| {
        let id = KeyId::carried_by(&mail.sealed_mail).map_or_else(String::new, |id| format!(" ({id})"));
        Failure::Later(format!("it was sealed with another secret key{id}"))
    })?;
    let letter: Result<Letter, _> = serde_json::from_slice(&plain);
    let letter = letter.map_err(|_| Failure::Refused("its letter is malformed".to_owned()))?;
    let message = letter.to_message(mail.id, mail.created_at, &app.mail_transport.from);
    let Some(message) = message.map_err(|error| Failure::Refused(error.to_string()))? else { return Ok(()) };
    let name = format!("{}-{}.eml", mail.created_at.utc().format("%Y%m%dT%H%M%S%6fZ"), mail.id);
    carrier.carry(&message, name).await?;
    let outcome = carrier.finish(stop.clone());
    tokio::pin!(outcome);
    // Few servers take longer, and the lease is short so that the mail of a node that is killed soon has another.
    if let Ok(outcome) = tokio::time::timeout(app.settings.smtp_timeout, &mut outcome).await {
        return outcome;
    }
    let until = app.clock.now() + AFTER_THE_DOT + MARGIN;
    if let Err(error) = outbox::extend(app.writer(), mail, until).await {
        tracing::warn!(%error, "a mail that its server takes long for could not be kept for longer; it may go out twice");
    }
    outcome.await
}

/// Adds to the writes what became of a mail.
fn settle(app: &App, writes: &mut Writes, mail: &Leased, outcome: Result<(), Failure>) {
    let now = app.clock.now();
    let outcome = match outcome {
        Ok(()) => {
            outbox::remove(writes, mail);
            "sent"
        }
        Err(Failure::Later(error)) if now < mail.give_up_at => {
            postpone(app, writes, mail, wait(mail.attempts), &error);
            "postponed"
        }
        Err(Failure::Unreachable(error)) if now < mail.give_up_at => {
            postpone(app, writes, mail, wait(mail.attempts).min(OUTAGE_WAIT), &error);
            "postponed"
        }
        Err(Failure::Uncertain(error)) if now + long_wait(mail, now) < mail.give_up_at => {
            let error = format!("{error}; it may have arrived");
            postpone(app, writes, mail, long_wait(mail, now), &error);
            "postponed"
        }
        Err(
            Failure::Later(error) | Failure::Unreachable(error) | Failure::Uncertain(error) | Failure::Refused(error),
        ) => {
            outbox::give_up(writes, mail, now, &error);
            let (id, kind, tries) = (mail.id, mail.kind.as_str(), mail.attempts);
            tracing::error!(id, kind, tries, error, "a mail was given up; see documines-auth mail list");
            "given_up"
        }
    };
    if let Some(metrics) = &app.metrics {
        metrics.mailed(outcome);
    }
}

fn postpone(app: &App, writes: &mut Writes, mail: &Leased, wait: Duration, error: &str) {
    // Between four fifths and six fifths of it, so that what failed together does not come back together.
    let [byte] = app.random.bytes();
    let wait = wait * (4 * 255 + 2 * u32::from(byte)) / (5 * 255);
    let due_at = (app.clock.now() + wait).min(mail.give_up_at);
    outbox::postpone(writes, mail, due_at, error);
    let (id, kind, tries) = (mail.id, mail.kind.as_str(), mail.attempts);
    tracing::warn!(id, kind, tries, error, next_try = %due_at, "a mail did not go out; trying again later");
}

/// How long to wait after so many tries, more or less.
fn wait(attempts: u32) -> Duration {
    let failed_before = usize::try_from(attempts.saturating_sub(1)).unwrap_or(usize::MAX);
    WAITS[failed_before.min(WAITS.len() - 1)]
}

/// How long a mail waits that may have left.
fn long_wait(mail: &Leased, now: Timestamp) -> Duration {
    let age = Duration::from_micros(now.micros_since(mail.created_at).max(0).unsigned_abs());
    age.saturating_mul(3).max(UNCERTAIN_WAIT)
}
