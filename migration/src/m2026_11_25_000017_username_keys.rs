//! The form in which usernames are unique becomes NFKC with Unicode's case folding. Lower case was less: it told `ΟΔΟΣ` from
//! `οδοσ`, so two accounts may have one name. The older one keeps it. The newer one loses it: its owner logs in by e-mail
//! address as before, and can choose another.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::{ConnectionTrait, Statement, Value};
use unicode_normalization::UnicodeNormalization;

/// See the module.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// Accounts that are read at once.
const BATCH: i64 = 5_000;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        let (mut after, mut lost) = (0, 0);
        loop {
            let names = names(db, after).await?;
            let Some((last, _)) = names.last() else { break };
            after = *last;
            for (id, name) in names {
                let form = unique_form(&name);
                // Where both rules agree nothing is to be done; so it is with every name in ASCII.
                if form != name.to_lowercase() {
                    lost += rename(db, id, &form).await?;
                }
            }
        }
        if lost > 0 {
            tracing::warn!(
                accounts = lost,
                "usernames that differ in case alone were given up by the newer account; its owner can choose another"
            );
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        let mut after = 0;
        loop {
            let names = names(db, after).await?;
            let Some((last, _)) = names.last() else { return Ok(()) };
            after = *last;
            for (id, name) in names {
                let form = name.to_lowercase();
                if form != unique_form(&name) {
                    set_form(db, id, &form).await?;
                }
            }
        }
    }
}

/// Numbers and usernames behind that number, oldest account first.
async fn names(db: &impl ConnectionTrait, after: i64) -> Result<Vec<(i64, String)>, DbErr> {
    let sql = "SELECT id, username FROM accounts WHERE username IS NOT NULL AND id > $1 ORDER BY id LIMIT $2";
    let rows = db.query_all_raw(statement(db, sql, [after.into(), BATCH.into()])).await?;
    rows.iter().map(|row| Ok((row.try_get("", "id")?, row.try_get("", "username")?))).collect()
}

/// Gives the account's username its new form; of two accounts with one, the older keeps it. Tells how many lost theirs.
async fn rename(db: &impl ConnectionTrait, id: i64, form: &str) -> Result<u64, DbErr> {
    let sql = "SELECT id FROM accounts WHERE username_key = $1 AND id <> $2";
    let other = db.query_one_raw(statement(db, sql, [form.into(), id.into()])).await?;
    let other: Option<i64> = other.map(|row| row.try_get("", "id")).transpose()?;
    match other {
        Some(older) if older < id => give_up(db, id, older).await?,
        Some(newer) => {
            give_up(db, newer, id).await?;
            set_form(db, id, form).await?;
        }
        None => {
            set_form(db, id, form).await?;
            return Ok(0);
        }
    }
    Ok(1)
}

async fn give_up(db: &impl ConnectionTrait, id: i64, older: i64) -> Result<(), DbErr> {
    tracing::warn!(account = id, older_account = older, "a username is the older account's, but for its case");
    let sql = "UPDATE accounts SET username = NULL, username_key = NULL WHERE id = $1";
    db.execute_raw(statement(db, sql, [id.into()])).await.map(drop)
}

async fn set_form(db: &impl ConnectionTrait, id: i64, form: &str) -> Result<(), DbErr> {
    let sql = "UPDATE accounts SET username_key = $1 WHERE id = $2";
    db.execute_raw(statement(db, sql, [form.into(), id.into()])).await.map(drop)
}

fn statement<const N: usize>(db: &impl ConnectionTrait, sql: &str, values: [Value; N]) -> Statement {
    Statement::from_sql_and_values(db.get_database_backend(), sql, values)
}

/// As the server has it at this release. A migration goes on doing what it did.
fn unique_form(name: &str) -> String {
    let folded = |text: &str| -> String {
        let lower = text.nfkc().flat_map(char::to_lowercase);
        lower.flat_map(char::to_uppercase).flat_map(char::to_lowercase).nfkc().collect()
    };
    let name: String = name.nfkc().collect();
    name.split('ı').map(folded).collect::<Vec<_>>().join("ı")
}
