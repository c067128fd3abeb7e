//! Value types that know nothing of ours: what an e-mail address is, what a token is, what time it is.
//!
//! Everything here can be built only from something valid ("parse, don't validate"): a rule that takes an
//! [`EmailAddress`](email_address::EmailAddress) never has to ask whether it is one.

pub mod clock;
pub mod device;
pub mod email_address;
pub mod host;
pub mod keys;
pub mod optional;
pub mod origin;
pub mod page;
pub mod page_origin;
pub mod password;
pub mod phone_number;
pub mod preferences;
pub mod pseudonym;
pub mod public_url;
pub mod random;
pub mod rate_limit;
pub mod record_key;
pub mod seal;
pub mod text;
pub mod token;
pub mod username;

use std::borrow::Cow;

/// Why a value was refused: one sentence for the caller, never with the value itself in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Invalid(Cow<'static, str>);

impl Invalid {
    /// A refusal that says `why`, as the end of a sentence that begins with the member's name.
    pub fn because(why: impl Into<Cow<'static, str>>) -> Self {
        Self(why.into())
    }
}
