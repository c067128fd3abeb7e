//! Where sealed values are kept, so that all of them can be sealed anew with another key.

use sea_orm::sea_query::{Expr, ExprTrait, Query};
use sea_orm::{ConnectionTrait, DbErr};

use super::StoreError;

/// A column of sealed values.
#[derive(Debug)]
pub struct SealedColumn {
    /// Its table, whose rows have a number `id`.
    pub table: &'static str,
    /// Its name; it begins with `sealed`.
    pub column: &'static str,
    /// What they are sealed for.
    pub purpose: &'static str,
}

/// Mail that waits to go out.
pub const OUTBOX: SealedColumn = SealedColumn { table: "outbox", column: "sealed_mail", purpose: "outbox" };
/// By which a server finds that it was given another key.
pub const CHECK: SealedColumn =
    SealedColumn { table: "secret_key_check", column: "sealed", purpose: "secret key check" };

/// Every column of sealed values. The check comes last: while it is sealed with the old key, so may others be.
pub const ALL: [&SealedColumn; 2] = [&OUTBOX, &CHECK];

impl SealedColumn {
    /// The values of the `limit` rows that come after the row `after`, with the rows' numbers.
    pub async fn after(
        &self,
        db: &impl ConnectionTrait,
        after: i64,
        limit: u64,
    ) -> Result<Vec<(i64, Vec<u8>)>, StoreError> {
        let select = Query::select()
            .columns(["id", self.column])
            .from(self.table)
            .and_where(Expr::col("id").gt(after))
            .order_by("id", sea_orm::Order::Asc)
            .limit(limit)
            .to_owned();
        let rows = db.query_all(&select).await?;
        let read = |row: &sea_orm::QueryResult| Ok::<_, DbErr>((row.try_get("", "id")?, row.try_get("", self.column)?));
        Ok(rows.iter().map(read).collect::<Result<_, _>>()?)
    }

    /// Puts another value in the place of `old`; `false` where that is not there any more.
    pub async fn replace(
        &self,
        db: &impl ConnectionTrait,
        id: i64,
        old: Vec<u8>,
        new: Vec<u8>,
    ) -> Result<bool, StoreError> {
        let update = Query::update()
            .table(self.table)
            .value(self.column, new)
            .and_where(Expr::col("id").eq(id))
            .and_where(Expr::col(self.column).eq(old))
            .to_owned();
        Ok(db.execute(&update).await?.rows_affected() == 1)
    }
}
