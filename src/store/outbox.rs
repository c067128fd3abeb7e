//! Mail that waits to go out, sealed; and what was given up.

use std::time::Duration;

use sea_orm::ActiveValue::{NotSet, Set};
use sea_orm::sea_query::{Expr, ExprTrait, LockBehavior, LockType, Query};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, FromQueryResult, Iterable, PaginatorTrait, QueryFilter, QueryOrder,
    QuerySelect, QueryTrait,
};

use super::StoreError;
use super::entity::outbox::{ActiveModel, Column, Entity, Model};
use super::writes::Writes;
use crate::kernel::clock::Timestamp;

/// How long mail is tried, where it says nothing else.
pub const PATIENCE: Duration = Duration::from_secs(24 * 60 * 60);

/// Due at no time: given up.
const NEVER: i64 = i64::MAX;

/// A mail that is put in.
#[derive(Debug)]
pub struct NewMail {
    /// What it is about, in one word.
    pub kind: &'static str,
    /// Recipient and content, sealed.
    pub sealed_mail: Vec<u8>,
    /// When to try no more.
    pub give_up_at: Timestamp,
}

/// A mail that a node has to itself until `until`.
#[derive(Debug)]
pub struct Leased {
    /// Its number, in the order in which mail was put in.
    pub id: i64,
    /// When it was put in.
    pub created_at: Timestamp,
    /// What it is about, in one word; empty where an older server put it in.
    pub kind: String,
    /// Recipient and content, sealed.
    pub sealed_mail: Vec<u8>,
    /// How often it was tried, this time among them.
    pub attempts: u32,
    /// When to try no more.
    pub give_up_at: Timestamp,
    until: Timestamp,
}

/// What an operator may see of a mail.
#[derive(Debug)]
pub struct Entry {
    /// Its number.
    pub id: i64,
    /// What it is about, in one word; empty where an older server put it in.
    pub kind: String,
    /// When it was put in.
    pub created_at: Timestamp,
    /// How often it was tried.
    pub attempts: i32,
    /// When it is tried next; `None` where it was given up.
    pub due_at: Option<Timestamp>,
    /// Why it did not go out at the last try; `None` while a node tries.
    pub last_error: Option<String>,
}

/// How many mails there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    /// That wait to go out.
    pub waiting: u64,
    /// That were given up.
    pub given_up: u64,
}

/// Which mail to look for: each kind has nodes' hands of its own, so that neither waits behind the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Queue {
    /// Never tried before.
    New,
    /// Failed before.
    Again,
}

/// Puts a mail in.
pub fn insert(writes: &mut Writes, mail: NewMail, now: Timestamp) {
    let row = ActiveModel {
        id: NotSet,
        created_at: Set(now.as_micros()),
        sealed_mail: Set(mail.sealed_mail),
        due_at: Set(now.as_micros()),
        kind: Set(mail.kind.to_owned()),
        attempts: Set(0),
        give_up_at: Set(Some(mail.give_up_at.as_micros())),
        given_up_at: Set(None),
        last_error: Set(None),
    };
    writes.add(Entity::insert(row));
}

/// How many mails wait, and how many were given up.
pub async fn count(db: &impl ConnectionTrait) -> Result<Count, StoreError> {
    let given_up = Entity::find().filter(Column::DueAt.eq(NEVER)).count(db).await?;
    let waiting = Entity::find().filter(Column::DueAt.lt(NEVER)).count(db).await?;
    Ok(Count { waiting, given_up })
}

/// Runs the writes, takes on, until then, the mail that is due the longest, and counts the try. Of many nodes at once each
/// gets another one; `None` where none is left.
pub async fn lease(
    db: &impl ConnectionTrait,
    before: Writes,
    queue: Queue,
    now: Timestamp,
    until: Timestamp,
) -> Result<Option<Leased>, StoreError> {
    let tried = match queue {
        Queue::New => Column::Attempts.eq(0),
        Queue::Again => Column::Attempts.gt(0),
    };
    let next = Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(Column::DueAt.lte(now.as_micros()))
        .filter(tried)
        .order_by_asc(Column::DueAt)
        .order_by_asc(Column::Id)
        .limit(1)
        .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
        .into_query();
    let mut lease = Entity::update_many()
        .col_expr(Column::DueAt, Expr::value(until.as_micros()))
        .col_expr(Column::Attempts, Expr::col(Column::Attempts).add(1))
        // Without an error, and yet tried: a node has it.
        .col_expr(Column::LastError, Expr::value(None::<String>))
        .filter(Expr::col(Column::Id).eq(Expr::SubQuery(None, Box::new(next.into()))))
        .into_query();
    lease.returning(Query::returning().columns(Column::iter()));
    let leased: Vec<Model> = before.run_then_read(db, &lease).await?;
    let read = |row: Model| {
        let created_at = Timestamp::from_micros(row.created_at);
        Leased {
            id: row.id,
            created_at,
            kind: row.kind,
            sealed_mail: row.sealed_mail,
            attempts: row.attempts.unsigned_abs(),
            give_up_at: row.give_up_at.map_or(created_at + PATIENCE, Timestamp::from_micros),
            until,
        }
    };
    Ok(leased.into_iter().next().map(read))
}

/// Keeps a mail for longer. Nothing happens where the lease is over and another has it.
pub async fn extend(db: &impl ConnectionTrait, mail: &mut Leased, until: Timestamp) -> Result<(), StoreError> {
    let row = ActiveModel { due_at: Set(until.as_micros()), ..Default::default() };
    if Entity::update_many().set(row).filter(is_held(mail)).exec(db).await?.rows_affected > 0 {
        mail.until = until;
    }
    Ok(())
}

/// Takes a mail out once it is on its way.
pub fn remove(writes: &mut Writes, mail: &Leased) {
    writes.add(Entity::delete_by_id(mail.id));
}

/// Gives a mail back, to be tried again at `due_at`. Nothing happens where the lease is over and another has it.
pub fn postpone(writes: &mut Writes, mail: &Leased, due_at: Timestamp, error: &str) {
    let row =
        ActiveModel { due_at: Set(due_at.as_micros()), last_error: Set(Some(error.to_owned())), ..Default::default() };
    settle(writes, mail, row);
}

/// Gives a mail up, to be tried no more until an operator says so. Nothing happens where another has it.
pub fn give_up(writes: &mut Writes, mail: &Leased, now: Timestamp, error: &str) {
    let row = ActiveModel {
        due_at: Set(NEVER),
        given_up_at: Set(Some(now.as_micros())),
        last_error: Set(Some(error.to_owned())),
        ..Default::default()
    };
    settle(writes, mail, row);
}

fn settle(writes: &mut Writes, mail: &Leased, row: ActiveModel) {
    writes.add(Entity::update_many().set(row).filter(is_held(mail)));
}

/// The mail's row, as long as nobody else has it.
fn is_held(mail: &Leased) -> sea_orm::sea_query::SimpleExpr {
    Column::Id.eq(mail.id).and(Column::DueAt.eq(mail.until.as_micros()))
}

/// All that there is, oldest first, without what it says.
pub async fn list(db: &impl ConnectionTrait) -> Result<Vec<Entry>, StoreError> {
    #[derive(FromQueryResult)]
    struct Row {
        id: i64,
        kind: String,
        created_at: i64,
        attempts: i32,
        leased_until: i64,
        last_error: Option<String>,
    }
    let columns = [Column::Id, Column::Kind, Column::CreatedAt, Column::Attempts, Column::DueAt, Column::LastError];
    let rows = Entity::find().select_only().columns(columns).order_by_asc(Column::Id);
    let read = |row: Row| Entry {
        id: row.id,
        kind: row.kind,
        created_at: Timestamp::from_micros(row.created_at),
        attempts: row.attempts,
        due_at: Some(row.leased_until).filter(|due| *due != NEVER).map(Timestamp::from_micros),
        last_error: row.last_error,
    };
    Ok(rows.into_model::<Row>().all(db).await?.into_iter().map(read).collect())
}

/// The sealed mails, oldest first.
pub async fn sealed_mails(db: &impl ConnectionTrait) -> Result<Vec<Vec<u8>>, StoreError> {
    let rows = Entity::find().select_only().column(Column::SealedMail).order_by_asc(Column::Id);
    Ok(rows.into_tuple().all(db).await?)
}

/// Lets a mail that failed be tried at once, whether it waits for that or was given up, and for another day. `false`
/// where there is none of that number, or a node has it just now.
pub async fn retry(db: &impl ConnectionTrait, id: i64, now: Timestamp) -> Result<bool, StoreError> {
    let which = Column::Id.eq(id).and(Column::LastError.is_not_null());
    Ok(try_again(db, now, which).await? == 1)
}

/// The same for all that was given up. Returns how many those were.
pub async fn retry_given_up(db: &impl ConnectionTrait, now: Timestamp) -> Result<u64, StoreError> {
    try_again(db, now, Column::DueAt.eq(NEVER)).await
}

async fn try_again(
    db: &impl ConnectionTrait,
    now: Timestamp,
    which: sea_orm::sea_query::SimpleExpr,
) -> Result<u64, StoreError> {
    let row = ActiveModel {
        due_at: Set(now.as_micros()),
        attempts: Set(0),
        give_up_at: Set(Some((now + PATIENCE).as_micros())),
        given_up_at: Set(None),
        ..Default::default()
    };
    Ok(Entity::update_many().set(row).filter(which).exec(db).await?.rows_affected)
}
