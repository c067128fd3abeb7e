//! Accounts: signing up.

pub mod api;
pub mod signup;
