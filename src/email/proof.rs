//! The token that proves an e-mail address when it comes back from there.

use crate::app::App;
use crate::kernel::clock::Timestamp;
use crate::kernel::email_address::EmailAddress;
use crate::kernel::token::Token;
use crate::store::AccountId;
use crate::store::email_verifications::{self, NewVerification, Purpose};
use crate::store::writes::Writes;

/// A new token: in the clear here and in the mail that carries it.
#[derive(Debug)]
pub(crate) struct Proof {
    /// What the mail says.
    pub(crate) token: Token,
    /// Until when it proves anything.
    pub(crate) expires_at: Timestamp,
}

impl Proof {
    /// Makes one.
    pub(crate) fn new(app: &App, now: Timestamp) -> Self {
        Self { token: Token::new_mailed(&app.random), expires_at: now + app.settings.email_token_ttl }
    }

    /// Keeps its digest for that address; without an account, it proves nothing.
    pub(crate) fn keep(
        &self,
        writes: &mut Writes,
        account: Option<AccountId>,
        email: &EmailAddress,
        purpose: Purpose,
        now: Timestamp,
    ) {
        let new =
            NewVerification { digest: &self.token.digest(), account, email, purpose, expires_at: self.expires_at };
        email_verifications::insert(writes, new, now);
    }
}
