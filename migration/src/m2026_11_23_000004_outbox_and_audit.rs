//! Mail that waits to go out, and the record of what happened.

use sea_orm_migration::prelude::*;

/// See the module.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table("outbox")
                    .col(ColumnDef::new("id").big_integer().not_null().auto_increment().primary_key())
                    .col(ColumnDef::new("created_at").big_integer().not_null())
                    // Recipient and content, sealed with the server's key: a mail can hold a reset token.
                    .col(ColumnDef::new("sealed_mail").blob().not_null())
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("audit_events")
                    .col(ColumnDef::new("id").big_integer().not_null().auto_increment().primary_key())
                    .col(ColumnDef::new("at").big_integer().not_null())
                    .col(ColumnDef::new("event").text().not_null())
                    // No foreign keys: the record outlives what it tells of.
                    .col(ColumnDef::new("account_id").big_integer().not_null())
                    .col(ColumnDef::new("session_id").big_integer())
                    .col(ColumnDef::new("client_id").text())
                    .to_owned(),
            )
            .await?;
        let by_account = Index::create()
            .name("audit_events_by_account")
            .table("audit_events")
            .col("account_id")
            .col("at")
            .to_owned();
        manager.create_index(by_account).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("audit_events").to_owned()).await?;
        manager.drop_table(Table::drop().table("outbox").to_owned()).await
    }
}
