//! Mail that waits to go out, sealed.

use sea_orm::ActiveValue::{NotSet, Set};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect,
};

use super::StoreError;
use super::entity::outbox::{ActiveModel, Column, Entity};
use crate::kernel::clock::Timestamp;

/// A mail that waits.
#[derive(Debug)]
pub struct Waiting {
    /// Its number, in the order in which mail was put in.
    pub id: i64,
    /// When it was put in.
    pub created_at: Timestamp,
    /// Recipient and content, sealed.
    pub sealed_mail: Vec<u8>,
}

/// Puts a mail in.
pub async fn insert(db: &impl ConnectionTrait, sealed_mail: Vec<u8>, now: Timestamp) -> Result<(), StoreError> {
    let row = ActiveModel {
        id: NotSet,
        created_at: Set(now.as_micros()),
        sealed_mail: Set(sealed_mail),
        leased_until: Set(0),
    };
    row.insert(db).await?;
    Ok(())
}

/// How many mails wait.
pub async fn count(db: &impl ConnectionTrait) -> Result<u64, StoreError> {
    Ok(Entity::find().count(db).await?)
}

/// The oldest `limit` mails with a number above `after`.
pub async fn oldest(db: &impl ConnectionTrait, after: i64, limit: u64) -> Result<Vec<Waiting>, StoreError> {
    let rows = Entity::find().filter(Column::Id.gt(after)).order_by_asc(Column::Id).limit(limit).all(db).await?;
    let read = |row: super::entity::outbox::Model| Waiting {
        id: row.id,
        created_at: Timestamp::from_micros(row.created_at),
        sealed_mail: row.sealed_mail,
    };
    Ok(rows.into_iter().map(read).collect())
}

/// Takes a mail on, until then. `false` where it is gone, or another node has it: of many at once, one wins.
pub async fn lease(db: &impl ConnectionTrait, id: i64, now: Timestamp, until: Timestamp) -> Result<bool, StoreError> {
    let row = ActiveModel { leased_until: Set(until.as_micros()), ..Default::default() };
    let free = Column::LeasedUntil.lte(now.as_micros());
    let leased = Entity::update_many().set(row).filter(Column::Id.eq(id)).filter(free).exec(db).await?;
    Ok(leased.rows_affected == 1)
}

/// Takes a mail out once it is on its way.
pub async fn remove(db: &impl ConnectionTrait, id: i64) -> Result<(), StoreError> {
    Entity::delete_by_id(id).exec(db).await?;
    Ok(())
}
