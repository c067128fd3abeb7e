//! Putting mail into the outbox: a write of the caller's transaction, so that mail goes out if and only if it commits.

use super::Mail;
use super::message::Letter;
use crate::app::App;
use crate::fault::Fault;
use crate::kernel::clock::Timestamp;
use crate::store::Locking;
use crate::store::accounts::Account;
use crate::store::outbox::{self, NewMail, PATIENCE};
use crate::store::sealed;
use crate::store::writes::Writes;
use crate::throttle::{self, Whose, limits};

/// Puts `mail` in. Ring [`App::mail_bell`] after the commit. Without a recipient the same work is done for a letter
/// that goes nowhere.
pub fn enqueue(app: &App, writes: &mut Writes, to: Option<&str>, mail: &Mail<'_>, now: Timestamp) -> Result<(), Fault> {
    let letter = Letter::write(to, mail, &app.settings.public_url, &app.random)?;
    let plain = serde_json::to_vec(&letter)
        .map_err(|error| Fault::Internal("a letter cannot be written as JSON", error.into()))?;
    let sealed_mail = app.sealer.seal(&app.random, sealed::OUTBOX.purpose, &plain);
    // What opens nothing any more need not arrive.
    let give_up_at = mail.expires_at().map_or(now + PATIENCE, |expires_at| expires_at.min(now + PATIENCE));
    outbox::insert(writes, NewMail { kind: mail.kind(), sealed_mail, give_up_at }, now);
    Ok(())
}

/// Tells an account's owner of something, where the account's address was verified. Another address may be that of
/// somebody who never heard of us, and whose mailbox a stranger could fill with an account of their own.
pub async fn notify(
    app: &App,
    tx: &impl Locking,
    writes: &mut Writes,
    account: &Account,
    notice: &Mail<'_>,
    now: Timestamp,
) -> Result<(), Fault> {
    match account.email_verified_at {
        Some(_) => notify_at(app, tx, writes, &account.profile.email, notice, now).await,
        None => Ok(()),
    }
}

/// Tells whoever reads the mail of an address that has just been proved. After so many notices an hour one more mail says
/// that there was more, and that is all.
pub async fn notify_at(
    app: &App,
    tx: &impl Locking,
    writes: &mut Writes,
    to: &str,
    notice: &Mail<'_>,
    now: Timestamp,
) -> Result<(), Fault> {
    let whose = Whose::Email(to);
    if throttle::spend_in(app, tx, &limits::NOTICE, whose).await?.is_ok() {
        return enqueue(app, writes, Some(to), notice, now);
    }
    if throttle::spend_in(app, tx, &limits::NOTICE_SUMMARY, whose).await?.is_ok() {
        return enqueue(app, writes, Some(to), &Mail::MoreHappened { at: now }, now);
    }
    Ok(())
}
