//! Claims (accounts that were never logged in to and whose address was never verified) are found by their age, and a
//! client tells when it was last used, for the session that it was used in is not kept.

use sea_orm_migration::prelude::*;

/// See the module.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let last_used_at = ColumnDef::new("last_used_at").big_integer().take();
        manager.alter_table(Table::alter().table("clients").add_column(last_used_at).to_owned()).await?;
        let db = manager.get_connection();
        db.execute_unprepared(
            "UPDATE clients SET last_used_at =
             (SELECT max(sessions.last_activity_at) FROM sessions WHERE sessions.client_id = clients.client_id)
             WHERE account_id IS NOT NULL",
        )
        .await?;
        // Claims are few: an index of all accounts would cost each sign-up more.
        db.execute_unprepared(
            "CREATE INDEX accounts_claims ON accounts (created_at)
             WHERE last_login_at IS NULL AND email_verified_at IS NULL",
        )
        .await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.get_connection().execute_unprepared("DROP INDEX accounts_claims").await?;
        manager.alter_table(Table::alter().table("clients").drop_column("last_used_at").to_owned()).await
    }
}
