//! Telephone numbers, as people write them.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use super::Invalid;
use super::text::one_line;

/// A telephone number kept as written: digits, spaces and `+ - ( ) .`, with 7 to 15 digits (ITU-T E.164), at most
/// 50 characters.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct PhoneNumber(String);

impl PhoneNumber {
    /// The most characters it holds.
    pub const MAX_LENGTH: usize = 50;

    /// The number as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PhoneNumber {
    type Err = Invalid;

    fn from_str(raw: &str) -> Result<Self, Invalid> {
        let number = one_line(raw, Self::MAX_LENGTH)?;
        if !number.chars().all(|c| c.is_ascii_digit() || " +-().".contains(c)) {
            return Err(Invalid::because("must consist of digits, spaces and + - ( ) ."));
        }
        let digits = number.chars().filter(char::is_ascii_digit).count();
        if !(7..=15).contains(&digits) {
            return Err(Invalid::because("must have 7 to 15 digits"));
        }
        Ok(Self(number.to_owned()))
    }
}

impl fmt::Display for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_usual_ways_of_writing_are_kept_as_written() {
        for good in ["+27 444 555 666", "(021) 555-0123", "021.555.0123", "1234567", "123456789012345"] {
            assert_eq!(good.parse::<PhoneNumber>().expect(good).as_str(), good);
        }
    }

    #[test]
    fn too_few_or_too_many_digits_and_letters_are_refused() {
        for bad in ["", "123456", "1234567890123456", "+27 444 555 ext 6", "٠١٢٣٤٥٦٧٨", "+27\u{0}4445556"] {
            assert!(bad.parse::<PhoneNumber>().is_err(), "{bad:?} was taken");
        }
    }

    proptest! {
        #[test]
        fn what_is_taken_has_7_to_15_digits(raw in "[0-9 +().a-]{0,60}") {
            if let Ok(number) = raw.parse::<PhoneNumber>() {
                let digits = number.as_str().bytes().filter(u8::is_ascii_digit).count();
                prop_assert!((7..=15).contains(&digits) && number.as_str().len() <= PhoneNumber::MAX_LENGTH);
            }
        }
    }
}
