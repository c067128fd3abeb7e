//! What is counted so that guessing is slow, by pseudonym.

use std::collections::HashMap;

use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter};

use super::entity::throttle::{ActiveModel, Column, Entity, Model};
use super::writes::Writes;
use super::{Locking, StoreError};
use crate::kernel::clock::Timestamp;
use crate::kernel::rate_limit::Counter;
use crate::kernel::token::Digest;

/// The counters of these, in the same order.
pub async fn find<const N: usize>(db: &impl ConnectionTrait, keys: [Digest; N]) -> Result<[Counter; N], StoreError> {
    let wanted = keys.map(|key| key.as_bytes().to_vec());
    let rows = Entity::find().filter(Column::Digest.is_in(wanted)).all(db).await?;
    Ok(in_order(keys, rows))
}

/// The counters of these, in the same order, which nobody else changes until the transaction ends: not even those that
/// were not there. Whoever holds several takes them in the order of their digests, so that two never wait for each other.
pub async fn hold<const N: usize>(tx: &impl Locking, keys: [Digest; N]) -> Result<[Counter; N], StoreError> {
    let are_named = keys.iter().all(|key| tx.may_lock_counter(key));
    debug_assert!(are_named, "the transaction named neither the counters nor an account");
    // Writing a digest over itself is what locks a row whether or not it was there.
    let lock = OnConflict::column(Column::Digest).update_column(Column::Digest).to_owned();
    let rows = rows(keys.map(|key| (key, Counter::NEW)).into());
    let rows = Entity::insert_many(rows).on_conflict(lock).exec_with_returning(tx).await?;
    Ok(in_order(keys, rows))
}

/// Writes counters down.
pub fn write<const N: usize>(writes: &mut Writes, counters: [(Digest, Counter); N]) {
    add(writes, counters.into());
}

/// Writes down counters that are held; of those that count nothing no row stays.
pub fn settle<const N: usize>(writes: &mut Writes, counters: [(Digest, Counter); N]) {
    let (gone, kept): (Vec<_>, Vec<_>) = counters.into_iter().partition(|(_, counter)| *counter == Counter::NEW);
    if !gone.is_empty() {
        let gone = gone.iter().map(|(key, _)| key.as_bytes().to_vec());
        writes.add(Entity::delete_many().filter(Column::Digest.is_in(gone)));
    }
    if !kept.is_empty() {
        add(writes, kept);
    }
}

fn add(writes: &mut Writes, counters: Vec<(Digest, Counter)>) {
    let columns = [Column::Count, Column::Until, Column::ExpiresAt];
    let replace = OnConflict::column(Column::Digest).update_columns(columns).to_owned();
    writes.add(Entity::insert_many(rows(counters)).on_conflict(replace));
}

fn rows(mut counters: Vec<(Digest, Counter)>) -> impl Iterator<Item = ActiveModel> {
    counters.sort_unstable_by_key(|(key, _)| *key.as_bytes());
    counters.into_iter().map(|(key, counter)| ActiveModel {
        digest: Set(key.as_bytes().to_vec()),
        count: Set(counter.count),
        until: Set(counter.until.as_micros()),
        expires_at: Set(counter.expires_at.as_micros()),
    })
}

fn in_order<const N: usize>(keys: [Digest; N], rows: Vec<Model>) -> [Counter; N] {
    let read = |row: Model| {
        let at = Timestamp::from_micros;
        (row.digest, Counter { count: row.count, until: at(row.until), expires_at: at(row.expires_at) })
    };
    let found: HashMap<Vec<u8>, Counter> = rows.into_iter().map(read).collect();
    keys.map(|key| found.get(&key.as_bytes()[..]).copied().unwrap_or(Counter::NEW))
}
