//! `changeEmail`: another address shall be the account's; it is once the token that goes there comes back.

use super::proof::Proof;
use crate::app::App;
use crate::fault::Fault;
use crate::kernel::email_address::EmailAddress;
use crate::kernel::origin::Origin;
use crate::kernel::password::Password;
use crate::kernel::rate_limit::Throttled;
use crate::mail::{Mail, outbox};
use crate::password::hasher::Verdict;
use crate::session::identity::Identity;
use crate::store::accounts::Account;
use crate::store::audit::{self, Event, Reason, Subject};
use crate::store::email_verifications::{self, Purpose};
use crate::store::writes::Writes;
use crate::store::{LockedRow, StoreError, accounts, claims};
use crate::throttle::guess::{Guess, NoGuess, guess};
use crate::throttle::{self, Whose, limits};

/// Why the address stays as it is.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// Too many changes were asked for, or too many passwords were wrong.
    #[error(transparent)]
    Throttled(#[from] Throttled),
    /// So many passwords in a row were wrong that only a reset opens the account.
    #[error("only a password reset opens the account")]
    Closed,
    /// Not the account's password.
    #[error("the password is wrong")]
    WrongPassword,
    /// It is the account's address already.
    #[error("the address is the account's already")]
    SameEmail,
    /// No doing of the caller's.
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl From<StoreError> for ChangeError {
    fn from(error: StoreError) -> Self {
        Self::Fault(error.into())
    }
}

impl From<NoGuess> for ChangeError {
    fn from(no: NoGuess) -> Self {
        match no {
            NoGuess::Throttled(throttled) => Self::Throttled(throttled),
            NoGuess::Closed => Self::Closed,
        }
    }
}

/// Mails a token to the new address, and a notice to the old one. An earlier change that waits loses its force.
///
/// Whether somebody has the new address is not told, nor that it was mailed often enough: then the same work is done for a token that opens nothing and a mail
/// that goes nowhere. The password is guarded as at login, and counted with it: a stolen token opens no second way to try.
pub async fn change_email(
    app: &App,
    origin: &Origin,
    caller: &Identity,
    email: &EmailAddress,
    password: Password,
) -> Result<(), ChangeError> {
    throttle::told(app, origin, throttle::check(app, &limits::EMAIL_REQUEST, Whose::Source(origin.source)).await?)?;
    // Only who was deleted this moment is not there.
    let account = accounts::find(app.reader(), caller.account).await?.ok_or(ChangeError::WrongPassword)?;
    if account.profile.email == email.as_str() {
        return Err(ChangeError::SameEmail);
    }
    let has = Whose::Email(&account.profile.email);
    throttle::told(app, origin, throttle::check(app, &limits::EMAIL_CHANGE, has).await?)?;
    let guess = guess(app, origin, &limits::LOGIN, &account.profile.email).await??;
    let outcome = check(app, origin, caller, account, email, &password, &guess).await;
    match &outcome {
        Err(ChangeError::WrongPassword) => {
            let (session, client) = (Some(caller.session), Some(&caller.client));
            let subject = Subject { account: caller.account, session, client, origin };
            app.refusals.note(Event::EmailChangeRefused, Reason::WrongPassword, subject, app.clock.now());
        }
        Err(ChangeError::Throttled(_)) => guess.was_none(app).await?,
        // No failure of the caller's, as far as the database takes that now.
        Err(ChangeError::Fault(_)) => {
            let _ = guess.was_none(app).await;
        }
        Ok(()) | Err(_) => {}
    }
    outcome
}

/// How often the password is checked, where its hash changes meanwhile.
const MOST_ATTEMPTS: usize = 3;

async fn check(
    app: &App,
    origin: &Origin,
    caller: &Identity,
    mut account: Account,
    email: &EmailAddress,
    password: &Password,
    guess: &Guess,
) -> Result<(), ChangeError> {
    for _ in 0..MOST_ATTEMPTS {
        match attempt(app, origin, caller, &account, email, password.clone(), guess).await? {
            Attempt::Requested => return Ok(()),
            Attempt::Outdated(now) => account = *now,
        }
    }
    Err(ChangeError::WrongPassword)
}

/// What came of a try.
enum Attempt {
    Requested,
    /// The hash changed while the password was being checked: a login renewed it, or a reset came in between, and what was
    /// checked says nothing of the new one. The account as it is now.
    Outdated(Box<Account>),
}

async fn attempt(
    app: &App,
    origin: &Origin,
    caller: &Identity,
    checked: &Account,
    email: &EmailAddress,
    password: Password,
    guess: &Guess,
) -> Result<Attempt, ChangeError> {
    if app.hasher.verify(guess.place(), password, Some(checked.password_hash.clone())).await? == Verdict::Wrong {
        return Err(ChangeError::WrongPassword);
    }
    let holder = accounts::find_by_email(app.reader(), email).await?;
    let from_there = Whose::Source(origin.source);
    let (has, wants) = (Whose::Email(&checked.profile.email), Whose::Email(email.as_str()));
    let counted = [(&limits::EMAIL_REQUEST, from_there), (&limits::EMAIL_CHANGE, has), (&limits::EMAIL_WANTED, wants)];
    let rows = app.throttle.rows(counted).chain(guess.rows()).chain([LockedRow::Account(caller.account)]);
    let tx = app.begin_locking(rows).await?;
    throttle::told(app, origin, throttle::spend_in(app, &tx, &limits::EMAIL_REQUEST, from_there).await?)?;
    throttle::told(app, origin, throttle::spend_in(app, &tx, &limits::EMAIL_CHANGE, has).await?)?;
    // That others wanted the address before is none of the caller's business.
    let may_be_mailed = throttle::spend_in(app, &tx, &limits::EMAIL_WANTED, wants).await?.is_ok();

    let now = app.clock.now();
    let account = accounts::find_locked(&tx, caller.account).await?.ok_or(ChangeError::WrongPassword)?;
    if account.password_hash != checked.password_hash {
        return Ok(Attempt::Outdated(Box::new(account)));
    }
    let mut writes = Writes::to(&tx);
    guess.was_right(&tx, &mut writes, origin, now).await?;
    email_verifications::void(&mut writes, account.id, Purpose::Change);
    let is_free = holder.is_none_or(|holder| claims::has_expired(&holder, now));
    let wanted = (is_free && may_be_mailed).then_some(account.id);
    let proof = Proof::new(app, now);
    proof.keep(&mut writes, wanted, email, Purpose::Change, now);
    let (session, client) = (Some(caller.session), Some(&caller.client));
    let subject = Subject { account: account.id, session, client, origin };
    audit::record(&mut writes, Event::EmailChangeRequested, subject, now);
    let mail = Mail::VerifyEmail { token: &proof.token, expires_at: proof.expires_at };
    outbox::enqueue(app, &mut writes, wanted.map(|_| email.as_str()), &mail, now)?;
    let notice = Mail::EmailChangeRequested { at: now, to: email };
    outbox::notify(app, &tx, &mut writes, &account, &notice, now).await?;
    app.commit_with(tx, writes).await?;

    app.mail_bell.notify_one();
    Ok(Attempt::Requested)
}
