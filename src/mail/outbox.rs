//! Putting mail into the outbox: a write of the caller's transaction, so that mail goes out if and only if it commits.

use super::Mail;
use super::message::Letter;
use crate::app::App;
use crate::fault::Fault;
use crate::kernel::clock::Timestamp;
use crate::store::outbox::{self, NewMail, PATIENCE};
use crate::store::sealed;
use crate::store::writes::Writes;

/// Puts `mail` in. Ring [`App::mail_bell`] after the commit. Without a recipient the same work is done for a letter
/// that goes nowhere.
pub fn enqueue(app: &App, writes: &mut Writes, to: Option<&str>, mail: &Mail<'_>, now: Timestamp) -> Result<(), Fault> {
    let letter = Letter::write(to, mail, &app.settings.public_url, &app.random)?;
    let plain = serde_json::to_vec(&letter).map_err(|_| Fault::Internal("a letter cannot be written as JSON"))?;
    let sealed_mail = app.sealer.seal(&app.random, sealed::OUTBOX.purpose, &plain);
    // What opens nothing any more need not arrive.
    let give_up_at = mail.expires_at().map_or(now + PATIENCE, |expires_at| expires_at.min(now + PATIENCE));
    outbox::insert(writes, NewMail { kind: mail.kind(), sealed_mail, give_up_at }, now);
    Ok(())
}
