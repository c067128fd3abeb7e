//! The server's secret key, and the keys that are made of it: one for each purpose.

use std::fmt;

use data_encoding::BASE64;
use hkdf::Hkdf;
use secrecy::zeroize::Zeroizing;
use sha2::Sha256;

/// What a key is made for. No two purposes have the same words, so no key has two uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Sealing what must be read back.
    Sealing,
    /// Digests of whom limits count.
    Throttle,
    /// Seals over the record.
    Record,
    /// What tells keys of the record apart.
    RecordId,
}

impl Purpose {
    /// The derivation's `info`. What was made with a key is lost with its words: they never change, new ones are added.
    const fn info(self) -> &'static str {
        match self {
            Self::Sealing => "documines-auth sealed values 2",
            Self::Throttle => "documines-auth throttle 2",
            Self::Record => "documines-auth audit seal 1",
            Self::RecordId => "documines-auth audit seal key id 1",
        }
    }
}

/// A secret key: 32 random bytes, from which every other key is derived and which nothing else is done with. It and what is
/// derived from it are wiped when dropped.
#[derive(Clone)]
pub struct SecretKey(Zeroizing<[u8; 32]>);

impl SecretKey {
    /// These 32 bytes.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// From base64 (44 characters).
    #[must_use]
    pub fn from_base64(word: &str) -> Option<Self> {
        let bytes = Zeroizing::new(BASE64.decode(word.as_bytes()).ok()?);
        let mut key = Zeroizing::new([0; 32]);
        (bytes.len() == key.len()).then(|| key.copy_from_slice(&bytes))?;
        Some(Self(key))
    }

    /// Bytes for one purpose: HKDF-SHA-256 (RFC 5869) without a salt, for the key is random already.
    #[must_use]
    pub fn derive<const N: usize>(&self, purpose: Purpose) -> Zeroizing<[u8; N]> {
        let mut derived = Zeroizing::new([0; N]);
        let derivation = Hkdf::<Sha256>::new(None, self.0.as_slice());
        derivation.expand(purpose.info().as_bytes(), derived.as_mut_slice()).expect("N is within HKDF's reach");
        derived
    }

    /// The key as servers before 0.2.0 used it.
    #[must_use]
    pub fn before_0_2(&self) -> Before02<'_> {
        Before02(self)
    }
}

/// What servers before 0.2.0 did with a secret key, beside deriving the record's: they sealed with the key itself, and named
/// it by a hash of it. The one is needed until no value of theirs is left (`key rotate` seals all anew); the other goes on,
/// for it tells nothing of the key and stands in each value.
#[derive(Clone, Copy)]
pub struct Before02<'a>(&'a SecretKey);

impl Before02<'_> {
    /// The key that they sealed with.
    #[must_use]
    pub fn sealing(&self) -> &[u8; 32] {
        &self.0.0
    }

    /// What they hashed for the key's id.
    #[must_use]
    pub fn named(&self) -> &[u8; 32] {
        &self.0.0
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(…)")
    }
}

impl fmt::Debug for Before02<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Before02(…)")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use chacha20poly1305::XChaCha20Poly1305;
    use data_encoding::HEXLOWER;
    use secrecy::zeroize::ZeroizeOnDrop;

    use super::*;

    const ALL: [Purpose; 4] = [Purpose::Sealing, Purpose::Throttle, Purpose::Record, Purpose::RecordId];

    #[test]
    fn each_purpose_has_a_key_of_its_own_and_none_is_the_secret_key() {
        let key = SecretKey::new([7; 32]);
        let keys: HashSet<[u8; 32]> = ALL.iter().map(|purpose| *key.derive(*purpose)).chain([[7; 32]]).collect();
        assert_eq!(keys.len(), ALL.len() + 1);
        let other = SecretKey::new([8; 32]);
        assert!(ALL.iter().all(|purpose| !keys.contains(&*other.derive(*purpose))));
    }

    #[test]
    fn keys_and_what_is_made_of_them_are_wiped_when_dropped() {
        fn is_wiped<T: ZeroizeOnDrop>() {}
        is_wiped::<Zeroizing<[u8; 32]>>();
        is_wiped::<XChaCha20Poly1305>();
        // HMAC keeps states of it alone.
        is_wiped::<Sha256>();
    }

    #[test]
    fn the_derivations_stay_what_they_are() {
        // What is sealed and counted hangs on them.
        let key = SecretKey::new([0; 32]);
        let starts = ALL.map(|purpose| HEXLOWER.encode(key.derive::<4>(purpose).as_slice()));
        assert_eq!(starts, ["166a0230", "879f85c8", "cfd9ffcd", "8a486b93"]);
    }

    #[test]
    fn a_key_is_32_bytes_in_base64() {
        let word = BASE64.encode(&[7; 32]);
        let key = SecretKey::from_base64(&word).unwrap();
        assert_eq!(key.before_0_2().sealing(), &[7; 32]);
        for bad in ["", "c2hvcnQ=", &BASE64.encode(&[7; 31]), &BASE64.encode(&[7; 33]), &format!("{word} ")] {
            assert!(SecretKey::from_base64(bad).is_none(), "{bad}");
        }
        assert_eq!(format!("{key:?} {:?}", key.before_0_2()), "SecretKey(…) Before02(…)");
    }
}
