//! The worker that empties the outbox: every mail becomes a file in `<data-dir>/mail/`.

use std::time::Duration;

use super::message::Letter;
use super::outbox::PURPOSE;
use crate::app::{App, make_private_folder, write_whole};
use crate::store::StoreError;
use crate::store::outbox::{self, Waiting};

/// How many mails are taken out of the database at once.
const BATCH: u64 = 50;
/// For how long a node that took a mail on has it to itself; one that crashed meanwhile leaves it to the others then.
const LEASE: Duration = Duration::from_secs(20);
/// How long a mail that could not be written waits at most, without the bell.
const PAUSE: Duration = Duration::from_secs(30);

/// Empties the outbox whenever the bell rings, for ever.
pub async fn run(app: &App) {
    loop {
        if let Err(error) = deliver_waiting(app).await {
            tracing::warn!(%error, "the outbox could not be read; trying again later");
        }
        let _ = tokio::time::timeout(PAUSE, app.mail_bell.notified()).await;
    }
}

/// Writes every waiting mail. One that cannot be written stays and does not stop the others.
///
/// A mail is written before its row is removed: a crash in between writes it twice, to the same file name.
///
/// # Errors
/// Where the database does not answer.
pub async fn deliver_waiting(app: &App) -> Result<(), StoreError> {
    let mut last = 0;
    loop {
        let waiting = outbox::oldest(app.reader(), last, BATCH).await?;
        let Some(newest) = waiting.last() else { return Ok(()) };
        last = newest.id;
        for mail in waiting {
            let now = app.clock.now();
            let tx = app.begin().await?;
            let is_ours = outbox::lease(&tx, mail.id, now, now + LEASE).await?;
            app.commit(tx).await?;
            if !is_ours {
                continue;
            }
            match deliver(app, &mail).await {
                Ok(()) => {
                    let tx = app.begin().await?;
                    outbox::remove(&tx, mail.id).await?;
                    app.commit(tx).await?;
                }
                Err(error) => tracing::error!(mail = mail.id, error, "a mail could not be written"),
            }
        }
    }
}

async fn deliver(app: &App, mail: &Waiting) -> Result<(), String> {
    let plain = app.sealer.open(PURPOSE, &mail.sealed_mail).ok_or("it was sealed with another secret key")?;
    let letter: Letter = serde_json::from_slice(&plain).map_err(|_| "its letter is malformed")?;
    let message = letter.to_message(mail.id, mail.created_at, &app.settings.public_url);
    let Some(message) = message.map_err(|error| error.to_string())? else { return Ok(()) };
    let folder = app.settings.data_dir.join("mail");
    let name = format!("{}-{}.eml", mail.created_at.utc().format("%Y%m%dT%H%M%S%6fZ"), mail.id);
    let write = move || {
        make_private_folder(&folder).map_err(std::io::Error::other)?;
        write_whole(&folder.join(name), &message.formatted())
    };
    let written = tokio::task::spawn_blocking(write).await.map_err(|error| error.to_string())?;
    written.map_err(|error| error.to_string())
}
