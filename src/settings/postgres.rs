//! How the server uses PostgreSQL.

use std::time::Duration;

use clap::Args;

/// What holds on PostgreSQL alone. SQLite has one writer, and its callers wait for that one in order.
#[derive(Args, Clone, Copy, Debug)]
pub struct PostgresSettings {
    /// How long a statement waits for a row that another transaction holds, on PostgreSQL; then the answer is 503
    #[arg(long, env = "DOCUMINES_LOCK_TIMEOUT", value_name = "DURATION", default_value = "2s",
          value_parser = super::parse::lock_timeout)]
    pub lock_timeout: Duration,

    /// How many connections to PostgreSQL requests share; a node uses three more beside these
    #[arg(long, env = "DOCUMINES_DATABASE_CONNECTIONS", value_name = "COUNT", default_value_t = 16,
          value_parser = clap::value_parser!(u32).range(4..=1_000))]
    pub database_connections: u32,
}
