//! The database schema, one change a file, oldest first. `README.md` beside `Cargo.toml` has the rules.

pub use sea_orm_migration::{MigrationTrait, MigratorTrait};

mod m2026_11_23_000001_accounts;
mod m2026_11_23_000002_sessions;
mod m2026_11_23_000003_password_resets;
mod m2026_11_23_000004_outbox_and_audit;
mod m2026_11_23_000005_secret_key_check;
mod m2026_11_23_000006_expiry_indexes;
mod m2026_11_23_000007_outbox_leases;
mod m2026_11_23_000008_audit_origins;
mod m2026_11_23_000009_outbox_tries;
mod m2026_11_23_000010_throttles;
mod m2026_11_23_000011_audit_seals;
mod m2026_11_23_000012_email_verifications;
mod m2026_11_25_000013_audit_replacements;
mod m2026_11_25_000014_refresh_branches;
mod m2026_11_25_000015_refresh_uses;
mod m2026_11_25_000016_claims;
mod m2026_11_25_000017_username_keys;

/// Every change, in the order in which it is made.
#[derive(Debug)]
pub struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m2026_11_23_000001_accounts::Migration),
            Box::new(m2026_11_23_000002_sessions::Migration),
            Box::new(m2026_11_23_000003_password_resets::Migration),
            Box::new(m2026_11_23_000004_outbox_and_audit::Migration),
            Box::new(m2026_11_23_000005_secret_key_check::Migration),
            Box::new(m2026_11_23_000006_expiry_indexes::Migration),
            Box::new(m2026_11_23_000007_outbox_leases::Migration),
            Box::new(m2026_11_23_000008_audit_origins::Migration),
            Box::new(m2026_11_23_000009_outbox_tries::Migration),
            Box::new(m2026_11_23_000010_throttles::Migration),
            Box::new(m2026_11_23_000011_audit_seals::Migration),
            Box::new(m2026_11_23_000012_email_verifications::Migration),
            Box::new(m2026_11_25_000013_audit_replacements::Migration),
            Box::new(m2026_11_25_000014_refresh_branches::Migration),
            Box::new(m2026_11_25_000015_refresh_uses::Migration),
            Box::new(m2026_11_25_000016_claims::Migration),
            Box::new(m2026_11_25_000017_username_keys::Migration),
        ]
    }
}
