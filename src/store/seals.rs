//! The seals on the record. Each is over the events since the one before, and over that one.

use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Statement};

use super::StoreError;
use super::entity::audit_seal::{ActiveModel, Column, Entity, Model};
use crate::kernel::clock::Timestamp;

/// A seal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seal {
    /// Its number: 1, 2, 3 …
    pub number: i64,
    /// When it was made.
    pub at: Timestamp,
    /// The key that it was made with.
    pub key_id: String,
    /// How many events are under it.
    pub events: i64,
    /// The least of their numbers; 0 where there is none.
    pub first_event: i64,
    /// The greatest of their numbers; 0 where there is none.
    pub last_event: i64,
    /// The SHA-256 of the events.
    pub digest: Vec<u8>,
    /// The events under all seals up to this one have grown old and were removed; 0 where none were.
    pub removed_through: i64,
    /// The HMAC of all this and of the HMAC before.
    pub mac: Vec<u8>,
}

/// The newest seal.
pub async fn last(db: &impl ConnectionTrait) -> Result<Option<Seal>, StoreError> {
    Ok(Entity::find().order_by_desc(Column::Number).one(db).await?.map(read))
}

/// The oldest `limit` seals with a number above `after`.
pub async fn after(db: &impl ConnectionTrait, after: i64, limit: u64) -> Result<Vec<Seal>, StoreError> {
    let rows = Entity::find().filter(Column::Number.gt(after)).order_by_asc(Column::Number).limit(limit);
    Ok(rows.all(db).await?.into_iter().map(read).collect())
}

/// Adds a seal. `false` where another node was quicker: of many with one number, one is kept.
pub async fn insert(db: &impl ConnectionTrait, seal: Seal) -> Result<bool, StoreError> {
    let row = ActiveModel {
        number: Set(seal.number),
        at: Set(seal.at.as_micros()),
        key_id: Set(seal.key_id),
        events: Set(seal.events),
        first_event: Set(seal.first_event),
        last_event: Set(seal.last_event),
        digest: Set(seal.digest),
        removed_through: Set(seal.removed_through),
        mac: Set(seal.mac),
    };
    let unless_there = OnConflict::column(Column::Number).do_nothing().to_owned();
    Ok(Entity::insert(row).on_conflict(unless_there).exec_without_returning(db).await? == 1)
}

/// The first `limit` events that stand outside of the seal that they name, or under one whose events were removed
/// (`removed_through`): their numbers, and the seal's.
pub async fn strays(
    db: &impl ConnectionTrait,
    removed_through: i64,
    limit: u64,
) -> Result<Vec<(i64, i64)>, StoreError> {
    let sql = format!(
        "SELECT event.id, event.seal FROM audit_events AS event LEFT JOIN audit_seals AS seal ON seal.number = event.seal \
         WHERE event.seal IS NOT NULL AND (seal.number IS NULL OR event.seal <= {removed_through} \
         OR event.id < seal.first_event OR event.id > seal.last_event) ORDER BY event.id LIMIT {limit}"
    );
    let rows = db.query_all_raw(Statement::from_string(db.get_database_backend(), sql)).await?;
    let stray = |row: &sea_orm::QueryResult| Ok((row.try_get("", "id")?, row.try_get("", "seal")?));
    Ok(rows.iter().map(stray).collect::<Result<_, sea_orm::DbErr>>()?)
}

fn read(row: Model) -> Seal {
    Seal {
        number: row.number,
        at: Timestamp::from_micros(row.at),
        key_id: row.key_id,
        events: row.events,
        first_event: row.first_event,
        last_event: row.last_event,
        digest: row.digest,
        removed_through: row.removed_through,
        mac: row.mac,
    }
}
