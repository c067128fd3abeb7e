//! What is counted so that guessing is slow and nobody floods others with mail.

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
                    .table("throttles")
                    // A keyed digest of what is counted and against whom: nothing readable is kept.
                    .col(ColumnDef::new("digest").blob().not_null().primary_key())
                    .col(ColumnDef::new("count").big_integer().not_null())
                    .col(ColumnDef::new("until").big_integer().not_null())
                    .col(ColumnDef::new("expires_at").big_integer().not_null())
                    .to_owned(),
            )
            .await?;
        let by_expiry = Index::create().name("throttles_by_expires_at").table("throttles").col("expires_at").to_owned();
        manager.create_index(by_expiry).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("throttles").to_owned()).await
    }
}
