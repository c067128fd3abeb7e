//! `refreshToken`: a refresh token in, the session's next pair out.

use std::time::Duration;

use super::issue::{TokenPair, issue};
use crate::app::App;
use crate::fault::Fault;
use crate::kernel::origin::Origin;
use crate::kernel::token::Token;
use crate::store::audit::{self, Event, Subject};
use crate::store::clients::Client;
use crate::store::{StoreError, accounts, changes, sessions, tokens};

/// For so long after its exchange a refresh token may come back: browser tabs that refresh at the same moment must not
/// log anybody out. Later than that somebody has stolen it (RFC 9700, section 4.14.2).
const GRACE: Duration = Duration::from_secs(10);

/// Why there is no new pair.
#[derive(Debug, thiserror::Error)]
pub enum RefreshError {
    /// Unknown, expired, spent, of an ended session, or issued to another client.
    #[error("the refresh token is not valid")]
    InvalidRefreshToken,
    /// No doing of the caller's.
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl From<StoreError> for RefreshError {
    fn from(error: StoreError) -> Self {
        Self::Fault(error.into())
    }
}

/// Exchanges a refresh token for a fresh pair of the same session.
pub async fn refresh_token(
    app: &App,
    origin: &Origin,
    client: &Client,
    token: &Token,
) -> Result<TokenPair, RefreshError> {
    let digest = token.digest();
    let now = app.clock.now();
    let tx = app.begin().await?;
    let kept = tokens::find_refresh(&tx, &digest).await?.ok_or(RefreshError::InvalidRefreshToken)?;
    let session = sessions::find(&tx, kept.session).await?.ok_or(RefreshError::InvalidRefreshToken)?;
    let account = accounts::find_locked(&tx, session.account).await?.ok_or(RefreshError::InvalidRefreshToken)?;
    // Whose a token is never changes. What else was read may have, while this waited for the lock.
    let kept = tokens::find_refresh(&tx, &digest).await?.ok_or(RefreshError::InvalidRefreshToken)?;
    let session = sessions::find(&tx, session.id).await?.ok_or(RefreshError::InvalidRefreshToken)?;
    let is_usable = session.is_live(now) && now < kept.expires_at && account.is_active();
    if !is_usable || session.client != client.id {
        return Err(RefreshError::InvalidRefreshToken);
    }
    let subject = Subject { account: account.id, session: Some(session.id), client: Some(&client.id), origin };
    if kept.spent_at.is_some_and(|spent_at| now > spent_at + GRACE) {
        sessions::end(&tx, session.id, now).await?;
        audit::record(&tx, Event::RefreshTokenReused, subject, now).await?;
        changes::announce(&tx, account.id).await?;
        tx.commit().await.map_err(StoreError::from)?;
        app.identities.forget(account.id);
        tracing::warn!(
            account = account.id.0,
            session = session.id.0,
            "a spent refresh token came back: session ended"
        );
        return Err(RefreshError::InvalidRefreshToken);
    }
    // Whether it was spent just now or a moment ago makes no difference within the grace.
    tokens::spend_refresh(&tx, &digest, now).await?;
    let pair = issue(app, &tx, &session, now).await?;
    tx.commit().await.map_err(StoreError::from)?;

    app.usage.count(account.id, session.id, now);
    Ok(pair)
}
