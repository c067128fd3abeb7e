//! Mail that waits to go out, or was given up.

use sea_orm::entity::prelude::*;

/// One row.
#[derive(Clone, Debug, DeriveEntityModel)]
#[sea_orm(table_name = "outbox")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub created_at: i64,
    pub sealed_mail: Vec<u8>,
    /// Nobody takes it on before: a node has it until then, or it waits for its next try, or for ever.
    #[sea_orm(column_name = "leased_until")]
    pub due_at: i64,
    pub kind: String,
    pub attempts: i32,
    pub give_up_at: Option<i64>,
    pub given_up_at: Option<i64>,
    pub last_error: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
