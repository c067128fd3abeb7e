//! Handing a message to a mail server (RFC 5321), encrypted (RFC 3207, RFC 8314).

mod connection;
mod dial;
mod reply;
mod tls;
mod verdict;

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use lettre::Message;
use percent_encoding::percent_decode_str;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Instant, timeout};
use tokio_rustls::rustls::ClientConfig;
use url::{Host, Url};

pub(super) use self::connection::Connection;
use self::connection::{Credentials, Error, encrypted};
use self::verdict::{Verdict, judge};
use super::transport::Failure;
use crate::settings::BadSetting;

/// How long a server may take to say whether it took a mail: it may look for viruses meanwhile, and whoever goes away too
/// early sends the mail twice. What RFC 5321 says, section 4.5.3.2.6.
pub(super) const AFTER_THE_DOT: Duration = Duration::from_secs(10 * 60);

/// A mail server, and how to speak to it.
pub(super) struct Smtp {
    host: String,
    port: u16,
    tls: Tls,
    credentials: Option<Credentials>,
    hello: String,
    patience: Duration,
}

/// When to encrypt.
enum Tls {
    FromTheFirstByte(Arc<ClientConfig>),
    Required(Arc<ClientConfig>),
    Opportunistic(Arc<ClientConfig>),
}

const SMTP_PORT: u16 = 25;
const SUBMISSION_PORT: u16 = 587;
const SUBMISSIONS_PORT: u16 = 465;

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
        let verified = || tls::verified(ca_file);
        let (tls, port) = match (url.scheme(), wish) {
            ("smtps", None | Some(Wish::Required)) => (Tls::FromTheFirstByte(verified()?), SUBMISSIONS_PORT),
            ("smtps", Some(Wish::Opportunistic)) => return Err(refuse("smtps:// is never without TLS")),
            ("smtp", Some(Wish::Required)) => (Tls::Required(verified()?), SUBMISSION_PORT),
            ("smtp", None) if !is_loopback => (Tls::Required(verified()?), SUBMISSION_PORT),
            ("smtp", None | Some(Wish::Opportunistic)) => {
                if credentials.is_some() && !is_loopback {
                    return Err(refuse("a password is never sent without TLS: leave ?tls=opportunistic away"));
                }
                // Whoever can forge a certificate can as well withhold the offer; RFC 7435 takes what there is.
                (Tls::Opportunistic(tls::any()?), SMTP_PORT)
            }
            _ => return Err(refuse("must begin with smtp:// or smtps://")),
        };
        let hello = match from {
            "localhost" => "[127.0.0.1]".to_owned(),
            domain => domain.to_owned(),
        };
        Ok(Self { host, port: url.port().unwrap_or(port), tls, credentials, hello, patience })
    }

    /// A connection that is encrypted and authenticated as the settings say. Where there is none, why.
    pub(super) async fn connect(&self) -> Result<Connection, String> {
        let attempt = async {
            let end = Instant::now() + self.patience;
            let addresses = lookup_host((self.host.as_str(), self.port)).await?.collect();
            let connection = self.reach(addresses, end).await?;
            self.introduce(connection).await
        };
        match timeout(self.patience, attempt).await {
            Ok(Ok(connection)) => Ok(connection),
            Ok(Err(error @ Error::Refused(..))) => Err(self.about_us(&error)),
            Ok(Err(error)) => Err(self.describe(&error)),
            Err(_) => Err(self.no_answer(self.patience)),
        }
    }

    /// A connection to the first of the server's addresses that greets us.
    async fn reach(&self, mut addresses: Vec<SocketAddr>, end: Instant) -> Result<Connection, Error> {
        loop {
            let (place, stream) = dial::first_of(&addresses).await?;
            // One that takes the connection and says nothing has its share of the time, as one that takes none has.
            let share = end.saturating_duration_since(Instant::now()) / u32::try_from(addresses.len()).unwrap_or(1);
            match timeout(share, self.greeted(stream)).await {
                Ok(Err(error)) if addresses.len() == 1 => return Err(error),
                Ok(Ok(connection)) => return Ok(connection),
                Err(_) if addresses.len() == 1 => return Err(io::Error::from(io::ErrorKind::TimedOut).into()),
                _ => drop(addresses.remove(place)),
            }
        }
    }

    /// Encrypts and logs in, as the settings say.
    async fn introduce(&self, mut connection: Connection) -> Result<Connection, Error> {
        connection.hello(&self.hello).await?;
        let starttls = match &self.tls {
            Tls::Required(config) => Some(config),
            Tls::Opportunistic(config) if connection.offers_tls() => Some(config),
            Tls::Opportunistic(_) | Tls::FromTheFirstByte(_) => None,
        };
        if let Some(config) = starttls {
            connection = connection.start_tls(&self.host, config.clone()).await?;
            connection.hello(&self.hello).await?;
        }
        if let Some(credentials) = &self.credentials {
            connection.log_in(credentials).await?;
        }
        Ok(connection)
    }

    async fn greeted(&self, stream: TcpStream) -> Result<Connection, Error> {
        match &self.tls {
            Tls::FromTheFirstByte(config) => {
                Connection::greeted(encrypted(stream, &self.host, config.clone()).await?).await
            }
            Tls::Required(_) | Tls::Opportunistic(_) => Connection::greeted(stream).await,
        }
    }

    /// Hands a message over but for its final dot. After a failure the connection is of no use.
    pub(super) async fn submit(&self, connection: &mut Connection, message: &Message) -> Result<(), Failure> {
        let (envelope, content) = (message.envelope(), message.formatted());
        let from = envelope.from().map_or("", AsRef::as_ref);
        let to: Vec<&str> = envelope.to().iter().map(AsRef::as_ref).collect();
        match timeout(self.patience, connection.submit(from, &to, &content)).await {
            Ok(outcome) => outcome.map_err(|error| self.failure(&error)),
            Err(_) => Err(Failure::Later(self.no_answer(self.patience))),
        }
    }

    /// Sends the final dot, and waits for whether the server took the message.
    pub(super) async fn finish(&self, connection: &mut Connection) -> Result<(), Failure> {
        match timeout(AFTER_THE_DOT, connection.finish()).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error @ Error::Broken(_))) => Err(Failure::Uncertain(self.describe(&error))),
            Ok(Err(error)) => Err(self.failure(&error)),
            Err(_) => Err(Failure::Uncertain(self.no_answer(AFTER_THE_DOT))),
        }
    }

    /// Says goodbye, as is polite; nobody waits long for the answer.
    pub(super) async fn quit(mut connection: Connection) {
        let _ = timeout(Duration::from_secs(1), connection.quit()).await;
    }

    fn failure(&self, error: &Error) -> Failure {
        let Error::Refused(stage, reply) = error else { return Failure::Later(self.describe(error)) };
        match judge(*stage, reply) {
            Verdict::TakesNone => Failure::Unreachable(self.about_us(error)),
            Verdict::Later => Failure::Later(self.about_us(error)),
            Verdict::Never => Failure::Refused(self.describe(error)),
        }
    }

    /// A refusal that is not about the recipient: one for good ends when the operator ends it.
    fn about_us(&self, error: &Error) -> String {
        let advice = match error {
            Error::Refused(_, reply) if reply.code >= 500 => {
                " (it is about the sender: look at --mail-from, the login in --smtp-url and the provider's limits)"
            }
            _ => "",
        };
        format!("{}{advice}", self.describe(error))
    }

    fn no_answer(&self, patience: Duration) -> String {
        format!("{} did not answer within {}", self, humantime::format_duration(patience))
    }

    fn describe(&self, error: &Error) -> String {
        format!("{self}: {}", redact(&error.to_string()))
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
        (user, Some(password)) if !user.is_empty() => {
            Ok(Some(Credentials { user: decode(user)?, password: decode(password)?.into() }))
        }
        _ => Err("must have a user name and a password, or neither"),
    }
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
    use secrecy::ExposeSecret;

    use super::*;

    fn read(url: &str) -> Result<Smtp, String> {
        Smtp::new(url, None, "example.com", Duration::from_secs(1)).map_err(|error| error.to_string())
    }

    fn kind(smtp: &Smtp) -> &'static str {
        match smtp.tls {
            Tls::FromTheFirstByte(_) => "first byte",
            Tls::Required(_) => "required",
            Tls::Opportunistic(_) => "opportunistic",
        }
    }

    #[test]
    fn tls_is_required_but_on_loopback() {
        for (url, tls, server) in [
            ("smtp://mail.example.com", "required", "mail.example.com:587"),
            ("smtp://u:p@mail.example.com:2525", "required", "mail.example.com:2525"),
            ("smtp://10.0.0.7", "required", "10.0.0.7:587"),
            ("smtps://u:p@mail.example.com", "first byte", "mail.example.com:465"),
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
        let credentials = smtp.credentials.as_ref().unwrap();
        assert_eq!((credentials.user.as_str(), credentials.password.expose_secret()), ("u@example.com", "hunter2:/"));
        assert!(!format!("{smtp:?} {smtp}").contains("hunter2"));
    }

    #[test]
    fn an_answer_tells_neither_address_nor_token() {
        let answer = "permanent error (550): 5.1.1 <thandi@example.com>: no such user\r\n\
                      f0e1d2c3-0000-4000-8000-00000000abcd https://id.example.com/x";
        assert_eq!(redact(answer), "permanent error (550): 5.1.1 … no such user … …");
    }

    #[tokio::test]
    async fn each_address_of_a_server_has_its_share_of_the_patience() {
        let listen = async || tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (hole, _kept) = dial::tests::hole().await;
        let (mute, turned_away, good) = (listen().await, listen().await, listen().await);
        let addresses: Vec<_> = [&mute, &turned_away, &good].map(|one| one.local_addr().unwrap()).into();
        let greets = async |listener: tokio::net::TcpListener, greeting: &[u8]| {
            let (mut peer, _) = listener.accept().await.unwrap();
            tokio::io::AsyncWriteExt::write_all(&mut peer, greeting).await.unwrap();
            peer
        };
        let smtp = read("smtp://127.0.0.1").unwrap();
        let end = Instant::now() + Duration::from_secs(3);
        let connecting = smtp.reach([&[hole][..], &addresses].concat(), end);
        let (connection, ..) =
            tokio::join!(connecting, greets(turned_away, b"554 no\r\n"), greets(good, b"220 ok\r\n"));
        assert!(connection.is_ok() && Instant::now() < end);
        let error = smtp.reach(vec![addresses[0]], Instant::now() + Duration::from_millis(10)).await.err().unwrap();
        assert!(error.to_string().contains("timed out"), "{error}");
    }
}
