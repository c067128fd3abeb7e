//! The database: opening it, migrating it, beginning transactions.

use std::str::FromStr;
use std::time::Duration;

use migration::{Migrator, MigratorTrait};
use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sea_orm::{
    DatabaseConnection, DatabaseTransaction, SqliteTransactionMode, SqlxSqliteConnector, TransactionOptions,
    TransactionTrait,
};
use secrecy::ExposeSecret;

use crate::settings::{BadSetting, Location};
use crate::store::StoreError;

/// One SQLite database: a single connection that writes and a few that read beside it.
///
/// SQLite has one writer at a time. With one connection for it, writers wait in our pool, in order and without
/// "database is locked"; WAL lets the readers go on meanwhile.
#[derive(Clone, Debug)]
pub struct Database {
    writer: DatabaseConnection,
    reader: DatabaseConnection,
}

const READERS: u32 = 4;
/// How long a caller waits for a free connection before it hears 503.
const PATIENCE: Duration = Duration::from_secs(5);

impl Database {
    /// Opens the database.
    ///
    /// # Errors
    /// Where the URL is not one of SQLite's, or what it names cannot be opened.
    pub async fn open(location: &Location) -> Result<Self, BadSetting> {
        let refuse = |reason: String| BadSetting::new("--database-url", reason);
        let options = match location {
            Location::File(file) => SqliteConnectOptions::new().filename(file).create_if_missing(true),
            Location::Url(url) => sqlite_options(url.expose_secret()).map_err(refuse)?,
        };
        let options = options
            .journal_mode(SqliteJournalMode::Wal)
            // An answer goes out after the commit, and a commit is on the disk: what was acknowledged survives.
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(PATIENCE);
        let pool = |connections| {
            SqlitePoolOptions::new()
                .max_connections(connections)
                .min_connections(1)
                .acquire_timeout(PATIENCE)
                .idle_timeout(None)
                .max_lifetime(None)
                // A local file does not drop its connections; asking it each time would double every query.
                .test_before_acquire(false)
        };
        let opened = |error: sea_orm::SqlxError| refuse(format!("cannot open the database: {error}"));
        let writer = pool(1).connect_with(options.clone()).await.map_err(opened)?;
        let reader = pool(READERS).connect_with(options.pragma("query_only", "ON")).await.map_err(opened)?;
        Ok(Self {
            writer: SqlxSqliteConnector::from_sqlx_sqlite_pool(writer),
            reader: SqlxSqliteConnector::from_sqlx_sqlite_pool(reader),
        })
    }

    /// Brings the schema up to date.
    ///
    /// # Errors
    /// Where a change fails; what was made before it stays.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        Ok(Migrator::up(&self.writer, None).await?)
    }

    /// Begins a transaction that will write.
    ///
    /// It takes SQLite's write lock at once: one that reads first and then wants to write would be refused, however
    /// patient it is, where another wrote in between.
    ///
    /// # Errors
    /// Where no connection comes free in time.
    pub async fn begin(&self) -> Result<DatabaseTransaction, StoreError> {
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        Ok(self.writer.begin_with_options(options).await?)
    }

    /// The connections for reading.
    #[must_use]
    pub fn reader(&self) -> &DatabaseConnection {
        &self.reader
    }

    /// Answers if the database does.
    ///
    /// # Errors
    /// Where it does not.
    pub async fn ping(&self) -> Result<(), StoreError> {
        Ok(self.reader.ping().await?)
    }

    /// Closes every connection; SQLite then folds its write-ahead log into the file.
    ///
    /// # Errors
    /// Where a connection does not close cleanly.
    pub async fn close(self) -> Result<(), StoreError> {
        self.reader.close().await?;
        Ok(self.writer.close().await?)
    }
}

fn sqlite_options(url: &str) -> Result<SqliteConnectOptions, String> {
    if !url.starts_with("sqlite:") || url.contains(":memory:") {
        return Err("must be the URL of an SQLite file, such as sqlite://data/auth.db?mode=rwc".to_owned());
    }
    SqliteConnectOptions::from_str(url).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn migrations_go_up_down_and_up_again() {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(&Location::File(folder.path().join("auth.db"))).await.unwrap();
        database.migrate().await.unwrap();
        let first = tables(&database).await;
        assert!(first.contains(&"accounts".to_owned()), "{first:?}");
        Migrator::down(&database.writer, None).await.unwrap();
        assert_eq!(tables(&database).await, ["seaql_migrations"]);
        database.migrate().await.unwrap();
        assert_eq!(tables(&database).await, first);
    }

    #[tokio::test]
    async fn a_url_that_is_not_a_file_of_sqlites_is_refused_without_being_shown() {
        for url in ["postgres://u:hunter2@localhost/d", "sqlite::memory:", "mysql://u:hunter2@localhost"] {
            let refusal = Database::open(&Location::Url(url.into())).await.unwrap_err().to_string();
            assert!(refusal.starts_with("--database-url: ") && !refusal.contains("hunter2"), "{refusal}");
        }
    }

    async fn tables(database: &Database) -> Vec<String> {
        use sea_orm::{ConnectionTrait, Statement};
        let sql = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name";
        let statement = Statement::from_string(sea_orm::DbBackend::Sqlite, sql);
        let rows = database.writer.query_all_raw(statement).await.unwrap();
        rows.iter().map(|row| row.try_get("", "name").unwrap()).collect()
    }
}
