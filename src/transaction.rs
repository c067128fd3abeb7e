//! Where statements run: in a transaction that will write, or each as one of its own. On either database.

use async_trait::async_trait;
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, ExecResult, QueryResult, Statement,
};
use tokio::sync::Mutex;

use crate::database::lines::Place;
use crate::kernel::token::Digest;
use crate::sqlite::{self, Turn};
use crate::store::writes::Writes;
use crate::store::{AccountId, LockedRow, Locking, StoreError};

/// A transaction that will write. Dropped without a commit it changes nothing.
#[derive(Debug)]
pub struct Transaction {
    kind: Kind,
    /// Where it stands in line for the rows that it locks: `None` where it named none. Given up after the transaction.
    place: Option<Place>,
}

#[derive(Debug)]
enum Kind {
    Sqlite(Mutex<Turn>),
    Postgres(DatabaseTransaction),
}

impl Transaction {
    pub(crate) fn on_sqlite(turn: Turn, place: Place) -> Self {
        Self { kind: Kind::Sqlite(Mutex::new(turn)), place: Some(place) }
    }

    pub(crate) fn on_postgres(tx: DatabaseTransaction, place: Option<Place>) -> Self {
        Self { kind: Kind::Postgres(tx), place }
    }

    /// Whether it named such a row.
    fn has_named(&self, is_meant: impl FnMut(&LockedRow) -> bool) -> bool {
        self.place.as_ref().is_some_and(|place| place.rows().any(is_meant))
    }

    #[expect(clippy::disallowed_methods, reason = "this is what App::commit calls")]
    pub(crate) async fn commit(self, writes: Writes) -> Result<(), StoreError> {
        match self.kind {
            Kind::Sqlite(turn) => turn.into_inner().commit(writes).await?,
            Kind::Postgres(tx) => {
                writes.run(&tx).await?;
                tx.commit().await?;
            }
        }
        Ok(())
    }
}

#[async_trait]
impl ConnectionTrait for Transaction {
    fn get_database_backend(&self) -> DbBackend {
        match &self.kind {
            Kind::Sqlite(_) => DbBackend::Sqlite,
            Kind::Postgres(_) => DbBackend::Postgres,
        }
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        match &self.kind {
            Kind::Sqlite(turn) => turn.lock().await.execute(statement).await,
            Kind::Postgres(tx) => tx.execute_raw(statement).await,
        }
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.execute_raw(Statement::from_string(self.get_database_backend(), sql)).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        match &self.kind {
            Kind::Sqlite(turn) => turn.lock().await.query_one(statement).await,
            Kind::Postgres(tx) => tx.query_one_raw(statement).await,
        }
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        match &self.kind {
            Kind::Sqlite(turn) => turn.lock().await.query_all(statement).await,
            Kind::Postgres(tx) => tx.query_all_raw(statement).await,
        }
    }
}

impl Locking for Transaction {
    fn may_lock_account(&self, id: AccountId) -> bool {
        id == AccountId::NOBODY || self.has_named(|row| *row == LockedRow::Account(id))
    }

    fn may_lock_counter(&self, key: &Digest) -> bool {
        self.has_named(|row| match row {
            LockedRow::Counter(named) | LockedRow::SourceCounter(named) => named == key,
            LockedRow::Account(_) => true,
        })
    }
}

/// Runs each statement as a transaction of its own, on whichever connection is free.
#[derive(Clone, Debug)]
pub struct Direct(Connections);

#[derive(Clone, Debug)]
enum Connections {
    Sqlite(sqlite::Connections),
    Postgres(DatabaseConnection),
}

impl Direct {
    pub(crate) fn on_sqlite(connections: sqlite::Connections) -> Self {
        Self(Connections::Sqlite(connections))
    }

    pub(crate) fn on_postgres(pool: DatabaseConnection) -> Self {
        Self(Connections::Postgres(pool))
    }
}

#[async_trait]
impl ConnectionTrait for Direct {
    fn get_database_backend(&self) -> DbBackend {
        match &self.0 {
            Connections::Sqlite(_) => DbBackend::Sqlite,
            Connections::Postgres(_) => DbBackend::Postgres,
        }
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        match &self.0 {
            Connections::Sqlite(connections) => connections.execute(statement).await,
            Connections::Postgres(pool) => pool.execute_raw(statement).await,
        }
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.execute_raw(Statement::from_string(self.get_database_backend(), sql)).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        match &self.0 {
            Connections::Sqlite(connections) => connections.query_one(statement).await,
            Connections::Postgres(pool) => pool.query_one_raw(statement).await,
        }
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        match &self.0 {
            Connections::Sqlite(connections) => connections.query_all(statement).await,
            Connections::Postgres(pool) => pool.query_all_raw(statement).await,
        }
    }
}
