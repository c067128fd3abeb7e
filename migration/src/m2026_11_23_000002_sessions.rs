//! Sessions, one a login, and the tokens that belong to them.

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
                    .table("sessions")
                    .col(ColumnDef::new("id").big_integer().not_null().auto_increment().primary_key())
                    .col(ColumnDef::new("account_id").big_integer().not_null())
                    .col(ColumnDef::new("client_id").text().not_null())
                    .col(ColumnDef::new("created_at").big_integer().not_null())
                    .col(ColumnDef::new("last_activity_at").big_integer().not_null())
                    .col(ColumnDef::new("expires_at").big_integer().not_null())
                    .col(ColumnDef::new("ended_at").big_integer())
                    .foreign_key(
                        ForeignKey::create()
                            .from("sessions", "account_id")
                            .to("accounts", "id")
                            .on_delete(ForeignKeyAction::Cascade),
                    )
                    .foreign_key(
                        ForeignKey::create()
                            .from("sessions", "client_id")
                            .to("clients", "client_id")
                            .on_delete(ForeignKeyAction::Cascade),
                    )
                    .to_owned(),
            )
            .await?;
        for column in ["account_id", "client_id"] {
            let name = format!("sessions_by_{column}");
            manager.create_index(Index::create().name(name).table("sessions").col(column).to_owned()).await?;
        }
        for table in ["access_tokens", "refresh_tokens"] {
            let mut tokens = Table::create();
            tokens
                .table(table)
                .col(ColumnDef::new("digest").blob().not_null().primary_key())
                .col(ColumnDef::new("session_id").big_integer().not_null())
                .col(ColumnDef::new("issued_at").big_integer().not_null())
                .col(ColumnDef::new("expires_at").big_integer().not_null())
                .foreign_key(
                    ForeignKey::create()
                        .from(table, "session_id")
                        .to("sessions", "id")
                        .on_delete(ForeignKeyAction::Cascade),
                );
            if table == "refresh_tokens" {
                tokens.col(ColumnDef::new("spent_at").big_integer());
            }
            manager.create_table(tokens.to_owned()).await?;
            let by_session = format!("{table}_by_session");
            manager.create_index(Index::create().name(by_session).table(table).col("session_id").to_owned()).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["refresh_tokens", "access_tokens", "sessions"] {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        Ok(())
    }
}
