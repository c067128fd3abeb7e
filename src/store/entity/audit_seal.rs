//! The seals on the record.

use sea_orm::entity::prelude::*;

/// One row.
#[derive(Clone, Debug, DeriveEntityModel)]
#[sea_orm(table_name = "audit_seals")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub number: i64,
    pub at: i64,
    pub key_id: String,
    pub events: i64,
    pub first_event: i64,
    pub last_event: i64,
    pub digest: Vec<u8>,
    pub removed_through: i64,
    pub mac: Vec<u8>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
