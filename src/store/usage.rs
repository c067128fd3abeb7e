//! What sessions did: calls, activity, time logged in.

use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter};

use super::entity::{account, session};
use super::{AccountId, SessionId, StoreError};
use crate::kernel::clock::Timestamp;

/// What one session did since the last time it was written down.
#[derive(Clone, Copy, Debug)]
pub struct Usage {
    /// Whose session.
    pub account: AccountId,
    /// Which one.
    pub session: SessionId,
    /// Calls it made.
    pub calls: i64,
    /// When it made the last of them.
    pub last_activity_at: Timestamp,
}

/// Adds `usage` to the session and its account. The time logged in grows by what passed since the session's last call.
pub async fn add(db: &impl ConnectionTrait, usage: Usage) -> Result<(), StoreError> {
    let at = usage.last_activity_at.as_micros();
    let of_account = || account::Entity::update_many().filter(account::Column::Id.eq(usage.account.0));
    // The account first: whoever changes what belongs to it takes the locks in this order.
    let later =
        Expr::case(account::Column::LastActivityAt.gt(at), Expr::col(account::Column::LastActivityAt)).finally(at);
    of_account()
        .col_expr(account::Column::ApiCalls, Expr::col(account::Column::ApiCalls).add(usage.calls))
        .col_expr(account::Column::LastActivityAt, later.into())
        .exec(db)
        .await?;
    let Some(before) = session::Entity::find_by_id(usage.session.0).one(db).await? else {
        return Ok(()); // The session was removed meanwhile; its time is not counted any more.
    };
    let passed = Ord::max(at - before.last_activity_at, 0);
    let row = session::ActiveModel { last_activity_at: Set(before.last_activity_at + passed), ..Default::default() };
    session::Entity::update_many().set(row).filter(session::Column::Id.eq(before.id)).exec(db).await?;
    let total = Expr::col(account::Column::LoggedInMicros).add(passed);
    of_account().col_expr(account::Column::LoggedInMicros, total).exec(db).await?;
    Ok(())
}
