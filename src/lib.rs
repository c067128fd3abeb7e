//! The AI DocuMines accounts server: it signs people up, logs them in, keeps their profile and credentials.
//!
//! # The map
//!
//! An operation is found by its name, and read top to bottom in three files, always in this direction:
//!
//! | | file | for `resetPassword` |
//! |---|---|---|
//! | the wire | `<capability>/api.rs` | `src/password/api.rs` |
//! | the rule, with its transaction | `<capability>/<operation>.rs` | `src/password/reset.rs` |
//! | the query | `store/<table>.rs` | `src/store/password_resets.rs` |
//!
//! Capabilities: [`account`] (signing up), [`session`] (login, refresh, whose token is that), [`profile`], [`password`],
//! [`email`] (verifying and changing the address), [`audit`] (the record of what happened).
//!
//! Below them: [`kernel`] has the value types (what an e-mail address is) and names nothing else of ours; [`store`] has
//! the queries; [`mail`] the outbox; [`http`] what all operations share on the wire. [`app`] is everything a rule may
//! need, [`settings`] what an operator can say, [`server`] puts it on the network; [`walk`] is a client that tries it out.
//!
//! [`throttle`] is how often a stranger may try.
//!
//! `docs/architecture.md` says why it is so.

pub mod account;
pub mod app;
pub mod audit;
pub mod background;
pub mod changes;
pub mod command_error;
mod connections;
pub mod database;
pub mod email;
pub mod fault;
pub mod housekeeping;
pub mod http;
mod journal;
pub mod kernel;
mod listener_stream;
pub mod logging;
pub mod mail;
pub mod metrics;
pub mod output;
pub mod password;
pub mod profile;
pub mod secret_key;
pub mod server;
pub mod session;
pub mod settings;
pub mod signals;
mod sqlite;
pub mod store;
pub mod throttle;
pub mod transaction;
pub mod usage;
pub mod walk;
