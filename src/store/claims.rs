//! Claims: accounts whose address was never verified and that nobody ever logged in to. Anybody can sign up with
//! anybody's address, so such an account keeps the address, and the username, for a while only.

use std::time::Duration;

use sea_orm::sea_query::{LockBehavior, LockType};
use sea_orm::{ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use super::accounts::Account;
use super::entity::account::{Column, Entity};
use super::{AccountId, StoreError};
use crate::kernel::clock::Timestamp;

/// How long a claim stands.
pub const LASTS: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// Whether the account is a claim that stands no longer.
#[must_use]
pub fn has_expired(account: &Account, now: Timestamp) -> bool {
    let was_used = account.standing.last_login_at.is_some() || account.email_verified_at.is_some();
    !was_used && account.standing.created_at <= now - LASTS
}

/// The same as a condition. The migration's index of claims has its first two lines.
fn expired(now: Timestamp) -> Condition {
    Condition::all()
        .add(Column::LastLoginAt.is_null())
        .add(Column::EmailVerifiedAt.is_null())
        .add(Column::CreatedAt.lte((now - LASTS).as_micros()))
}

/// At most `limit` claims that stand no longer, oldest first, locked until the transaction ends. Accounts that another
/// transaction holds are passed over: somebody may be logging in.
pub async fn find_expired(db: &impl ConnectionTrait, now: Timestamp, limit: u64) -> Result<Vec<AccountId>, StoreError> {
    let ids = Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(expired(now))
        .order_by_asc(Column::CreatedAt)
        .limit(limit)
        .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked);
    Ok(ids.into_tuple().all(db).await?.into_iter().map(AccountId).collect())
}

/// Removes the account and all that belongs to it. `false` where it is no claim that stands no longer: of a login and a
/// removal at once, one wins.
pub async fn remove(db: &impl ConnectionTrait, id: AccountId, now: Timestamp) -> Result<bool, StoreError> {
    let removed = Entity::delete_many().filter(Column::Id.eq(id.0)).filter(expired(now)).exec(db).await?;
    Ok(removed.rows_affected == 1)
}
