//! Secrets that can be guessed: a password, a code of six digits.
//!
//! Each try is counted as a failure before it is checked, in a short transaction; what it turns out to be is settled
//! afterwards. So of many tries at once no more get through than of as many one after the other, on whatever node.
//!
//! Four things are counted, all by e-mail address as it was sent, whether or not there is an account, so that a stranger
//! learns nothing from them:
//!
//! - the *pair* of address and source: after the failures that cost nothing, waits that double;
//! - *strangers*, by address: sources that nobody logged in to the account from wait for each other too;
//! - the *source*, by strangers' failures over all addresses, so that one password is not tried on everybody;
//! - the *row* of failures by address, which ends with a success. Past it only a reset opens the account.
//!
//! A source that logged in before is *known* for a while, or until a reset: its tries meet the pair and the row alone.

use super::under_way::Entry;
use super::{Throttle, Whose, note_refusal, refuse};
use crate::app::App;
use crate::fault::Fault;
use crate::kernel::clock::Timestamp;
use crate::kernel::origin::{Origin, Source};
use crate::kernel::rate_limit::{Counter, Ladder, Policy, Standing, Throttled};
use crate::kernel::token::Digest;
use crate::password::hasher::Place;
use crate::password::queue::Who;
use crate::store::audit::Reason;
use crate::store::writes::Writes;
use crate::store::{LockedRow, Locking, StoreError, throttles};

/// How guesses at one kind of secret are limited.
#[derive(Debug)]
pub struct Guessing {
    /// What answers tell: failures that cost nothing, by pair.
    pub told: Policy,
    /// The waits of one source at one account.
    pub pair: Ladder,
    /// The waits of all strangers together at one account.
    pub strangers: Ladder,
    /// A stranger's failures over all accounts.
    pub source: Policy,
    /// Failures in a row after which only a reset opens the account.
    pub most_in_a_row: i64,
    /// How many of these strangers may not use up.
    pub kept_for_the_known: i64,
    /// How long a source is known after a success, and a row of failures is remembered that closes nothing yet.
    pub memory: std::time::Duration,
}

/// Why no guess is allowed now.
#[derive(Debug, thiserror::Error)]
pub enum NoGuess {
    /// Not yet.
    #[error(transparent)]
    Throttled(#[from] Throttled),
    /// Not before a reset.
    #[error("too many failures in a row")]
    Closed,
}

/// A guess that was counted as a failure. Where it was not one, say so: [`Guess::was_right`], [`Guess::was_none`].
#[derive(Debug)]
#[must_use]
pub struct Guess {
    limits: &'static Guessing,
    place: Place,
    /// `None` where limits are off.
    counted: Option<Counted>,
}

#[derive(Debug)]
struct Counted {
    keys: Keys,
    is_known: bool,
    at: Timestamp,
    before: Counters,
    after: Counters,
    under_way: Entry,
}

/// Under what the counters are kept.
#[derive(Clone, Copy, Debug)]
struct Keys {
    pair: Digest,
    row: Digest,
    strangers: Digest,
    source: Digest,
    known: Digest,
    forgotten: Digest,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Counters {
    pair: Counter,
    row: Counter,
    strangers: Counter,
    source: Counter,
}

/// Counts a guess at the secret of whoever has that e-mail address, in lower case; the standing goes into the answer.
pub async fn guess(
    app: &App,
    origin: &Origin,
    limits: &'static Guessing,
    email: &str,
) -> Result<Result<Guess, NoGuess>, Fault> {
    let ask = |is_known| {
        let (source, account) = (origin.source.network(), Some(email.to_owned()));
        app.hasher.ask(Who { source, account, is_known })
    };
    if !app.throttle.is_on {
        return Ok(Ok(Guess { limits, place: ask(true)?, counted: None }));
    }
    let keys = Keys::new(&app.throttle, limits, email, origin.source);
    let now = app.clock.now();
    let wanted = [keys.pair, keys.row, keys.strangers, keys.source, keys.known, keys.forgotten];
    let [pair, row, strangers, source, known, forgotten] = throttles::find(app.reader(), wanted).await?;
    let is_known = known.at(now).count > 0 && known.until >= forgotten.at(now).until;
    // Asked without a lock first: a flood of what is refused writes nothing.
    if let Err(no) = limits.weigh(Counters { pair, row, strangers, source }, is_known, now) {
        return Ok(Err(told(app, origin, no)));
    }
    // Nothing is written for a caller whose guess cannot be checked.
    let place = ask(is_known)?;
    let tx = app.begin_locking(keys.held(is_known)).await?;
    let before = hold(&tx, keys, is_known).await?;
    let now = app.clock.now();
    let after = match limits.weigh(before, is_known, now) {
        Ok(after) => after,
        Err(no) => return Ok(Err(told(app, origin, no))),
    };
    let mut writes = Writes::to(&tx);
    write(&mut writes, keys, is_known, after);
    let under_way = app.throttle.under_way.enter(&keys.pair);
    app.commit_with(tx, writes).await?;
    let _ = origin.standings.note(Ok(Some(limits.standing(after.pair, now))));
    Ok(Ok(Guess { limits, place, counted: Some(Counted { keys, is_known, at: now, before, after, under_way }) }))
}

impl Guess {
    /// The place that its check has in the hasher's queue.
    #[must_use]
    pub const fn place(&self) -> &Place {
        &self.place
    }

    /// The counters that it locks when it is settled.
    pub fn rows(&self) -> impl Iterator<Item = LockedRow> + use<> {
        let held = self.counted.as_ref().map(|counted| counted.keys.held(counted.is_known));
        held.into_iter().flatten()
    }

    /// Whether it comes from a source that is known. Where limits are off nobody remembers, and every source is.
    #[must_use]
    pub fn is_from_a_known_source(&self) -> bool {
        self.counted.as_ref().is_none_or(|counted| counted.is_known)
    }

    /// It was the secret: the failures before it are forgotten, and the source is known from now on. Other strangers'
    /// failures stay counted. So do guesses of the same pair that are under way, or of many at once with one right secret
    /// each success would let as many more in; the last of them forgets the pair's failures. In the transaction of what
    /// the secret opens.
    pub async fn was_right(
        &self,
        tx: &impl Locking,
        writes: &mut Writes,
        origin: &Origin,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let Some(counted) = &self.counted else { return Ok(()) };
        let kept = hold(tx, counted.keys, counted.is_known).await?;
        let mut counters = counted.without_it(self.limits, kept, now);
        if counted.under_way.settle() {
            counters.pair = Counter::NEW;
        }
        let later = kept.row.at(now).count - counted.after.row.count;
        counters.row = if later > 0 { Counter { count: later, ..counters.row } } else { Counter::NEW };
        write(writes, counted.keys, counted.is_known, counters);
        throttles::write(writes, [(counted.keys.known, self.limits.known(now))]);
        let _ = origin.standings.note(Ok(Some(self.limits.standing(counters.pair, now))));
        Ok(())
    }

    /// Another limit refused the call: it does not count.
    pub async fn was_none(&self, app: &App) -> Result<(), StoreError> {
        let Some(counted) = &self.counted else { return Ok(()) };
        let tx = app.begin_locking(self.rows()).await?;
        let kept = hold(&tx, counted.keys, counted.is_known).await?;
        let counters = counted.without_it(self.limits, kept, app.clock.now());
        counted.under_way.settle();
        let mut writes = Writes::to(&tx);
        write(&mut writes, counted.keys, counted.is_known, counters);
        app.commit_with(tx, writes).await
    }
}

/// Opens an account whose owner has proved themselves in another way: all failures are forgotten, and of all sources this
/// one alone is known. In the transaction of that proof, which named [`rows_to_open`].
pub fn open(app: &App, writes: &mut Writes, origin: &Origin, limits: &'static Guessing, email: &str, now: Timestamp) {
    if !app.throttle.is_on {
        return;
    }
    let keys = Keys::new(&app.throttle, limits, email, origin.source);
    let forgotten = [keys.pair, keys.row, keys.strangers].map(|key| (key, Counter::NEW));
    throttles::write(writes, forgotten);
    // Whoever else knew the old password may have logged in with it from anywhere.
    throttles::write(writes, [(keys.known, limits.known(now)), (keys.forgotten, limits.known(now))]);
}

/// The counters that [`open`] locks.
pub fn rows_to_open(
    app: &App,
    origin: &Origin,
    limits: &'static Guessing,
    email: &str,
) -> impl Iterator<Item = LockedRow> + use<> {
    let keys = Keys::new(&app.throttle, limits, email, origin.source);
    let rows = [keys.pair, keys.row, keys.strangers].map(LockedRow::Counter);
    rows.into_iter().take(if app.throttle.is_on { 3 } else { 0 })
}

impl Guessing {
    /// The counters after one failure more, or why there may be none now.
    fn weigh(&'static self, kept: Counters, is_known: bool, now: Timestamp) -> Result<Counters, NoGuess> {
        let row = kept.row.at(now).count;
        let strangers_most = self.most_in_a_row - self.kept_for_the_known;
        if row >= if is_known { self.most_in_a_row } else { strangers_most } {
            return Err(NoGuess::Closed);
        }
        let not_yet = |wait| Throttled(Standing::exhausted(&self.told, wait));
        let pair = self.pair.fail(kept.pair, now).map_err(not_yet)?;
        let (mut strangers, mut source) = (kept.strangers, kept.source);
        if !is_known {
            strangers = self.strangers.fail(strangers, now).map_err(not_yet)?;
            let spent = self.source.spend(source, now);
            source = spent.map_err(|wait| Throttled(Standing::exhausted(&self.source, wait)))?;
        }
        let row = row + 1;
        // A row that has closed the account to anybody stays until it is opened.
        let expires_at = if row >= strangers_most { FOR_EVER } else { now + self.memory };
        Ok(Counters { pair, row: Counter { count: row, until: now, expires_at }, strangers, source })
    }

    fn standing(&'static self, pair: Counter, now: Timestamp) -> Standing {
        let failures = u32::try_from(pair.count).unwrap_or(u32::MAX);
        let wait = std::time::Duration::from_micros(pair.until.micros_since(now).unsigned_abs());
        Standing { policy: &self.told, remaining: self.told.quota.saturating_sub(failures), wait }
    }

    fn known(&self, now: Timestamp) -> Counter {
        Counter { count: 1, until: now, expires_at: now + self.memory }
    }
}

const FOR_EVER: Timestamp = Timestamp::from_micros(i64::MAX);

impl Keys {
    fn new(throttle: &Throttle, limits: &Guessing, email: &str, source: Source) -> Self {
        let name = limits.told.name;
        let at = source.network().to_string();
        let of = |what: &str| throttle.key_of(name, &[what.as_bytes(), email.as_bytes()]);
        let of_pair = |what: &str| throttle.key_of(name, &[what.as_bytes(), email.as_bytes(), at.as_bytes()]);
        Self {
            pair: of_pair("pair"),
            row: of("row"),
            strangers: of("strangers"),
            source: throttle.key(limits.source.name, Whose::Source(source)),
            known: of_pair("known"),
            forgotten: of("forgotten"),
        }
    }

    /// The counters that a try meets.
    fn held(&self, is_known: bool) -> impl Iterator<Item = LockedRow> + use<> {
        let [pair, row, strangers] = [self.pair, self.row, self.strangers].map(LockedRow::Counter);
        let met = [pair, row, strangers, LockedRow::SourceCounter(self.source)];
        met.into_iter().take(if is_known { 2 } else { 4 })
    }
}

impl Counted {
    /// The counters as if this guess had never been. Where others came after it, their waits stay.
    fn without_it(&self, limits: &Guessing, kept: Counters, now: Timestamp) -> Counters {
        // What counts nothing is no counter: its row would stay for the memory of failures that never were.
        let less = |kept: Counter, before: Counter, after: Counter| match kept.count {
            ..=1 => Counter::NEW,
            count => Counter {
                count: count - 1,
                until: if kept.until == after.until { before.until } else { kept.until },
                ..kept
            },
        };
        let row = match kept.row.count {
            ..=1 => Counter::NEW,
            count => Counter { count: count - 1, expires_at: self.at + limits.memory, ..kept.row },
        };
        let source = limits.source.refund(kept.source, now);
        let (before, after) = (self.before, self.after);
        Counters {
            pair: less(kept.pair, before.pair, after.pair),
            row,
            strangers: less(kept.strangers, before.strangers, after.strangers),
            source: if source.until <= now { Counter::NEW } else { source },
        }
    }
}

/// Those counters that a try meets, held; the others as if new.
async fn hold(tx: &impl Locking, keys: Keys, is_known: bool) -> Result<Counters, StoreError> {
    if is_known {
        let [pair, row] = throttles::hold(tx, [keys.pair, keys.row]).await?;
        return Ok(Counters { pair, row, strangers: Counter::NEW, source: Counter::NEW });
    }
    let all = [keys.pair, keys.row, keys.strangers, keys.source];
    let [pair, row, strangers, source] = throttles::hold(tx, all).await?;
    Ok(Counters { pair, row, strangers, source })
}

fn write(writes: &mut Writes, keys: Keys, is_known: bool, new: Counters) {
    let (pair, row) = ((keys.pair, new.pair), (keys.row, new.row));
    if is_known {
        return throttles::settle(writes, [pair, row]);
    }
    throttles::settle(writes, [pair, row, (keys.strangers, new.strangers), (keys.source, new.source)]);
}

fn told(app: &App, origin: &Origin, no: NoGuess) -> NoGuess {
    match no {
        NoGuess::Throttled(Throttled(standing)) => {
            let _ = super::told(app, origin, Err(refuse(app, standing)));
        }
        NoGuess::Closed => note_refusal(app, origin, Reason::PasswordResetRequired),
    }
    no
}
