//! Removing what has expired, a little at a time.

use sea_orm::sea_query::{Query, SelectStatement, SimpleExpr};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter};

use super::StoreError;
use super::entity::{access_token, password_reset, session};
use crate::kernel::clock::Timestamp;

/// Removes at most `limit` of each: access tokens and resets that expired before `now`, sessions that expired before
/// `now` or were ended before `forgotten`, with their tokens. Returns how many rows that were looked for went.
///
/// A spent refresh token stays as long as its session: it is what a theft is noticed by.
pub async fn remove(
    db: &impl ConnectionTrait,
    now: Timestamp,
    forgotten: Timestamp,
    limit: u64,
) -> Result<u64, StoreError> {
    let (now, forgotten) = (now.as_micros(), forgotten.as_micros());
    let some = |table, key, which: SimpleExpr| -> SelectStatement {
        Query::select().column(key).from(table).and_where(which).limit(limit).to_owned()
    };
    let old = some("access_tokens", "digest", access_token::Column::ExpiresAt.lt(now));
    let tokens = access_token::Entity::delete_many().filter(access_token::Column::Digest.in_subquery(old));
    let old = some("password_resets", "digest", password_reset::Column::ExpiresAt.lt(now));
    let resets = password_reset::Entity::delete_many().filter(password_reset::Column::Digest.in_subquery(old));
    let old = some("sessions", "id", session::Column::ExpiresAt.lt(now));
    let sessions = session::Entity::delete_many().filter(session::Column::Id.in_subquery(old));
    let old = some("sessions", "id", session::Column::EndedAt.lt(forgotten));
    let ended = session::Entity::delete_many().filter(session::Column::Id.in_subquery(old));
    let mut removed = tokens.exec(db).await?.rows_affected;
    removed += resets.exec(db).await?.rows_affected;
    removed += sessions.exec(db).await?.rows_affected;
    removed += ended.exec(db).await?.rows_affected;
    Ok(removed)
}
