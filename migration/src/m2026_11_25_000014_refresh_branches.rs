//! Branches of a session: a refresh token that is exchanged more than once within its grace begins another.

use sea_orm_migration::prelude::*;

/// See the module.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// `pairs`: how many pairs it was exchanged for. `fork`: the token at which the branch may have begun that this one is of.
/// `branches`: how many began at this one beside the first. `late_from`: the network that the first of them was refreshed
/// from after the grace.
fn columns() -> [ColumnDef; 4] {
    [
        ColumnDef::new("pairs").big_integer().not_null().default(0).take(),
        ColumnDef::new("fork").blob().take(),
        ColumnDef::new("branches").big_integer().not_null().default(0).take(),
        ColumnDef::new("late_from").text().take(),
    ]
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for column in columns() {
            manager.alter_table(Table::alter().table("refresh_tokens").add_column(column).to_owned()).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for column in ["pairs", "fork", "branches", "late_from"] {
            manager.alter_table(Table::alter().table("refresh_tokens").drop_column(column).to_owned()).await?;
        }
        Ok(())
    }
}
