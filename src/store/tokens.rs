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

/// Where a pair comes from that a refresh token was exchanged for.
#[derive(Clone, Copy, Debug)]
pub struct Lineage {
    /// That refresh token.
    pub exchanged: Digest,
    /// The token at which the pair's branch of the session may have begun.
    pub fork: Digest,
}

/// Keeps an access token. `lineage`: `None` after a login.
pub fn insert_access(
    writes: &mut Writes,
    digest: &Digest,
    session: SessionId,
    lineage: Option<&Lineage>,
    now: Timestamp,
    expires_at: Timestamp,
) {
    let row = access_token::ActiveModel {
        digest: Set(digest.as_bytes().to_vec()),
        session_id: Set(session.0),
        issued_at: Set(now.as_micros()),
        expires_at: Set(expires_at.as_micros()),
        exchanged: Set(lineage.map(|lineage| lineage.exchanged.as_bytes().to_vec())),
    };
    writes.add(access_token::Entity::insert(row));
}

/// Keeps a refresh token. `lineage`: `None` after a login.
pub fn insert_refresh(
    writes: &mut Writes,
    digest: &Digest,
    session: SessionId,
    lineage: Option<&Lineage>,
    now: Timestamp,
    expires_at: Timestamp,
) {
    let row = refresh_token::ActiveModel {
        digest: Set(digest.as_bytes().to_vec()),
        session_id: Set(session.0),
        issued_at: Set(now.as_micros()),
        expires_at: Set(expires_at.as_micros()),
        fork: Set(lineage.map(|lineage| lineage.fork.as_bytes().to_vec())),
        exchanged: Set(lineage.map(|lineage| lineage.exchanged.as_bytes().to_vec())),
        ..Default::default()
    };
    writes.add(refresh_token::Entity::insert(row));
}

/// Spends a refresh token for its first pair, which nobody has used yet.
pub fn spend_refresh(writes: &mut Writes, digest: &Digest, now: Timestamp) {
    let spent = one(digest).col_expr(Column::SpentAt, Expr::value(now.as_micros()));
    writes.add(spent.col_expr(Column::Pairs, Expr::value(1)).col_expr(Column::AwaitsUse, Expr::value(true)));
}

/// Counts a further pair that a spent refresh token was exchanged for.
pub fn count_pair(writes: &mut Writes, digest: &Digest) {
    writes.add(one(digest).col_expr(Column::Pairs, Expr::col(Column::Pairs).add(1)));
}

/// Keeps that a pair was used that this refresh token was exchanged for.
pub fn note_use(writes: &mut Writes, exchanged: &Digest) {
    writes.add(one(exchanged).col_expr(Column::AwaitsUse, Expr::value(false)).filter(Column::AwaitsUse.eq(true)));
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
