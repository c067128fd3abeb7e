//! Telling the other nodes what changed, in the transaction that changes it.

use sea_orm::{ConnectionTrait, DbBackend, Statement};

use super::{AccountId, StoreError};

/// The channel of PostgreSQL's NOTIFY on which nodes tell each other.
pub const CHANNEL: &str = "documines_auth";

/// Tells every node, once the transaction commits, to forget what it remembers of an account. On SQLite there is no
/// other node.
pub async fn announce(db: &impl ConnectionTrait, account: AccountId) -> Result<(), StoreError> {
    notify(db, account.0.to_string()).await
}

/// Sends `payload` on the channel when the transaction commits, or at once outside of one.
pub async fn notify(db: &impl ConnectionTrait, payload: String) -> Result<(), StoreError> {
    if db.get_database_backend() == DbBackend::Postgres {
        let values = [CHANNEL.into(), payload.into()];
        db.execute_raw(Statement::from_sql_and_values(DbBackend::Postgres, "SELECT pg_notify($1, $2)", values)).await?;
    }
    Ok(())
}
