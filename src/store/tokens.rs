//! Access and refresh tokens, kept as digests.

use sea_orm::ActiveValue::Set;
use sea_orm::{ActiveModelTrait, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter};

use super::entity::{access_token, refresh_token};
use super::{SessionId, StoreError};
use crate::kernel::clock::Timestamp;
use crate::kernel::token::Digest;

/// An access token.
#[derive(Clone, Copy, Debug)]
pub struct AccessToken {
    /// The session that it belongs to.
    pub session: SessionId,
    /// When it is over.
    pub expires_at: Timestamp,
}

/// A refresh token.
#[derive(Clone, Copy, Debug)]
pub struct RefreshToken {
    /// The session that it belongs to.
    pub session: SessionId,
    /// When it is over.
    pub expires_at: Timestamp,
    /// When it was first exchanged for a new pair.
    pub spent_at: Option<Timestamp>,
}

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
    row.insert(db).await?;
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
    row.insert(db).await?;
    Ok(())
}

/// The access token with that digest, expired or not.
pub async fn find_access(db: &impl ConnectionTrait, digest: &Digest) -> Result<Option<AccessToken>, StoreError> {
    let row = access_token::Entity::find_by_id(digest.as_bytes().to_vec()).one(db).await?;
    Ok(row.map(|row| AccessToken {
        session: SessionId(row.session_id),
        expires_at: Timestamp::from_micros(row.expires_at),
    }))
}

/// The refresh token with that digest, spent or expired or not.
pub async fn find_refresh(db: &impl ConnectionTrait, digest: &Digest) -> Result<Option<RefreshToken>, StoreError> {
    let row = refresh_token::Entity::find_by_id(digest.as_bytes().to_vec()).one(db).await?;
    Ok(row.map(|row| RefreshToken {
        session: SessionId(row.session_id),
        expires_at: Timestamp::from_micros(row.expires_at),
        spent_at: row.spent_at.map(Timestamp::from_micros),
    }))
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
