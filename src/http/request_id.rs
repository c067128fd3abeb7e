//! The id that a request keeps through answer and log.

use std::fmt;

use poem::http::{HeaderName, HeaderValue};

use crate::kernel::random::Random;

/// The header that carries it, both ways.
pub const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// 1 to 64 letters, digits, `.`, `_` and `-`: the caller's where it is that, else a new UUID.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId(HeaderValue);

impl RequestId {
    /// The longest that is taken from a caller.
    pub const MAX_LENGTH: usize = 64;

    /// The caller's id if it is a sane one, else a new one.
    #[must_use]
    pub fn choose(sent: Option<&HeaderValue>, random: &Random) -> Self {
        match sent {
            Some(sent) if is_sane(sent.as_bytes()) => Self(sent.clone()),
            _ => {
                let mut text = [0; uuid::fmt::Hyphenated::LENGTH];
                let text = random.uuid().hyphenated().encode_lower(&mut text);
                Self(HeaderValue::from_str(text).expect("a UUID is a header value"))
            }
        }
    }

    /// One for the spec's examples.
    #[must_use]
    pub fn example() -> Self {
        Self(HeaderValue::from_static("0b6c1e0a-6f0e-4f57-9d4e-3a8f0f6f2a11"))
    }

    /// As a header.
    #[must_use]
    pub fn header_value(&self) -> HeaderValue {
        self.0.clone()
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.to_str().unwrap_or_default())
    }
}

fn is_sane(id: &[u8]) -> bool {
    (1..=RequestId::MAX_LENGTH).contains(&id.len())
        && id.iter().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(byte))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn nothing_but_sane_ids_comes_back(sent in proptest::collection::vec(32u8..=255, 0..100)) {
            let Ok(value) = HeaderValue::from_bytes(&sent) else { return Ok(()) };
            let chosen = RequestId::choose(Some(&value), &Random::seeded(1));
            prop_assert!(is_sane(chosen.header_value().as_bytes()));
            prop_assert_eq!(chosen.header_value() == value, is_sane(&sent));
        }
    }
}
