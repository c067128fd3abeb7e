//! Handing a message to a mail server (RFC 5321), encrypted (RFC 3207, RFC 8314).

use std::fmt;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use lettre::Message;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::transport::smtp::{Error, SMTP_PORT, SUBMISSION_PORT, SUBMISSIONS_PORT};
use percent_encoding::percent_decode_str;
use url::{Host, Url};

use super::transport::Failure;
use crate::settings::{BYTE_ORDER_MARK, BadSetting};

/// A mail server, and how to speak to it.
pub(super) struct Smtp {
    host: String,
    port: u16,
    tls: Tls,
    credentials: Option<Credentials>,
    hello: ClientId,
    patience: Duration,
}

/// Answers that are about this server's settings or standing, not about the mail: authentication and encryption wanted or
/// failed (RFC 4954, RFC 3207).
const ABOUT_US: [&str; 4] = ["530", "534", "535", "538"];

impl Smtp {
    /// Reads `--smtp-url`:
    ///
    /// | URL | encryption | port |
    /// |---|---|---|
    /// | `smtps://user:password@host` | from the first byte | 465 |
    /// | `smtp://user:password@host` | STARTTLS, or nothing is sent | 587 |
    /// | `smtp://127.0.0.1`, `localhost`, `[::1]` | STARTTLS where it is offered, with any certificate | 25 |
    ///
    /// `?tls=required` and `?tls=opportunistic` (never with a password, but on loopback) say so explicitly.
    ///
    /// # Errors
    /// Where the URL says something else, or the certificates cannot be read. The URL is not shown.
    pub(super) fn new(url: &str, ca_file: Option<&Path>, from: &str, patience: Duration) -> Result<Self, BadSetting> {
        let refuse = |reason: &str| BadSetting::new("--smtp-url", reason);
        let url =
            Url::parse(url).map_err(|_| refuse("must be a URL such as smtp://user:password@mail.example.com:587"))?;
        let host = match url.host() {
            // The host of a scheme that the standard does not know is taken as it comes.
            Some(Host::Domain(name)) => name.parse::<IpAddr>().map_or_else(|_| name.to_owned(), |ip| ip.to_string()),
            Some(Host::Ipv4(address)) => address.to_string(),
            Some(Host::Ipv6(address)) => address.to_string(),
            None => return Err(refuse("must name a host")),
        };
        let is_loopback = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
        if !matches!(url.path(), "" | "/") || url.fragment().is_some() {
            return Err(refuse("must have neither a path nor a fragment"));
        }
        let credentials = credentials(&url).map_err(refuse)?;
        let wish = tls_wish(&url).map_err(refuse)?;
        let verified = || parameters(&host, ca_file);
        let (tls, port) = match (url.scheme(), wish) {
            ("smtps", None | Some(Wish::Required)) => (Tls::Wrapper(verified()?), SUBMISSIONS_PORT),
            ("smtps", Some(Wish::Opportunistic)) => return Err(refuse("smtps:// is never without TLS")),
            ("smtp", Some(Wish::Required)) => (Tls::Required(verified()?), SUBMISSION_PORT),
            ("smtp", None) if !is_loopback => (Tls::Required(verified()?), SUBMISSION_PORT),
            ("smtp", None | Some(Wish::Opportunistic)) => {
                if credentials.is_some() && !is_loopback {
                    return Err(refuse("a password is never sent without TLS: leave ?tls=opportunistic away"));
                }
                // Whoever can forge a certificate can as well withhold the offer; RFC 7435 takes what there is.
                let any = TlsParameters::builder(host.clone())
                    .dangerous_accept_invalid_certs(true)
                    .dangerous_accept_invalid_hostnames(true)
                    .build();
                (Tls::Opportunistic(any.map_err(|error| refuse(&error.to_string()))?), SMTP_PORT)
            }
            _ => return Err(refuse("must begin with smtp:// or smtps://")),
        };
        let hello = match from {
            "localhost" => ClientId::default(),
            domain => ClientId::Domain(domain.to_owned()),
        };
        Ok(Self { host, port: url.port().unwrap_or(port), tls, credentials, hello, patience })
    }

    /// A connection that is encrypted and authenticated as the settings say.
    pub(super) async fn connect(&self) -> Result<AsyncSmtpConnection, Failure> {
        let attempt = async {
            let from_the_first_byte = match &self.tls {
                Tls::Wrapper(parameters) => Some(parameters.clone()),
                _ => None,
            };
            let server = (self.host.as_str(), self.port);
            let mut connection = AsyncSmtpConnection::connect_tokio1(
                server,
                Some(self.patience),
                &self.hello,
                from_the_first_byte,
                None,
            )
            .await?;
            match &self.tls {
                Tls::Required(parameters) => connection.starttls(parameters.clone(), &self.hello).await?,
                Tls::Opportunistic(parameters) if connection.can_starttls() => {
                    connection.starttls(parameters.clone(), &self.hello).await?;
                }
                _ => {}
            }
            if let Some(credentials) = &self.credentials {
                connection.auth(DEFAULT_MECHANISMS, credentials).await?;
            }
            Ok::<_, Error>(connection)
        };
        match tokio::time::timeout(self.patience, attempt).await {
            Ok(Ok(connection)) => Ok(connection),
            // Whatever it answers, it is not about this mail.
            Ok(Err(error)) => Err(Failure::Unreachable(self.describe(&error))),
            Err(_) => Err(Failure::Unreachable(self.no_answer())),
        }
    }

    /// Hands a message over. After a failure the connection is of no use.
    pub(super) async fn send(&self, connection: &mut AsyncSmtpConnection, message: &Message) -> Result<(), Failure> {
        let content = message.formatted();
        let sending = connection.send(message.envelope(), &content);
        match tokio::time::timeout(self.patience, sending).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => {
                let is_about_us = error.status().is_some_and(|code| ABOUT_US.contains(&code.to_string().as_str()));
                let description = self.describe(&error);
                let is_final = error.is_permanent() && !is_about_us;
                Err(if is_final { Failure::Refused(description) } else { Failure::Later(description) })
            }
            Err(_) => Err(Failure::Later(self.no_answer())),
        }
    }

    /// Says goodbye, as is polite; nobody waits long for the answer.
    pub(super) async fn quit(mut connection: AsyncSmtpConnection) {
        let _ = tokio::time::timeout(Duration::from_secs(1), connection.quit()).await;
    }

    fn no_answer(&self) -> String {
        format!("{} did not answer within {}", self, humantime::format_duration(self.patience))
    }

    fn describe(&self, error: &Error) -> String {
        let mut text = error.to_string();
        // The innermost reason says the most: a refused connection, an unknown certificate.
        let mut source = std::error::Error::source(error).and_then(std::error::Error::source);
        while let Some(inner) = source {
            text = format!("{text}: {inner}");
            source = inner.source();
        }
        format!("{self}: {}", redact(&text))
    }
}

/// Host and port, without what is secret.
impl fmt::Display for Smtp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl fmt::Debug for Smtp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Smtp({self})")
    }
}

enum Wish {
    Required,
    Opportunistic,
}

fn tls_wish(url: &Url) -> Result<Option<Wish>, &'static str> {
    let mut wish = None;
    for (name, value) in url.query_pairs() {
        wish = match (&*name, &*value) {
            ("tls", "required") => Some(Wish::Required),
            ("tls", "opportunistic") => Some(Wish::Opportunistic),
            _ => return Err("may have no other parameter than tls=required or tls=opportunistic"),
        };
    }
    Ok(wish)
}

fn credentials(url: &Url) -> Result<Option<Credentials>, &'static str> {
    let decode = |raw: &str| {
        let decoded = percent_decode_str(raw).decode_utf8().map_err(|_| "has credentials that are not UTF-8")?;
        Ok::<_, &'static str>(decoded.into_owned())
    };
    match (url.username(), url.password()) {
        ("", None) => Ok(None),
        (user, Some(password)) if !user.is_empty() => Ok(Some(Credentials::new(decode(user)?, decode(password)?))),
        _ => Err("must have a user name and a password, or neither"),
    }
}

fn parameters(host: &str, ca_file: Option<&Path>) -> Result<TlsParameters, BadSetting> {
    let mut builder = TlsParameters::builder(host.to_owned());
    if let Some(file) = ca_file {
        let refuse = |reason: String| BadSetting::new("--smtp-ca-file", reason);
        let pem = std::fs::read(file).map_err(|error| refuse(format!("cannot read {}: {error}", file.display())))?;
        // Or the line below it would be none that begins a certificate.
        let pem = pem.strip_prefix(BYTE_ORDER_MARK.as_bytes()).unwrap_or(&pem);
        let no_certificate = || refuse(format!("there is no certificate (PEM) in {}", file.display()));
        let certificate = Certificate::from_pem(pem).map_err(|_| no_certificate())?;
        if !pem.windows(27).any(|window| window == b"-----BEGIN CERTIFICATE-----") {
            return Err(no_certificate());
        }
        builder = builder.add_root_certificate(certificate);
    }
    builder.build().map_err(|error| BadSetting::new("--smtp-url", redact(&error.to_string())))
}

/// What a mail server answered, fit for a log: it can repeat the recipient, or a link or a token from the mail.
fn redact(answer: &str) -> String {
    let is_telling = |word: &str| word.contains(['@', '/', '=']) || word.chars().count() > 24;
    let words = answer.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    let words: Vec<_> = words.map(|word| if is_telling(word) { "…" } else { word }).collect();
    words.join(" ").chars().take(300).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(url: &str) -> Result<Smtp, String> {
        Smtp::new(url, None, "example.com", Duration::from_secs(1)).map_err(|error| error.to_string())
    }

    fn kind(smtp: &Smtp) -> &'static str {
        match smtp.tls {
            Tls::Wrapper(_) => "wrapper",
            Tls::Required(_) => "required",
            Tls::Opportunistic(_) => "opportunistic",
            Tls::None => "none",
        }
    }

    #[test]
    fn tls_is_required_but_on_loopback() {
        for (url, tls, server) in [
            ("smtp://mail.example.com", "required", "mail.example.com:587"),
            ("smtp://u:p@mail.example.com:2525", "required", "mail.example.com:2525"),
            ("smtp://10.0.0.7", "required", "10.0.0.7:587"),
            ("smtps://u:p@mail.example.com", "wrapper", "mail.example.com:465"),
            ("smtp://localhost", "opportunistic", "localhost:25"),
            ("smtp://u:p@127.0.0.1:1025", "opportunistic", "127.0.0.1:1025"),
            ("smtp://[::1]:1025", "opportunistic", "::1:1025"),
            ("smtp://localhost?tls=required", "required", "localhost:587"),
            ("smtp://relay.internal?tls=opportunistic", "opportunistic", "relay.internal:25"),
        ] {
            let smtp = read(url).unwrap_or_else(|error| panic!("{url}: {error}"));
            assert_eq!((kind(&smtp), smtp.to_string().as_str()), (tls, server), "{url}");
        }
    }

    #[test]
    fn what_cannot_be_meant_is_refused_without_being_shown() {
        for url in [
            "mail.example.com",
            "http://u:hunter2@mail.example.com",
            "smtp://",
            "smtp://hunter2@mail.example.com",
            "smtp://:hunter2@mail.example.com",
            "smtp://u:hunter2@relay.internal?tls=opportunistic",
            "smtp://u:hunter2@mail.example.com?tls=none",
            "smtp://u:hunter2@mail.example.com/path",
            "smtp://u:hunter2@mail.example.com#x",
            "smtps://u:hunter2@mail.example.com?tls=opportunistic",
            "smtp://u:%ff@mail.example.com",
        ] {
            let refusal = read(url).expect_err(url);
            assert!(refusal.starts_with("--smtp-url: ") && !refusal.contains("hunter2"), "{refusal}");
        }
    }

    #[test]
    fn a_password_may_have_any_character_and_does_not_show() {
        let smtp = read("smtp://u%40example.com:hunter2%3A%2F@mail.example.com").unwrap();
        let expected = Credentials::new("u@example.com".into(), "hunter2:/".into());
        assert!(smtp.credentials.as_ref() == Some(&expected));
        assert!(!format!("{smtp:?} {smtp}").contains("hunter2"));
    }

    #[test]
    fn an_answer_tells_neither_address_nor_token() {
        let answer = "permanent error (550): 5.1.1 <thandi@example.com>: no such user\r\n\
                      f0e1d2c3-0000-4000-8000-00000000abcd https://id.example.com/x";
        assert_eq!(redact(answer), "permanent error (550): 5.1.1 … no such user … …");
    }
}
