//! `verifyEmail`: the token that went to an address proves that it is its owner's; a new address takes effect.

use crate::app::App;
use crate::fault::Fault;
use crate::kernel::clock::Timestamp;
use crate::kernel::email_address::EmailAddress;
use crate::kernel::origin::Origin;
use crate::kernel::rate_limit::Throttled;
use crate::kernel::token::Token;
use crate::mail::{Mail, outbox};
use crate::store::accounts::Account;
use crate::store::audit::{self, Event, Reason, Subject};
use crate::store::clients::Client;
use crate::store::email_verifications::{self, Purpose};
use crate::store::writes::Writes;
use crate::store::{AccountId, LockedRow, Locking, StoreError, accounts, changes, claims, password_resets};
use crate::throttle::{self, Whose, guess, limits};

/// Why nothing was verified.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// Too many tokens that prove nothing came from there.
    #[error(transparent)]
    Throttled(#[from] Throttled),
    /// Unknown, used, expired, or superseded by a newer one.
    #[error("the verification token is not valid")]
    InvalidVerificationToken,
    /// Somebody else has come to have the new address since it was asked for.
    #[error("the e-mail address is taken")]
    EmailTaken,
    /// No doing of the caller's.
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl From<StoreError> for VerifyError {
    fn from(error: StoreError) -> Self {
        Self::Fault(error.into())
    }
}

/// Uses the token up; gives the account's address, which is verified from now on. Tokens that prove nothing are counted by
/// source.
pub async fn verify_email(
    app: &App,
    origin: &Origin,
    client: Option<&Client>,
    token: &Token,
) -> Result<EmailAddress, VerifyError> {
    let whose = Whose::Source(origin.source);
    let failures = throttle::check(app, &limits::VERIFY_FAILURES, whose).await?;
    let outcome = prove(app, origin, client, token).await;
    // Failures alone are refused: nobody is for what others behind the same address sent.
    if !matches!(outcome, Err(VerifyError::InvalidVerificationToken)) {
        throttle::told_beside(origin, failures);
    } else {
        throttle::told(app, origin, failures)?;
        note_refusal(app, origin, client, AccountId::NOBODY, Reason::InvalidVerificationToken);
        throttle::told(app, origin, throttle::spend(app, &limits::VERIFY_FAILURES, whose).await?)?;
    }
    outcome
}

fn note_refusal(app: &App, origin: &Origin, client: Option<&Client>, account: AccountId, reason: Reason) {
    let subject = Subject { account, session: None, client: client.map(|client| &client.id), origin };
    app.refusals.note(Event::EmailVerificationRefused, reason, subject, app.clock.now());
}

async fn prove(
    app: &App,
    origin: &Origin,
    client: Option<&Client>,
    token: &Token,
) -> Result<EmailAddress, VerifyError> {
    let digest = token.digest();
    let claim = email_verifications::find_usable(app.reader(), &digest, app.clock.now()).await?;
    let claim = claim.ok_or(VerifyError::InvalidVerificationToken)?;

    let now = app.clock.now();
    let opened = guess::rows_to_open(app, origin, &limits::LOGIN, claim.email.as_str());
    let rows = opened.filter(|_| claim.purpose == Purpose::Change).chain([LockedRow::Account(claim.account)]);
    let tx = app.begin_locking(rows).await?;
    let account = accounts::find_locked(&tx, claim.account).await?.filter(Account::is_active);
    let account = account.ok_or(VerifyError::InvalidVerificationToken)?;
    if !email_verifications::take(&tx, &digest, now).await? {
        return Err(VerifyError::InvalidVerificationToken);
    }
    let subject = Subject { account: account.id, session: None, client: client.map(|client| &client.id), origin };
    let mut writes = Writes::to(&tx);
    match claim.purpose {
        Purpose::Verify => {
            accounts::note_email_verified(&mut writes, account.id, now);
            audit::record(&mut writes, Event::EmailVerified, subject, now);
        }
        Purpose::Change => {
            if let Some(holder) = accounts::find_by_email(&tx, &claim.email).await?
                && claims::remove(&tx, holder.id, now).await?
            {
                let subject = Subject { account: holder.id, session: None, client: None, origin };
                audit::record(&mut writes, Event::ClaimExpired, subject, now);
            }
            if !accounts::set_email(&tx, &account, &claim.email, now).await? {
                note_refusal(app, origin, client, account.id, Reason::EmailTaken);
                return Err(VerifyError::EmailTaken);
            }
            leave_old_address(app, &tx, &mut writes, origin, &account, &claim.email, now).await?;
            audit::record(&mut writes, Event::EmailChanged, subject, now);
        }
    }
    app.commit_with(tx, writes).await?;

    app.identities.forget(account.id);
    app.mail_bell.notify_one();
    Ok(claim.email)
}

/// What follows from a new address.
///
/// Whatever else went to the old address loses its force: it may be read by somebody else from now on. Sessions go on: the
/// password is the same and was asked for, and an owner who did not want the change needs theirs to undo it.
async fn leave_old_address(
    app: &App,
    tx: &impl Locking,
    writes: &mut Writes,
    origin: &Origin,
    account: &Account,
    email: &EmailAddress,
    now: Timestamp,
) -> Result<(), Fault> {
    for purpose in [Purpose::Verify, Purpose::Change] {
        email_verifications::void(writes, account.id, purpose);
    }
    password_resets::void(writes, account.id);
    // What failed while nobody had the address is no concern of whoever has it now.
    guess::open(app, writes, origin, &limits::LOGIN, email.as_str(), now);
    changes::announce(writes, account.id);
    let notice = Mail::EmailChanged { at: now, to: email };
    outbox::notify(app, tx, writes, account, &notice, now).await?;
    outbox::notify_at(app, tx, writes, email.as_str(), &notice, now).await
}
