//! The record can be checked: outcomes, seals, and a database that refuses to change what was written.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

/// See the module.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// What an event may be given once is its seal. A new column of `audit_events` belongs into a new version of the first.
const SQLITE_TRIGGERS: [&str; 4] = [
    "CREATE TRIGGER audit_events_keep_what_they_say BEFORE UPDATE ON audit_events
     WHEN old.seal IS NOT NULL OR new.seal IS NULL
        OR (new.id, new.at, new.event, new.outcome, new.times) IS NOT (old.id, old.at, old.event, old.outcome, old.times)
        OR (new.actor_id, new.account_id, new.session_id, new.client_id)
           IS NOT (old.actor_id, old.account_id, old.session_id, old.client_id)
        OR (new.source, new.user_agent, new.request_id) IS NOT (old.source, old.user_agent, old.request_id)
     BEGIN SELECT RAISE(ABORT, 'audit_events is append-only'); END",
    "CREATE TRIGGER audit_events_stay BEFORE DELETE ON audit_events
     WHEN old.seal IS NULL
        OR old.seal > coalesce((SELECT removed_through FROM audit_seals ORDER BY number DESC LIMIT 1), 0)
     BEGIN SELECT RAISE(ABORT, 'audit_events is append-only'); END",
    "CREATE TRIGGER audit_seals_keep_what_they_say BEFORE UPDATE ON audit_seals
     BEGIN SELECT RAISE(ABORT, 'audit_seals is append-only'); END",
    "CREATE TRIGGER audit_seals_stay BEFORE DELETE ON audit_seals
     BEGIN SELECT RAISE(ABORT, 'audit_seals is append-only'); END",
];

const POSTGRES_FUNCTIONS: [&str; 2] = [
    "CREATE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS
     $$ BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$",
    "CREATE FUNCTION audit_refuse_unless_removed() RETURNS trigger LANGUAGE plpgsql AS
     $$ BEGIN
        IF OLD.seal IS NULL
            OR OLD.seal > coalesce((SELECT removed_through FROM audit_seals ORDER BY number DESC LIMIT 1), 0)
        THEN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME;
        END IF;
        RETURN OLD;
     END $$",
];

const POSTGRES_TRIGGERS: [&str; 6] = [
    "CREATE TRIGGER audit_events_keep_what_they_say BEFORE UPDATE ON audit_events FOR EACH ROW
     WHEN (OLD.seal IS NOT NULL OR NEW.seal IS NULL
        OR to_jsonb(NEW) - 'seal' IS DISTINCT FROM to_jsonb(OLD) - 'seal')
     EXECUTE FUNCTION audit_refuse()",
    "CREATE TRIGGER audit_events_stay BEFORE DELETE ON audit_events FOR EACH ROW
     EXECUTE FUNCTION audit_refuse_unless_removed()",
    "CREATE TRIGGER audit_events_stay_whole BEFORE TRUNCATE ON audit_events EXECUTE FUNCTION audit_refuse()",
    "CREATE TRIGGER audit_seals_keep_what_they_say BEFORE UPDATE ON audit_seals FOR EACH ROW
     EXECUTE FUNCTION audit_refuse()",
    "CREATE TRIGGER audit_seals_stay BEFORE DELETE ON audit_seals FOR EACH ROW EXECUTE FUNCTION audit_refuse()",
    "CREATE TRIGGER audit_seals_stay_whole BEFORE TRUNCATE ON audit_seals EXECUTE FUNCTION audit_refuse()",
];

/// `actor_id`: the account that called, where one had shown who it is. `times`: how often the like of it happened.
/// `seal`: the seal that the event is under; none yet for the newest.
fn columns() -> [ColumnDef; 4] {
    [
        ColumnDef::new("actor_id").big_integer().take(),
        ColumnDef::new("outcome").text().not_null().default("success").take(),
        ColumnDef::new("times").big_integer().not_null().default(1).take(),
        ColumnDef::new("seal").big_integer().take(),
    ]
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for column in columns() {
            manager.alter_table(Table::alter().table("audit_events").add_column(column).to_owned()).await?;
        }
        let db = manager.get_connection();
        db.execute_unprepared(
            "UPDATE audit_events SET outcome = 'invalid_refresh_token' WHERE event = 'refresh_token_reused'",
        )
        .await?;
        // The sealer looks for these alone, and they are few: an index of all events would cost each insert more.
        db.execute_unprepared("CREATE INDEX audit_events_unsealed ON audit_events (id) WHERE seal IS NULL").await?;
        let seals = Table::create()
            .table("audit_seals")
            .col(ColumnDef::new("number").big_integer().not_null().primary_key())
            .col(ColumnDef::new("at").big_integer().not_null())
            .col(ColumnDef::new("key_id").text().not_null())
            // The events under it: how many, their least and greatest number, and their SHA-256.
            .col(ColumnDef::new("events").big_integer().not_null())
            .col(ColumnDef::new("first_event").big_integer().not_null())
            .col(ColumnDef::new("last_event").big_integer().not_null())
            .col(ColumnDef::new("digest").blob().not_null())
            // The events under all seals up to this one had grown old and were removed.
            .col(ColumnDef::new("removed_through").big_integer().not_null())
            .col(ColumnDef::new("mac").blob().not_null())
            .to_owned();
        manager.create_table(seals).await?;
        if db.get_database_backend() == DbBackend::Postgres {
            for sql in POSTGRES_FUNCTIONS.into_iter().chain(POSTGRES_TRIGGERS) {
                db.execute_unprepared(sql).await?;
            }
        } else {
            for sql in SQLITE_TRIGGERS {
                db.execute_unprepared(sql).await?;
            }
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        if db.get_database_backend() == DbBackend::Postgres {
            // Their triggers go with them.
            db.execute_unprepared("DROP FUNCTION audit_refuse, audit_refuse_unless_removed CASCADE").await?;
        } else {
            for name in ["audit_events_keep_what_they_say", "audit_events_stay"] {
                db.execute_unprepared(&format!("DROP TRIGGER {name}")).await?;
            }
        }
        manager.drop_table(Table::drop().table("audit_seals").to_owned()).await?;
        db.execute_unprepared("DROP INDEX audit_events_unsealed").await?;
        for column in ["actor_id", "outcome", "times", "seal"] {
            manager.alter_table(Table::alter().table("audit_events").drop_column(column).to_owned()).await?;
        }
        Ok(())
    }
}
