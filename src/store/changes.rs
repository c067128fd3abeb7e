//! Telling the other nodes what changed, in the transaction that changes it.

use super::AccountId;
use super::writes::Writes;

/// The channel of PostgreSQL's NOTIFY on which nodes tell each other.
pub const CHANNEL: &str = "documines_auth";

/// What tells every node the second parameter on the channel that is the first: when the transaction commits, or at once
/// outside of one.
pub const NOTIFY: &str = "SELECT pg_notify($1, $2)";

/// Tells every node, once the transaction commits, to forget what it remembers of an account. On SQLite there is no
/// other node.
pub fn announce(writes: &mut Writes, account: AccountId) {
    writes.add_on_postgres(NOTIFY, [CHANNEL.into(), account.0.to_string().into()]);
}
