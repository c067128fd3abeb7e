//! `requestPasswordReset`: a token that opens one change of password goes out by mail.

use crate::app::App;
use crate::fault::Fault;
use crate::kernel::email_address::EmailAddress;
use crate::kernel::origin::Origin;
use crate::kernel::rate_limit::Throttled;
use crate::kernel::token::Token;
use crate::mail::{Mail, outbox};
use crate::store::audit::{self, Event, Subject};
use crate::store::clients::Client;
use crate::store::writes::Writes;
use crate::store::{AccountId, LockedRow, StoreError, accounts, password_resets};
use crate::throttle::{self, Whose, limits};

/// Why no token goes out.
#[derive(Debug, thiserror::Error)]
pub enum RequestResetError {
    /// Too many were asked for from there.
    #[error(transparent)]
    Throttled(#[from] Throttled),
    /// No doing of the caller's.
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl From<StoreError> for RequestResetError {
    fn from(error: StoreError) -> Self {
        Self::Fault(error.into())
    }
}

/// Mails a reset token to the account with that address; gives the token back for an answer that may show it.
///
/// For an address that nobody has it does the same work, for a token that opens nothing and a mail that goes nowhere:
/// neither the answer nor the time tells whether there is an account. So too for an account that was mailed often enough.
pub async fn request_password_reset(
    app: &App,
    origin: &Origin,
    client: Option<&Client>,
    email: &EmailAddress,
) -> Result<Token, RequestResetError> {
    let from_there = Whose::Source(origin.source);
    // Asked without a lock first: a flood of what is refused writes nothing.
    throttle::told(app, origin, throttle::check(app, &limits::RESET_REQUEST, from_there).await?)?;
    let account = accounts::find_by_email(app.reader(), email).await?;
    let counted = [(&limits::RESET_REQUEST, from_there), (&limits::RESET_MAIL, Whose::Email(email.as_str()))];
    let rows = account.iter().map(|account| LockedRow::Account(account.id)).chain(app.throttle.rows(counted));
    let tx = app.begin_locking(rows).await?;
    throttle::told(app, origin, throttle::spend_in(app, &tx, &limits::RESET_REQUEST, from_there).await?)?;
    // Whose mailbox is full enough is treated as a stranger; that others asked before is nobody's business.
    let may_be_mailed = throttle::spend_in(app, &tx, &limits::RESET_MAIL, Whose::Email(email.as_str())).await?.is_ok();
    // A request for a stranger locks nothing, and is on the record too.
    let found = account.filter(|_| may_be_mailed).map_or(AccountId::NOBODY, |account| account.id);
    let found = accounts::find_locked(&tx, found).await?;
    // Its address may have changed since it was found, and what opens the account is nothing for the old mailbox.
    let account = found.filter(|account| account.profile.email == email.as_str()).map(|account| account.id);
    let holder = account.unwrap_or(AccountId::NOBODY);
    let token = Token::new_mailed(&app.random);
    let now = app.clock.now();
    let expires_at = now + app.settings.reset_token_ttl;

    let mut writes = Writes::to(&tx);
    password_resets::insert(&mut writes, &token.digest(), account, now, expires_at);
    let subject = Subject { account: holder, session: None, client: client.map(|client| &client.id), origin };
    audit::record(&mut writes, Event::PasswordResetRequested, subject, now);
    let mail = Mail::PasswordReset { token: &token, expires_at };
    outbox::enqueue(app, &mut writes, account.map(|_| email.as_str()), &mail, now)?;
    app.commit_with(tx, writes).await?;

    app.mail_bell.notify_one();
    Ok(token)
}
