//! Passwords: hashing them, and setting a new one when the old one is lost.

pub mod api;
pub mod hasher;
pub mod queue;
pub mod request_reset;
pub mod reset;
mod work;
