//! `requestEmailVerification`: a token that proves an account's address goes out to that address.

use super::proof::Proof;
use crate::app::App;
use crate::fault::Fault;
use crate::kernel::email_address::EmailAddress;
use crate::kernel::origin::Origin;
use crate::kernel::rate_limit::Throttled;
use crate::mail::{Mail, outbox};
use crate::store::accounts::Account;
use crate::store::audit::{self, Event, Subject};
use crate::store::clients::Client;
use crate::store::email_verifications::{self, Purpose};
use crate::store::writes::Writes;
use crate::store::{AccountId, LockedRow, StoreError, accounts};
use crate::throttle::{self, Whose, limits};

/// Why no token goes out.
#[derive(Debug, thiserror::Error)]
pub enum RequestVerificationError {
    /// Too many were asked for from there.
    #[error(transparent)]
    Throttled(#[from] Throttled),
    /// No doing of the caller's.
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl From<StoreError> for RequestVerificationError {
    fn from(error: StoreError) -> Self {
        Self::Fault(error.into())
    }
}

/// Mails a verification token to the account with that address, unless the address was verified before.
///
/// It asks for no bearer, for a login may be what waits for the verification. So it does the same work for an address that
/// nobody has, that was verified, or that was mailed often enough: for a token that opens nothing and a mail that goes
/// nowhere. Neither the answer nor the time tells.
pub async fn request_email_verification(
    app: &App,
    origin: &Origin,
    client: Option<&Client>,
    email: &EmailAddress,
) -> Result<(), RequestVerificationError> {
    let from_there = Whose::Source(origin.source);
    // Asked without a lock first: a flood of what is refused writes nothing.
    throttle::told(app, origin, throttle::check(app, &limits::EMAIL_REQUEST, from_there).await?)?;
    let account = accounts::find_by_email(app.reader(), email).await?;
    let counted = [(&limits::EMAIL_REQUEST, from_there), (&limits::EMAIL_MAIL, Whose::Email(email.as_str()))];
    let rows = account.iter().map(|account| LockedRow::Account(account.id)).chain(app.throttle.rows(counted));
    let tx = app.begin_locking(rows).await?;
    throttle::told(app, origin, throttle::spend_in(app, &tx, &limits::EMAIL_REQUEST, from_there).await?)?;
    let may_be_mailed = throttle::spend_in(app, &tx, &limits::EMAIL_MAIL, Whose::Email(email.as_str())).await?.is_ok();
    let found = account.filter(|_| may_be_mailed).map_or(AccountId::NOBODY, |account| account.id);
    let found = accounts::find_locked(&tx, found).await?;
    let waits = |account: &Account| account.profile.email == email.as_str() && account.email_verified_at.is_none();
    let account = found.filter(waits).map(|account| account.id);
    let holder = account.unwrap_or(AccountId::NOBODY);

    let now = app.clock.now();
    let mut writes = Writes::to(&tx);
    email_verifications::void(&mut writes, holder, Purpose::Verify);
    let proof = Proof::new(app, now);
    proof.keep(&mut writes, account, email, Purpose::Verify, now);
    let subject = Subject { account: holder, session: None, client: client.map(|client| &client.id), origin };
    audit::record(&mut writes, Event::EmailVerificationRequested, subject, now);
    let mail = Mail::VerifyEmail { token: &proof.token, expires_at: proof.expires_at };
    outbox::enqueue(app, &mut writes, account.map(|_| email.as_str()), &mail, now)?;
    app.commit_with(tx, writes).await?;

    app.mail_bell.notify_one();
    Ok(())
}
