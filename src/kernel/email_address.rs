//! E-mail addresses.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use email_address::Options;
use serde::Serialize;
use unicode_normalization::UnicodeNormalization;

use super::Invalid;
use super::text::one_line;

/// A mailbox (`local-part@domain`, RFC 5321): ASCII, in lower case, with a dotted domain, at most 254 characters. A domain
/// in other letters is taken, and kept in its ASCII form (UTS 46).
///
/// Quoted local parts, address literals (`[192.0.2.1]`) and display names are refused: no provider that
/// people sign up with hands them out, and each has been a way to smuggle a second address past a check.
#[derive(Clone, PartialEq, Eq, Hash, Serialize)]
pub struct EmailAddress(String);

impl EmailAddress {
    /// The longest that RFC 5321 can carry between angle brackets.
    pub const MAX_LENGTH: usize = 254;

    /// The address itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for EmailAddress {
    type Err = Invalid;

    fn from_str(raw: &str) -> Result<Self, Invalid> {
        let malformed = || Invalid::because("must be an e-mail address such as name@example.com");
        // Letters that keyboards for other scripts give in full width are ASCII after that.
        let address: String = one_line(raw, Self::MAX_LENGTH)?.nfkc().collect();
        let (local, domain) = address.rsplit_once('@').ok_or_else(malformed)?;
        if !local.is_ascii() {
            return Err(Invalid::because("must be an e-mail address with nothing but ASCII before its @"));
        }
        let domain = if domain.is_ascii() {
            Cow::Borrowed(domain)
        } else {
            idna::domain_to_ascii(domain).map_err(|_| malformed())?.into()
        };
        let address = format!("{local}@{domain}").to_ascii_lowercase();
        let options = Options::default().without_display_text().without_domain_literal().with_required_tld();
        let is_address = email_address::EmailAddress::parse_with_options(&address, options).is_ok();
        if address.contains('"') || address.len() > Self::MAX_LENGTH || !is_address {
            return Err(malformed());
        }
        Ok(Self(address))
    }
}

impl fmt::Display for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn case_and_surrounding_space_do_not_matter() {
        let address: EmailAddress = "  Thandi.Nkosi@Example.COM ".parse().expect("a good address");
        assert_eq!(address.as_str(), "thandi.nkosi@example.com");
    }

    #[test]
    fn an_international_domain_is_kept_in_its_ascii_form_whichever_was_sent() {
        for (sent, kept) in [
            ("user@bücher.example", "user@xn--bcher-kva.example"),
            ("User@BÜCHER.example", "user@xn--bcher-kva.example"),
            ("user@bu\u{308}cher.example", "user@xn--bcher-kva.example"),
            ("user@xn--bcher-kva.example", "user@xn--bcher-kva.example"),
            ("user@例え.テスト", "user@xn--r8jz45g.xn--zckzah"),
            ("user@faß.example", "user@xn--fa-hia.example"),
            ("user@\u{212a}elvin.com", "user@kelvin.com"),
            ("user@example。com", "user@example.com"),
            ("ｕser＠ｅxample．com", "user@example.com"),
        ] {
            assert_eq!(sent.parse::<EmailAddress>().map(|address| address.0), Ok(kept.to_owned()), "{sent}");
        }
        let long = format!("user@{}.example", "ü".repeat(200));
        for bad in ["user@bü cher.example", "user@ü", "user@\u{200d}.example", "jörg@bücher.example", &long] {
            assert!(bad.parse::<EmailAddress>().is_err(), "{bad:?} was taken");
        }
    }

    #[test]
    fn what_is_no_mailbox_is_refused() {
        for bad in [
            "",
            " ",
            "thandi",
            "@example.com",
            "thandi@",
            "thandi@localhost",
            "a b@example.com",
            "a@b@example.com",
            "Thandi <thandi@example.com>",
            "\"a b\"@example.com",
            "thandi@[192.0.2.1]",
            "thandi@exa\nmple.com",
            "thandi@example.com\r\nBcc: x@example.com",
            "thändi@example.com",
            "a@example..com",
            ".a@example.com",
        ] {
            assert!(bad.parse::<EmailAddress>().is_err(), "{bad:?} was taken");
        }
        let long = format!("{}@example.com", "a".repeat(250));
        assert!(long.parse::<EmailAddress>().is_err());
    }

    proptest! {
        #[test]
        fn whatever_is_taken_is_a_fixed_point(raw in "\\PC{0,40}@?\\PC{0,40}") {
            if let Ok(address) = raw.parse::<EmailAddress>() {
                prop_assert_eq!(address.as_str().parse::<EmailAddress>(), Ok(address.clone()));
                prop_assert!(address.as_str().is_ascii() && !address.as_str().contains(char::is_whitespace));
            }
        }

        #[test]
        fn ordinary_addresses_are_taken(raw in "[a-z][a-z0-9]{0,20}([.+_-][a-z0-9]{1,9})?@[a-z][a-z0-9]{0,20}\\.[a-z]{2,6}") {
            prop_assert!(raw.parse::<EmailAddress>().is_ok());
        }
    }
}
