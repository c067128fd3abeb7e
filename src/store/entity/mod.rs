//! The tables, as sea-orm sees them. They stay inside [`crate::store`], which hands out plain structs.
#![expect(unreachable_pub, reason = "sea-orm's derives want their rows pub")]

pub(super) mod access_token;
pub(super) mod account;
pub(super) mod audit_event;
pub(super) mod audit_seal;
pub(super) mod client;
pub(super) mod email_verification;
pub(super) mod outbox;
pub(super) mod password_reset;
pub(super) mod refresh_token;
pub(super) mod secret_key_check;
pub(super) mod session;
pub(super) mod throttle;
