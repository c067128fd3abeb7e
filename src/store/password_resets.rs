//! Password resets that somebody asked for.

use sea_orm::ActiveValue::Set;
use sea_orm::{ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryFilter};

use super::entity::password_reset::{ActiveModel, Column, Entity};
use super::writes::Writes;
use super::{AccountId, StoreError};
use crate::kernel::clock::Timestamp;
use crate::kernel::token::Digest;

/// Keeps a reset for `account`, in place of those asked for before. Without an account it does the same work for a token
/// that opens nothing.
pub fn insert(writes: &mut Writes, digest: &Digest, account: Option<AccountId>, now: Timestamp, expires_at: Timestamp) {
    // The same statement runs for a stranger and hits nothing.
    void(writes, account.unwrap_or(AccountId::NOBODY));
    let row = ActiveModel {
        digest: Set(digest.as_bytes().to_vec()),
        account_id: Set(account.map(|account| account.0)),
        requested_at: Set(now.as_micros()),
        expires_at: Set(expires_at.as_micros()),
        used_at: Set(None),
    };
    writes.add(Entity::insert(row));
}

/// Takes the force of whatever was asked for `account`.
pub fn void(writes: &mut Writes, account: AccountId) {
    writes.add(Entity::delete_many().filter(Column::AccountId.eq(account.0)));
}

/// The account that this token would open now.
pub async fn find_usable(
    db: &impl ConnectionTrait,
    digest: &Digest,
    now: Timestamp,
) -> Result<Option<AccountId>, StoreError> {
    let row = Entity::find().filter(usable(digest, now)).one(db).await?;
    Ok(row.and_then(|row| row.account_id).map(AccountId))
}

/// Uses the token up. `false` where it opens nothing any more: of many at once, one wins.
pub async fn take(db: &impl ConnectionTrait, digest: &Digest, now: Timestamp) -> Result<bool, StoreError> {
    let used = ActiveModel { used_at: Set(Some(now.as_micros())), ..Default::default() };
    let taken = Entity::update_many().set(used).filter(usable(digest, now)).exec(db).await?;
    Ok(taken.rows_affected == 1)
}

fn usable(digest: &Digest, now: Timestamp) -> Condition {
    Condition::all()
        .add(Column::Digest.eq(digest.as_bytes().to_vec()))
        .add(Column::AccountId.is_not_null())
        .add(Column::UsedAt.is_null())
        .add(Column::ExpiresAt.gt(now.as_micros()))
}
