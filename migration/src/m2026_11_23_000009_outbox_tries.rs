//! What becomes of mail that does not go out at the first try: how often it was tried, why it failed, when it was given
//! up. Its lease says from now on when it is due, too: a node that tries again later leases it to nobody until then.

use sea_orm_migration::prelude::*;

/// See the module.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const COLUMNS: [&str; 5] = ["kind", "attempts", "give_up_at", "given_up_at", "last_error"];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let columns = [
            // Empty for mail that an older server put in.
            ColumnDef::new("kind").text().not_null().default("").take(),
            ColumnDef::new("attempts").integer().not_null().default(0).take(),
            ColumnDef::new("give_up_at").big_integer().take(),
            ColumnDef::new("given_up_at").big_integer().take(),
            ColumnDef::new("last_error").text().take(),
        ];
        for column in columns {
            // One at a time: SQLite adds no more.
            manager.alter_table(Table::alter().table("outbox").add_column(column).to_owned()).await?;
        }
        let due = Index::create().name("outbox_by_leased_until").table("outbox").col("leased_until").to_owned();
        manager.create_index(due).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_index(Index::drop().name("outbox_by_leased_until").table("outbox").to_owned()).await?;
        for column in COLUMNS {
            manager.alter_table(Table::alter().table("outbox").drop_column(column).to_owned()).await?;
        }
        Ok(())
    }
}
