//! `login`: e-mail and password in, a session's first pair of tokens out.

use super::issue::{TokenPair, issue};
use crate::app::App;
use crate::fault::Fault;
use crate::kernel::device::Device;
use crate::kernel::email_address::EmailAddress;
use crate::kernel::origin::Origin;
use crate::kernel::password::Password;
use crate::kernel::rate_limit::Throttled;
use crate::mail::{Mail, outbox};
use crate::password::hasher::Verdict;
use crate::settings::Switch;
use crate::store::accounts::{self, Account};
use crate::store::audit::{self, Event, Reason, Subject};
use crate::store::clients::Client;
use crate::store::writes::Writes;
use crate::store::{AccountId, LockedRow, StoreError, changes, sessions};
use crate::throttle::guess::{Guess, NoGuess, guess};
use crate::throttle::{self, Whose, limits};

/// Why nobody was logged in.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// Too many logins failed before this one.
    #[error(transparent)]
    Throttled(#[from] Throttled),
    /// So many failed in a row that only a reset opens the login: the same for an e-mail address that nobody has.
    #[error("only a password reset opens the login")]
    Closed,
    /// Unknown e-mail, wrong password, or a client of another account: a stranger cannot tell which.
    #[error("the e-mail address or the password is wrong")]
    InvalidCredentials,
    /// The password was right, but the account may not log in.
    #[error("the account is not active")]
    AccountInactive,
    /// The password was right, but the address has to be verified first, where the operator wants that.
    #[error("the e-mail address is not verified")]
    EmailNotVerified,
    /// No doing of the caller's.
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl From<StoreError> for LoginError {
    fn from(error: StoreError) -> Self {
        Self::Fault(error.into())
    }
}

impl From<NoGuess> for LoginError {
    fn from(no: NoGuess) -> Self {
        match no {
            NoGuess::Throttled(throttled) => Self::Throttled(throttled),
            NoGuess::Closed => Self::Closed,
        }
    }
}

/// Logs in.
///
/// The try gets a place in front of the hasher and is then counted, before all else. The password is then checked before the transaction, and always: for an unknown e-mail
/// against nothing, so that the time tells no more than the answer does.
pub async fn login(
    app: &App,
    origin: &Origin,
    client: &Client,
    email: &EmailAddress,
    password: Password,
) -> Result<TokenPair, LoginError> {
    let guess = guess(app, origin, &limits::LOGIN, email.as_str()).await??;
    let outcome = check(app, origin, client, email, &password, &guess).await;
    if let Err(LoginError::Fault(_)) = &outcome {
        // No failure of the caller's, as far as the database takes that now.
        let _ = guess.was_none(app).await;
    }
    outcome
}

const MOST_ATTEMPTS: usize = 3;

async fn check(
    app: &App,
    origin: &Origin,
    client: &Client,
    email: &EmailAddress,
    password: &Password,
    guess: &Guess,
) -> Result<TokenPair, LoginError> {
    let mut account = accounts::find_by_email(app.reader(), email).await?;
    for _ in 0..MOST_ATTEMPTS {
        match attempt(app, origin, client, account, password, guess).await? {
            Attempt::Whole(pair) => return Ok(pair),
            // On SQLite nobody else can read yet what came in by a commit that we share.
            Attempt::Outdated(now) => account = Some(*now),
        }
    }
    note_refusal(app, origin, client, AccountId::NOBODY, Reason::InvalidCredentials);
    Err(LoginError::InvalidCredentials)
}

fn note_refusal(app: &App, origin: &Origin, client: &Client, account: AccountId, reason: Reason) {
    let subject = Subject { account, session: None, client: Some(&client.id), origin };
    app.refusals.note(Event::LoginRefused, reason, subject, app.clock.now());
}

/// What came of a try.
enum Attempt {
    Whole(TokenPair),
    /// The hash changed while the password was being checked: a reset or another login put it there, and what was checked
    /// says nothing of it. The account as it is now.
    Outdated(Box<Account>),
}

async fn attempt(
    app: &App,
    origin: &Origin,
    client: &Client,
    account: Option<Account>,
    password: &Password,
    guess: &Guess,
) -> Result<Attempt, LoginError> {
    let named = account.as_ref().map_or(AccountId::NOBODY, |account| account.id);
    let kept = account.as_ref().map(|account| account.password_hash.clone());
    let verdict = app.hasher.verify(guess.place(), password.clone(), kept).await?;
    let checked = account.filter(|account| verdict != Verdict::Wrong && client.serves(account.id));
    let Some(checked) = checked else {
        note_refusal(app, origin, client, named, Reason::InvalidCredentials);
        return Err(LoginError::InvalidCredentials);
    };
    let renewed = match verdict {
        Verdict::RightButOutdated => app.hasher.renew(guess.place(), password.clone()).await?,
        Verdict::Right | Verdict::Wrong => None,
    };

    let now = app.clock.now();
    let tx = app.begin_locking(guess.rows().chain([LockedRow::Account(checked.id)])).await?;
    let account = accounts::find_locked(&tx, checked.id).await?.ok_or(LoginError::InvalidCredentials)?;
    if account.password_hash != checked.password_hash {
        return Ok(Attempt::Outdated(Box::new(account)));
    }
    let mut writes = Writes::to(&tx);
    guess.was_right(&tx, &mut writes, origin, now).await?;
    if !account.is_active() {
        app.commit_with(tx, writes).await?;
        note_refusal(app, origin, client, account.id, Reason::AccountInactive);
        return Err(LoginError::AccountInactive);
    }
    if app.settings.login_requires_verified_email == Switch::On && account.email_verified_at.is_none() {
        app.commit_with(tx, writes).await?;
        note_refusal(app, origin, client, account.id, Reason::EmailNotVerified);
        return Err(LoginError::EmailNotVerified);
    }
    let budget = [(&limits::LOGINS, Whose::Account(account.id))];
    if let Err(throttled) = throttle::spend_with(app, origin, &tx, &mut writes, budget).await? {
        // It was no wrong password.
        app.commit_with(tx, writes).await?;
        return Err(throttled.into());
    }
    if let Some(renewed) = &renewed {
        accounts::set_password(&mut writes, account.id, renewed);
    }
    let most = u64::from(app.settings.sessions_per_account);
    let is_one_too_many = sessions::count_live(&tx, account.id, now).await? >= most;
    if is_one_too_many {
        sessions::end_all_but_the_last_used(&mut writes, account.id, most - 1, now);
        changes::announce(&mut writes, account.id);
        // Before the new one is there, for which they make room.
        std::mem::replace(&mut writes, Writes::to(&tx)).run(&tx).await?;
    }
    let session = sessions::open(&tx, account.id, &client.id, now, now + app.settings.refresh_token_ttl).await?;
    let pair = issue(app, &mut writes, &session, None, now);
    accounts::note_login(&mut writes, account.id, now);
    // The first login of all is no surprise, wherever it comes from.
    if account.standing.last_login_at.is_some() && !guess.is_from_a_known_source() {
        let source = origin.source.to_string();
        let device = Device::of(origin.user_agent.as_ref());
        let notice = Mail::NewDevice { at: now, source: &source, device };
        outbox::notify(app, &tx, &mut writes, &account, &notice, now).await?;
    }
    let subject = Subject { account: account.id, session: Some(session.id), client: Some(&client.id), origin };
    audit::record(&mut writes, Event::LoggedIn, subject, now);
    app.commit_with(tx, writes).await?;

    if is_one_too_many {
        app.identities.forget(account.id);
    }
    app.mail_bell.notify_one();
    app.usage.count(account.id, session.id, now);
    Ok(Attempt::Whole(pair))
}
