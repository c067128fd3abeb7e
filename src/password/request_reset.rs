//! `requestPasswordReset`: a token that opens one change of password goes out by mail.

use crate::app::App;
use crate::fault::Fault;
use crate::kernel::email_address::EmailAddress;
use crate::kernel::origin::Origin;
use crate::kernel::token::Token;
use crate::mail::{Mail, outbox};
use crate::store::audit::{self, Event, Subject};
use crate::store::clients::Client;
use crate::store::{AccountId, accounts, password_resets};

/// Mails a reset token to the account with that address; gives the token back for an answer that may show it.
///
/// For an address that nobody has it does the same work, for a token that opens nothing and a mail that goes nowhere:
/// neither the answer nor the time tells whether there is an account.
pub async fn request_password_reset(
    app: &App,
    origin: &Origin,
    client: &Client,
    email: &EmailAddress,
) -> Result<Token, Fault> {
    let account = accounts::find_by_email(app.reader(), email).await?;
    let account = account.map(|account| account.id);
    // A request for a stranger locks nothing, and is on the record too.
    let holder = account.unwrap_or(AccountId::NOBODY);
    let token = Token::new_reset(&app.random);
    let now = app.clock.now();
    let expires_at = now + app.settings.reset_token_ttl;

    let tx = app.begin().await?;
    accounts::find_locked(&tx, holder).await?;
    password_resets::insert(&tx, &token.digest(), account, now, expires_at).await?;
    let subject = Subject { account: holder, session: None, client: Some(&client.id), origin };
    audit::record(&tx, Event::PasswordResetRequested, subject, now).await?;
    let mail = Mail::PasswordReset { token: &token, expires_at };
    outbox::enqueue(app, &tx, account.map(|_| email.as_str()), &mail, now).await?;
    app.commit(tx).await?;

    app.mail_bell.notify_one();
    Ok(token)
}
