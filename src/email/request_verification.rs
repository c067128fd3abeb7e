//! `requestEmailVerification`: a token that proves an account's address goes out to that address.

use crate::app::App;
use crate::fault::Fault;
use crate::kernel::clock::Timestamp;
use crate::kernel::email_address::EmailAddress;
use crate::kernel::origin::Origin;
use crate::kernel::rate_limit::Throttled;
use crate::kernel::token::Token;
use crate::mail::{Mail, outbox};
use crate::store::accounts::Account;
use crate::store::audit::{self, Event, Subject};
use crate::store::clients::Client;
use crate::store::email_verifications::{self, NewVerification, Purpose};
use crate::store::writes::Writes;
use crate::store::{AccountId, StoreError, accounts};
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
    client: &Client,
    email: &EmailAddress,
) -> Result<(), RequestVerificationError> {
    let from_there = Whose::Source(origin.source);
    // Asked without a lock first: a flood of what is refused writes nothing.
    throttle::told(app, origin, throttle::check(app, &limits::EMAIL_REQUEST, from_there).await?)?;
    let account = accounts::find_by_email(app.reader(), email).await?;
    let tx = app.begin().await?;
    throttle::told(app, origin, throttle::spend_in(app, &tx, &limits::EMAIL_REQUEST, from_there).await?)?;
    let may_be_mailed = throttle::spend_in(app, &tx, &limits::EMAIL_MAIL, Whose::Email(email.as_str())).await?.is_ok();
    let waits = |account: &Account| may_be_mailed && account.email_verified_at.is_none();
    let account = account.filter(waits).map(|account| account.id);
    let holder = account.unwrap_or(AccountId::NOBODY);

    let now = app.clock.now();
    accounts::find_locked(&tx, holder).await?;
    let mut writes = Writes::to(&tx);
    email_verifications::void(&mut writes, holder, Purpose::Verify);
    let (token, expires_at) = issue(app, &mut writes, account, email, Purpose::Verify, now);
    let subject = Subject { account: holder, session: None, client: Some(&client.id), origin };
    audit::record(&mut writes, Event::EmailVerificationRequested, subject, now);
    let mail = Mail::VerifyEmail { token: &token, expires_at };
    outbox::enqueue(app, &mut writes, account.map(|_| email.as_str()), &mail, now)?;
    app.commit_with(tx, writes).await?;

    app.mail_bell.notify_one();
    Ok(())
}

/// Makes a token for that address and keeps its digest; without an account, one that opens nothing. Gives the token back
/// for the mail that carries it, with its end.
pub(crate) fn issue(
    app: &App,
    writes: &mut Writes,
    account: Option<AccountId>,
    email: &EmailAddress,
    purpose: Purpose,
    now: Timestamp,
) -> (Token, Timestamp) {
    let (token, expires_at) = (Token::new_mailed(&app.random), now + app.settings.email_token_ttl);
    let new = NewVerification { digest: &token.digest(), account, email, purpose, expires_at };
    email_verifications::insert(writes, new, now);
    (token, expires_at)
}
