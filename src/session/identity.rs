//! Who is behind a token: looked up once, then remembered until something about it changes.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use quick_cache::Weighter;
use quick_cache::sync::Cache;

use crate::app::App;
use crate::kernel::clock::Timestamp;
use crate::kernel::origin::Source;
use crate::kernel::rate_limit::Throttled;
use crate::kernel::token::{ClientId, Digest, Token};
use crate::store::accounts::Profile;
use crate::store::clients::Client;
use crate::store::{AccountId, SessionId, StoreError, clients, holders};
use crate::throttle::{self, Whose, limits};

/// An authenticated caller.
#[derive(Debug)]
pub struct Identity {
    /// Whose token it is.
    pub account: AccountId,
    /// The session that the token belongs to.
    pub session: SessionId,
    /// The client that the session was opened through.
    pub client: ClientId,
    /// What the account told about itself.
    pub profile: Profile,
    client_secret: Digest,
    expires_at: Timestamp,
    read_at: u64,
}

/// Client id and secret as a caller sent them.
#[derive(Debug)]
pub struct ClientCredentials {
    /// The public half.
    pub id: ClientId,
    /// The secret half.
    pub secret: Token,
}

impl ClientCredentials {
    fn are_of(&self, client: &Client) -> bool {
        client.secret.matches(&self.secret.digest()) && !client.is_revoked
    }
}

/// Why nobody is behind it.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The client is unknown, revoked, or its secret is another.
    #[error("the client credentials are not valid")]
    InvalidClient,
    /// The token is unknown, expired, revoked, or another client's.
    #[error("the access token is not valid")]
    InvalidToken,
    /// Too many wrong credentials came for this client from there.
    #[error(transparent)]
    Throttled(#[from] Throttled),
    /// The database did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The client with these credentials. Wrong ones are counted by client and source.
pub async fn authenticate_client(app: &App, sent: &ClientCredentials, source: Source) -> Result<Client, IdentityError> {
    let found = clients::find(app.reader(), &sent.id).await?;
    if let Some(client) = found.as_ref().filter(|client| sent.are_of(client)) {
        return Ok(client.clone());
    }
    // Asked of failures alone: nobody is refused for what others behind the same address sent.
    let whose = Whose::ClientAt(found.as_ref().map(|client| &client.id), source);
    throttle::check(app, &limits::CLIENT_FAILURES, whose).await??;
    throttle::spend(app, &limits::CLIENT_FAILURES, whose).await??;
    Err(IdentityError::InvalidClient)
}

/// The client with this public id, which is enough where nothing is done in an account's name.
pub async fn find_client(app: &App, id: &ClientId) -> Result<Client, IdentityError> {
    let client = clients::find(app.reader(), id).await?;
    client.filter(|client| !client.is_revoked).ok_or(IdentityError::InvalidClient)
}

/// The caller behind a token that comes with its client's credentials. Costs no database once the token was seen.
///
/// What judges a client is boxed: poem moves the future of an operation several times in each call, and with that inside
/// it the future of a profile read would be six times as large.
pub async fn authenticate(
    app: &App,
    sent: &ClientCredentials,
    bearer: Option<&Token>,
    source: impl FnOnce() -> Source,
) -> Result<Arc<Identity>, IdentityError> {
    let now = app.clock.now();
    let digest = bearer.map(Token::digest);
    let known = digest.and_then(|digest| app.identities.get(&digest));
    let was_remembered = known.is_some();
    let found = match (known, digest) {
        (Some(identity), _) => Some((identity, None)),
        (None, Some(digest)) => look_up(app, digest, now).await?,
        (None, None) => None,
    };
    let (identity, used_first) = match found {
        Some((identity, used_first)) if identity.counts_for(sent, now) => (identity, used_first),
        // Which of the two is wrong: the client is judged first.
        _ => {
            let judged = Box::pin(authenticate_client(app, sent, source())).await;
            return Err(judged.err().unwrap_or(IdentityError::InvalidToken));
        }
    };
    if let Some(digest) = digest.filter(|_| !was_remembered) {
        app.identities.remember(digest, identity.clone());
    }
    if let Some(exchanged) = used_first {
        app.usage.note_use(identity.account, identity.session, exchanged, now);
    }
    app.usage.count(identity.account, identity.session, now);
    if let Some(metrics) = &app.metrics {
        metrics.identified(was_remembered);
    }
    Ok(identity)
}

impl Identity {
    fn counts_for(&self, sent: &ClientCredentials, now: Timestamp) -> bool {
        self.client == sent.id && self.client_secret.matches(&sent.secret.digest()) && now < self.expires_at
    }
}

/// What the database knows: an identity, and the refresh token of whose pairs this is the first to be used.
type Found = (Arc<Identity>, Option<Digest>);

/// Asks the database for what counts.
async fn look_up(app: &App, digest: Digest, now: Timestamp) -> Result<Option<Found>, IdentityError> {
    // Taken first: a change that passes while we read makes what we read out of date at once.
    let read_at = app.identities.changes_so_far();
    let Some(holder) = holders::of_access_token(app.reader(), &digest).await? else { return Ok(None) };
    if now >= holder.expires_at || !holder.session.is_live(now) || !holder.is_active || holder.client_is_revoked {
        return Ok(None);
    }
    let identity = Identity {
        account: holder.session.account,
        session: holder.session.id,
        client: holder.session.client,
        profile: holder.profile,
        client_secret: holder.client_secret,
        expires_at: holder.expires_at.min(holder.session.expires_at),
        read_at,
    };
    Ok(Some((Arc::new(identity), holder.used_first)))
}

/// The identities behind tokens that were seen, by the token's digest.
///
/// Changes are numbered. An entry knows the number of the last change before it was read, and counts until its account
/// changes after that. Forgetting an account is one number written down, so it reaches every token of the account, even
/// one that is being looked up at this moment. Accounts share those places (there is a fixed number of them); a
/// neighbour's change costs one look-up more.
///
/// Others change the database too: nodes on PostgreSQL, commands of other processes on SQLite. Nothing that is remembered
/// counts unless this process has lately heard of their changes: [`crate::changes`] says when.
pub struct Identities {
    entries: Cache<Digest, Arc<Identity>, Bytes>,
    /// The number of the last change.
    changes: AtomicU64,
    /// The number of the last change of each account.
    last_changes: Box<[AtomicU64]>,
    /// Until when entries count: microseconds since `started`.
    trusted_until: AtomicU64,
    started: Instant,
}

/// Memory for what is remembered, in bytes, and how many tokens that usually is.
const CAPACITY: u64 = 32 * 1024 * 1024;
const USUAL_ENTRIES: usize = 40_000;
const PLACES: usize = 4_096;

/// For a database that nobody else changes, as far as anybody looks.
const FOR_EVER: u64 = u64::MAX;

impl Identities {
    /// Remembers nothing yet. Where the database is shared, nothing will count before [`Self::trust_until`] says so.
    #[must_use]
    pub fn new(is_shared: bool) -> Self {
        let trusted_until = AtomicU64::new(if is_shared { 0 } else { FOR_EVER });
        Self {
            entries: Cache::with_weighter(USUAL_ENTRIES, CAPACITY, Bytes),
            changes: AtomicU64::default(),
            last_changes: std::iter::repeat_with(AtomicU64::default).take(PLACES).collect(),
            trusted_until,
            started: Instant::now(),
        }
    }

    /// Forgets all that is remembered of an account. Call it after the commit of whatever changed its profile, its
    /// sessions, its standing or its clients, and before the change is acknowledged.
    pub fn forget(&self, account: AccountId) {
        let number = self.next_change();
        // Of two at once, the later number stands.
        self.last_change_of(account).fetch_max(number, Ordering::SeqCst);
    }

    /// Forgets everything: for when changes may have passed unheard.
    pub fn forget_all(&self) {
        let number = self.next_change();
        for last_change in &self.last_changes {
            last_change.fetch_max(number, Ordering::SeqCst);
        }
    }

    /// Lets entries count until then: every change that was made before has been heard of.
    pub fn trust_until(&self, until: Instant) {
        self.trusted_until.store(self.micros(until), Ordering::SeqCst);
    }

    fn is_trusted(&self) -> bool {
        match self.trusted_until.load(Ordering::SeqCst) {
            FOR_EVER => true,
            until => self.micros(Instant::now()) < until,
        }
    }

    fn micros(&self, at: Instant) -> u64 {
        u64::try_from(at.duration_since(self.started).as_micros()).unwrap_or(FOR_EVER)
    }

    fn get(&self, digest: &Digest) -> Option<Arc<Identity>> {
        let identity = self.entries.get(digest).filter(|_| self.is_trusted())?;
        (self.last_change_of(identity.account).load(Ordering::SeqCst) <= identity.read_at).then_some(identity)
    }

    fn remember(&self, digest: Digest, identity: Arc<Identity>) {
        self.entries.insert(digest, identity);
    }

    fn changes_so_far(&self) -> u64 {
        self.changes.load(Ordering::SeqCst)
    }

    fn next_change(&self) -> u64 {
        self.changes.fetch_add(1, Ordering::SeqCst) + 1
    }

    fn last_change_of(&self, account: AccountId) -> &AtomicU64 {
        &self.last_changes[account.0.unsigned_abs() as usize % PLACES]
    }
}

/// Weighs entries by the memory that they take: a profile can be a hundred bytes or tens of thousands.
#[derive(Clone)]
struct Bytes;

impl Weighter<Digest, Arc<Identity>> for Bytes {
    fn weight(&self, _: &Digest, identity: &Arc<Identity>) -> u64 {
        /// Digest, pointers, counters, and the cache's own book-keeping.
        const OVERHEAD: usize = 160;
        let profile = &identity.profile;
        let optional = [&profile.address, &profile.industry, &profile.use_case].into_iter().flatten();
        let texts = [&profile.email, &profile.organisation, &profile.contact_name, &profile.contact_phone]
            .into_iter()
            .chain([&profile.contact_email])
            .chain(optional);
        (OVERHEAD + size_of::<Identity>() + texts.map(String::capacity).sum::<usize>()) as u64
    }
}

impl fmt::Debug for Identities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identities").field("remembered", &self.entries.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_who_is_refused_takes_no_room_in_the_futures_of_others() {
        fn size_of_future<A, B, C, F: Future>(_: fn(A, B, C) -> F) -> usize {
            size_of::<F>()
        }
        fn call(
            app: &'static App,
            sent: &'static ClientCredentials,
            bearer: &'static Token,
        ) -> impl Future<Output = Result<Arc<Identity>, IdentityError>> {
            authenticate(app, sent, Some(bearer), || Source::new([192, 0, 2, 1].into()))
        }
        let size = size_of_future(call);
        assert!(size < 1024, "{size} bytes");
    }
}
