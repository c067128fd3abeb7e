//! Throttling: how often a stranger may try, ask for mail, or sign up. What it may be stands in [`limits`]; secrets that
//! people choose or type are guarded by [`guess`].
//!
//! Counters live in the database, so that they hold on every node and after a restart, under keyed digests of whom they
//! count. A try is counted before anything is done for it: of many at once, no more than are allowed get through.

pub mod guess;
pub mod limits;
mod under_way;

use crate::app::App;
use crate::kernel::clock::Timestamp;
use crate::kernel::keys::Purpose;
use crate::kernel::origin::{Origin, Source};
use crate::kernel::pseudonym::Pseudonyms;
use crate::kernel::rate_limit::{Counter, Policy, Standing, Throttled};
use crate::kernel::seal::Sealer;
use crate::kernel::token::{ClientId, Digest};
use crate::store::audit::{Event, Reason, Subject};
use crate::store::writes::Writes;
use crate::store::{AccountId, LockedRow, Locking, SessionId, StoreError, throttles};

/// Whether there are limits, and the names under which they are kept.
#[derive(Debug)]
pub struct Throttle {
    is_on: bool,
    pseudonyms: Pseudonyms,
    under_way: under_way::UnderWay,
}

/// Whom a limit counts against.
#[derive(Clone, Copy, Debug)]
pub enum Whose<'a> {
    /// The network that a call comes from.
    Source(Source),
    /// An e-mail address in lower case, whether or not there is an account.
    Email(&'a str),
    /// An account.
    Account(AccountId),
    /// A session.
    Session(SessionId),
    /// A client at one source; those that do not exist count together.
    ClientAt(Option<&'a ClientId>, Source),
}

/// What a limit said: how much is left (`None` where limits are off), or that nothing is.
pub type Said = Result<Option<Standing>, Throttled>;

impl Throttle {
    /// With pseudonyms under a key that comes from the server's secret key: the same on every node.
    #[must_use]
    pub fn new(is_on: bool, sealer: &Sealer) -> Self {
        Self { is_on, pseudonyms: sealer.pseudonyms(Purpose::Throttle), under_way: under_way::UnderWay::default() }
    }

    /// The counters of these, to be named by the transaction in which one is counted; none where limits are off.
    pub fn rows<const N: usize>(
        &self,
        counted: [(&'static Policy, Whose<'_>); N],
    ) -> impl Iterator<Item = LockedRow> + use<N> {
        let row = |(policy, whose): (&'static Policy, _)| {
            let key = self.key(policy.name, whose);
            match whose {
                Whose::Source(_) | Whose::ClientAt(..) => LockedRow::SourceCounter(key),
                Whose::Email(_) | Whose::Account(_) | Whose::Session(_) => LockedRow::Counter(key),
            }
        };
        counted.map(row).into_iter().take(if self.is_on { N } else { 0 })
    }

    fn key(&self, purpose: &str, whose: Whose<'_>) -> Digest {
        let source = |source: Source| source.network().to_string();
        match whose {
            Whose::Source(at) => self.key_of(purpose, &[b"source", source(at).as_bytes()]),
            Whose::Email(email) => self.key_of(purpose, &[b"email", email.as_bytes()]),
            Whose::Account(account) => self.key_of(purpose, &[b"account", &account.0.to_be_bytes()]),
            Whose::Session(session) => self.key_of(purpose, &[b"session", &session.0.to_be_bytes()]),
            Whose::ClientAt(client, at) => {
                let client = client.map_or("", ClientId::as_str);
                self.key_of(purpose, &[b"client", client.as_bytes(), source(at).as_bytes()])
            }
        }
    }

    fn key_of(&self, purpose: &str, parts: &[&[u8]]) -> Digest {
        self.pseudonyms.of(&[&[purpose.as_bytes()], parts].concat())
    }
}

/// Has the answer tell what a limit said; where nothing is left, that goes on the record too.
///
/// # Errors
/// Where nothing is left.
pub fn told(app: &App, origin: &Origin, said: Said) -> Result<(), Throttled> {
    let told = origin.standings.note(said);
    if told.is_err() {
        note_refusal(app, origin, Reason::RateLimited);
    }
    told
}

/// The same, for what succeeded all the same.
pub fn told_beside(origin: &Origin, said: Said) {
    let _ = origin.standings.note(said.or_else(|Throttled(standing)| Ok(Some(standing))));
}

fn note_refusal(app: &App, origin: &Origin, reason: Reason) {
    let subject = Subject { account: AccountId::NOBODY, session: None, client: None, origin };
    app.refusals.note(Event::Throttled, reason, subject, app.clock.now());
}

/// Asks whether something may be done, and changes nothing.
pub async fn check(app: &App, policy: &'static Policy, whose: Whose<'_>) -> Result<Said, StoreError> {
    if !app.throttle.is_on {
        return Ok(Ok(None));
    }
    let [kept] = throttles::find(app.reader(), [app.throttle.key(policy.name, whose)]).await?;
    let now = app.clock.now();
    Ok(weigh(app, policy, kept, now).map(|_| Some(standing(policy, kept, now))))
}

/// Counts one, in a transaction of its own.
pub async fn spend(app: &App, policy: &'static Policy, whose: Whose<'_>) -> Result<Said, StoreError> {
    // Asked without a lock first: a flood of what is refused writes nothing.
    let refused_or_off = check(app, policy, whose).await?;
    if !matches!(refused_or_off, Ok(Some(_))) {
        return Ok(refused_or_off);
    }
    let tx = app.begin_locking(app.throttle.rows([(policy, whose)])).await?;
    let said = spend_in(app, &tx, policy, whose).await?;
    app.commit(tx).await?;
    Ok(said)
}

/// Counts one in the transaction of what it is for. Take the source's before the account's, and both before anything
/// else is locked.
pub async fn spend_in(
    app: &App,
    tx: &impl Locking,
    policy: &'static Policy,
    whose: Whose<'_>,
) -> Result<Said, StoreError> {
    if !app.throttle.is_on {
        return Ok(Ok(None));
    }
    let key = app.throttle.key(policy.name, whose);
    let [kept] = throttles::hold(tx, [key]).await?;
    let now = app.clock.now();
    match weigh(app, policy, kept, now) {
        Ok(spent) => {
            let mut writes = Writes::to(tx);
            throttles::write(&mut writes, [(key, spent)]);
            writes.run(tx).await?;
            Ok(Ok(Some(standing(policy, spent, now))))
        }
        Err(throttled) => Ok(Err(throttled)),
    }
}

/// Counts one of each in the transaction of what they are for, with which the counters are written, and has the answer tell
/// of them. Where one refuses, nothing is counted. For budgets of a caller who has shown who they are: their account is
/// locked first.
pub async fn spend_with<const N: usize>(
    app: &App,
    origin: &Origin,
    tx: &impl Locking,
    writes: &mut Writes,
    budgets: [(&'static Policy, Whose<'_>); N],
) -> Result<Result<(), Throttled>, StoreError> {
    if !app.throttle.is_on {
        return Ok(Ok(()));
    }
    let keys = budgets.map(|(policy, whose)| app.throttle.key(policy.name, whose));
    let kept = throttles::hold(tx, keys).await?;
    let now = app.clock.now();
    let mut spent = kept;
    for ((policy, _), counter) in budgets.iter().zip(&mut spent) {
        match weigh(app, policy, *counter, now) {
            Ok(after) => *counter = after,
            Err(throttled) => return Ok(told(app, origin, Err(throttled))),
        }
    }
    for ((policy, _), counter) in budgets.iter().zip(spent) {
        let _ = origin.standings.note(Ok(Some(standing(policy, counter, now))));
    }
    let mut counters = keys.into_iter().zip(spent);
    throttles::write(writes, std::array::from_fn::<_, N, _>(|_| counters.next().expect("as many as there are keys")));
    Ok(Ok(()))
}

fn weigh(app: &App, policy: &'static Policy, kept: Counter, now: Timestamp) -> Result<Counter, Throttled> {
    policy.spend(kept, now).map_err(|wait| refuse(app, Standing::exhausted(policy, wait)))
}

fn standing(policy: &'static Policy, kept: Counter, now: Timestamp) -> Standing {
    Standing { policy, remaining: policy.remaining(kept, now), wait: std::time::Duration::ZERO }
}

fn refuse(app: &App, standing: Standing) -> Throttled {
    if let Some(metrics) = &app.metrics {
        metrics.throttled(standing.policy.name);
    }
    Throttled(standing)
}
