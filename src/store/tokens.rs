//! Access and refresh tokens, kept as digests.

use sea_orm::ActiveValue::Set;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter};

use super::entity::{access_token, refresh_token};
use super::{SessionId, StoreError};
use crate::kernel::clock::Timestamp;
use crate::kernel::token::Digest;

/// Keeps an access token.
pub async fn insert_access(
    db: &impl ConnectionTrait,
    digest: &Digest,
    session: SessionId,
    now: Timestamp,
    expires_at: Timestamp,
) -> Result<(), StoreError> {
    let row = access_token::ActiveModel {
        digest: Set(digest.as_bytes().to_vec()),
        session_id: Set(session.0),
        issued_at: Set(now.as_micros()),
        expires_at: Set(expires_at.as_micros()),
    };
    access_token::Entity::insert(row).exec_without_returning(db).await?;
    Ok(())
}

/// Keeps a refresh token.
pub async fn insert_refresh(
    db: &impl ConnectionTrait,
    digest: &Digest,
    session: SessionId,
    now: Timestamp,
    expires_at: Timestamp,
) -> Result<(), StoreError> {
    let row = refresh_token::ActiveModel {
        digest: Set(digest.as_bytes().to_vec()),
        session_id: Set(session.0),
        issued_at: Set(now.as_micros()),
        expires_at: Set(expires_at.as_micros()),
        spent_at: Set(None),
    };
    refresh_token::Entity::insert(row).exec_without_returning(db).await?;
    Ok(())
}

/// Marks a refresh token as spent. `false` where it already was: of many at once, one wins.
pub async fn spend_refresh(db: &impl ConnectionTrait, digest: &Digest, now: Timestamp) -> Result<bool, StoreError> {
    let row = refresh_token::ActiveModel { spent_at: Set(Some(now.as_micros())), ..Default::default() };
    let spent = refresh_token::Entity::update_many()
        .set(row)
        .filter(refresh_token::Column::Digest.eq(digest.as_bytes().to_vec()))
        .filter(refresh_token::Column::SpentAt.is_null())
        .exec(db)
        .await?;
    Ok(spent.rows_affected == 1)
}
