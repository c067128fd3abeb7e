//! The process: the built binary, its command line, its files, its start and its end.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod audit;
mod commands;
mod connections;
mod curl;
mod deployment;
mod files;
mod half_closed;
mod host;
mod jobs;
mod key;
mod log;
mod mail;
#[path = "../shared/mail_server.rs"]
mod mail_server;
mod memory;
mod old_data;
mod one_server;
mod outage;
#[path = "../shared/seed_walk.rs"]
mod seed_walk;
mod server;
mod settings;
mod settings_forms;
mod side_channels;
mod signals;
mod stopping;
mod unread;
mod walk;
mod walk_command;
