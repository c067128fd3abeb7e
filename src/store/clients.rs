//! Clients: pairs of client id and secret.

use sea_orm::ActiveValue::Set;
use sea_orm::{ActiveModelTrait, ConnectionTrait, EntityTrait};

use super::entity::client::{ActiveModel, Entity, Model};
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
    };
    writes.add(Entity::insert(row));
}

/// The client of that name, revoked or not.
pub async fn find(db: &impl ConnectionTrait, id: &ClientId) -> Result<Option<Client>, StoreError> {
    Entity::find_by_id(id.as_str()).one(db).await?.map(read).transpose()
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
