//! Issuing a pair of tokens: what login and refresh have in common.

use crate::app::App;
use crate::kernel::clock::Timestamp;
use crate::kernel::token::Token;
use crate::store::sessions::Session;
use crate::store::tokens::{self, Lineage};
use crate::store::writes::Writes;

/// A fresh pair of one session. The tokens are in the clear here and nowhere else.
#[derive(Debug)]
pub struct TokenPair {
    /// Opens the operations.
    pub access_token: Token,
    /// Until then.
    pub access_expires_at: Timestamp,
    /// Exchanges itself for the next pair.
    pub refresh_token: Token,
    /// Until then: the end of the session, however often it is refreshed.
    pub refresh_expires_at: Timestamp,
    /// When the pair was issued.
    pub issued_at: Timestamp,
}

/// Makes a pair and keeps its digests. `lineage`: `None` after a login.
pub(super) fn issue(
    app: &App,
    writes: &mut Writes,
    session: &Session,
    lineage: Option<&Lineage>,
    now: Timestamp,
) -> TokenPair {
    let pair = TokenPair {
        access_token: Token::new_bearer(&app.random),
        access_expires_at: (now + app.settings.access_token_ttl).min(session.expires_at),
        refresh_token: Token::new_bearer(&app.random),
        refresh_expires_at: session.expires_at,
        issued_at: now,
    };
    tokens::insert_access(writes, &pair.access_token.digest(), session.id, lineage, now, pair.access_expires_at);
    tokens::insert_refresh(writes, &pair.refresh_token.digest(), session.id, lineage, now, pair.refresh_expires_at);
    pair
}
