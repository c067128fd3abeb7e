//! What sessions did: calls, activity, time logged in.

use std::collections::HashSet;

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

/// Locks the accounts and sessions of `usages` that no other transaction holds, until this one ends. Returns those usages
/// whose account and session are free, and those of which another transaction holds one. On SQLite all are free, for the
/// transaction is the only one that writes; so is what was removed, which no statement meets.
pub async fn lock_free(db: &impl ConnectionTrait, usages: &[Usage]) -> Result<(Vec<Usage>, Vec<Usage>), StoreError> {
    if db.get_database_backend() != DbBackend::Postgres {
        return Ok((usages.to_vec(), Vec::new()));
    }
    let accounts = held(db, "accounts", "account", usages, |usage| usage.account.0).await?;
    let (mut held_ones, free): (Vec<Usage>, _) =
        usages.iter().cloned().partition(|usage| accounts.contains(&usage.account.0));
    let sessions = held(db, "sessions", "session", &free, |usage| usage.session.0).await?;
    let (more, free): (Vec<Usage>, _) = free.into_iter().partition(|usage| sessions.contains(&usage.session.0));
    held_ones.extend(more);
    Ok((free, held_ones))
}

/// Locks the rows of that table that no other transaction holds, and returns the others' ids.
async fn held(
    db: &impl ConnectionTrait,
    table: &str,
    column: &str,
    usages: &[Usage],
    id: impl Fn(&Usage) -> i64,
) -> Result<HashSet<i64>, StoreError> {
    let wanted: HashSet<i64> = usages.iter().map(id).collect();
    let find = format!("SELECT id FROM {table} WHERE id IN (SELECT used.{column} FROM {ROWS_ON_POSTGRES})");
    let lock = format!("{find} ORDER BY id FOR NO KEY UPDATE SKIP LOCKED");
    let locked = ids(db, &lock, usages).await?;
    if locked.len() == wanted.len() {
        return Ok(HashSet::new());
    }
    Ok(ids(db, &find, usages).await?.difference(&locked).copied().collect())
}

async fn ids(db: &impl ConnectionTrait, sql: &str, usages: &[Usage]) -> Result<HashSet<i64>, StoreError> {
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
    // To the hour, which spares a write each second. A client of the platform's belongs to no account that is locked.
    let clients = format!(
        "UPDATE clients SET last_used_at = latest.used_at \
         FROM (SELECT sessions.client_id, max(used.used_at) AS used_at \
         FROM {used} JOIN sessions ON sessions.id = used.session GROUP BY sessions.client_id) AS latest \
         WHERE clients.client_id = latest.client_id AND clients.account_id IS NOT NULL \
         AND (clients.last_used_at IS NULL OR clients.last_used_at < latest.used_at - 3600000000)"
    );
    db.execute_raw(statement(db, &clients, usages)).await?;
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
