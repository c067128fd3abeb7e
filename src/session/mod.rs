//! Sessions: logging in opens one, its tokens belong to it, refreshing renews them, and every authenticated call asks
//! here whose token it carries.

pub mod api;
pub mod identity;
mod issue;
pub mod login;
pub mod refresh;
