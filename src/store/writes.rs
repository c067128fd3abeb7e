//! Writes that give nothing back, gathered and sent together.

use sea_orm::sea_query::Values;
use sea_orm::{ConnectionTrait, DbBackend, FromQueryResult, QueryTrait, Statement, StatementBuilder};

use super::StoreError;

/// The writes of a transaction, in their order. Nothing is written before it commits with them, or before [`Self::run`].
///
/// SQLite has a thread of its own, and each message to it and back wakes two threads: that costs more than most
/// statements do. So there they go in one. PostgreSQL takes one at a time.
#[derive(Clone, Debug)]
pub struct Writes {
    backend: DbBackend,
    statements: Vec<Statement>,
}

impl Writes {
    /// None yet, for the kind of database that `db` is of.
    pub fn to(db: &impl ConnectionTrait) -> Self {
        Self { backend: db.get_database_backend(), statements: Vec::new() }
    }

    /// None, on SQLite.
    pub(crate) fn none_to_sqlite() -> Self {
        Self { backend: DbBackend::Sqlite, statements: Vec::new() }
    }

    /// Adds an insert, update or delete.
    pub(super) fn add<S: StatementBuilder>(&mut self, query: impl QueryTrait<QueryStatement = S>) {
        let statement = query.into_query().build(&self.backend);
        self.statements.push(statement);
    }

    /// Adds a statement that PostgreSQL alone knows; on SQLite there is no need of it.
    pub(super) fn add_on_postgres(&mut self, sql: &str, values: impl IntoIterator<Item = sea_orm::Value>) {
        if self.backend == DbBackend::Postgres {
            self.statements.push(Statement::from_sql_and_values(self.backend, sql, values));
        }
    }

    /// Runs them. Where one fails, those before it are undone with the transaction alone.
    ///
    /// # Errors
    /// The first one's that fails; those after it do not run.
    pub async fn run(self, db: &impl ConnectionTrait) -> Result<(), StoreError> {
        if self.backend == DbBackend::Sqlite && !self.is_empty() {
            db.execute_raw(self.in_one_message(None)).await?;
            return Ok(());
        }
        for statement in self.statements {
            db.execute_raw(statement).await?;
        }
        Ok(())
    }

    /// Runs them and then one more, and reads the rows that it returns.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub(super) async fn run_then_read<Row: FromQueryResult>(
        mut self,
        db: &impl ConnectionTrait,
        last: &impl StatementBuilder,
    ) -> Result<Vec<Row>, StoreError> {
        let last = last.build(&self.backend);
        let rows = if self.backend == DbBackend::Sqlite {
            self.statements.push(last);
            db.query_all_raw(self.in_one_message(None)).await?
        } else {
            self.run(db).await?;
            db.query_all_raw(last).await?
        };
        Ok(rows.iter().map(|row| Row::from_query_result(row, "")).collect::<Result<_, _>>()?)
    }

    /// Adds what another gathered.
    pub(crate) fn append(&mut self, mut other: Self) {
        self.statements.append(&mut other.statements);
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.statements.is_empty()
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.statements.len()
    }

    /// As one message to SQLite, with `last` at its end.
    pub(crate) fn in_one_message(self, last: Option<&str>) -> Statement {
        let sql: Vec<&str> = self.statements.iter().map(|statement| statement.sql.as_str()).chain(last).collect();
        let sql = sql.join("; ");
        // Each statement takes its values from where the one before it stopped.
        let values = self.statements.into_iter().filter_map(|statement| statement.values).flat_map(|Values(all)| all);
        Statement::from_sql_and_values(DbBackend::Sqlite, sql, values)
    }
}
