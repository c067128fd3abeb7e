//! What tests are written with.

pub(crate) mod answer;
pub(crate) mod app;
pub(crate) mod caller;
pub(crate) mod contract;
pub(crate) mod log;
#[path = "../../shared/mail_server.rs"]
pub(crate) mod mail_server;
pub(crate) mod odd_mail_server;
pub(crate) mod people;
pub(crate) mod postgres;
#[path = "../../shared/postgres_server.rs"]
pub(crate) mod postgres_server;
pub(crate) mod relay;
pub(crate) mod schema;

pub(crate) use app::TestApp;
pub(crate) use people::{NEW_PASSWORD, PASSWORD, person};

/// `seconds` as a duration.
pub(crate) const fn seconds(seconds: u64) -> std::time::Duration {
    std::time::Duration::from_secs(seconds)
}

/// `hours` as a duration.
pub(crate) const fn hours(hours: u64) -> std::time::Duration {
    seconds(hours * 3600)
}

/// `days` as a duration.
pub(crate) const fn days(days: u64) -> std::time::Duration {
    hours(days * 24)
}
