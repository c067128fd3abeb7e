//! Accounts, and the clients (pairs of client id and secret) that speak for them.

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
                    .table("accounts")
                    .col(ColumnDef::new("id").big_integer().not_null().auto_increment().primary_key())
                    .col(ColumnDef::new("email").text().not_null().unique_key())
                    .col(ColumnDef::new("username").text())
                    .col(ColumnDef::new("username_key").text().unique_key())
                    .col(ColumnDef::new("password_hash").text().not_null())
                    .col(ColumnDef::new("organisation").text().not_null())
                    .col(ColumnDef::new("contact_name").text().not_null())
                    .col(ColumnDef::new("contact_phone").text().not_null())
                    .col(ColumnDef::new("contact_email").text().not_null())
                    .col(ColumnDef::new("address").text())
                    .col(ColumnDef::new("industry").text())
                    .col(ColumnDef::new("use_case").text())
                    .col(ColumnDef::new("created_at").big_integer().not_null())
                    .col(ColumnDef::new("last_login_at").big_integer())
                    .col(ColumnDef::new("last_activity_at").big_integer())
                    .col(ColumnDef::new("logged_in_micros").big_integer().not_null().default(0))
                    .col(ColumnDef::new("api_calls").big_integer().not_null().default(0))
                    .col(ColumnDef::new("status").text().not_null().default("active"))
                    .col(ColumnDef::new("files_uploaded").big_integer().not_null().default(0))
                    .col(ColumnDef::new("subscription_plan").text().not_null())
                    .col(ColumnDef::new("plan_expires_at").big_integer().not_null())
                    .col(ColumnDef::new("second_factor_enabled").boolean().not_null().default(false))
                    .col(ColumnDef::new("roles").json().not_null())
                    .col(ColumnDef::new("last_document_edited").text())
                    .col(ColumnDef::new("preferences").json().not_null())
                    .col(ColumnDef::new("notifications_enabled").boolean().not_null().default(true))
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("clients")
                    .col(ColumnDef::new("client_id").text().not_null().primary_key())
                    .col(ColumnDef::new("secret_digest").blob().not_null())
                    // Null: a platform client, which serves every account.
                    .col(ColumnDef::new("account_id").big_integer())
                    .col(ColumnDef::new("created_at").big_integer().not_null())
                    .col(ColumnDef::new("revoked_at").big_integer())
                    .foreign_key(
                        ForeignKey::create()
                            .from("clients", "account_id")
                            .to("accounts", "id")
                            .on_delete(ForeignKeyAction::Cascade),
                    )
                    .to_owned(),
            )
            .await?;
        let by_account = Index::create().name("clients_by_account").table("clients").col("account_id").to_owned();
        manager.create_index(by_account).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("clients").to_owned()).await?;
        manager.drop_table(Table::drop().table("accounts").to_owned()).await
    }
}
