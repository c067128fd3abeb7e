//! The database: opening it, migrating it, beginning transactions.

use std::str::FromStr;
use std::time::Duration;

use migration::{Migrator, MigratorTrait};
use sea_orm::sqlx::postgres::{PgConnectOptions, PgListener};
use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sea_orm::{
    AccessMode, ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, IsolationLevel, SqlxError,
    SqlxSqliteConnector, TransactionOptions, TransactionTrait,
};
use secrecy::ExposeSecret;

use self::postgres::Postgres;
use crate::command_error::CommandError;
use crate::database::lines::Lines;
use crate::journal::Journal;
use crate::settings::{BadSetting, Location, PostgresSettings};
use crate::sqlite::{Connections, OthersCommits, PATIENCE};
use crate::store::writes::Writes;
use crate::store::{LockedRow, StoreError};
use crate::transaction::{Direct, Transaction};

mod aside;
mod exclusive;
pub(crate) mod lines;
mod postgres;
mod url;

/// One database: an SQLite file for one process, or PostgreSQL for any number of them.
///
/// SQLite has one writer at a time. With one connection for it, writers wait for their turn in order and without
/// "database is locked"; WAL lets the readers go on meanwhile. PostgreSQL has one pool for both.
#[derive(Clone, Debug)]
pub struct Database {
    reader: Direct,
    writer: Direct,
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {
    Sqlite { writer: Connections, readers: Connections, journal: Journal, lines: Lines },
    Postgres(Postgres),
}

/// Connections that read, on SQLite.
const SQLITE_READERS: u32 = 4;
/// How long a command waits for the writer of a server that is busy: that one lets go of it for moments only, and SQLite
/// has no queue.
const COMMAND_PATIENCE: Duration = Duration::from_secs(30);
/// What nodes that migrate the same PostgreSQL at once take turns by: any number that nobody else uses.
const MIGRATION_LOCK: i64 = 0x0064_6f63_756d_696e;

impl Database {
    /// Opens the database for a command, whose statements on PostgreSQL take as long as they take.
    ///
    /// # Errors
    /// Where the URL is neither SQLite's nor PostgreSQL's, or what it names cannot be opened.
    pub async fn open(location: &Location) -> Result<Self, CommandError> {
        Self::open_with(location, PATIENCE, None).await
    }

    /// Opens the database for a server, with these limits on PostgreSQL.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub async fn open_to_serve(location: &Location, limits: PostgresSettings) -> Result<Self, CommandError> {
        Self::open_with(location, PATIENCE, Some(limits)).await
    }

    async fn open_with(
        location: &Location,
        patience: Duration,
        limits: Option<PostgresSettings>,
    ) -> Result<Self, CommandError> {
        let refuse = |reason: String| BadSetting::new("--database-url", reason);
        let opened = match location {
            Location::File(file) => {
                let options = SqliteConnectOptions::new().filename(file).create_if_missing(true);
                Self::open_sqlite(options, patience).await
            }
            Location::Url(url) => match url.expose_secret() {
                url if url.starts_with("postgres://") || url.starts_with("postgresql://") => {
                    let options = PgConnectOptions::from_str(url).map_err(|error| refuse(error.to_string()))?;
                    Self::open_postgres(options, limits).await
                }
                url if url.starts_with("sqlite:") => {
                    Self::open_sqlite(url::sqlite_options(url).map_err(refuse)?, patience).await
                }
                _ => {
                    return Err(refuse(
                        "must be the URL of an SQLite file (sqlite://data/auth.db?mode=rwc) or of PostgreSQL \
                         (postgres://…)"
                            .to_owned(),
                    )
                    .into());
                }
            },
        };
        opened.map_err(CommandError::of_opening)
    }

    /// Opens a database that is there: for commands that have nothing to do with an empty one.
    ///
    /// # Errors
    /// As [`Self::open`], and where the file is missing.
    pub async fn open_existing(location: &Location) -> Result<Self, CommandError> {
        match location {
            Location::File(file) if !file.exists() => {
                Err(BadSetting::new("--data-dir", format!("there is no database in {}", file.display())).into())
            }
            _ => Self::open_with(location, COMMAND_PATIENCE, None).await,
        }
    }

    /// Connects to a database that is there, for reading alone; beside a server that uses it.
    ///
    /// # Errors
    /// As [`Self::open`], and where there is none.
    pub async fn connect_to_read(location: &Location) -> Result<DatabaseConnection, CommandError> {
        let refuse = |reason: String| BadSetting::new("--database-url", reason);
        let options = match location {
            Location::File(file) => SqliteConnectOptions::new().filename(file),
            Location::Url(url) => match url.expose_secret() {
                url if url.starts_with("sqlite:") => url::sqlite_options(url).map_err(refuse)?,
                _ => {
                    let Kind::Postgres(postgres) = Self::open(location).await?.kind else {
                        return Err(refuse("must be PostgreSQL's".to_owned()).into());
                    };
                    return Ok(postgres.connection);
                }
            },
        };
        let options = options.create_if_missing(false).busy_timeout(PATIENCE).pragma("query_only", "ON");
        let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await;
        let pool = pool.map_err(CommandError::of_opening)?;
        Ok(SqlxSqliteConnector::from_sqlx_sqlite_pool(pool))
    }

    /// `patience` is for other processes that write.
    async fn open_sqlite(options: SqliteConnectOptions, patience: Duration) -> Result<Self, SqlxError> {
        let options = options
            .journal_mode(SqliteJournalMode::Wal)
            // Whoever commits waits for the journal, which syncs for many at once.
            .synchronous(SqliteSynchronous::Normal)
            .foreign_keys(true)
            .busy_timeout(patience);
        let file = options.get_filename().to_path_buf();
        let writer = Connections::open(options.clone(), 1).await?;
        let readers = Connections::open(options.pragma("query_only", "ON"), SQLITE_READERS).await?;
        Ok(Self {
            reader: Direct::on_sqlite(readers.clone()),
            writer: Direct::on_sqlite(writer.clone()),
            kind: Kind::Sqlite { writer, readers, journal: Journal::start(&file)?, lines: Lines::new(patience) },
        })
    }

    async fn open_postgres(options: PgConnectOptions, limits: Option<PostgresSettings>) -> Result<Self, SqlxError> {
        let postgres = Postgres::open(options, limits).await?;
        let pool = Direct::on_postgres(postgres.connection.clone());
        Ok(Self { reader: pool.clone(), writer: pool, kind: Kind::Postgres(postgres) })
    }

    /// Brings the schema up to date. Any number of nodes may do so at once: they take turns.
    ///
    /// # Errors
    /// Where a change fails. On PostgreSQL then none is made, on SQLite those before it stay.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        match &self.kind {
            Kind::Sqlite { writer, .. } => {
                let alone = connect_alone(writer.options()).await?;
                Migrator::up(&alone, None).await?;
                alone.close().await?;
                self.make_durable().await
            }
            Kind::Postgres(postgres) => {
                let tx = postgres.connection.begin().await?;
                tx.execute_unprepared(postgres::WITHOUT_TIMEOUTS).await?;
                tx.execute_unprepared(&format!("SELECT pg_advisory_xact_lock({MIGRATION_LOCK})")).await?;
                Migrator::up(&tx, None).await?;
                self.commit(Transaction::on_postgres(tx, None)).await
            }
        }
    }

    /// Begins a transaction that will write, and locks no row that many may want. On SQLite it has the database to itself.
    ///
    /// # Errors
    /// Where no connection comes free in time.
    pub async fn begin(&self) -> Result<Transaction, StoreError> {
        self.begin_locking([]).await
    }

    /// Begins a transaction that will lock these rows. Callers who want the same row wait for each other here, so that they
    /// hold up nobody else: at the connections of PostgreSQL, or in the queue of SQLite's writer.
    ///
    /// # Errors
    /// Where it is not the caller's turn in time, or no connection comes free.
    pub async fn begin_locking(&self, rows: impl IntoIterator<Item = LockedRow>) -> Result<Transaction, StoreError> {
        match &self.kind {
            Kind::Sqlite { writer, lines, .. } => {
                let place = lines.enter(rows).await?;
                Ok(Transaction::on_sqlite(writer.begin().await?, place))
            }
            Kind::Postgres(postgres) => postgres.begin_locking(rows).await,
        }
    }

    /// Commits: when this returns, what was written is on the disk.
    ///
    /// # Errors
    /// Where it may not be.
    pub async fn commit(&self, tx: Transaction) -> Result<(), StoreError> {
        let none = Writes::to(&tx);
        self.commit_with(tx, none).await
    }

    /// Runs the writes and commits.
    ///
    /// # Errors
    /// As [`Self::commit`], and the writes' own: then nothing of the transaction is kept.
    pub async fn commit_with(&self, tx: Transaction, writes: Writes) -> Result<(), StoreError> {
        tx.commit(writes).await?;
        self.make_durable().await
    }

    /// Returns when what was committed before is on the disk. PostgreSQL has done so by itself when a commit returns.
    ///
    /// # Errors
    /// Where it may not be.
    pub async fn make_durable(&self) -> Result<(), StoreError> {
        match &self.kind {
            Kind::Sqlite { journal, .. } => {
                journal.sync().await.map_err(|error| StoreError::Unavailable(DbErr::Custom(error.to_string())))
            }
            Kind::Postgres(_) => Ok(()),
        }
    }

    /// For single statements that read.
    #[must_use]
    pub fn reader(&self) -> &Direct {
        &self.reader
    }

    /// For single statements that write, and need not be on the disk when they return.
    #[must_use]
    pub fn writer(&self) -> &Direct {
        &self.writer
    }

    /// Whether other nodes may change the database too.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        matches!(self.kind, Kind::Postgres(_))
    }

    /// A connection of its own that hears what the nodes tell each other; `None` where there is no other node.
    ///
    /// # Errors
    /// Where it cannot be made.
    pub async fn listen(&self) -> Result<Option<PgListener>, StoreError> {
        match &self.kind {
            Kind::Sqlite { .. } => Ok(None),
            Kind::Postgres(postgres) => Ok(Some(postgres.listen().await?)),
        }
    }

    /// What is another one after each commit that was not this process's; `None` on PostgreSQL, whose nodes tell each other.
    pub(crate) async fn others_commits(&self) -> Result<Option<OthersCommits>, StoreError> {
        match &self.kind {
            Kind::Sqlite { writer, .. } => Ok(Some(writer.others_commits().await?)),
            Kind::Postgres(_) => Ok(None),
        }
    }

    /// Tells every node `payload` at once, however many callers use the database.
    ///
    /// # Errors
    /// Where the database does not take it.
    pub async fn tell(&self, payload: &str) -> Result<(), StoreError> {
        match &self.kind {
            Kind::Sqlite { .. } => Ok(()),
            Kind::Postgres(postgres) => postgres.tell(payload).await,
        }
    }

    /// Connections for callers that are open, and those of them that nobody uses.
    #[must_use]
    pub fn connections(&self) -> (usize, usize) {
        match &self.kind {
            Kind::Sqlite { writer, readers, .. } => {
                let ((write, idle_to_write), (read, idle_to_read)) = (writer.count(), readers.count());
                (write + read, idle_to_write + idle_to_read)
            }
            Kind::Postgres(postgres) => postgres.count(),
        }
    }

    /// Answers if the database does, however many callers use it, and keeps what it is given.
    ///
    /// # Errors
    /// Where it does not.
    pub async fn ping(&self) -> Result<(), StoreError> {
        match &self.kind {
            Kind::Sqlite { .. } => self.reader.execute_unprepared("SELECT 1").await.map(|_| ())?,
            Kind::Postgres(postgres) => postgres.ping().await?,
        }
        self.make_durable().await
    }

    /// Closes every connection; SQLite then folds its write-ahead log into the file.
    ///
    /// # Errors
    /// Where a connection does not close cleanly.
    pub async fn close(self) -> Result<(), StoreError> {
        match self.kind {
            Kind::Sqlite { writer, readers, .. } => {
                readers.close().await?;
                writer.close().await?;
            }
            Kind::Postgres(postgres) => postgres.close().await?,
        }
        Ok(())
    }
}

/// One connection for what is written in sea-orm's own transactions: migrations.
async fn connect_alone(options: SqliteConnectOptions) -> Result<DatabaseConnection, StoreError> {
    let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await?;
    Ok(SqlxSqliteConnector::from_sqlx_sqlite_pool(pool))
}

/// Begins a transaction that sees one state of the database throughout, and changes nothing.
///
/// # Errors
/// Where no connection comes free in time.
pub async fn begin_to_read(db: &DatabaseConnection) -> Result<DatabaseTransaction, StoreError> {
    // On SQLite every transaction is like that; asking for it would be answered with a warning.
    let is_postgres = db.get_database_backend() == DbBackend::Postgres;
    let options = TransactionOptions {
        isolation_level: is_postgres.then_some(IsolationLevel::RepeatableRead),
        access_mode: is_postgres.then_some(AccessMode::ReadOnly),
        ..TransactionOptions::default()
    };
    Ok(db.begin_with_options(options).await?)
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
        let Kind::Sqlite { writer, .. } = &database.kind else { panic!("it is SQLite") };
        Migrator::down(&connect_alone(writer.options()).await.unwrap(), None).await.unwrap();
        assert_eq!(tables(&database).await, ["seaql_migrations"]);
        database.migrate().await.unwrap();
        assert_eq!(tables(&database).await, first);
    }

    #[tokio::test]
    async fn a_url_of_another_kind_is_refused_without_being_shown() {
        for url in [
            "sqlite::memory:",
            "sqlite://?mode=memory",
            "sqlite://?mode=rwc",
            "mysql://u:hunter2@localhost",
            "postgres:hunter2",
        ] {
            let refusal = Database::open(&Location::Url(url.into())).await.unwrap_err().to_string();
            assert!(refusal.starts_with("--database-url: ") && !refusal.contains("hunter2"), "{refusal}");
        }
    }

    async fn tables(database: &Database) -> Vec<String> {
        use sea_orm::Statement;
        let sql = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name";
        let statement = Statement::from_string(sea_orm::DbBackend::Sqlite, sql);
        let rows = database.reader.query_all_raw(statement).await.unwrap();
        rows.iter().map(|row| row.try_get("", "name").unwrap()).collect()
    }
}
