//! Sessions: one a login; its tokens belong to it and end with it.

use sea_orm::ActiveValue::{NotSet, Set};
use sea_orm::sea_query::{ExprTrait, SimpleExpr};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder,
    QuerySelect, QueryTrait,
};

use super::entity::session::{ActiveModel, Column, Entity, Model};
use super::writes::Writes;
use super::{AccountId, SessionId, StoreError, corrupt};
use crate::kernel::clock::Timestamp;
use crate::kernel::token::ClientId;

/// A session.
#[derive(Clone, Debug)]
pub struct Session {
    /// Its number.
    pub id: SessionId,
    /// Who logged in.
    pub account: AccountId,
    /// Through which client.
    pub client: ClientId,
    /// When it is over whatever happens.
    pub expires_at: Timestamp,
    /// Whether it was ended before that.
    pub has_ended: bool,
}

impl Session {
    /// Whether its tokens still count.
    #[must_use]
    pub fn is_live(&self, now: Timestamp) -> bool {
        !self.has_ended && now < self.expires_at
    }
}

/// Opens a session.
pub async fn open(
    db: &impl ConnectionTrait,
    account: AccountId,
    client: &ClientId,
    now: Timestamp,
    expires_at: Timestamp,
) -> Result<Session, StoreError> {
    let row = ActiveModel {
        id: NotSet,
        account_id: Set(account.0),
        client_id: Set(client.as_str().to_owned()),
        created_at: Set(now.as_micros()),
        last_activity_at: Set(now.as_micros()),
        expires_at: Set(expires_at.as_micros()),
        ended_at: Set(None),
    };
    read(row.insert(db).await?)
}

/// Ends one session.
pub fn end(writes: &mut Writes, id: SessionId, now: Timestamp) {
    end_where(writes, Column::Id.eq(id.0), now);
}

/// How many live sessions an account has.
pub async fn count_live(db: &impl ConnectionTrait, account: AccountId, now: Timestamp) -> Result<u64, StoreError> {
    Ok(Entity::find().filter(live(account, now)).count(db).await?)
}

/// Ends the live sessions of an account, but for the `kept` that were used last.
pub fn end_all_but_the_last_used(writes: &mut Writes, account: AccountId, kept: u64, now: Timestamp) {
    let unused_for_longest = Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(live(account, now))
        .order_by_desc(Column::LastActivityAt)
        .order_by_desc(Column::Id)
        .offset(kept)
        // SQLite takes no offset without a limit.
        .limit(i64::MAX.unsigned_abs());
    end_where(writes, Column::Id.in_subquery(unused_for_longest.into_query()), now);
}

fn live(account: AccountId, now: Timestamp) -> Condition {
    let is_open = Column::EndedAt.is_null().and(Column::ExpiresAt.gt(now.as_micros()));
    Condition::all().add(Column::AccountId.eq(account.0)).add(is_open)
}

/// Ends every session of an account.
pub fn end_all(writes: &mut Writes, account: AccountId, now: Timestamp) {
    end_where(writes, Column::AccountId.eq(account.0), now);
}

fn end_where(writes: &mut Writes, which: SimpleExpr, now: Timestamp) {
    let row = ActiveModel { ended_at: Set(Some(now.as_micros())), ..Default::default() };
    writes.add(Entity::update_many().set(row).filter(which).filter(Column::EndedAt.is_null()));
}

fn read(row: Model) -> Result<Session, StoreError> {
    Ok(Session {
        id: SessionId(row.id),
        account: AccountId(row.account_id),
        client: ClientId::parse(&row.client_id).ok_or_else(|| corrupt("client id"))?,
        expires_at: Timestamp::from_micros(row.expires_at),
        has_ended: row.ended_at.is_some(),
    })
}
