//! The key that seals the record of what happened, and what it makes of bytes.

use std::fmt;

use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::keys::{Purpose, SecretKey};

/// HMAC-SHA-256 under a key that is derived from the server's secret key.
#[derive(Clone)]
pub struct RecordKey {
    id: String,
    mac: Hmac<Sha256>,
}

impl RecordKey {
    /// From a secret key.
    #[must_use]
    pub fn derive(secret_key: &SecretKey) -> Self {
        let key = secret_key.derive::<32>(Purpose::Record);
        let mac = Hmac::new_from_slice(key.as_slice()).expect("HMAC takes a key of any length");
        Self { id: HEXLOWER.encode(secret_key.derive::<4>(Purpose::RecordId).as_slice()), mac }
    }

    /// What tells it from other keys, and nothing else: 8 hexadecimal digits.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The HMAC of `message`.
    #[must_use]
    pub fn mac(&self, message: &Message) -> [u8; 32] {
        let mut mac = self.mac.clone();
        mac.update(&message.0);
        mac.finalize().into_bytes().into()
    }

    /// Whether `mac` is the HMAC of `message`; in a time that does not tell how much of it is.
    #[must_use]
    pub fn accepts(&self, message: &Message, mac: &[u8]) -> bool {
        self.mac(message).ct_eq(mac).into()
    }
}

impl fmt::Debug for RecordKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RecordKey({}, …)", self.id)
    }
}

/// Fields one after the other, each in a form that tells where it ends: no two lists of fields make the same bytes.
#[derive(Clone, Debug, Default)]
pub struct Message(Vec<u8>);

impl Message {
    /// Adds a number: 8 bytes, the highest first.
    #[must_use]
    pub fn number(mut self, number: i64) -> Self {
        self.0.extend(number.to_be_bytes());
        self
    }

    /// Adds a number or its absence.
    #[must_use]
    pub fn maybe_number(self, number: Option<i64>) -> Self {
        match number {
            Some(number) => self.tag(1).number(number),
            None => self.tag(0),
        }
    }

    /// Adds bytes: how many, then themselves.
    #[must_use]
    pub fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.extend((bytes.len() as u64).to_be_bytes());
        self.0.extend(bytes);
        self
    }

    /// Adds a text or its absence.
    #[must_use]
    pub fn maybe_text(self, text: Option<&str>) -> Self {
        match text {
            Some(text) => self.tag(1).bytes(text.as_bytes()),
            None => self.tag(0),
        }
    }

    /// Its SHA-256.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        Sha256::digest(&self.0).into()
    }

    fn tag(mut self, tag: u8) -> Self {
        self.0.push(tag);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::random::Random;

    #[test]
    fn a_mac_holds_under_its_own_key_and_message_alone() {
        let random = Random::seeded(1);
        let [key, other] = [(); 2].map(|()| RecordKey::derive(&SecretKey::new(random.bytes())));
        let message = Message::default().number(7).maybe_text(Some("logged_in"));
        let mac = key.mac(&message);
        assert!(key.accepts(&message, &mac));
        assert!(!other.accepts(&message, &mac));
        assert!(!key.accepts(&message.clone().number(0), &mac));
        assert!(!key.accepts(&message, &mac[..31]) && !key.accepts(&message, &[]));
        assert_ne!(key.id(), other.id());
    }

    #[test]
    fn the_derivation_stays_what_it_is() {
        // Seals of years ago hang on it.
        let key = RecordKey::derive(&SecretKey::new([0; 32]));
        assert_eq!(key.id(), "8a486b93");
        assert_eq!(
            HEXLOWER.encode(&key.mac(&Message::default())),
            "ce06e394f7783c89b86bcdd3b3adaa562ca6bb80088f1087204c39ce4870d8d3"
        );
    }

    #[test]
    fn fields_do_not_run_into_each_other() {
        let texts = |one, other| Message::default().maybe_text(one).maybe_text(other).digest();
        assert_ne!(texts(Some("ab"), Some("c")), texts(Some("a"), Some("bc")));
        assert_ne!(texts(None, Some("a")), texts(Some("a"), None));
        assert_ne!(texts(None, None), texts(Some(""), None));
        assert_ne!(Message::default().maybe_number(Some(0)).digest(), Message::default().maybe_number(None).digest());
    }

    #[test]
    fn debug_output_shows_the_id_alone() {
        let key = RecordKey::derive(&SecretKey::new([1; 32]));
        assert_eq!(format!("{key:?}"), format!("RecordKey({}, …)", key.id()));
    }
}
