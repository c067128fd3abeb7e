//! SQLite refuses to replace events and seals too: `REPLACE` removes the row that stands in its way, and fires no trigger
//! that guards against removal.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

/// See the module.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// PostgreSQL needs none: it has no `REPLACE`, and its `ON CONFLICT DO UPDATE` fires the triggers that guard updates.
///
/// A trigger that runs before the insertion reads -1 where the database is to choose the number, so no row may have that
/// one: it would stop every insertion.
const TRIGGERS: [&str; 4] = [
    "CREATE TRIGGER audit_events_are_not_replaced BEFORE INSERT ON audit_events
     WHEN EXISTS (SELECT 1 FROM audit_events WHERE id = new.id)
     BEGIN SELECT RAISE(ABORT, 'audit_events is append-only'); END",
    "CREATE TRIGGER audit_events_count_from_one AFTER INSERT ON audit_events WHEN new.id < 1
     BEGIN SELECT RAISE(ABORT, 'audit_events counts from 1'); END",
    "CREATE TRIGGER audit_seals_are_not_replaced BEFORE INSERT ON audit_seals
     WHEN EXISTS (SELECT 1 FROM audit_seals WHERE number = new.number)
     BEGIN SELECT RAISE(ABORT, 'audit_seals is append-only'); END",
    "CREATE TRIGGER audit_seals_count_from_one AFTER INSERT ON audit_seals WHEN new.number < 1
     BEGIN SELECT RAISE(ABORT, 'audit_seals counts from 1'); END",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        if db.get_database_backend() == DbBackend::Sqlite {
            for sql in TRIGGERS {
                db.execute_unprepared(sql).await?;
            }
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        if db.get_database_backend() == DbBackend::Sqlite {
            for table in ["audit_events", "audit_seals"] {
                for name in ["are_not_replaced", "count_from_one"] {
                    db.execute_unprepared(&format!("DROP TRIGGER {table}_{name}")).await?;
                }
            }
        }
        Ok(())
    }
}
