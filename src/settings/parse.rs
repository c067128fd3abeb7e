//! Settings as people write them, read into what they mean.

use std::convert::Infallible;
use std::ops::RangeInclusive;
use std::time::Duration;

use lettre::message::Mailbox;
use secrecy::SecretString;

const MINUTE: Duration = Duration::from_secs(60);
const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// A variable that comes from a file has a line end behind it.
#[expect(clippy::unnecessary_wraps, reason = "clap wants a parser that can fail")]
pub(super) fn secret(raw: &str) -> Result<SecretString, Infallible> {
    Ok(raw.trim().into())
}

pub(super) fn mailbox(raw: &str) -> Result<Mailbox, String> {
    let raw = raw.trim();
    let mailbox: Option<Mailbox> = raw.parse().ok();
    let mailbox = mailbox.filter(|mailbox| mailbox.email.to_string().is_ascii() && !raw.contains(char::is_control));
    mailbox.ok_or_else(|| "must be an e-mail address, or \"A name <address>\"".to_owned())
}

pub(super) fn smtp_timeout(raw: &str) -> Result<Duration, String> {
    duration(raw, Duration::from_secs(1)..=10 * MINUTE, "between one second and ten minutes")
}

pub(super) fn lock_timeout(raw: &str) -> Result<Duration, String> {
    duration(raw, Duration::from_millis(10)..=MINUTE, "between 10 milliseconds and one minute")
}

pub(super) fn idle_timeout(raw: &str) -> Result<Duration, String> {
    duration(raw, Duration::from_secs(1)..=60 * MINUTE, "between one second and one hour")
}

pub(super) fn ttl(raw: &str) -> Result<Duration, String> {
    duration(raw, Duration::from_secs(1)..=10 * YEAR, "between one second and ten years")
}

fn duration(raw: &str, sane: RangeInclusive<Duration>, in_words: &str) -> Result<Duration, String> {
    let duration = humantime::parse_duration(raw.trim())
        .map_err(|error| format!("{error}; write it as in 90s, 15m, 24h or 30d"))?;
    if sane.contains(&duration) { Ok(duration) } else { Err(format!("must be {in_words}")) }
}
