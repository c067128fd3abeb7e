//! Databases of a PostgreSQL server, for the run of the suite on PostgreSQL.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use documines_auth::database::Database;
use documines_auth::settings::Location;
use sea_orm::{ConnectOptions, ConnectionTrait, DatabaseConnection, DbBackend, Statement};
use tokio::sync::OnceCell;

/// Where the suite is to run on PostgreSQL: the URL of a database of a server, beside which each test makes its own.
pub(crate) const VARIABLE: &str = "DOCUMINES_TEST_POSTGRES";

/// The URL in [`VARIABLE`], where the suite runs on PostgreSQL.
#[expect(clippy::disallowed_methods, reason = "it is the suite's setting, not the server's")]
pub(crate) fn maintenance_url() -> Option<String> {
    std::env::var(VARIABLE).ok()
}

/// A database of a test's own; it is removed some time after it was dropped.
pub(crate) struct TestDatabase {
    maintenance: String,
    name: String,
}

impl TestDatabase {
    /// A fresh one with the schema in it, where the suite runs on PostgreSQL.
    pub(crate) async fn migrated() -> Option<Arc<Self>> {
        /// A copy costs less than all migrations. Kept for as long as the server.
        static TEMPLATE: OnceCell<TestDatabase> = OnceCell::const_new();
        let maintenance = maintenance_url()?;
        let make_template = async || {
            let template = Self::create(maintenance.clone(), "template0").await;
            let database = open(&template.url()).await;
            database.migrate().await.unwrap();
            database.close().await.unwrap();
            template
        };
        let template = TEMPLATE.get_or_init(make_template).await;
        Some(Arc::new(Self::create(maintenance.clone(), &template.name).await))
    }

    /// A fresh one with nothing in it.
    pub(crate) async fn empty() -> Self {
        let maintenance = maintenance_url().unwrap_or_else(|| panic!("this test needs {VARIABLE}"));
        Self::create(maintenance, "template0").await
    }

    pub(crate) fn url(&self) -> String {
        let (server, _) = self.maintenance.rsplit_once('/').unwrap();
        format!("{server}/{}", self.name)
    }

    async fn create(maintenance: String, template: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("test_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        execute(&maintenance, &format!("CREATE DATABASE {name} TEMPLATE {template}")).await;
        Self { maintenance, name }
    }
}

impl Drop for TestDatabase {
    /// On a thread of its own, for a runtime may be around that must not wait. Hundreds of databases left behind would
    /// keep the disk busy for minutes.
    fn drop(&mut self) {
        let (maintenance, name) = (self.maintenance.clone(), self.name.clone());
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(execute(&maintenance, &format!("DROP DATABASE {name} WITH (FORCE)")));
        });
    }
}

/// Opens the database at `url`.
pub(crate) async fn open(url: &str) -> Database {
    Database::open(&Location::Url(url.into())).await.unwrap()
}

/// Runs `sql` on a connection of its own, outside of any server.
pub(crate) async fn execute(url: &str, sql: &str) {
    let connection = connect(url).await;
    connection.execute_unprepared(sql).await.unwrap();
    connection.close().await.unwrap();
}

async fn connect(url: &str) -> DatabaseConnection {
    let mut one = ConnectOptions::new(url);
    one.max_connections(1).sqlx_logging(false);
    sea_orm::Database::connect(one).await.unwrap()
}

/// Every row of every table, as text.
pub(crate) async fn dump(url: &str) -> String {
    let connection = connect(url).await;
    let rows = async |sql: &str| {
        let rows = connection.query_all_raw(Statement::from_string(DbBackend::Postgres, sql)).await.unwrap();
        rows.iter().map(|row| row.try_get_by_index(0).unwrap()).collect::<Vec<String>>()
    };
    let mut dump = Vec::new();
    for table in rows("SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'").await {
        dump.extend(rows(&format!("SELECT kept::text FROM {table} AS kept")).await);
    }
    connection.close().await.unwrap();
    dump.join("\n")
}
