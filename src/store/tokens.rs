//! Access and refresh tokens, kept as digests.

use sea_orm::ActiveValue::Set;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

use super::SessionId;
use super::entity::{access_token, refresh_token};
use super::writes::Writes;
use crate::kernel::clock::Timestamp;
use crate::kernel::token::Digest;

/// Keeps an access token.
pub fn insert_access(writes: &mut Writes, digest: &Digest, session: SessionId, now: Timestamp, expires_at: Timestamp) {
    let row = access_token::ActiveModel {
        digest: Set(digest.as_bytes().to_vec()),
        session_id: Set(session.0),
        issued_at: Set(now.as_micros()),
        expires_at: Set(expires_at.as_micros()),
    };
    writes.add(access_token::Entity::insert(row));
}

/// Keeps a refresh token.
pub fn insert_refresh(writes: &mut Writes, digest: &Digest, session: SessionId, now: Timestamp, expires_at: Timestamp) {
    let row = refresh_token::ActiveModel {
        digest: Set(digest.as_bytes().to_vec()),
        session_id: Set(session.0),
        issued_at: Set(now.as_micros()),
        expires_at: Set(expires_at.as_micros()),
        spent_at: Set(None),
    };
    writes.add(refresh_token::Entity::insert(row));
}

/// Marks a refresh token as spent, where it was not.
pub fn spend_refresh(writes: &mut Writes, digest: &Digest, now: Timestamp) {
    let row = refresh_token::ActiveModel { spent_at: Set(Some(now.as_micros())), ..Default::default() };
    let unspent = refresh_token::Entity::update_many()
        .set(row)
        .filter(refresh_token::Column::Digest.eq(digest.as_bytes().to_vec()))
        .filter(refresh_token::Column::SpentAt.is_null());
    writes.add(unspent);
}
