//! E-mail addresses: proving that one is one's own, and changing it.
//!
//! A token that went to an address proves that whoever presents it reads its mail. It counts by POST alone: programs that
//! open the links of a mail before its reader does change nothing.

pub mod api;
pub mod change;
pub(crate) mod proof;
pub mod request_verification;
pub mod verify;
