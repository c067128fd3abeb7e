//! The record of what happened: who did what, on whom, when, from where, and how it ended.
//!
//! A success is a row in the transaction that it tells of ([`crate::store::audit::record`]). A refusal has no
//! transaction; it is noted in memory and written down within a second ([`refusals`]). Every half minute what is new is
//! sealed ([`seal`]), so that what is changed afterwards is found ([`verify`]).

pub mod activity;
pub mod api;
pub mod commands;
pub mod refusals;
pub mod seal;
pub mod verify;
