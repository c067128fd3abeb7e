//! Mail: a row in the transaction that gives cause for it, written or sent by a worker afterwards.
//!
//! What the mails say is in `words.rs`, how they look in `templates/`.

pub mod admin;
mod message;
pub mod outbox;
mod smtp;
pub mod transport;
mod words;
pub mod worker;

use crate::kernel::clock::Timestamp;
use crate::kernel::device::Device;
use crate::kernel::email_address::EmailAddress;
use crate::kernel::token::Token;

/// The mails that there are.
///
/// None of them takes the name of its reader, or anything else that whoever signs up may choose: a stranger could have us
/// send words of theirs to an address that is not theirs.
#[derive(Clone, Copy, Debug)]
pub enum Mail<'a> {
    /// An account was made with this address.
    Welcome {
        /// Proves that they read its mail.
        token: &'a Token,
        /// Until then.
        expires_at: Timestamp,
    },
    /// Somebody gave this address as theirs, and asks for a token (again), or wants it in place of another.
    VerifyEmail {
        /// Proves that they read its mail.
        token: &'a Token,
        /// Until then.
        expires_at: Timestamp,
    },
    /// Somebody asked to set a new password.
    PasswordReset {
        /// Opens the change.
        token: &'a Token,
        /// Until then.
        expires_at: Timestamp,
    },
    /// The password was changed.
    PasswordChanged {
        /// When.
        at: Timestamp,
        /// Whether the account got a new client with it.
        has_new_client: bool,
    },
    /// Somebody logged in from where nobody did before.
    NewDevice {
        /// When.
        at: Timestamp,
        /// From which address.
        source: &'a str,
        /// What the device seems to be.
        device: Device,
    },
    /// More happened than the address is told of one by one.
    MoreHappened {
        /// When the first of it did.
        at: Timestamp,
    },
    /// A session was ended, because one of two holders of a refresh token stole it.
    SessionEnded {
        /// When.
        at: Timestamp,
    },
    /// A second factor came or went.
    SecondFactorChanged {
        /// When.
        at: Timestamp,
        /// What changed.
        change: SecondFactorChange,
    },
    /// The account's address shall be another one. For the address that it has.
    EmailChangeRequested {
        /// When that was asked for.
        at: Timestamp,
        /// The new address; all but its beginning and its domain is hidden from the reader.
        to: &'a EmailAddress,
    },
    /// The account's address is another one. For the old address and the new one.
    EmailChanged {
        /// When.
        at: Timestamp,
        /// The new address; all but its beginning and its domain is hidden from the reader.
        to: &'a EmailAddress,
    },
}

/// What may happen to a second factor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecondFactorChange {
    /// It is asked for at login from now on.
    Added,
    /// It is asked for no more.
    Removed,
    /// There are new recovery codes, and the old ones are void.
    RecoveryCodesRenewed,
}

impl Mail<'_> {
    /// What it is about, in one word: for the operator.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Welcome { .. } => "welcome",
            Self::VerifyEmail { .. } => "verify_email",
            Self::PasswordReset { .. } => "password_reset",
            Self::PasswordChanged { .. } => "password_changed",
            Self::NewDevice { .. } => "new_device",
            Self::MoreHappened { .. } => "more_happened",
            Self::SessionEnded { .. } => "session_ended",
            Self::SecondFactorChanged { .. } => "second_factor_changed",
            Self::EmailChangeRequested { .. } => "email_change_requested",
            Self::EmailChanged { .. } => "email_changed",
        }
    }

    /// When it is of no use any more.
    fn expires_at(&self) -> Option<Timestamp> {
        match self {
            Self::VerifyEmail { expires_at, .. } | Self::PasswordReset { expires_at, .. } => Some(*expires_at),
            // It says more than its token does, and is worth sending without.
            Self::Welcome { .. }
            | Self::PasswordChanged { .. }
            | Self::NewDevice { .. }
            | Self::MoreHappened { .. }
            | Self::SessionEnded { .. }
            | Self::SecondFactorChanged { .. }
            | Self::EmailChangeRequested { .. }
            | Self::EmailChanged { .. } => None,
        }
    }
}
