//! What the mails say: one place for every text.

use std::time::{Duration, SystemTime};

use lettre::address::Envelope;
use lettre::message::{Mailbox, header::ContentType};
use lettre::{Address, Message};
use serde::{Deserialize, Serialize};

use super::Mail;
use crate::kernel::clock::Timestamp;
use crate::kernel::public_url::PublicUrl;

/// A mail as it waits in the outbox, sealed.
#[derive(Serialize, Deserialize)]
pub(super) struct Letter {
    /// Nobody: the letter of a reset that was asked for an address without an account. It goes nowhere.
    pub(super) to: Option<String>,
    pub(super) subject: String,
    pub(super) text: String,
}

impl Letter {
    /// Writes the mail.
    pub(super) fn write(to: Option<&str>, mail: &Mail<'_>, public_url: &PublicUrl) -> Self {
        let (subject, text) = match mail {
            Mail::PasswordReset { token, expires_at } => (
                "Reset your AI DocuMines password",
                format!(
                    "Hello,\n\n\
                     somebody asked to set a new password for your AI DocuMines account at {public_url}.\n\
                     If it was you, use this token:\n\n    {token}\n\n\
                     It works once, until {expires} UTC.\n\n\
                     If it was not you, ignore this message: your password stays as it is.\n",
                    token = token.expose(),
                    expires = expires_at.to_seconds_with_space(),
                ),
            ),
            Mail::PasswordChanged { at } => (
                "Your AI DocuMines password was changed",
                format!(
                    "Hello,\n\n\
                     the password of your AI DocuMines account at {public_url} was changed on {at} UTC, and every \
                     device was logged out.\n\n\
                     If it was not you, reset your password now: somebody can read your mail or has your token.\n",
                    at = at.to_seconds_with_space(),
                ),
            ),
        };
        Self { to: to.map(str::to_owned), subject: subject.to_owned(), text }
    }

    /// The message as it goes over the wire (RFC 5322), and `None` where it goes nowhere.
    pub(super) fn to_message(
        &self,
        id: i64,
        written_at: Timestamp,
        public_url: &PublicUrl,
    ) -> Result<Option<Message>, MalformedLetter> {
        let Some(to) = &self.to else { return Ok(None) };
        let to: Address = to.parse().map_err(|_| MalformedLetter)?;
        let host = public_url.mail_domain();
        let from = Address::new("no-reply", host).map_err(|_| MalformedLetter)?;
        let micros = written_at.as_micros();
        let date = SystemTime::UNIX_EPOCH + Duration::from_micros(micros.unsigned_abs());
        let message = Message::builder()
            .envelope(Envelope::new(Some(from.clone()), vec![to.clone()]).map_err(|_| MalformedLetter)?)
            .from(Mailbox::new(Some("AI DocuMines".to_owned()), from))
            .to(Mailbox::new(None, to))
            .subject(&self.subject)
            .date(date)
            .message_id(Some(format!("<{id}.{micros}@{host}>")))
            .header(ContentType::TEXT_PLAIN)
            .body(self.text.clone());
        message.map(Some).map_err(|_| MalformedLetter)
    }
}

/// A letter that cannot become a message. Says no more: what it holds may be secret.
#[derive(Debug, thiserror::Error)]
#[error("the letter cannot be made into a message")]
pub(super) struct MalformedLetter;
