//! Usernames.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;
use unicode_normalization::UnicodeNormalization;

use super::Invalid;
use super::text::{one_line, unique_form};

/// A username: letters and digits of any script and `@ . + - _`, NFKC-normalised, at most 150 code points.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct Username(String);

impl Username {
    /// The most code points it holds.
    pub const MAX_LENGTH: usize = 150;

    /// The username as it was chosen.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The form that must be unique: the same for `Thandi` and `thandi`, and for `ΟΔΟΣ` and `οδος`.
    #[must_use]
    pub fn key(&self) -> String {
        unique_form(&self.0)
    }
}

impl FromStr for Username {
    type Err = Invalid;

    fn from_str(raw: &str) -> Result<Self, Invalid> {
        let normal: String = one_line(raw, Self::MAX_LENGTH)?.nfkc().collect();
        // NFKC can lengthen a text (one ligature becomes three letters): the limit holds for what is kept.
        let username = one_line(&normal, Self::MAX_LENGTH)?;
        if !username.chars().all(|c| c.is_alphanumeric() || "@.+-_".contains(c)) {
            return Err(Invalid::because("must consist of letters, digits and @ . + - _"));
        }
        Ok(Self(username.to_owned()))
    }
}

impl fmt::Display for Username {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Username {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn case_does_not_make_two_of_one() {
        let one: Username = "Thandi_N".parse().expect("a good username");
        let two: Username = "thandi_n".parse().expect("a good username");
        assert_ne!(one, two);
        assert_eq!(one.key(), two.key());
    }

    #[test]
    fn spaces_and_signs_are_refused() {
        for bad in ["", "a b", "a/b", "a\u{200d}b", "<a>"] {
            assert!(bad.parse::<Username>().is_err(), "{bad:?} was taken");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_taken_is_a_fixed_point(raw in "\\PC{0,160}") {
            if let Ok(username) = raw.parse::<Username>() {
                prop_assert_eq!(username.as_str().parse::<Username>(), Ok(username.clone()));
            }
        }
    }
}
