//! A connection to a mail server, and what is said on it.
//!
//! It is ours because no library reads a server's answers as it must: lettre and async-smtp want UTF-8, and mail-send fails
//! where an answer passes 4 KiB, so that a mail that was taken counts as failed and goes out again. Messages are made by
//! lettre, TLS is rustls.

use std::io;
use std::sync::Arc;

use data_encoding::BASE64;
use secrecy::{ExposeSecret, SecretString};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;

use super::reply::Reply;
use super::verdict::Stage;

/// Bytes to and from the server, encrypted or not.
trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

/// A user of the mail server.
pub(super) struct Credentials {
    pub(super) user: String,
    pub(super) password: SecretString,
}

/// Why something that was said came to nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// The connection broke, or what came was no answer.
    #[error("{0}")]
    Broken(#[from] io::Error),
    /// The server does not do what is needed of it.
    #[error("{0}")]
    Unable(&'static str),
    /// The server said no.
    #[error("{1}")]
    Refused(Stage, Reply),
}

/// A connection that has been greeted.
pub(in super::super) struct Connection {
    wire: BufReader<Box<dyn Wire>>,
    /// Its extensions, in capitals, each with its parameters.
    extensions: Vec<String>,
}

impl Connection {
    /// Waits for the server's greeting, after TLS where that begins with the first byte.
    pub(super) async fn greeted(wire: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> Result<Self, Error> {
        let mut connection = Self { wire: BufReader::new(Box::new(wire)), extensions: Vec::new() };
        accepted(Reply::read(&mut connection.wire).await?)?;
        Ok(connection)
    }

    /// Says who calls, and learns what the server can do: nothing more, where it knows RFC 821 alone.
    pub(super) async fn hello(&mut self, name: &str) -> Result<(), Error> {
        let mut reply = self.say(&format!("EHLO {name}")).await?;
        self.extensions = reply.lines.iter().skip(1).map(|line| line.to_ascii_uppercase()).collect();
        if (500..600).contains(&reply.code) {
            self.extensions.clear();
            reply = self.say(&format!("HELO {name}")).await?;
        }
        accepted(reply)
    }

    pub(super) fn offers_tls(&self) -> bool {
        self.extensions.iter().any(|extension| extension == "STARTTLS")
    }

    /// Goes on encrypted (RFC 3207). What the server can do is to be asked again.
    pub(super) async fn start_tls(mut self, host: &str, config: Arc<ClientConfig>) -> Result<Self, Error> {
        if !self.offers_tls() {
            return Err(Error::Unable("STARTTLS is not supported on this server"));
        }
        accepted(self.say("STARTTLS").await?)?;
        // Whatever came in the clear behind the answer may be another's.
        if !self.wire.buffer().is_empty() {
            return Err(Error::Unable("it sent more than its answer to STARTTLS"));
        }
        let wire = encrypted(self.wire.into_inner(), host, config).await?;
        Ok(Self { wire: BufReader::new(Box::new(wire)), extensions: Vec::new() })
    }

    /// Logs in (RFC 4954), by PLAIN or, where there is not that, LOGIN.
    pub(super) async fn log_in(&mut self, credentials: &Credentials) -> Result<(), Error> {
        let (user, password) = (&credentials.user, credentials.password.expose_secret());
        let plain = BASE64.encode(format!("\0{user}\0{password}").as_bytes());
        let mut reply = if self.offers_login_by("PLAIN") {
            let reply = self.say(&format!("AUTH PLAIN {plain}")).await?;
            if reply.code == 334 { self.say(&plain).await? } else { reply }
        } else if self.offers_login_by("LOGIN") {
            self.say("AUTH LOGIN").await?
        } else {
            return Err(Error::Unable("it offers no login by PLAIN or LOGIN"));
        };
        for secret in [user.as_str(), password] {
            if reply.code == 334 {
                reply = self.say(&BASE64.encode(secret.as_bytes())).await?;
            }
        }
        accepted(reply)
    }

    /// `AUTH PLAIN LOGIN`, or `AUTH=PLAIN LOGIN` as servers wrote that are older than the standard.
    fn offers_login_by(&self, mechanism: &str) -> bool {
        let mut offers = self.extensions.iter().filter_map(|extension| extension.strip_prefix("AUTH"));
        offers.any(|offer| offer.split([' ', '=']).any(|offered| offered == mechanism))
    }

    /// Hands over a message but for its final dot: up to then the server has not taken it.
    pub(super) async fn submit(&mut self, from: &str, to: &[&str], content: &[u8]) -> Result<(), Error> {
        let is_ascii = from.is_ascii() && to.iter().all(|address| address.is_ascii());
        if !is_ascii && !self.extensions.iter().any(|extension| extension == "SMTPUTF8") {
            return Err(Error::Unable("it takes no addresses beyond ASCII"));
        }
        let parameter = if is_ascii { "" } else { " SMTPUTF8" };
        let reply = self.say(&format!("MAIL FROM:<{from}>{parameter}")).await?;
        expected(reply.is_positive(), Stage::Sender, reply)?;
        for address in to {
            let reply = self.say(&format!("RCPT TO:<{address}>")).await?;
            expected(reply.is_positive(), Stage::Recipient, reply)?;
        }
        let reply = self.say("DATA").await?;
        expected(reply.code == 354, Stage::Content, reply)?;
        self.wire.write_all(&with_dots(content)).await?;
        self.wire.flush().await?;
        Ok(())
    }

    /// Sends the final dot, and waits for whether the server took the message.
    pub(super) async fn finish(&mut self) -> Result<(), Error> {
        let reply = self.say(".").await?;
        expected(reply.is_positive(), Stage::Content, reply)
    }

    pub(super) async fn quit(&mut self) -> Result<(), Error> {
        accepted(self.say("QUIT").await?)
    }

    async fn say(&mut self, line: &str) -> Result<Reply, io::Error> {
        self.wire.write_all(format!("{line}\r\n").as_bytes()).await?;
        self.wire.flush().await?;
        Reply::read(&mut self.wire).await
    }
}

/// A stream that is encrypted, with the certificate of that host.
pub(super) async fn encrypted<W: AsyncRead + AsyncWrite + Send + Unpin>(
    wire: W,
    host: &str,
    config: Arc<ClientConfig>,
) -> Result<tokio_rustls::client::TlsStream<W>, Error> {
    let name = ServerName::try_from(host.to_owned()).map_err(|_| Error::Unable("its name can be in no certificate"))?;
    Ok(TlsConnector::from(config).connect(name, wire).await?)
}

/// Of what is said before any mail: a refusal is about us.
fn accepted(reply: Reply) -> Result<(), Error> {
    expected(reply.is_positive(), Stage::Sender, reply)
}

fn expected(is_so: bool, stage: Stage, reply: Reply) -> Result<(), Error> {
    if is_so { Ok(()) } else { Err(Error::Refused(stage, reply)) }
}

/// The content as it goes over the wire: a dot more where a line begins with one, and the last line ended (RFC 5321,
/// section 4.5.2). A lone CR or LF begins a line here, as it does for some servers.
fn with_dots(content: &[u8]) -> Vec<u8> {
    let mut wire = Vec::with_capacity(content.len() + 64);
    let mut before = b'\n';
    for &byte in content {
        if byte == b'.' && matches!(before, b'\r' | b'\n') {
            wire.push(b'.');
        }
        wire.push(byte);
        before = byte;
    }
    if !content.ends_with(b"\r\n") {
        wire.extend_from_slice(b"\r\n");
    }
    wire
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, DuplexStream, duplex};

    use super::*;

    /// Whatever the other side says at once, and its end to see what was said to it.
    async fn scripted(answers: &[u8]) -> (Result<Connection, Error>, DuplexStream) {
        let (ours, mut theirs) = duplex(1 << 20);
        theirs.write_all(answers).await.unwrap();
        (Connection::greeted(ours).await, theirs)
    }

    async fn heard(mut theirs: DuplexStream, connection: Connection) -> String {
        drop(connection);
        let mut heard = String::new();
        theirs.read_to_string(&mut heard).await.unwrap();
        heard
    }

    #[tokio::test]
    async fn a_server_that_does_not_know_ehlo_is_greeted_as_of_old() {
        let answers =
            b"220 mail.test\r\n502 5.5.2 unknown\r\n250 mail.test\r\n250 ok\r\n250 ok\r\n354 go\r\n250 taken\r\n";
        let (connection, theirs) = scripted(answers).await;
        let mut connection = connection.unwrap();
        connection.hello("example.com").await.unwrap();
        assert!(!connection.offers_tls());
        connection.submit("a@example.com", &["b@example.com"], b"Subject: x\r\n\r\n.hidden\r\n").await.unwrap();
        connection.finish().await.unwrap();
        assert_eq!(
            heard(theirs, connection).await,
            "EHLO example.com\r\nHELO example.com\r\nMAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.com>\r\nDATA\r\n\
             Subject: x\r\n\r\n..hidden\r\n.\r\n"
        );
    }

    #[tokio::test]
    async fn a_login_is_by_what_the_server_offers() {
        for (offer, answers, said) in [
            ("AUTH LOGIN PLAIN", &b"235 ok\r\n"[..], "AUTH PLAIN AHUAcA==\r\n"),
            ("AUTH PLAIN", b"334 \r\n235 ok\r\n", "AUTH PLAIN AHUAcA==\r\nAHUAcA==\r\n"),
            ("auth=login", b"334 VXNlcg==\r\n334 UGFzcw==\r\n235 ok\r\n", "AUTH LOGIN\r\ndQ==\r\ncA==\r\n"),
        ] {
            let hello = format!("220 mail.test\r\n250-mail.test\r\n250 {offer}\r\n");
            let (connection, theirs) = scripted(&[hello.as_bytes(), answers].concat()).await;
            let mut connection = connection.unwrap();
            connection.hello("example.com").await.unwrap();
            let credentials = Credentials { user: "u".to_owned(), password: "p".to_owned().into() };
            connection.log_in(&credentials).await.unwrap();
            assert_eq!(heard(theirs, connection).await, format!("EHLO example.com\r\n{said}"));
        }
        let (connection, _theirs) = scripted(b"220 mail.test\r\n250-mail.test\r\n250 AUTH CRAM-MD5\r\n").await;
        let mut connection = connection.unwrap();
        connection.hello("example.com").await.unwrap();
        let credentials = Credentials { user: "u".to_owned(), password: "p".to_owned().into() };
        assert!(connection.log_in(&credentials).await.unwrap_err().to_string().contains("PLAIN or LOGIN"));
    }

    #[tokio::test]
    async fn what_comes_in_the_clear_behind_the_answer_to_starttls_is_not_believed() {
        let answers = b"220 mail.test\r\n250-mail.test\r\n250 STARTTLS\r\n220 ready\r\n250 injected\r\n";
        let (connection, _theirs) = scripted(answers).await;
        let mut connection = connection.unwrap();
        connection.hello("example.com").await.unwrap();
        let config = super::super::tls::any().unwrap();
        let error = connection.start_tls("mail.test", config).await.err().unwrap();
        assert!(error.to_string().contains("more than its answer"), "{error}");
    }

    #[test]
    fn no_line_of_a_mail_ends_it() {
        for (content, wire) in [
            (&b"a\r\n.\r\nb\r\n"[..], &b"a\r\n..\r\nb\r\n"[..]),
            (b".a", b"..a\r\n"),
            (b"a\n.\nb\r\n", b"a\n..\nb\r\n"),
            (b"a\r.\rb\r\n", b"a\r..\rb\r\n"),
            (b"", b"\r\n"),
        ] {
            assert_eq!(with_dots(content), wire);
        }
    }
}
