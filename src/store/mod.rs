//! Queries, one file a table family. Each takes the connection or transaction to run on, and begins none itself. What
//! gives nothing back takes the [`writes::Writes`] that it goes with instead.
//!
//! What is absent is no error: a look-up gives `Option`. A conditional update tells whether it hit.

pub mod accounts;
pub mod audit;
pub mod changes;
pub mod claims;
pub mod clients;
pub mod email_verifications;
mod entity;
pub mod expired;
pub mod holders;
pub mod outbox;
pub mod password_resets;
pub mod profile_changes;
pub mod sealed;
pub mod seals;
pub mod secret_key;
pub mod sessions;
pub mod throttles;
pub mod tokens;
pub mod usage;
pub mod writes;

use sea_orm::sqlx::sqlite::SqliteError;
use sea_orm::{ConnectionTrait, DbErr, RuntimeErr, SqlxError};

use crate::kernel::token::Digest;

/// The number of an account: the seed's `user_id`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountId(pub i64);

impl AccountId {
    /// No account has this number: for what is done for strangers as it is for account holders.
    pub const NOBODY: Self = Self(0);
}

/// A row that many callers may want to lock at once. Callers take their turns in this order: first at rows that few callers
/// share, so that a caller who waits for one of these does not hold up those who want the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LockedRow {
    /// A counter of an account or an e-mail address.
    Counter(Digest),
    /// An account.
    Account(AccountId),
    /// A counter of a source, which may call for many accounts.
    SourceCounter(Digest),
}

/// A transaction that named the rows which it locks before it began: see [`crate::app::App::begin_locking`]. Queries that
/// lock want one.
pub trait Locking: ConnectionTrait {
    /// Whether it named that account.
    fn may_lock_account(&self, id: AccountId) -> bool;

    /// Whether it named that counter; one that belongs to an account may go unnamed where that account was named.
    fn may_lock_counter(&self, key: &Digest) -> bool;
}

/// The number of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SessionId(pub i64);

/// Why a query did not run.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database could not be reached, is locked, or has no room: worth trying again later.
    #[error("the database is unavailable: {0}")]
    Unavailable(#[source] DbErr),
    /// The query or what it found is wrong: a mistake of ours.
    #[error("the database refused a query: {0}")]
    Broken(#[source] DbErr),
}

impl From<DbErr> for StoreError {
    fn from(error: DbErr) -> Self {
        let is_passing = match &error {
            DbErr::ConnectionAcquire(_) | DbErr::Conn(_) => true,
            DbErr::Exec(RuntimeErr::SqlxError(inner)) | DbErr::Query(RuntimeErr::SqlxError(inner)) => is_passing(inner),
            _ => false,
        };
        if is_passing { Self::Unavailable(error) } else { Self::Broken(error) }
    }
}

impl From<SqlxError> for StoreError {
    fn from(error: SqlxError) -> Self {
        DbErr::Query(RuntimeErr::SqlxError(error.into())).into()
    }
}

/// Whether the same query may well succeed a little later.
fn is_passing(error: &SqlxError) -> bool {
    match error {
        SqlxError::Database(database) => database.code().is_some_and(|code| match code.parse::<i32>() {
            // SQLite. The primary result code is the low byte: BUSY, LOCKED, IOERR, FULL, CANTOPEN.
            Ok(code) if database.try_downcast_ref::<SqliteError>().is_some() => {
                [5, 6, 10, 13, 14].contains(&(code & 0xff))
            }
            // PostgreSQL: no connection, rolled back for another's sake, no resources, stopped or starting, a standby; a
            // row that was not free in time, a statement or a transaction that took too long.
            _ => ["08", "40", "53", "57P", "25006", "55P03", "57014", "25P03"]
                .iter()
                .any(|class| code.starts_with(class)),
        }),
        SqlxError::Io(_)
        | SqlxError::Tls(_)
        | SqlxError::Protocol(_)
        | SqlxError::PoolTimedOut
        | SqlxError::PoolClosed
        | SqlxError::WorkerCrashed => true,
        _ => false,
    }
}

/// A row that no code of ours can have written.
fn corrupt(what: &str) -> StoreError {
    StoreError::Broken(DbErr::Custom(format!("the database holds a malformed {what}")))
}
