//! Sealing: what must be read back (mail that waits to go out) is kept encrypted.

use std::fmt;

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use data_encoding::{BASE64, HEXLOWER};
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use super::Invalid;
use super::keys::{Purpose, SecretKey};
use super::pseudonym::Pseudonyms;
use super::random::Random;
use super::record_key::RecordKey;

/// Which key something was sealed with: the first 8 bytes of `SHA-256("documines-auth secret key id" ‖ key)`, written as
/// 16 hexadecimal digits. It tells nothing of the key, which is 256 random bits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct KeyId([u8; Self::LENGTH]);

impl KeyId {
    const LENGTH: usize = 8;

    fn of(key: &SecretKey) -> Self {
        let named = key.before_0_2();
        let digest = Sha256::new().chain_update("documines-auth secret key id").chain_update(named.named()).finalize();
        let mut id = [0; Self::LENGTH];
        id.copy_from_slice(&digest[..Self::LENGTH]);
        Self(id)
    }

    /// The id that a sealed value carries; `None` where it carries none.
    #[must_use]
    pub fn carried_by(sealed: &[u8]) -> Option<Self> {
        let (version, rest) = sealed.split_first()?;
        let id = rest.first_chunk().copied().map(Self);
        id.filter(|_| [VERSION, VERSION_BEFORE_0_2].contains(version))
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Seals with XChaCha20-Poly1305 under a key derived from the first of one or more secret keys, and opens what was sealed
/// under any.
///
/// A sealed value is a version (2), the [`KeyId`], a 24-byte nonce, then the ciphertext with its tag. Version, key id and
/// the purpose are authenticated with it, so a value sealed for one purpose opens for no other. Version 1 was sealed with
/// the secret key itself; the first release did so too, wrote neither version nor key id, and authenticated the purpose
/// alone. Such values open too.
#[derive(Clone)]
pub struct Sealer(Vec<Keys>);

/// A secret key and what is derived from it.
#[derive(Clone)]
struct Keys {
    id: KeyId,
    secret: SecretKey,
    cipher: XChaCha20Poly1305,
    record: RecordKey,
}

const VERSION: u8 = 2;
const VERSION_BEFORE_0_2: u8 = 1;
const HEADER_LENGTH: usize = 1 + KeyId::LENGTH;
const NONCE_LENGTH: usize = 24;

impl Sealer {
    /// Under `keys`: each 32 bytes in base64 (44 characters), as [`Self::new_key`] makes them, with commas or white space
    /// between. The first seals, all of them open.
    ///
    /// # Errors
    /// Where there is none, or one is not 32 bytes in base64.
    pub fn new(keys: &SecretString) -> Result<Self, Invalid> {
        let refusal = || Invalid::because("must be 32 bytes in base64 (44 characters)");
        let words = keys.expose_secret().split(|c: char| c == ',' || c.is_whitespace());
        let words = words.filter(|word| !word.is_empty());
        let keys = words
            .map(|word| SecretKey::from_base64(word).map(Keys::of).ok_or_else(refusal))
            .collect::<Result<Vec<_>, _>>()?;
        if keys.is_empty() { Err(refusal()) } else { Ok(Self(keys)) }
    }

    /// A new key, in base64.
    #[must_use]
    pub fn new_key(random: &Random) -> SecretString {
        BASE64.encode(Zeroizing::new(random.bytes::<32>()).as_slice()).into()
    }

    /// Pseudonyms for this purpose, under a key that is derived from the first one.
    #[must_use]
    pub fn pseudonyms(&self, purpose: Purpose) -> Pseudonyms {
        Pseudonyms::new(&self.0[0].secret, purpose)
    }

    /// The ids of its keys; the first is that of the one that seals.
    #[must_use]
    pub fn key_ids(&self) -> Vec<KeyId> {
        self.0.iter().map(|key| key.id).collect()
    }

    /// What seals the record: derived from the key that seals.
    #[must_use]
    pub fn record_key(&self) -> &RecordKey {
        &self.0[0].record
    }

    /// What the record may have been sealed with, likewise from each key.
    pub fn record_keys(&self) -> impl Iterator<Item = RecordKey> {
        self.0.iter().map(|key| key.record.clone())
    }

    /// `plain`, readable again only by [`Self::open`] with the same key and `purpose`.
    #[must_use]
    pub fn seal(&self, random: &Random, purpose: &str, plain: &[u8]) -> Vec<u8> {
        let key = &self.0[0];
        let header = [&[VERSION][..], &key.id.0].concat();
        let nonce: [u8; NONCE_LENGTH] = random.bytes();
        let payload = Payload { msg: plain, aad: &[&header, purpose.as_bytes()].concat() };
        let ciphertext =
            key.cipher.encrypt(&XNonce::from(nonce), payload).expect("an in-memory value is far below the limit");
        [&header[..], &nonce, &ciphertext].concat()
    }

    /// What was sealed; `None` where the key or the purpose is another, or a byte has changed.
    #[must_use]
    pub fn open(&self, purpose: &str, sealed: &[u8]) -> Option<Vec<u8>> {
        let with_header = || {
            let id = KeyId::carried_by(sealed)?;
            let (header, rest) = sealed.split_at_checked(HEADER_LENGTH)?;
            let aad = [header, purpose.as_bytes()].concat();
            let is_old = header[0] == VERSION_BEFORE_0_2;
            self.0.iter().filter(|key| key.id == id).find_map(|key| {
                if is_old { open(&key.before_0_2(), &aad, rest) } else { open(&key.cipher, &aad, rest) }
            })
        };
        // What the first release sealed begins with its nonce, which can look like a header.
        with_header().or_else(|| self.0.iter().find_map(|key| open(&key.before_0_2(), purpose.as_bytes(), sealed)))
    }

    /// Whether the key that seals sealed this, as it does today.
    #[must_use]
    pub fn is_current(&self, sealed: &[u8]) -> bool {
        sealed.first() == Some(&VERSION) && KeyId::carried_by(sealed) == Some(self.0[0].id)
    }
}

impl Keys {
    fn of(secret: SecretKey) -> Self {
        let cipher = cipher(&secret.derive(Purpose::Sealing));
        Self { id: KeyId::of(&secret), cipher, record: RecordKey::derive(&secret), secret }
    }

    fn before_0_2(&self) -> XChaCha20Poly1305 {
        cipher(self.secret.before_0_2().sealing())
    }
}

fn cipher(key: &[u8; 32]) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(key.into())
}

fn open(cipher: &XChaCha20Poly1305, aad: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
    let (nonce, ciphertext) = sealed.split_at_checked(NONCE_LENGTH)?;
    let nonce: [u8; NONCE_LENGTH] = nonce.try_into().ok()?;
    cipher.decrypt(&XNonce::from(nonce), Payload { msg: ciphertext, aad }).ok()
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Sealer").field(&self.key_ids()).finish()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sealer(keys: &[&SecretString]) -> Sealer {
        let keys: Vec<_> = keys.iter().map(|key| key.expose_secret()).collect();
        Sealer::new(&keys.join(",").into()).expect("good keys")
    }

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
        for length in [0, 1, 8, 10, 40] {
            assert_eq!(sealer.open("mail", &sealed[..length]), None);
        }
    }

    #[test]
    fn the_first_key_seals_and_every_key_opens() {
        let random = Random::seeded(1);
        let (old, new) = (Sealer::new_key(&random), Sealer::new_key(&random));
        let (before, during, after) = (sealer(&[&old]), sealer(&[&new, &old]), sealer(&[&new]));
        let by_old = before.seal(&random, "mail", b"one");
        let by_new = during.seal(&random, "mail", b"two");
        assert_eq!(during.open("mail", &by_old).as_deref(), Some(&b"one"[..]));
        assert_eq!(after.open("mail", &by_new).as_deref(), Some(&b"two"[..]));
        assert_eq!((before.open("mail", &by_new), after.open("mail", &by_old)), (None, None));
        assert!(during.is_current(&by_new) && !during.is_current(&by_old));
        assert_eq!(KeyId::carried_by(&by_old), Some(before.key_ids()[0]));
        assert_ne!(before.key_ids(), after.key_ids());
    }

    #[test]
    fn what_the_first_release_sealed_opens_with_any_of_the_keys() {
        let random = Random::seeded(1);
        let old = Sealer::new_key(&random);
        let cipher =
            XChaCha20Poly1305::new_from_slice(&BASE64.decode(old.expose_secret().as_bytes()).unwrap()).unwrap();
        // Also where the nonce looks like the header of today.
        for first in [0, VERSION_BEFORE_0_2, VERSION] {
            let mut nonce: [u8; NONCE_LENGTH] = random.bytes();
            nonce[0] = first;
            let payload = Payload { msg: b"a letter", aad: b"mail" };
            let sealed = [&nonce[..], &cipher.encrypt(&XNonce::from(nonce), payload).unwrap()].concat();
            let today = sealer(&[&Sealer::new_key(&random), &old]);
            assert_eq!(today.open("mail", &sealed).as_deref(), Some(&b"a letter"[..]));
            assert_eq!(today.open("totp", &sealed), None);
            assert!(!today.is_current(&sealed));
        }
    }

    #[test]
    fn what_servers_before_0_2_sealed_opens_and_is_not_current() {
        let random = Random::seeded(1);
        let key = Sealer::new_key(&random);
        let bytes = BASE64.decode(key.expose_secret().as_bytes()).unwrap();
        let cipher = XChaCha20Poly1305::new_from_slice(&bytes).unwrap();
        let today = sealer(&[&Sealer::new_key(&random), &key]);
        let header = [&[1][..], &today.key_ids()[1].0].concat();
        let nonce: [u8; NONCE_LENGTH] = random.bytes();
        let payload = Payload { msg: b"a letter", aad: &[&header, &b"mail"[..]].concat() };
        let mut sealed = [&header[..], &nonce, &cipher.encrypt(&XNonce::from(nonce), payload).unwrap()].concat();
        assert_eq!(today.open("mail", &sealed).as_deref(), Some(&b"a letter"[..]));
        assert_eq!(today.open("totp", &sealed), None);
        assert_eq!(KeyId::carried_by(&sealed), Some(today.key_ids()[1]));
        assert!(!today.is_current(&sealed) && !sealer(&[&key]).is_current(&sealed));
        sealed[0] = VERSION;
        assert_eq!(today.open("mail", &sealed), None);
        // And what is sealed today opens for none of them.
        assert_eq!(open(&cipher, &[&header, &b"mail"[..]].concat(), &today.seal(&random, "mail", b"x")[9..]), None);
    }

    #[test]
    fn keys_may_stand_on_lines_of_their_own() {
        let random = Random::seeded(1);
        let (one, two) = (Sealer::new_key(&random), Sealer::new_key(&random));
        let lines = format!("{}\n{}\n", one.expose_secret(), two.expose_secret());
        assert_eq!(Sealer::new(&lines.into()).expect("two keys").key_ids(), sealer(&[&one, &two]).key_ids());
    }

    #[test]
    fn a_short_key_is_refused_without_being_shown() {
        let good = Sealer::new_key(&Random::seeded(1));
        for keys in ["c2hvcnQ=", &format!("{},c2hvcnQ=", good.expose_secret()), ""] {
            let refusal = Sealer::new(&SecretString::from(keys)).expect_err("too short").to_string();
            assert!(!refusal.contains("c2hvcnQ=") && !refusal.contains(good.expose_secret()));
        }
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
