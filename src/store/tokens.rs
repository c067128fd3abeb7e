//! Access and refresh tokens, kept as digests.

use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, UpdateMany};

use super::SessionId;
use super::entity::refresh_token::Column;
use super::entity::{access_token, refresh_token};
use super::writes::Writes;
use crate::kernel::clock::Timestamp;
use crate::kernel::token::Digest;

/// Keeps an access token.
pub fn insert_access(writes: &mut Writes, digest: &Digest, session: SessionId, now: Timestamp, expires_at: Timestamp) {
    let row = access_token::ActiveModel {
        digest: Set(digest.as_bytes().to_vec()),
        session_id: Set(session.0),
        issued_at: Set(now.as_micros()),
        expires_at: Set(expires_at.as_micros()),
    };
    writes.add(access_token::Entity::insert(row));
}

/// Keeps a refresh token. `fork` is the token at which its branch may have begun; `None` after a login.
pub fn insert_refresh(
    writes: &mut Writes,
    digest: &Digest,
    session: SessionId,
    fork: Option<&Digest>,
    now: Timestamp,
    expires_at: Timestamp,
) {
    let row = refresh_token::ActiveModel {
        digest: Set(digest.as_bytes().to_vec()),
        session_id: Set(session.0),
        issued_at: Set(now.as_micros()),
        expires_at: Set(expires_at.as_micros()),
        fork: Set(fork.map(|fork| fork.as_bytes().to_vec())),
        ..Default::default()
    };
    writes.add(refresh_token::Entity::insert(row));
}

/// Counts a pair that a refresh token was exchanged for; the first one spends it.
pub fn spend_refresh(writes: &mut Writes, digest: &Digest, now: Timestamp) {
    let spent_at = Expr::col(Column::SpentAt).if_null(now.as_micros());
    writes
        .add(one(digest).col_expr(Column::SpentAt, spent_at).col_expr(Column::Pairs, Expr::col(Column::Pairs).add(1)));
}

/// Counts a branch that begins at this token beside the first.
pub fn add_branch(writes: &mut Writes, fork: &Digest) {
    writes.add(one(fork).col_expr(Column::Branches, Expr::col(Column::Branches).add(1)));
}

/// Keeps the network that the first of the branches that begin at this token was refreshed from after the grace.
pub fn note_late(writes: &mut Writes, fork: &Digest, network: &str) {
    writes.add(one(fork).col_expr(Column::LateFrom, Expr::value(network)));
}

fn one(digest: &Digest) -> UpdateMany<refresh_token::Entity> {
    refresh_token::Entity::update_many().filter(Column::Digest.eq(digest.as_bytes().to_vec()))
}
