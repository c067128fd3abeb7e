//! Queries, one file a table family. Each takes the connection or transaction to run on, and begins none itself.
//!
//! What is absent is no error: a look-up gives `Option`. A conditional update tells whether it hit.

pub mod accounts;
pub mod audit;
pub mod clients;
mod entity;
pub mod outbox;
pub mod password_resets;
pub mod sessions;
pub mod tokens;
pub mod usage;

use sea_orm::{DbErr, RuntimeErr};

/// The number of an account: the seed's `user_id`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AccountId(pub i64);

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
        match error {
            DbErr::ConnectionAcquire(_) | DbErr::Conn(_) => Self::Unavailable(error),
            DbErr::Exec(RuntimeErr::SqlxError(ref inner)) | DbErr::Query(RuntimeErr::SqlxError(ref inner))
                if is_passing(inner) =>
            {
                Self::Unavailable(error)
            }
            _ => Self::Broken(error),
        }
    }
}

/// Whether the same query may well succeed a little later.
fn is_passing(error: &sea_orm::SqlxError) -> bool {
    // The primary result code is the low byte of SQLite's extended one: BUSY, LOCKED, IOERR, FULL, CANTOPEN.
    const PASSING_SQLITE_CODES: [i32; 5] = [5, 6, 10, 13, 14];
    match error {
        sea_orm::SqlxError::Database(database) => database
            .code()
            .and_then(|code| code.parse::<i32>().ok())
            .is_some_and(|code| PASSING_SQLITE_CODES.contains(&(code & 0xff))),
        sea_orm::SqlxError::Io(_)
        | sea_orm::SqlxError::PoolTimedOut
        | sea_orm::SqlxError::PoolClosed
        | sea_orm::SqlxError::WorkerCrashed => true,
        _ => false,
    }
}

/// A row that no code of ours can have written.
fn corrupt(what: &str) -> StoreError {
    StoreError::Broken(DbErr::Custom(format!("the database holds a malformed {what}")))
}
