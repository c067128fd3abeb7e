//! Whether a pair of tokens was ever used: a refresh token may be exchanged again as long as none of its pairs was.

use sea_orm_migration::prelude::*;

/// See the module.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// `exchanged`: the refresh token that the pair was given for; none after a login. `awaits_use`: whether it was exchanged
/// and none of its pairs has been used. Where this is not known, as for what an older server exchanged, it is false: then
/// the token's coming back counts as theft.
fn columns() -> [(&'static str, ColumnDef); 3] {
    [
        ("access_tokens", ColumnDef::new("exchanged").blob().take()),
        ("refresh_tokens", ColumnDef::new("exchanged").blob().take()),
        ("refresh_tokens", ColumnDef::new("awaits_use").boolean().not_null().default(false).take()),
    ]
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (table, column) in columns() {
            manager.alter_table(Table::alter().table(table).add_column(column).to_owned()).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (table, column) in columns() {
            let name = column.get_column_name();
            manager.alter_table(Table::alter().table(table).drop_column(name).to_owned()).await?;
        }
        Ok(())
    }
}
