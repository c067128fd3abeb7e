//! Which secret key the database was sealed with.

use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ConnectionTrait, EntityTrait};

use super::entity::secret_key_check::{ActiveModel, Column, Entity};
use super::{StoreError, corrupt};

/// The value that the first server sealed; `sealed` becomes it where there is none. Of many that start at once, one is
/// the first.
pub async fn first_sealed(db: &impl ConnectionTrait, sealed: Vec<u8>) -> Result<Vec<u8>, StoreError> {
    const ONLY: i64 = 1;
    if Entity::find_by_id(ONLY).one(db).await?.is_none() {
        let row = ActiveModel { id: Set(ONLY), sealed: Set(sealed) };
        let unless_there = OnConflict::column(Column::Id).do_nothing().to_owned();
        Entity::insert(row).on_conflict(unless_there).exec_without_returning(db).await?;
    }
    let row = Entity::find_by_id(ONLY).one(db).await?;
    row.map(|row| row.sealed).ok_or_else(|| corrupt("secret key check"))
}
