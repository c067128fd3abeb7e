//! Profiles: what people tell about themselves.

pub mod api;
pub mod get;
pub mod update;
