//! The API, operation by operation: each test is named for the rule that it holds.
//!
//! Tests call the whole server in process, through [`support::app::TestApp`]: a database of its own each, a clock that
//! the test moves, and a client that holds every answer against the OpenAPI document.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod account;
mod architecture;
mod audit;
mod authorisation;
mod documents;
mod email;
mod endurance;
mod held_rows;
mod housekeeping;
mod http;
mod lines;
mod log;
mod mail;
mod mail_odd_server;
mod mail_server;
mod metrics;
mod nodes;
mod password;
mod postgres;
mod profile;
mod secrets;
mod session;
mod spec;
mod support;
mod throttle;
mod usage;
mod walk;
