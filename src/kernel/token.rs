//! Secrets that we hand out: tokens, client secrets; and what is kept of them.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq;

use super::random::Random;

/// The SHA-256 of a secret of at least 122 random bits: all that is kept of it.
///
/// Such a secret needs no slow hash: there is nothing to guess (OWASP, Session Management).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of what a caller sent.
    #[must_use]
    pub fn of(secret: &str) -> Self {
        Self(Sha256::digest(secret.as_bytes()).into())
    }

    /// The digest that the database kept; `None` where it is not 32 bytes.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// The 32 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Equality in a time that does not tell how many bytes agree.
    #[must_use]
    pub fn matches(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digest(…)")
    }
}

/// A bearer secret in the clear, on its way to or from its owner. Wiped when dropped, `…` in `Debug`.
#[derive(Clone)]
pub struct Token(SecretString);

impl Token {
    /// Letters and digits of an access or refresh token: 178 bits.
    pub const BEARER_LENGTH: usize = 30;
    /// Letters and digits of a client secret: 762 bits.
    pub const CLIENT_SECRET_LENGTH: usize = 128;
    /// Characters of a token that goes out by mail (reset, verification): a UUID in lower case with hyphens.
    pub const MAILED_LENGTH: usize = 36;

    /// A new access or refresh token.
    #[must_use]
    pub fn new_bearer(random: &Random) -> Self {
        Self(random.letters_and_digits(Self::BEARER_LENGTH).into())
    }

    /// A new client secret.
    #[must_use]
    pub fn new_client_secret(random: &Random) -> Self {
        Self(random.letters_and_digits(Self::CLIENT_SECRET_LENGTH).into())
    }

    /// A new token that goes out by mail, to reset a password or to verify an address: 122 bits.
    #[must_use]
    pub fn new_mailed(random: &Random) -> Self {
        Self(random.uuid().hyphenated().to_string().into())
    }

    /// What a caller sent as a token. Nothing is asked of its form: one that we never issued is simply not found.
    #[must_use]
    pub fn received(raw: &str) -> Self {
        Self(raw.into())
    }

    /// What is kept of it.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(self.0.expose_secret())
    }

    /// The token itself, for the one answer or mail that carries it.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// The public name of a client: 40 letters and digits. No secret.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ClientId(String);

impl ClientId {
    /// Letters and digits of a client id.
    pub const LENGTH: usize = 40;

    /// A new client's id.
    #[must_use]
    pub fn new(random: &Random) -> Self {
        Self(random.letters_and_digits(Self::LENGTH))
    }

    /// A client id as a caller sent it or the database kept it; `None` where it is not 40 letters and digits.
    #[must_use]
    pub fn parse(raw: &str) -> Option<Self> {
        (raw.len() == Self::LENGTH && raw.bytes().all(|b| b.is_ascii_alphanumeric())).then(|| Self(raw.to_owned()))
    }

    /// The id itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn new_secrets_have_the_seeds_forms() {
        let random = Random::seeded(1);
        assert_eq!(Token::new_bearer(&random).expose().len(), 30);
        assert_eq!(Token::new_client_secret(&random).expose().len(), 128);
        assert_eq!(Token::new_mailed(&random).expose().len(), 36);
        assert!(ClientId::parse(ClientId::new(&random).as_str()).is_some());
        assert_ne!(Token::new_bearer(&random).expose(), Token::new_bearer(&random).expose());
    }

    #[test]
    fn debug_output_shows_nothing() {
        let token = Token::received("a-secret-nobody-may-see");
        assert_eq!(format!("{token:?} {:?}", token.digest()), "Token(…) Digest(…)");
    }

    proptest! {
        #[test]
        fn a_client_id_is_40_letters_and_digits(raw in "[A-Za-z0-9]{38,42}|\\PC{0,60}|[a-z]{39}.") {
            let is_one = raw.chars().count() == 40 && raw.chars().all(|c| c.is_ascii_alphanumeric());
            prop_assert_eq!(ClientId::parse(&raw).map(|id| id.as_str().to_owned()), is_one.then_some(raw));
        }

        #[test]
        fn other_tokens_have_other_digests(one in any::<String>(), other in any::<String>()) {
            let (first, second) = (Token::received(&one).digest(), Token::received(&other).digest());
            prop_assert_eq!(first.matches(&second), one == other);
        }

        #[test]
        fn no_bytes_but_32_are_a_digest(bytes in proptest::collection::vec(any::<u8>(), 0..70)) {
            prop_assert_eq!(Digest::from_bytes(&bytes).is_some(), bytes.len() == 32);
        }
    }
}
