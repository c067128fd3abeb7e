//! What can go wrong in any rule through no doing of the caller's.

use std::error::Error;

use crate::store::StoreError;

/// A failure of ours, or of the moment. Every rule's error has a variant for it.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The queue in front of the password hasher is full.
    #[error("too many passwords are being checked at once")]
    Overloaded,
    /// The database did not do what it was asked.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Something that cannot happen did; why is for the log alone.
    #[error("{0}: {1}")]
    Internal(&'static str, #[source] Box<dyn Error + Send + Sync>),
}
