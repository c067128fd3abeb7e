//! `getProfile`: what the caller told about themselves.

use crate::session::identity::Identity;
use crate::store::accounts::Profile;

/// The caller's profile. It came with the identity, so that reading it costs no database once the token was seen.
#[must_use]
pub fn get_profile(caller: &Identity) -> &Profile {
    &caller.profile
}
