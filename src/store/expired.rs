//! Removing what has expired, a little at a time.

use sea_orm::sea_query::{Expr, ExprTrait, LockBehavior, LockType, Order, Query, SelectStatement, SimpleExpr};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter};

use super::StoreError;
use super::entity::{access_token, email_verification, outbox, password_reset, refresh_token, session, throttle};
use crate::kernel::clock::Timestamp;

/// Removes at most `limit` of each: access tokens, resets, verifications and counters that expired before `now`, sessions
/// that expired before `now` or were ended before `forgotten`, with their tokens, mail that was given up before
/// `undeliverable`. Returns how many rows went.
///
/// A spent refresh token stays as long as its session, however many there are: it is what a theft is noticed by. Were
/// but the last few kept, a thief would exchange theirs often enough to push out the one that its owner still holds,
/// and the owner's next call would be refused as unknown instead of ending the thief's session.
pub async fn remove(
    db: &impl ConnectionTrait,
    now: Timestamp,
    forgotten: Timestamp,
    undeliverable: Timestamp,
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
    let mut removed = tokens.exec(db).await?.rows_affected + resets.exec(db).await?.rows_affected;
    let old = some("email_verifications", "digest", email_verification::Column::ExpiresAt.lt(now));
    let proofs = email_verification::Entity::delete_many().filter(email_verification::Column::Digest.in_subquery(old));
    removed += proofs.exec(db).await?.rows_affected;

    for (column, before) in [(session::Column::ExpiresAt, now), (session::Column::EndedAt, forgotten)] {
        // In the order of an index, so that both statements mean the same sessions.
        let old = || some("sessions", "id", column.lt(before)).order_by(column, Order::Asc).to_owned();
        // Its tokens first: a session that was refreshed ten thousand times would take them all along at once.
        let tokens = some("refresh_tokens", "digest", Expr::col("session_id").in_subquery(old()));
        let tokens = refresh_token::Entity::delete_many().filter(refresh_token::Column::Digest.in_subquery(tokens));
        let gone = tokens.exec(db).await?.rows_affected;
        removed += gone;
        if gone < limit {
            let sessions = session::Entity::delete_many().filter(session::Column::Id.in_subquery(old()));
            removed += sessions.exec(db).await?.rows_affected;
        }
    }
    let old = some("outbox", "id", outbox::Column::GivenUpAt.lt(undeliverable.as_micros()));
    let mails = outbox::Entity::delete_many().filter(outbox::Column::Id.in_subquery(old));
    removed += mails.exec(db).await?.rows_affected;

    let quiet = Query::select()
        .column(throttle::Column::Digest)
        .from(throttle::Entity)
        .and_where(throttle::Column::ExpiresAt.lt(now))
        .limit(limit)
        // Last, and past those that somebody holds: so nobody waits for somebody who waits for them.
        .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
        .to_owned();
    let quiet = throttle::Entity::delete_many().filter(throttle::Column::Digest.in_subquery(quiet));
    removed += quiet.exec(db).await?.rows_affected;
    Ok(removed)
}
