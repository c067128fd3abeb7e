//! Putting mail into the outbox: a row in the caller's transaction, so that mail goes out if and only if it commits.

use sea_orm::ConnectionTrait;

use super::Mail;
use super::message::Letter;
use crate::app::App;
use crate::fault::Fault;
use crate::kernel::clock::Timestamp;
use crate::store::outbox;

/// What sealed letters are sealed for.
pub(super) const PURPOSE: &str = "outbox";

/// Puts `mail` in. Ring [`App::mail_bell`] after the commit. Without a recipient the same work is done for a letter
/// that goes nowhere.
pub async fn enqueue(
    app: &App,
    tx: &impl ConnectionTrait,
    to: Option<&str>,
    mail: &Mail<'_>,
    now: Timestamp,
) -> Result<(), Fault> {
    let letter = Letter::write(to, mail, &app.settings.public_url);
    let plain = serde_json::to_vec(&letter).map_err(|_| Fault::Internal("a letter cannot be written as JSON"))?;
    let sealed = app.sealer.seal(&app.random, PURPOSE, &plain);
    Ok(outbox::insert(tx, sealed, now).await?)
}
