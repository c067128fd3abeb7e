//! Clients: pairs of client id and secret.

use std::collections::HashMap;

use sea_orm::ActiveValue::Set;
use sea_orm::{ActiveModelTrait, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QuerySelect};

use super::entity::client::{ActiveModel, Column, Entity, Model};
use super::entity::session;
use super::writes::Writes;
use super::{AccountId, StoreError, corrupt};
use crate::kernel::clock::Timestamp;
use crate::kernel::token::{ClientId, Digest};

/// A registered client.
#[derive(Clone, Debug)]
pub struct Client {
    /// Its public name.
    pub id: ClientId,
    /// What is kept of its secret.
    pub secret: Digest,
    /// The one account that it serves; `None` for a platform client, which serves every account.
    pub owner: Option<AccountId>,
    /// Whether it was taken out of use.
    pub is_revoked: bool,
}

impl Client {
    /// Whether it may speak for that account.
    #[must_use]
    pub fn serves(&self, account: AccountId) -> bool {
        self.owner.is_none_or(|owner| owner == account)
    }
}

/// Registers a client: for one account, or for every one.
pub fn insert(writes: &mut Writes, id: &ClientId, secret: &Digest, owner: Option<AccountId>, now: Timestamp) {
    let row = ActiveModel {
        client_id: Set(id.as_str().to_owned()),
        secret_digest: Set(secret.as_bytes().to_vec()),
        account_id: Set(owner.map(|account| account.0)),
        created_at: Set(now.as_micros()),
        revoked_at: Set(None),
        last_used_at: Set(None),
    };
    writes.add(Entity::insert(row));
}

/// The client of that name, revoked or not.
pub async fn find(db: &impl ConnectionTrait, id: &ClientId) -> Result<Option<Client>, StoreError> {
    Entity::find_by_id(id.as_str()).one(db).await?.map(read).transpose()
}

/// The clients of an account that are in use, the one that was unused for longest first. A client that was never used
/// counts from when it was made.
pub async fn of_account(db: &impl ConnectionTrait, account: AccountId) -> Result<Vec<ClientId>, StoreError> {
    let clients = Entity::find().filter(Column::AccountId.eq(account.0)).filter(Column::RevokedAt.is_null());
    let mut clients = clients.all(db).await?;
    // What a client itself remembers of its last use may be an hour old; its sessions know better, as long as there are any.
    let uses = session::Entity::find()
        .select_only()
        .column(session::Column::ClientId)
        .column_as(session::Column::LastActivityAt.max(), "last_used_at")
        .filter(session::Column::AccountId.eq(account.0))
        .group_by(session::Column::ClientId);
    let uses: Vec<(String, i64)> = uses.into_tuple().all(db).await?;
    let uses: HashMap<String, i64> = uses.into_iter().collect();
    clients.sort_by_key(|client| {
        let in_a_session = uses.get(&client.client_id).copied();
        (in_a_session.max(client.last_used_at).unwrap_or(client.created_at), client.created_at)
    });
    clients.into_iter().map(|client| read(client).map(|client| client.id)).collect()
}

/// Takes a client out of use.
pub async fn revoke(db: &impl ConnectionTrait, id: &ClientId, now: Timestamp) -> Result<(), StoreError> {
    let row = ActiveModel {
        client_id: Set(id.as_str().to_owned()),
        revoked_at: Set(Some(now.as_micros())),
        ..Default::default()
    };
    row.update(db).await?;
    Ok(())
}

fn read(row: Model) -> Result<Client, StoreError> {
    Ok(Client {
        id: ClientId::parse(&row.client_id).ok_or_else(|| corrupt("client id"))?,
        secret: Digest::from_bytes(&row.secret_digest).ok_or_else(|| corrupt("client secret digest"))?,
        owner: row.account_id.map(AccountId),
        is_revoked: row.revoked_at.is_some(),
    })
}
