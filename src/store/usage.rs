//! What sessions did: calls, activity, time logged in.

use sea_orm::{ConnectionTrait, DbBackend, Statement};
use serde::Serialize;

use super::writes::Writes;
use super::{AccountId, SessionId, StoreError, tokens};
use crate::kernel::clock::Timestamp;
use crate::kernel::token::Digest;

/// What one session did since the last time it was written down.
#[derive(Clone, Debug)]
pub struct Usage {
    /// Whose session.
    pub account: AccountId,
    /// Which one.
    pub session: SessionId,
    /// Calls it made.
    pub calls: i64,
    /// When it made the last of them.
    pub last_activity_at: Timestamp,
    /// Refresh tokens of whose pairs it was the first to use one.
    pub used_first: Vec<Digest>,
}

/// A usage as the statements below read it.
#[derive(Serialize)]
struct Row {
    account: i64,
    session: i64,
    calls: i64,
    used_at: i64,
}

/// One JSON array, whatever it holds: a statement of one form, which connections remember once.
const ROWS_ON_POSTGRES: &str =
    "json_to_recordset($1::json) AS used(account bigint, session bigint, calls bigint, used_at bigint)";
const ROWS_ON_SQLITE: &str = "(SELECT json_extract(value, '$.account') AS account, \
     json_extract(value, '$.session') AS session, json_extract(value, '$.calls') AS calls, \
     json_extract(value, '$.used_at') AS used_at FROM json_each($1)) AS used";

/// Locks the accounts of `usages` that no other transaction holds, until this one ends, and says which accounts are held.
/// On SQLite none is, for the transaction is the only one that writes. What a removed account did is nobody's business.
pub async fn lock_free(db: &impl ConnectionTrait, usages: &[Usage]) -> Result<Vec<AccountId>, StoreError> {
    if db.get_database_backend() != DbBackend::Postgres {
        return Ok(Vec::new());
    }
    let accounts = "SELECT accounts.id FROM accounts WHERE accounts.id IN (SELECT used.account FROM";
    let lock = format!("{accounts} {ROWS_ON_POSTGRES}) ORDER BY accounts.id FOR NO KEY UPDATE OF accounts SKIP LOCKED");
    let locked = ids(db, &lock, usages).await?;
    let mut wanted: Vec<i64> = usages.iter().map(|usage| usage.account.0).collect();
    wanted.sort_unstable();
    wanted.dedup();
    if locked.len() == wanted.len() {
        return Ok(Vec::new());
    }
    let mut held = ids(db, &format!("{accounts} {ROWS_ON_POSTGRES})"), usages).await?;
    held.retain(|id| !locked.contains(id));
    Ok(held.into_iter().map(AccountId).collect())
}

async fn ids(db: &impl ConnectionTrait, sql: &str, usages: &[Usage]) -> Result<Vec<i64>, StoreError> {
    let rows = db.query_all_raw(statement(db, sql, usages)).await?;
    Ok(rows.iter().map(|row| row.try_get("", "id")).collect::<Result<_, _>>()?)
}

/// Adds `usages` to the sessions and their accounts, each account once. The time logged in grows by what passed since a
/// session's last call; not where the session was removed meanwhile. The accounts are locked already: so the statements
/// see what another node wrote just before.
pub async fn add(db: &impl ConnectionTrait, usages: &[Usage]) -> Result<(), StoreError> {
    let used = match db.get_database_backend() {
        DbBackend::Postgres => ROWS_ON_POSTGRES,
        _ => ROWS_ON_SQLITE,
    };
    let accounts = format!(
        "UPDATE accounts SET api_calls = accounts.api_calls + summed.calls, \
         last_activity_at = CASE WHEN accounts.last_activity_at > summed.used_at THEN accounts.last_activity_at \
         ELSE summed.used_at END, \
         logged_in_micros = accounts.logged_in_micros + summed.passed \
         FROM (SELECT used.account, CAST(sum(used.calls) AS bigint) AS calls, max(used.used_at) AS used_at, \
         CAST(sum(CASE WHEN used.used_at > sessions.last_activity_at THEN used.used_at - sessions.last_activity_at \
         ELSE 0 END) AS bigint) AS passed \
         FROM {used} LEFT JOIN sessions ON sessions.id = used.session GROUP BY used.account) AS summed \
         WHERE accounts.id = summed.account"
    );
    db.execute_raw(statement(db, &accounts, usages)).await?;
    let sessions = format!(
        "UPDATE sessions SET last_activity_at = used.used_at FROM {used} \
         WHERE sessions.id = used.session AND sessions.last_activity_at < used.used_at"
    );
    db.execute_raw(statement(db, &sessions, usages)).await?;
    let mut writes = Writes::to(db);
    usages.iter().flat_map(|usage| &usage.used_first).for_each(|exchanged| tokens::note_use(&mut writes, exchanged));
    writes.run(db).await
}

fn statement(db: &impl ConnectionTrait, sql: &str, usages: &[Usage]) -> Statement {
    let row = |usage: &Usage| Row {
        account: usage.account.0,
        session: usage.session.0,
        calls: usage.calls,
        used_at: usage.last_activity_at.as_micros(),
    };
    let rows = serde_json::json!(usages.iter().map(row).collect::<Vec<_>>()).to_string();
    Statement::from_sql_and_values(db.get_database_backend(), sql, [rows.into()])
}
