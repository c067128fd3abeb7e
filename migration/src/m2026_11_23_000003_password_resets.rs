//! Password resets that somebody asked for.

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
                    .table("password_resets")
                    .col(ColumnDef::new("digest").blob().not_null().primary_key())
                    // Null: asked for an e-mail that nobody has. It opens nothing; it is kept so that the
                    // request does the same work, and takes the same time, as one for an account.
                    .col(ColumnDef::new("account_id").big_integer())
                    .col(ColumnDef::new("requested_at").big_integer().not_null())
                    .col(ColumnDef::new("expires_at").big_integer().not_null())
                    .col(ColumnDef::new("used_at").big_integer())
                    .foreign_key(
                        ForeignKey::create()
                            .from("password_resets", "account_id")
                            .to("accounts", "id")
                            .on_delete(ForeignKeyAction::Cascade),
                    )
                    .to_owned(),
            )
            .await?;
        let by_account =
            Index::create().name("password_resets_by_account").table("password_resets").col("account_id").to_owned();
        manager.create_index(by_account).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("password_resets").to_owned()).await
    }
}
