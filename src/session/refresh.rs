//! `refreshToken`: a refresh token in, the session's next pair out.

use std::time::Duration;

use super::issue::{TokenPair, issue};
use crate::app::App;
use crate::fault::Fault;
use crate::kernel::clock::Timestamp;
use crate::kernel::origin::Origin;
use crate::kernel::rate_limit::Throttled;
use crate::kernel::token::Token;
use crate::mail::{Mail, outbox};
use crate::store::audit::{self, Event, Reason, Subject};
use crate::store::clients::Client;
use crate::store::holders::Fork;
use crate::store::tokens::Lineage;
use crate::store::writes::Writes;
use crate::store::{AccountId, LockedRow, StoreError, changes, holders, sessions, tokens};
use crate::throttle::{self, Whose, limits};

/// For so long after its exchange a refresh token may come back: browser tabs that refresh at the same moment must not
/// log anybody out. Later than that it may come back only while none of its pairs was used, for then their answers may
/// have been lost; otherwise somebody has stolen it (RFC 9700, section 4.14.2).
const GRACE: Duration = Duration::from_secs(10);

/// So many pairs does one token give: enough for tabs, and few for whoever wants to fill the disk.
const MOST_PAIRS: i64 = 5;

/// Why there is no new pair.
#[derive(Debug, thiserror::Error)]
pub enum RefreshError {
    /// Too many tokens that open nothing came from there, or the session or account was refreshed too often.
    #[error(transparent)]
    Throttled(#[from] Throttled),
    /// Unknown, expired, spent, of an ended session, or issued to another client.
    #[error("the refresh token is not valid")]
    InvalidRefreshToken,
    /// No doing of the caller's.
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl From<StoreError> for RefreshError {
    fn from(error: StoreError) -> Self {
        Self::Fault(error.into())
    }
}

/// Exchanges a refresh token for a fresh pair of the same session. Tokens that open nothing are counted by source.
pub async fn refresh_token(
    app: &App,
    origin: &Origin,
    client: &Client,
    token: &Token,
) -> Result<TokenPair, RefreshError> {
    let outcome = exchange(app, origin, client, token).await;
    // Asked of failures alone: nobody is refused for what others behind the same address sent.
    if matches!(outcome, Err(RefreshError::InvalidRefreshToken)) {
        let whose = Whose::Source(origin.source);
        throttle::told(app, origin, throttle::check(app, &limits::REFRESH_FAILURES, whose).await?)?;
        throttle::told(app, origin, throttle::spend(app, &limits::REFRESH_FAILURES, whose).await?)?;
    }
    outcome
}

async fn exchange(app: &App, origin: &Origin, client: &Client, token: &Token) -> Result<TokenPair, RefreshError> {
    let digest = token.digest();
    let now = app.clock.now();
    let refuse = |account: AccountId| {
        let subject = Subject { account, session: None, client: Some(&client.id), origin };
        app.refusals.note(Event::RefreshRefused, Reason::InvalidRefreshToken, subject, now);
        RefreshError::InvalidRefreshToken
    };
    // Callers wait in the line of the account, so it has to be known before the transaction begins.
    let account = holders::account_of_refresh_token(app.reader(), &digest).await?;
    let account = account.ok_or_else(|| refuse(AccountId::NOBODY))?;
    let tx = app.begin_locking([LockedRow::Account(account)]).await?;
    let held = holders::of_refresh_token_locked(&tx, &digest).await?.ok_or_else(|| refuse(AccountId::NOBODY))?;
    let session = held.session;
    let is_usable = session.is_live(now) && now < held.expires_at && held.is_active;
    if !is_usable || session.client != client.id {
        return Err(refuse(session.account));
    }
    let subject = Subject { account: session.account, session: Some(session.id), client: Some(&client.id), origin };
    let mut writes = Writes::to(&tx);
    let network = origin.source.network().to_string();
    let is_late = |spent_at: Timestamp| now > spent_at + GRACE;
    // The first exchange after the grace of one of several branches: where another was refreshed from elsewhere, one of
    // the two holders stole it.
    let late = held.fork.as_ref().filter(|fork| held.spent_at.is_none() && fork.branches > 0 && is_late(fork.spent_at));
    let is_elsewhere = late.and_then(|fork| fork.late_from.as_ref()).is_some_and(|other| *other != network);
    let is_unanswered = held.awaits_use && !app.usage.knows_use(session.id, &digest);
    let is_stolen = held.spent_at.is_some_and(is_late) && !is_unanswered;
    if is_elsewhere || is_stolen {
        sessions::end(&mut writes, session.id, now);
        audit::record(&mut writes, Event::RefreshTokenReused, subject, now);
        changes::announce(&mut writes, session.account);
        // An address that nobody verified may be a stranger's, who would have us mail to it again and again.
        if held.email_is_verified {
            outbox::notify_at(app, &tx, &mut writes, &held.email, &Mail::SessionEnded { at: now }, now).await?;
        }
        app.commit_with(tx, writes).await?;
        app.identities.forget(session.account);
        app.mail_bell.notify_one();
        tracing::warn!(
            account = session.account.0,
            session = session.id.0,
            "a refresh token was used by two holders: session ended"
        );
        return Err(RefreshError::InvalidRefreshToken);
    }
    if held.pairs >= MOST_PAIRS {
        return Err(refuse(session.account));
    }
    let budgets = [
        (&limits::REFRESHES, Whose::Session(session.id)),
        (&limits::ACCOUNT_REFRESHES, Whose::Account(session.account)),
    ];
    throttle::spend_with(app, origin, &tx, &mut writes, budgets).await??;
    // Who is quick to refresh again does not leave the branch behind that they are on. A token's pairs are of one branching,
    // however late they were asked for: so what counts is when the first was.
    let quickly = |fork: &&Fork| held.spent_at.unwrap_or(now) <= fork.spent_at + GRACE;
    let fork = held.fork.as_ref().filter(quickly).map_or(digest, |fork| fork.digest);
    if held.spent_at.is_some() {
        tokens::count_pair(&mut writes, &digest);
        tokens::add_branch(&mut writes, &fork);
    } else {
        tokens::spend_refresh(&mut writes, &digest, now);
    }
    if let Some(exchanged) = &held.used_first {
        tokens::note_use(&mut writes, exchanged);
    }
    if let Some(fork) = late.filter(|fork| fork.late_from.is_none()) {
        tokens::note_late(&mut writes, &fork.digest, &network);
    }
    let lineage = Lineage { exchanged: digest, fork };
    let pair = issue(app, &mut writes, &session, Some(&lineage), now);
    audit::record(&mut writes, Event::TokenRefreshed, subject, now);
    app.commit_with(tx, writes).await?;

    app.usage.count(session.account, session.id, now);
    Ok(pair)
}
