//! Pseudonyms: what must be found again but never read (whom failures are counted against) is kept by a keyed digest.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::token::Digest;

/// Makes pseudonyms with HMAC-SHA-256 (RFC 2104), under a key of its own that comes from the server's secret key. An
/// e-mail address has too little to guess for a bare digest of it to hide it; without the key there is nothing to try.
#[derive(Clone)]
pub struct Pseudonyms(Hmac<Sha256>);

impl Pseudonyms {
    /// Under a key that is made of the server's secret key for this purpose alone.
    #[must_use]
    pub fn new(secret_key: &[u8; 32], purpose: &str) -> Self {
        let mut derivation = keyed(secret_key);
        derivation.update(purpose.as_bytes());
        Self(keyed(&derivation.finalize().into_bytes()))
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

fn keyed(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("HMAC takes a key of any length")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pseudonym_depends_on_the_key_the_purpose_and_each_part() {
        let of = |key: u8, purpose: &str, parts: &[&[u8]]| Pseudonyms::new(&[key; 32], purpose).of(parts);
        let one = of(1, "throttle", &[b"ab", b"c"]);
        assert_eq!(one, of(1, "throttle", &[b"ab", b"c"]));
        for other in [
            of(2, "throttle", &[b"ab", b"c"]),
            of(1, "audit", &[b"ab", b"c"]),
            of(1, "throttle", &[b"a", b"bc"]),
            of(1, "throttle", &[b"ab"]),
        ] {
            assert_ne!(one, other);
        }
    }
}
