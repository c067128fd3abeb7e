//! Where the calls on the record came from.

use sea_orm_migration::prelude::*;

/// See the module.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// Empty for events older than this.
const COLUMNS: [&str; 3] = ["source", "user_agent", "request_id"];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // One at a time: SQLite adds no more at once.
        for name in COLUMNS {
            let column = ColumnDef::new(name).text().take();
            manager.alter_table(Table::alter().table("audit_events").add_column(column).to_owned()).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for name in COLUMNS {
            manager.alter_table(Table::alter().table("audit_events").drop_column(name).to_owned()).await?;
        }
        Ok(())
    }
}
