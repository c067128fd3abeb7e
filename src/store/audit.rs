//! The record of what happened: rows that are only ever added, in the transaction that they tell of.

use sea_orm::ActiveValue::{NotSet, Set};
use sea_orm::{ActiveModelTrait, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder};

use super::entity::audit_event::{ActiveModel, Column, Entity};
use super::{AccountId, SessionId, StoreError};
use crate::kernel::clock::Timestamp;
use crate::kernel::origin::Origin;
use crate::kernel::token::ClientId;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// An account was made.
    SignedUp,
    /// An account logged in.
    LoggedIn,
    /// A spent refresh token came back after its grace: the session was ended, for one of its two holders stole it.
    RefreshTokenReused,
    /// The profile was changed.
    ProfileUpdated,
    /// Somebody asked for a password reset.
    PasswordResetRequested,
    /// The password was changed by a reset; every session was ended.
    PasswordReset,
}

impl Event {
    /// The stable name that is kept.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SignedUp => "signed_up",
            Self::LoggedIn => "logged_in",
            Self::RefreshTokenReused => "refresh_token_reused",
            Self::ProfileUpdated => "profile_updated",
            Self::PasswordResetRequested => "password_reset_requested",
            Self::PasswordReset => "password_reset",
        }
    }
}

/// Whom and what an event concerns.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The account.
    pub account: AccountId,
    /// The session, where there is one.
    pub session: Option<SessionId>,
    /// The client that called, where one did.
    pub client: Option<&'a ClientId>,
    /// Where the call came from.
    pub origin: &'a Origin,
}

/// Adds an event.
pub async fn record(
    db: &impl ConnectionTrait,
    event: Event,
    subject: Subject<'_>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let row = ActiveModel {
        id: NotSet,
        at: Set(now.as_micros()),
        event: Set(event.as_str().to_owned()),
        account_id: Set(subject.account.0),
        session_id: Set(subject.session.map(|session| session.0)),
        client_id: Set(subject.client.map(|client| client.as_str().to_owned())),
        source: Set(Some(subject.origin.source.to_string())),
        user_agent: Set(subject.origin.user_agent.as_ref().map(|agent| agent.as_str().to_owned())),
        request_id: Set(Some(subject.origin.request_id.clone())),
    };
    row.insert(db).await?;
    Ok(())
}

/// The names of an account's events, oldest first.
pub async fn events_of(db: &impl ConnectionTrait, account: AccountId) -> Result<Vec<String>, StoreError> {
    let rows = Entity::find().filter(Column::AccountId.eq(account.0)).order_by_asc(Column::Id).all(db).await?;
    Ok(rows.into_iter().map(|row| row.event).collect())
}
