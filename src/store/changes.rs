//! Telling the other nodes what changed, in the transaction that changes it.

use sea_orm::ConnectionTrait;

use super::writes::Writes;
use super::{AccountId, StoreError};

/// The channel of PostgreSQL's NOTIFY on which nodes tell each other.
pub const CHANNEL: &str = "documines_auth";

/// Tells every node, once the transaction commits, to forget what it remembers of an account. On SQLite there is no
/// other node.
pub fn announce(writes: &mut Writes, account: AccountId) {
    notify(writes, account.0.to_string());
}

/// Tells every node `payload` at once.
pub async fn send(db: &impl ConnectionTrait, payload: String) -> Result<(), StoreError> {
    let mut writes = Writes::to(db);
    notify(&mut writes, payload);
    writes.run(db).await
}

/// Sends `payload` when the transaction commits, or at once outside of one.
fn notify(writes: &mut Writes, payload: String) {
    writes.add_on_postgres("SELECT pg_notify($1, $2)", [CHANNEL.into(), payload.into()]);
}
