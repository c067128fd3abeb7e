//! Proofs of an e-mail address that somebody asked for: of the account's own, or of the one that it shall have.

use sea_orm::ActiveValue::Set;
use sea_orm::{ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryFilter};

use super::entity::email_verification::{ActiveModel, Column, Entity};
use super::writes::Writes;
use super::{AccountId, StoreError, corrupt};
use crate::kernel::clock::Timestamp;
use crate::kernel::email_address::EmailAddress;
use crate::kernel::token::Digest;

/// What is proved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// That the account's own address is its owner's.
    Verify,
    /// That the address is, which shall be the account's.
    Change,
}

/// What a token proves, and to whom.
#[derive(Debug)]
pub struct Claim {
    /// The account.
    pub account: AccountId,
    /// The address whose mail carried the token.
    pub email: EmailAddress,
    /// What follows from it.
    pub purpose: Purpose,
}

/// What is kept of a new token.
#[derive(Debug)]
pub struct NewVerification<'a> {
    /// The token's digest.
    pub digest: &'a Digest,
    /// Whom it is for; without one the same work is done for a token that opens nothing.
    pub account: Option<AccountId>,
    /// The address that it goes to.
    pub email: &'a EmailAddress,
    /// What it proves.
    pub purpose: Purpose,
    /// Until when.
    pub expires_at: Timestamp,
}

/// Keeps a token. Those asked for before stay: [`void`] them first.
pub fn insert(writes: &mut Writes, new: NewVerification<'_>, now: Timestamp) {
    let row = ActiveModel {
        digest: Set(new.digest.as_bytes().to_vec()),
        account_id: Set(new.account.map(|account| account.0)),
        email: Set(new.email.as_str().to_owned()),
        is_change: Set(new.purpose == Purpose::Change),
        requested_at: Set(now.as_micros()),
        expires_at: Set(new.expires_at.as_micros()),
        used_at: Set(None),
    };
    writes.add(Entity::insert(row));
}

/// Takes the force of the account's tokens of that purpose.
pub fn void(writes: &mut Writes, account: AccountId, purpose: Purpose) {
    let is_change = purpose == Purpose::Change;
    let theirs = Condition::all().add(Column::AccountId.eq(account.0)).add(Column::IsChange.eq(is_change));
    writes.add(Entity::delete_many().filter(theirs));
}

/// What this token would prove now.
pub async fn find_usable(
    db: &impl ConnectionTrait,
    digest: &Digest,
    now: Timestamp,
) -> Result<Option<Claim>, StoreError> {
    let Some(row) = Entity::find().filter(usable(digest, now)).one(db).await? else { return Ok(None) };
    let Some(account) = row.account_id else { return Ok(None) };
    let email = row.email.parse().map_err(|_| corrupt("e-mail address"))?;
    let purpose = if row.is_change { Purpose::Change } else { Purpose::Verify };
    Ok(Some(Claim { account: AccountId(account), email, purpose }))
}

/// Uses the token up. `false` where it proves nothing any more: of many at once, one wins.
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
