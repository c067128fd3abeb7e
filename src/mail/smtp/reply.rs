//! What a mail server answers (RFC 5321, section 4.2). Its code is what counts; its text is for people, in whatever
//! alphabet and of whatever length, and is never a reason to refuse the answer.

use std::fmt;
use std::io::{Error, ErrorKind};

use tokio::io::{AsyncBufRead, AsyncBufReadExt};

/// Bytes of a line that are kept.
const LINE: usize = 1024;
/// Lines that are kept: the extensions of a server that has many of them.
const LINES: usize = 100;
/// Bytes of an answer that are read; a server that sends more is no mail server.
const MOST: usize = 1024 * 1024;

/// An answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Reply {
    pub(super) code: u16,
    /// What stands behind the code, line by line.
    pub(super) lines: Vec<String>,
}

/// A status of RFC 3463: class, subject, detail.
pub(super) type Enhanced = (u16, u16, u16);

impl Reply {
    /// Reads an answer to its last line, and no further.
    pub(super) async fn read(stream: &mut (impl AsyncBufRead + Unpin)) -> Result<Self, Error> {
        let (mut lines, mut length) = (Vec::new(), 0);
        loop {
            let line = read_line(stream, &mut length).await?;
            let no_code = || Error::new(ErrorKind::InvalidData, "it answered something that has no code of SMTP");
            let (code, is_last, text) = parse(&line).ok_or_else(no_code)?;
            if lines.len() < LINES {
                lines.push(String::from_utf8_lossy(text).trim().to_owned());
            }
            if is_last {
                return Ok(Self { code, lines });
            }
        }
    }

    pub(super) fn is_positive(&self) -> bool {
        (200..300).contains(&self.code)
    }

    /// The server's more exact word for the code (RFC 2034), where it has one.
    pub(super) fn enhanced(&self) -> Option<Enhanced> {
        enhanced(self.lines.first()?).map(|(status, _)| status)
    }

    /// The text in one line, the enhanced code once.
    pub(super) fn text(&self) -> String {
        let repeated = self.enhanced();
        let rest = |line: &'_ str| match enhanced(line) {
            Some((status, rest)) if Some(status) == repeated => rest.to_owned(),
            _ => line.to_owned(),
        };
        let (first, others) = self.lines.split_first().map_or(("", &[][..]), |(first, rest)| (first.as_str(), rest));
        let lines: Vec<_> = std::iter::once(first.to_owned()).chain(others.iter().map(|line| rest(line))).collect();
        lines.join(" ")
    }
}

/// As a log shows it.
impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.code {
            400..500 => "transient error",
            500..600 => "permanent error",
            _ => "unexpected answer",
        };
        write!(f, "{kind} ({}): {}", self.code, self.text())
    }
}

/// A line without its end, cut to what is kept of it. Lines end with LF, whether or not a CR comes before it.
async fn read_line(stream: &mut (impl AsyncBufRead + Unpin), length: &mut usize) -> Result<Vec<u8>, Error> {
    let mut line = Vec::new();
    loop {
        let chunk = stream.fill_buf().await?;
        if chunk.is_empty() {
            // A server that hangs up in the middle of its text has said its code.
            let hung_up = || Error::new(ErrorKind::UnexpectedEof, "it ended the connection instead of answering");
            return if line.is_empty() { Err(hung_up()) } else { Ok(line) };
        }
        let end = chunk.iter().position(|byte| *byte == b'\n');
        let part = &chunk[..end.unwrap_or(chunk.len())];
        line.extend_from_slice(&part[..part.len().min(LINE - line.len())]);
        let read = end.map_or(chunk.len(), |end| end + 1);
        stream.consume(read);
        *length += read;
        if *length > MOST {
            return Err(Error::new(ErrorKind::InvalidData, "its answer has no end"));
        }
        if end.is_some() {
            return Ok(line);
        }
    }
}

/// The code, whether this is the last line, and the text.
fn parse(line: &[u8]) -> Option<(u16, bool, &[u8])> {
    let [a @ b'2'..=b'5', b @ b'0'..=b'9', c @ b'0'..=b'9', rest @ ..] = line else { return None };
    let code = [a, b, c].into_iter().fold(0, |code, digit| 10 * code + u16::from(digit - b'0'));
    match rest {
        [b'-', text @ ..] => Some((code, false, text)),
        [b'0'..=b'9', ..] => None,
        text => Some((code, true, text)),
    }
}

/// `5.1.1 No such user`: the status, and what follows it.
fn enhanced(line: &str) -> Option<(Enhanced, &str)> {
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    let mut parts = word.split('.').map(|part| part.parse::<u16>().ok().filter(|_| part.len() <= 3));
    let status = (parts.next()??, parts.next()??, parts.next()??);
    (parts.next().is_none() && matches!(status.0, 2 | 4 | 5)).then_some((status, rest.trim_start()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    async fn read(mut bytes: &[u8]) -> Result<Reply, String> {
        Reply::read(&mut bytes).await.map_err(|error| error.to_string())
    }

    #[tokio::test]
    async fn an_answer_is_taken_by_its_code_whatever_its_text_is_written_in() {
        for (bytes, code, text) in [
            (&b"250 2.0.0 Ok\r\n"[..], 250, "2.0.0 Ok"),
            (b"220 mail.test Gr\xfc\xdfe vom Postamt\r\n", 220, "mail.test Gr\u{fffd}\u{fffd}e vom Postamt"),
            (b"250 Ok: \xd2\xd1\xbe\xad\r\n", 250, "Ok: \u{fffd}Ѿ\u{fffd}"),
            (b"250 \xff\xfe\r\n", 250, "\u{fffd}\u{fffd}"),
            (b"250-mail.test\r\n250-AUTH PLAIN\r\n250 SIZE 1\r\n", 250, "mail.test AUTH PLAIN SIZE 1"),
            (b"550-5.4.5 Daily limit.\r\n550 5.4.5 See help\r\n", 550, "5.4.5 Daily limit. See help"),
            (b"250 ok\n", 250, "ok"),
            (b"250\r\n", 250, ""),
            (b"250 cut o", 250, "cut o"),
            (b"354\tgo on\r\n", 354, "go on"),
        ] {
            let reply = read(bytes).await.unwrap();
            assert_eq!((reply.code, reply.text().as_str()), (code, text));
        }
    }

    #[tokio::test]
    async fn an_answer_may_be_long() {
        let line = format!("250-{}\r\n", "x".repeat(5_000));
        let reply = read(format!("{}250 done\r\n", line.repeat(150)).as_bytes()).await.unwrap();
        assert_eq!((reply.code, reply.lines.len(), reply.lines[0].len()), (250, LINES, LINE - 4));
        assert!(read("250-x\r\n".repeat(1 << 20).as_bytes()).await.unwrap_err().contains("no end"));
    }

    #[tokio::test]
    async fn what_has_no_code_is_no_answer() {
        for bytes in
            [&b""[..], b"250-more\r\n", b"HTTP/1.1 400 Bad Request\r\n", b"25\r\n", b"2500 x\r\n", b"999 x\r\n"]
        {
            read(bytes).await.unwrap_err();
        }
    }

    #[tokio::test]
    async fn nothing_behind_an_answer_is_read_with_it() {
        let mut bytes = &b"220 ready\r\n250 injected\r\n"[..];
        Reply::read(&mut bytes).await.unwrap();
        assert_eq!(bytes, b"250 injected\r\n");
    }

    #[test]
    fn an_enhanced_code_is_three_numbers() {
        for (text, expected) in [
            ("5.1.1 no such user", Some((5, 1, 1))),
            ("5.7.60 SMTP", Some((5, 7, 60))),
            ("5.7.1", Some((5, 7, 1))),
            ("192.0.2.7 is blocked", None),
            ("1.2.3 is no status", None),
            ("5.1 no", None),
            ("", None),
        ] {
            assert_eq!(Reply { code: 550, lines: vec![text.to_owned()] }.enhanced(), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_of_a_mail_server_panic(bytes: Vec<u8>) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            if let Ok(reply) = runtime.block_on(read(&[&b"250"[..], &bytes].concat())) {
                let _ = reply.to_string();
            }
        }
    }
}
