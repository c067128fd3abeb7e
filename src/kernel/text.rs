//! Text that people write about themselves.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;
use unicode_normalization::UnicodeNormalization;

use super::Invalid;

/// A trimmed, non-empty line of at most `MAX` code points without control characters.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct Text<const MAX: usize>(String);

/// A name of a person, an organisation, an industry: up to 255 code points.
pub type Name = Text<255>;

/// An address or a use case: up to 2,000 code points.
pub type Paragraph = Text<2_000>;

impl<const MAX: usize> Text<MAX> {
    /// The most code points it holds.
    pub const MAX_LENGTH: usize = MAX;

    /// The text itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<const MAX: usize> FromStr for Text<MAX> {
    type Err = Invalid;

    fn from_str(raw: &str) -> Result<Self, Invalid> {
        one_line(raw, MAX).map(|text| Self(text.to_owned()))
    }
}

impl<const MAX: usize> fmt::Display for Text<MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<const MAX: usize> fmt::Debug for Text<MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

/// The rule that every written text keeps: trimmed, not empty, no control characters, at most `max` code points.
pub(super) fn one_line(raw: &str, max: usize) -> Result<&str, Invalid> {
    // Before trimming: a trailing newline or NUL is a control character that somebody sent, not padding.
    if raw.chars().any(char::is_control) {
        return Err(Invalid::because("must not contain control characters such as a line break"));
    }
    let text = raw.trim();
    if text.is_empty() {
        return Err(Invalid::because("must not be empty"));
    }
    if text.chars().count() > max {
        return Err(Invalid::because(format!("must be at most {max} characters long")));
    }
    Ok(text)
}

/// A form in which texts that differ in case alone are equal: NFKC, then Unicode's full case folding, and `ı` as `i`, for which
/// people take it.
pub(super) fn folded(text: &str) -> String {
    // Two texts are the same in this form if and only if they are so after folding, which the standard library lacks: a test
    // beside it knows the letters for which fewer steps are too few.
    let lower = text.nfkc().flat_map(char::to_lowercase);
    lower.flat_map(char::to_uppercase).flat_map(char::to_lowercase).nfkc().collect()
}

/// The same where it decides what is unique, and so to the letter of the standard: `ı` is not `i`.
pub(super) fn unique_form(text: &str) -> String {
    let text: String = text.nfkc().collect();
    text.split('ı').map(folded).collect::<Vec<_>>().join("ı")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn case_and_form_make_no_difference_where_texts_are_folded() {
        for (one, other) in [("Thandi", "tHANDI"), ("ΟΔΟΣ", "οδος"), ("STRASSE", "straße"), ("\u{fb01}n", "FIN")]
        {
            assert_eq!(folded(one), folded(other));
        }
        assert_ne!(folded("thandi"), folded("thand1"));
        for (one, other) in [
            ("STRAẞE", "straße"),
            ("STRASSE", "STRAẞE"),
            ("οδος", "οδοσ"),
            ("ᏣᎳᎩ", "ꮳꮃꭹ"),
            ("ᾳ", "ᾼ"),
            ("µ", "Μ"),
            ("ſ", "S"),
            ("\u{212a}", "k"),
            ("ԵՒ", "և"),
            ("İpek", "i\u{307}pek"),
            ("IŞIK", "işik"),
        ] {
            assert_eq!(folded(one), folded(other));
            assert_eq!(unique_form(one), unique_form(other));
        }
        for (one, other) in [("IŞIK", "ışık"), ("İPEK", "ipek"), ("paypal", "раyраl")] {
            assert_ne!(unique_form(one), unique_form(other));
        }
    }

    #[test]
    fn length_is_counted_in_code_points() {
        assert!("é".repeat(255).parse::<Name>().is_ok());
        assert!("é".repeat(256).parse::<Name>().is_err());
    }

    proptest! {
        #[test]
        fn the_unique_form_is_a_fixed_point_whatever_the_case(text in "\\PC{0,20}") {
            let form = unique_form(&text);
            prop_assert_eq!(unique_form(&form), form.clone());
            if !text.contains(['ı', 'I', 'i', 'İ']) {
                prop_assert_eq!(unique_form(&text.to_lowercase()), form);
            }
        }

        #[test]
        fn what_is_taken_is_trimmed_and_clean(raw in any::<String>()) {
            if let Ok(text) = raw.parse::<Name>() {
                prop_assert_eq!(text.as_str(), text.as_str().trim());
                prop_assert!(!text.as_str().is_empty() && !text.as_str().chars().any(char::is_control));
            }
        }
    }
}
