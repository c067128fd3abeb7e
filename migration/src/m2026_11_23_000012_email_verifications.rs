//! Whether an account's e-mail address was verified, and the tokens that prove it: of the address that an account has, or
//! of the one that it shall have.

use sea_orm_migration::prelude::*;

/// See the module.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const TABLE: &str = "email_verifications";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let verified_at = ColumnDef::new("email_verified_at").big_integer().take();
        manager.alter_table(Table::alter().table("accounts").add_column(verified_at).to_owned()).await?;
        manager
            .create_table(
                Table::create()
                    .table(TABLE)
                    .col(ColumnDef::new("digest").blob().not_null().primary_key())
                    // Null: asked for an address that nobody has, or that somebody else has. It opens nothing; it is
                    // kept so that the request does the same work, and takes the same time, as one that does.
                    .col(ColumnDef::new("account_id").big_integer())
                    // What the token proves. Another than the account's own: the address that it shall have.
                    .col(ColumnDef::new("email").text().not_null())
                    .col(ColumnDef::new("is_change").boolean().not_null())
                    .col(ColumnDef::new("requested_at").big_integer().not_null())
                    .col(ColumnDef::new("expires_at").big_integer().not_null())
                    .col(ColumnDef::new("used_at").big_integer())
                    .foreign_key(
                        ForeignKey::create()
                            .from(TABLE, "account_id")
                            .to("accounts", "id")
                            .on_delete(ForeignKeyAction::Cascade),
                    )
                    .to_owned(),
            )
            .await?;
        for column in ["account_id", "expires_at"] {
            let name = format!("{TABLE}_by_{column}");
            manager.create_index(Index::create().name(name).table(TABLE).col(column).to_owned()).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(TABLE).to_owned()).await?;
        manager.alter_table(Table::alter().table("accounts").drop_column("email_verified_at").to_owned()).await
    }
}
