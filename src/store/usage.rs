//! What sessions did: calls, activity, time logged in.

use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect, QueryTrait};

use super::entity::{account, session};
use super::writes::Writes;
use super::{AccountId, SessionId};
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

/// Adds `usage` to the session and its account. The time logged in grows by what passed since the session's last call;
/// not where the session was removed meanwhile.
pub fn add(writes: &mut Writes, usage: Usage) {
    let at = usage.last_activity_at.as_micros();
    let of_account = || account::Entity::update_many().filter(account::Column::Id.eq(usage.account.0));
    let of_session = || session::Column::Id.eq(usage.session.0).and(session::Column::LastActivityAt.lt(at));
    // The account first: whoever changes what belongs to it takes the locks in this order.
    let later =
        Expr::case(account::Column::LastActivityAt.gt(at), Expr::col(account::Column::LastActivityAt)).finally(at);
    writes.add(
        of_account()
            .col_expr(account::Column::ApiCalls, Expr::col(account::Column::ApiCalls).add(usage.calls))
            .col_expr(account::Column::LastActivityAt, later.into()),
    );
    // A statement of its own: with the account locked it sees what another node wrote just before.
    let passed = session::Entity::find()
        .select_only()
        .expr(Expr::val(at).sub(Expr::col(session::Column::LastActivityAt)))
        .filter(of_session())
        .into_query();
    let total =
        Expr::col(account::Column::LoggedInMicros).add(Expr::SubQuery(None, Box::new(passed.into())).if_null(0));
    writes.add(of_account().col_expr(account::Column::LoggedInMicros, total));
    let row = session::ActiveModel { last_activity_at: Set(at), ..Default::default() };
    writes.add(session::Entity::update_many().set(row).filter(of_session()));
}
