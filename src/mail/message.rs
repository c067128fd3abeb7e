//! From a [`Mail`] to a message as it goes over the wire.

use std::sync::LazyLock;

use lettre::address::Envelope;
use lettre::message::header::{Header, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart, SinglePart};
use lettre::{Address, Message};
use minijinja::{Environment, UndefinedBehavior, context};
use serde::{Deserialize, Serialize};

use super::Mail;
use super::words::Words;
use crate::fault::Fault;
use crate::kernel::clock::Timestamp;
use crate::kernel::public_url::PublicUrl;
use crate::kernel::random::Random;

/// A mail as it waits in the outbox, sealed.
#[derive(Serialize, Deserialize)]
pub(super) struct Letter {
    /// Nobody: the letter of a reset that was asked for an address without an account. It goes nowhere.
    pub(super) to: Option<String>,
    pub(super) subject: String,
    pub(super) text: String,
    /// The first release wrote none.
    html: Option<String>,
    /// The part of the message id before the `@`, the same at each try: so a mailbox knows a message that comes twice.
    id: Option<String>,
}

static TEMPLATES: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut templates = Environment::new();
    templates.set_undefined_behavior(UndefinedBehavior::Strict);
    // What ends in .html escapes every value.
    for (name, source) in
        [("mail.txt", include_str!("templates/mail.txt")), ("mail.html", include_str!("templates/mail.html"))]
    {
        templates.add_template(name, source).expect("the tests render each template");
    }
    templates
});

impl Letter {
    /// Writes the mail.
    pub(super) fn write(
        to: Option<&str>,
        mail: &Mail<'_>,
        public_url: &PublicUrl,
        random: &Random,
    ) -> Result<Self, Fault> {
        let words = Words::of(mail);
        let facts: Vec<_> =
            words.facts.into_iter().map(|(name, value)| context! { name => name, value => value }).collect();
        let values = context! {
            subject => words.subject,
            paragraphs => words.paragraphs,
            token => words.token,
            facts => facts,
            closing => words.closing,
            public_url => public_url.to_string(),
        };
        let render = |name| {
            let template = TEMPLATES.get_template(name);
            let rendered = template.and_then(|template| template.render(&values));
            rendered.map_err(|error| Fault::Internal("a mail's template cannot be filled in", error.into()))
        };
        Ok(Self {
            to: to.map(str::to_owned),
            subject: words.subject.to_owned(),
            text: render("mail.txt")?,
            html: Some(render("mail.html")?),
            id: Some(random.letters_and_digits(24)),
        })
    }

    /// The message as it goes over the wire (RFC 5322), and `None` where it goes nowhere.
    pub(super) fn to_message(
        &self,
        row: i64,
        written_at: Timestamp,
        from: &Mailbox,
    ) -> Result<Option<Message>, MalformedLetter> {
        let Some(to) = &self.to else { return Ok(None) };
        let to: Address = to.parse().map_err(|_| MalformedLetter)?;
        let micros = written_at.as_micros();
        let id = self.id.clone().unwrap_or_else(|| format!("{row}.{micros}"));
        let envelope = Envelope::new(Some(from.email.clone()), vec![to.clone()]).map_err(|_| MalformedLetter)?;
        let message = Message::builder()
            .envelope(envelope)
            .from(from.clone())
            .to(Mailbox::new(None, to))
            .subject(&self.subject)
            .date(written_at.utc().into())
            .message_id(Some(format!("<{id}@{}>", from.email.domain())))
            .header(AutoSubmitted);
        let message = match &self.html {
            Some(html) => message.multipart(MultiPart::alternative_plain_html(self.text.clone(), html.clone())),
            None => message.singlepart(SinglePart::plain(self.text.clone())),
        };
        message.map(Some).map_err(|_| MalformedLetter)
    }
}

/// `Auto-Submitted: auto-generated` (RFC 3834): absent people's machines do not answer.
#[derive(Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

/// A letter that cannot become a message. Says no more: what it holds may be secret.
#[derive(Debug, thiserror::Error)]
#[error("the letter cannot be made into a message")]
pub(super) struct MalformedLetter;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::device::Device;
    use crate::kernel::token::Token;
    use crate::mail::SecondFactorChange;

    const AT: Timestamp = Timestamp::from_micros(1_741_318_458_305_185);

    fn write(mail: &Mail<'_>) -> (Letter, String) {
        let url = "https://id.example.com".parse().unwrap();
        let letter = Letter::write(Some("thandi@example.com"), mail, &url, &Random::seeded(1)).unwrap();
        let from = "AI DocuMines <accounts@example.com>".parse().unwrap();
        let message = letter.to_message(7, AT, &from).unwrap().unwrap();
        let message = String::from_utf8(message.formatted()).unwrap().replace("=\r\n", "");
        (letter, message)
    }

    #[test]
    fn every_mail_is_text_and_html_that_say_the_same() {
        let token = Token::received("f0e1d2c3-0000-4000-8000-00000000abcd");
        let to = "thandi.new@example.org".parse().unwrap();
        for (mail, says) in [
            (Mail::Welcome { token: &token, expires_at: AT }, "is ready"),
            (Mail::EmailChangeRequested { at: AT, to: &to }, "t…@example.org"),
            (Mail::VerifyEmail { token: &token, expires_at: AT }, token.expose()),
            (Mail::PasswordReset { token: &token, expires_at: AT }, token.expose()),
            (Mail::PasswordChanged { at: AT, has_new_client: true }, "new client"),
            (Mail::PasswordChanged { at: AT, has_new_client: false }, "2025-03-07 03:34:18 UTC"),
            (Mail::NewDevice { at: AT, source: "192.0.2.7", device: Device::of(None) }, "an unknown device"),
            (Mail::MoreHappened { at: AT }, "2025-03-07 03:34:18 UTC"),
            (Mail::SessionEnded { at: AT }, "two places"),
            (Mail::SecondFactorChanged { at: AT, change: SecondFactorChange::Removed }, "not ask"),
            (Mail::SecondFactorChanged { at: AT, change: SecondFactorChange::Added }, "second factor"),
            (Mail::SecondFactorChanged { at: AT, change: SecondFactorChange::RecoveryCodesRenewed }, "codes"),
            (Mail::EmailChanged { at: AT, to: &to }, "t…@example.org"),
        ] {
            let (letter, message) = write(&mail);
            let html = letter.html.unwrap();
            assert!(letter.text.contains(says) && html.contains(says), "{}: {}\n{html}", mail.kind(), letter.text);
            assert!(!letter.text.contains("&#") && !letter.text.contains("{{"), "{}", letter.text);
            // Whatever is fetched tells whoever serves it that the mail was read.
            assert!(!html.contains("src=") && !html.contains("url(") && !html.contains("<script"), "{html}");
            let hosts =
                html.match_indices("https://").filter(|(at, _)| !html[*at..].starts_with("https://id.example.com"));
            assert_eq!(hosts.count(), 0, "{html}");
            for header in ["Auto-Submitted: auto-generated", "From: \"AI DocuMines\" <accounts@example.com>"] {
                assert!(message.lines().any(|line| line == header), "{header}: {message}");
            }
            assert!(message.contains("multipart/alternative") && message.is_ascii(), "{message}");
        }
    }

    #[test]
    fn a_recipient_cannot_bring_headers_along() {
        let from = "accounts@example.com".parse().unwrap();
        for to in ["thandi@example.com\r\nBcc: eve@example.com", "thandi@example.com, eve@example.com"] {
            let url = "https://id.example.com".parse().unwrap();
            let letter = Letter::write(
                Some(to),
                &Mail::PasswordChanged { at: AT, has_new_client: false },
                &url,
                &Random::seeded(1),
            )
            .unwrap();
            assert!(letter.to_message(7, AT, &from).is_err(), "{to}");
        }
    }

    #[test]
    fn a_mail_with_an_impossible_date_goes_out_too() {
        let (letter, _) = write(&Mail::PasswordChanged { at: AT, has_new_client: false });
        for micros in [i64::MIN, -1, 9_000_000_000_000_000_000, i64::MAX] {
            let message = letter.to_message(7, Timestamp::from_micros(micros), &"a@example.com".parse().unwrap());
            let message = String::from_utf8(message.unwrap().unwrap().formatted()).unwrap();
            assert!(
                message.contains("Date: Fri, 31 Dec 9999") || message.contains("Date: Thu, 01 Jan 1970"),
                "{message}"
            );
        }
    }

    #[test]
    fn the_message_id_is_the_same_each_time_and_names_no_row() {
        let url = "https://id.example.com".parse().unwrap();
        let from = "accounts@example.com".parse().unwrap();
        let letter = Letter::write(
            Some("thandi@example.com"),
            &Mail::PasswordChanged { at: AT, has_new_client: false },
            &url,
            &Random::seeded(1),
        )
        .unwrap();
        let id = || {
            let message = letter.to_message(7, AT, &from).unwrap().unwrap().formatted();
            let message = String::from_utf8(message).unwrap();
            message.lines().find(|line| line.starts_with("Message-ID: ")).unwrap().to_owned()
        };
        assert_eq!(id(), id());
        assert_eq!(id(), format!("Message-ID: <{}@example.com>", letter.id.as_deref().unwrap()));
    }

    #[test]
    fn what_the_first_release_wrote_goes_out_too() {
        let written = r#"{"to":"thandi@example.com","subject":"Reset","text":"Hello"}"#;
        let letter: Letter = serde_json::from_str(written).unwrap();
        let message = letter.to_message(7, AT, &"accounts@example.com".parse().unwrap()).unwrap().unwrap();
        let message = String::from_utf8(message.formatted()).unwrap();
        assert!(message.contains(&format!("<7.{}@example.com>", AT.as_micros())), "{message}");
        assert!(message.ends_with("Hello\r\n") || message.ends_with("Hello"), "{message}");
    }
}
