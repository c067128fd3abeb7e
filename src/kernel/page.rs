//! A list by pages: how much of it, and from where.

use std::fmt;
use std::str::FromStr;

use data_encoding::BASE64URL_NOPAD;

use super::Invalid;
use super::clock::Timestamp;

/// How many entries a page has at most: 1 to 100, 50 where nothing is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageLimit(u8);

impl PageLimit {
    /// The most.
    pub const MOST: u8 = 100;
    /// Where nothing is said.
    pub const DEFAULT: u8 = 50;

    /// As a number.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }
}

impl Default for PageLimit {
    fn default() -> Self {
        Self(Self::DEFAULT)
    }
}

impl FromStr for PageLimit {
    type Err = Invalid;

    fn from_str(raw: &str) -> Result<Self, Invalid> {
        // `+7` is a number to Rust and a blank with a 7 in a query.
        let digits = Some(raw).filter(|raw| raw.bytes().all(|byte| byte.is_ascii_digit()));
        let limit = digits.and_then(|raw| raw.parse().ok()).filter(|limit| (1..=Self::MOST).contains(limit));
        limit.map(Self).ok_or_else(|| Invalid::because(format!("must be a whole number from 1 to {}", Self::MOST)))
    }
}

/// Where a page of a list ends that is ordered by instant and number. Written as 22 characters of URL-safe base64;
/// callers hand it back as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// When the last entry of the page was.
    pub at: Timestamp,
    /// Its number.
    pub id: i64,
}

impl Cursor {
    /// Characters of a cursor.
    pub const LENGTH: usize = 22;
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.at.as_micros().to_be_bytes());
        bytes[8..].copy_from_slice(&self.id.to_be_bytes());
        f.write_str(&BASE64URL_NOPAD.encode(&bytes))
    }
}

impl FromStr for Cursor {
    type Err = Invalid;

    fn from_str(raw: &str) -> Result<Self, Invalid> {
        let bytes = BASE64URL_NOPAD.decode(raw.as_bytes()).ok();
        let bytes = bytes.and_then(|bytes| <[u8; 16]>::try_from(bytes).ok());
        let bytes = bytes.ok_or(Invalid::because("must be next_cursor of an earlier answer"))?;
        let number = |half: &[u8]| half.iter().fold(0_i64, |number, byte| number << 8 | i64::from(*byte));
        Ok(Self { at: Timestamp::from_micros(number(&bytes[..8])), id: number(&bytes[8..]) })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_limit_is_from_1_to_100() {
        assert_eq!("1".parse(), Ok(PageLimit(1)));
        assert_eq!("100".parse(), Ok(PageLimit(100)));
        for bad in ["", "0", "101", "-1", "+7", "7.0", " 7", "seven", "99999999999"] {
            assert!(bad.parse::<PageLimit>().is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn a_cursor_comes_back_as_it_was(at in any::<i64>(), id in any::<i64>()) {
            let cursor = Cursor { at: Timestamp::from_micros(at), id };
            let text = cursor.to_string();
            prop_assert_eq!(text.len(), Cursor::LENGTH);
            prop_assert_eq!(text.parse(), Ok(cursor));
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in "\\PC{0,40}") {
            let _ = text.parse::<Cursor>();
        }
    }
}
