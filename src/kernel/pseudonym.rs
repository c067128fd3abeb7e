//! Pseudonyms: what must be found again but never read (whom failures are counted against) is kept by a keyed digest.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::keys::{Purpose, SecretKey};
use super::token::Digest;

/// Makes pseudonyms with HMAC-SHA-256 (RFC 2104), under a key of its own that is derived from the server's secret key. An
/// e-mail address has too little to guess for a bare digest of it to hide it; without the key there is nothing to try.
#[derive(Clone)]
pub struct Pseudonyms(Hmac<Sha256>);

impl Pseudonyms {
    /// Under the key that is derived for this purpose.
    #[must_use]
    pub fn new(secret_key: &SecretKey, purpose: Purpose) -> Self {
        let key = secret_key.derive::<32>(purpose);
        Self(Hmac::new_from_slice(key.as_slice()).expect("HMAC takes a key of any length"))
    }

    /// The pseudonym of what these parts say together. Their borders count: `ab` and `c` are another than `a` and `bc`.
    #[must_use]
    pub fn of(&self, parts: &[&[u8]]) -> Digest {
        let mut digest = self.0.clone();
        for part in parts {
            digest.update(&(part.len() as u64).to_be_bytes());
            digest.update(part);
        }
        let bytes: [u8; 32] = digest.finalize().into_bytes().into();
        Digest::from_bytes(&bytes).expect("32 bytes are a digest")
    }
}

impl fmt::Debug for Pseudonyms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pseudonyms(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pseudonym_depends_on_the_key_the_purpose_and_each_part() {
        let of = |key: u8, purpose, parts: &[&[u8]]| Pseudonyms::new(&SecretKey::new([key; 32]), purpose).of(parts);
        let one = of(1, Purpose::Throttle, &[b"ab", b"c"]);
        assert_eq!(one, of(1, Purpose::Throttle, &[b"ab", b"c"]));
        for other in [
            of(2, Purpose::Throttle, &[b"ab", b"c"]),
            of(1, Purpose::Record, &[b"ab", b"c"]),
            of(1, Purpose::Throttle, &[b"a", b"bc"]),
            of(1, Purpose::Throttle, &[b"ab"]),
        ] {
            assert_ne!(one, other);
        }
    }
}
