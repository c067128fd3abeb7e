//! Mail: a row in the transaction that gives cause for it, written or sent by a worker afterwards.

mod message;
pub mod outbox;
pub mod worker;

use crate::kernel::clock::Timestamp;
use crate::kernel::token::Token;

/// The mails that there are.
#[derive(Debug)]
pub enum Mail<'a> {
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
    },
}
