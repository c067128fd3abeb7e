//! How mail leaves: as files in the data folder, or by a mail server.

use std::path::{Path, PathBuf};
use std::time::Duration;

use lettre::message::Mailbox;
use lettre::{Address, Message};
use secrecy::ExposeSecret;
use tokio::sync::watch;

use super::smtp::{Connection, Smtp};
use crate::app::{make_private_folder, write_whole};
use crate::settings::{BadSetting, Settings};

/// How mail leaves.
#[derive(Debug)]
pub struct Transport {
    way: Way,
    /// Whom it comes from.
    pub(super) from: Mailbox,
}

#[derive(Debug)]
enum Way {
    Files(PathBuf),
    Smtp(Smtp),
}

/// Why a mail has not left. Fit for a log and the database: neither recipient nor content.
#[derive(Debug)]
pub(super) enum Failure {
    /// No mail leaves just now.
    Unreachable(String),
    /// This one does not, but may later.
    Later(String),
    /// This one may have left: the mail server had all of it, and did not say.
    Uncertain(String),
    /// This one never will.
    Refused(String),
}

/// Mails that go by one connection before another is made: some servers take no more.
const MAILS_PER_CONNECTION: u32 = 20;
/// How long a mail server that has a mail may still take to say so when ours stops.
const AT_THE_END: Duration = Duration::from_secs(3);

impl Transport {
    /// As the settings say.
    ///
    /// # Errors
    /// The first setting that cannot be followed.
    pub fn from_settings(settings: &Settings) -> Result<Self, BadSetting> {
        let from = match &settings.mail_from {
            Some(from) => from.clone(),
            None => {
                let address = Address::new("no-reply", settings.public_url.mail_domain());
                let address =
                    address.map_err(|_| BadSetting::new("--mail-from", "must be given: --public-url has no domain"))?;
                Mailbox::new(Some("AI DocuMines".to_owned()), address)
            }
        };
        let way = match settings.smtp_url()? {
            Some(url) => {
                let (ca_file, patience) = (settings.smtp_ca_file.as_deref(), settings.smtp_timeout);
                let smtp = Smtp::new(url.expose_secret(), ca_file, from.email.domain(), patience)?;
                if settings.mail_from.is_none() {
                    return Err(BadSetting::new("--mail-from", "must be given with --smtp-url"));
                }
                Way::Smtp(smtp)
            }
            None => {
                if settings.smtp_ca_file.is_some() {
                    return Err(BadSetting::new("--smtp-ca-file", "says nothing without --smtp-url"));
                }
                Way::Files(settings.data_dir.join("mail"))
            }
        };
        Ok(Self { way, from })
    }

    /// Whether mail can leave just now; says so in the log.
    pub(super) async fn probe(&self) {
        let Way::Smtp(smtp) = &self.way else { return };
        match smtp.connect().await {
            Ok(connection) => {
                Smtp::quit(connection).await;
                tracing::info!(server = %smtp, "mail goes out by SMTP");
            }
            Err(error) => {
                tracing::warn!(error, "the mail server cannot be used; mail waits in the outbox until it can");
            }
        }
    }
}

/// Takes mails away, one after the other; keeps its connection meanwhile.
pub(super) struct Carrier<'a> {
    transport: &'a Transport,
    connection: Option<(Connection, u32)>,
}

impl<'a> Carrier<'a> {
    pub(super) fn new(transport: &'a Transport) -> Self {
        Self { transport, connection: None }
    }

    /// Takes one away, but for the last word on it: `finish` brings that. `name` is its file's, where it becomes a file.
    pub(super) async fn carry(&mut self, message: &Message, name: String) -> Result<(), Failure> {
        match &self.transport.way {
            Way::Files(folder) => write(folder, name, message).await,
            Way::Smtp(smtp) => {
                let (mut connection, carried) = match self.connection.take() {
                    Some(connection) => connection,
                    None => (smtp.connect().await.map_err(Failure::Unreachable)?, 0),
                };
                smtp.submit(&mut connection, message).await?;
                self.connection = Some((connection, carried + 1));
                Ok(())
            }
        }
    }

    /// Waits for whether the one that was taken away has arrived. This may take ten minutes; not where we are to stop.
    pub(super) async fn finish(&mut self, mut stop: watch::Receiver<bool>) -> Result<(), Failure> {
        let (Way::Smtp(smtp), Some((mut connection, carried))) = (&self.transport.way, self.connection.take()) else {
            return Ok(());
        };
        let enough = async {
            if stop.wait_for(|stop| *stop).await.is_err() {
                std::future::pending::<()>().await;
            }
            tokio::time::sleep(AT_THE_END).await;
        };
        tokio::select! {
            outcome = smtp.finish(&mut connection) => outcome?,
            () = enough => {
                let error = format!("this server stopped before {smtp} had said whether it took the mail");
                return Err(Failure::Uncertain(error));
            }
        }
        self.connection = Some((connection, carried));
        if carried >= MAILS_PER_CONNECTION {
            self.rest().await;
        }
        Ok(())
    }

    /// Ends the connection, where there is one.
    pub(super) async fn rest(&mut self) {
        if let Some((connection, _)) = self.connection.take() {
            Smtp::quit(connection).await;
        }
    }
}

/// For those who try the server out. Nobody waits for the disk here: where a power failure takes a file, its row in the
/// outbox is likely to be back, and what it said can be asked for again.
async fn write(folder: &Path, name: String, message: &Message) -> Result<(), Failure> {
    let (folder, content) = (folder.to_owned(), message.formatted());
    let write = move || {
        make_private_folder(&folder).map_err(|error| error.to_string())?;
        write_whole(&folder.join(name), &content)
            .map_err(|error| format!("cannot write to {}: {error}", folder.display()))
    };
    let written = tokio::task::spawn_blocking(write).await.map_err(|error| error.to_string());
    written.flatten().map_err(Failure::Unreachable)
}
