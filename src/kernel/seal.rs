//! Sealing: what must be read back (mail that waits to go out) is kept encrypted.

use std::fmt;

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use data_encoding::BASE64;
use secrecy::{ExposeSecret, SecretString};

use super::Invalid;
use super::random::Random;

/// Seals and opens with XChaCha20-Poly1305 under one 256-bit key. A sealed value is the 24-byte nonce, then the
/// ciphertext with its tag; the purpose is authenticated with it, so a value sealed for one opens for no other.
#[derive(Clone)]
pub struct Sealer(XChaCha20Poly1305);

const NONCE_LENGTH: usize = 24;

impl Sealer {
    /// Under `key`: 32 bytes in base64 (44 characters), as [`Self::new_key`] makes them.
    ///
    /// # Errors
    /// Where `key` is not 32 bytes in base64.
    pub fn new(key: &SecretString) -> Result<Self, Invalid> {
        let bytes = BASE64.decode(key.expose_secret().trim().as_bytes()).ok();
        let key = bytes.and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
        let key = key.ok_or_else(|| Invalid::because("must be 32 bytes in base64 (44 characters)"))?;
        Ok(Self(XChaCha20Poly1305::new(&Key::from(key))))
    }

    /// A new key, in base64.
    #[must_use]
    pub fn new_key(random: &Random) -> SecretString {
        BASE64.encode(&random.bytes::<32>()).into()
    }

    /// `plain`, readable again only by [`Self::open`] with the same key and `purpose`.
    #[must_use]
    pub fn seal(&self, random: &Random, purpose: &str, plain: &[u8]) -> Vec<u8> {
        let nonce: [u8; NONCE_LENGTH] = random.bytes();
        let payload = Payload { msg: plain, aad: purpose.as_bytes() };
        let ciphertext =
            self.0.encrypt(&XNonce::from(nonce), payload).expect("an in-memory value is far below the limit");
        [&nonce[..], &ciphertext].concat()
    }

    /// What was sealed; `None` where the key or the purpose is another, or a byte has changed.
    #[must_use]
    pub fn open(&self, purpose: &str, sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, ciphertext) = sealed.split_at_checked(NONCE_LENGTH)?;
        let nonce: [u8; NONCE_LENGTH] = nonce.try_into().ok()?;
        let payload = Payload { msg: ciphertext, aad: purpose.as_bytes() };
        self.0.decrypt(&XNonce::from(nonce), payload).ok()
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealer(…)")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_sealed_opens_with_the_same_key_and_purpose_alone() {
        let random = Random::seeded(1);
        let sealer = Sealer::new(&Sealer::new_key(&random)).expect("a good key");
        let other = Sealer::new(&Sealer::new_key(&random)).expect("a good key");
        let sealed = sealer.seal(&random, "mail", b"a reset token");
        assert_eq!(sealer.open("mail", &sealed).as_deref(), Some(&b"a reset token"[..]));
        assert_eq!(other.open("mail", &sealed), None);
        assert_eq!(sealer.open("totp", &sealed), None);
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert_eq!(sealer.open("mail", &changed), None, "byte {at}");
        }
        assert_eq!(sealer.open("mail", &sealed[..10]), None);
    }

    #[test]
    fn a_short_key_is_refused_without_being_shown() {
        let refusal = Sealer::new(&SecretString::from("c2hvcnQ=")).expect_err("too short").to_string();
        assert!(!refusal.contains("c2hvcnQ="));
    }

    proptest! {
        #[test]
        fn nothing_opens_that_was_not_sealed(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let random = Random::seeded(1);
            let sealer = Sealer::new(&Sealer::new_key(&random)).expect("a good key");
            prop_assert_eq!(sealer.open("mail", &bytes), None);
        }

        #[test]
        fn whatever_is_sealed_opens(plain in any::<Vec<u8>>(), purpose in "\\PC{0,20}") {
            let random = Random::seeded(1);
            let sealer = Sealer::new(&Sealer::new_key(&random)).expect("a good key");
            let sealed = sealer.seal(&random, &purpose, &plain);
            prop_assert_eq!(sealer.open(&purpose, &sealed), Some(plain));
        }
    }
}
