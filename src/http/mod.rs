//! What all operations share on the wire: bodies, callers, errors, headers, the spec and its pages.

mod access;
pub mod body;
pub mod caller;
mod cors;
pub mod envelope;
mod error_log;
mod forwarded;
mod health;
pub(crate) mod host;
mod json_object;
pub mod local;
mod origin;
mod pace;
pub(crate) mod pages;
pub mod problem;
pub mod query;
mod rate_limit;
pub mod request_id;
pub mod routes;
mod schema;
pub mod spec;
mod strict_json;
