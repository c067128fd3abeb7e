//! One value sealed with the key that the database's other values were sealed with.

use sea_orm::entity::prelude::*;

/// One row; there is no other.
#[derive(Clone, Debug, DeriveEntityModel)]
#[sea_orm(table_name = "secret_key_check")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i64,
    pub sealed: Vec<u8>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
