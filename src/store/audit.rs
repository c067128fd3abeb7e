//! The record of what happened: rows that are only ever added. A success is written in the transaction that it tells
//! of; refusals are gathered by [`crate::audit::refusals`].

use sea_orm::ActiveValue::{NotSet, Set};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect,
};
use serde::Serialize;

use super::entity::audit_event::{ActiveModel, Column, Entity, Model};
use super::writes::Writes;
use super::{AccountId, SessionId, StoreError};
use crate::kernel::clock::Timestamp;
use crate::kernel::origin::Origin;
use crate::kernel::page::Cursor;
use crate::kernel::token::ClientId;

/// The outcome of what was done as it was asked for.
pub const SUCCESS: &str = "success";

macro_rules! names {
    ($(#[$about:meta])* $type:ident { $($(#[$doc:meta])* $variant:ident = $name:literal,)* }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $type { $($(#[$doc])* $variant,)* }

        impl $type {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The stable name that is kept.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

names! {
    /// What happened.
    Event {
        /// An account was made.
        SignedUp = "signed_up",
        /// An account was removed that nobody had logged in to, and whose address nobody had verified, for a week.
        ClaimExpired = "claim_expired",
        /// An account logged in.
        LoggedIn = "logged_in",
        /// A session's tokens were exchanged for new ones.
        TokenRefreshed = "token_refreshed",
        /// A spent refresh token came back after its grace: the session was ended, for one of its two holders stole it.
        RefreshTokenReused = "refresh_token_reused",
        /// The profile was changed.
        ProfileUpdated = "profile_updated",
        /// Somebody asked for a password reset.
        PasswordResetRequested = "password_reset_requested",
        /// The password was changed by a reset; every session was ended.
        PasswordReset = "password_reset",
        /// The account has a new client, which the event names.
        ClientIssued = "client_issued",
        /// A client of the account, which the event names, was taken out of use.
        ClientRevoked = "client_revoked",
        /// Somebody asked to verify the account's e-mail address.
        EmailVerificationRequested = "email_verification_requested",
        /// The account's e-mail address was verified.
        EmailVerified = "email_verified",
        /// The account asked for another e-mail address.
        EmailChangeRequested = "email_change_requested",
        /// The account has another e-mail address, which was verified.
        EmailChanged = "email_changed",
        /// Nobody was signed up.
        SignupRefused = "signup_refused",
        /// The profile stayed as it was.
        ProfileUpdateRefused = "profile_update_refused",
        /// Nobody was logged in.
        LoginRefused = "login_refused",
        /// No tokens were exchanged.
        RefreshRefused = "refresh_refused",
        /// The password stayed as it was.
        PasswordResetRefused = "password_reset_refused",
        /// No e-mail address was verified, and none changed.
        EmailVerificationRefused = "email_verification_refused",
        /// No change of the e-mail address was begun.
        EmailChangeRefused = "email_change_refused",
        /// A client was not who it said.
        ClientRefused = "client_refused",
        /// An access token opened nothing.
        TokenRefused = "token_refused",
        /// Too many tries had come before; whom it concerned was not looked at.
        Throttled = "throttled",
    }
}

names! {
    /// Why something was refused: the outcome that is kept. The name is that of the code that was answered.
    Reason {
        /// Unknown e-mail, wrong password, or a client of another account.
        InvalidCredentials = "invalid_credentials",
        /// Not the password of the account that called.
        WrongPassword = "wrong_password",
        /// The e-mail address has to be verified first.
        EmailNotVerified = "email_not_verified",
        /// The account may not log in.
        AccountInactive = "account_inactive",
        /// Unknown or revoked client, or another secret.
        InvalidClient = "invalid_client",
        /// Unknown, expired or revoked access token, or another client's.
        InvalidToken = "invalid_token",
        /// Unknown, expired, spent or revoked refresh token, or another client's.
        InvalidRefreshToken = "invalid_refresh_token",
        /// Unknown, used, expired or superseded reset token.
        InvalidResetToken = "invalid_reset_token",
        /// Unknown, used, expired or superseded verification token.
        InvalidVerificationToken = "invalid_verification_token",
        /// The new password is easy to guess.
        WeakPassword = "weak_password",
        /// Somebody has the e-mail address.
        EmailTaken = "email_taken",
        /// Somebody has the username.
        UsernameTaken = "username_taken",
        /// A limit was met.
        RateLimited = "rate_limited",
        /// So many logins in a row failed that only a reset opens it.
        PasswordResetRequired = "password_reset_required",
    }
}

impl Event {
    /// What is kept as its outcome where it is written in a transaction.
    const fn outcome(self) -> &'static str {
        match self {
            Self::RefreshTokenReused => Reason::InvalidRefreshToken.as_str(),
            _ => SUCCESS,
        }
    }
}

/// Whom and what an event concerns.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The account; [`AccountId::NOBODY`] where there is none.
    pub account: AccountId,
    /// The session, where there is one.
    pub session: Option<SessionId>,
    /// The client that called, where one did.
    pub client: Option<&'a ClientId>,
    /// Where the call came from.
    pub origin: &'a Origin,
}

/// A call that was refused, and how often the like of it was.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// What did not happen.
    pub event: Event,
    /// Why.
    pub reason: Reason,
    /// Whom it concerns; [`AccountId::NOBODY`] where that is nobody, or several.
    pub account: AccountId,
    /// The client that the first of them said it was.
    pub client: Option<ClientId>,
    /// Where the first of them came from; `None` for many sources.
    pub origin: Option<Origin>,
    /// When the last of them was refused.
    pub at: Timestamp,
    /// How many there were.
    pub times: i64,
}

/// An event as it is kept. Its fields are all that a seal is over.
#[derive(Clone, Debug, Serialize)]
pub struct Recorded {
    /// Its number. Later events may have lower ones where they were written at the same moment.
    pub id: i64,
    /// When it happened.
    pub at: Timestamp,
    /// What happened: the name of an [`Event`].
    pub event: String,
    /// `success`, or the code of the refusal.
    pub outcome: String,
    /// How often the like of it happened.
    pub times: i64,
    /// The account that called, where one had shown who it is.
    pub actor: Option<i64>,
    /// The account that it concerns; 0 where that is nobody.
    pub account: i64,
    /// The session.
    pub session: Option<i64>,
    /// The client that called, or said it was.
    pub client: Option<String>,
    /// The address that called.
    pub source: Option<String>,
    /// What it was called with.
    pub user_agent: Option<String>,
    /// The call's id.
    pub request_id: Option<String>,
    /// The seal that it is under.
    pub seal: Option<i64>,
}

/// Adds an event. A session that is named stands for the account: it is the one that acts.
pub fn record(writes: &mut Writes, event: Event, subject: Subject<'_>, now: Timestamp) {
    let is_success = event.outcome() == SUCCESS;
    let row = ActiveModel {
        actor_id: Set(subject.session.filter(|_| is_success).map(|_| subject.account.0)),
        session_id: Set(subject.session.map(|session| session.0)),
        ..row(event, event.outcome(), subject.account, subject.client, Some(subject.origin), now)
    };
    writes.add(Entity::insert(row));
}

/// Adds what the server did by itself.
pub fn record_own(writes: &mut Writes, event: Event, account: AccountId, now: Timestamp) {
    writes.add(Entity::insert(row(event, event.outcome(), account, None, None, now)));
}

/// Adds what was refused.
pub async fn record_refusals(db: &impl ConnectionTrait, refusals: &[Refusal]) -> Result<(), StoreError> {
    /// Rows of one statement: databases take so many values and no more.
    const ROWS: usize = 500;
    for some in refusals.chunks(ROWS) {
        let rows = some.iter().map(|refusal| {
            let Refusal { event, reason, account, client, origin, at, times } = refusal;
            let row = row(*event, reason.as_str(), *account, client.as_ref(), origin.as_ref(), *at);
            ActiveModel { times: Set(*times), ..row }
        });
        Entity::insert_many(rows).exec_without_returning(db).await?;
    }
    Ok(())
}

fn row(
    event: Event,
    outcome: &str,
    account: AccountId,
    client: Option<&ClientId>,
    origin: Option<&Origin>,
    at: Timestamp,
) -> ActiveModel {
    let user_agent = origin.and_then(|origin| origin.user_agent.as_ref());
    ActiveModel {
        id: NotSet,
        at: Set(at.as_micros()),
        event: Set(event.as_str().to_owned()),
        outcome: Set(outcome.to_owned()),
        times: Set(1),
        actor_id: Set(None),
        account_id: Set(account.0),
        session_id: Set(None),
        client_id: Set(client.map(|client| client.as_str().to_owned())),
        source: Set(origin.map(|origin| origin.source.to_string())),
        user_agent: Set(user_agent.map(|agent| agent.as_str().to_owned())),
        request_id: Set(origin.map(|origin| origin.request_id.clone())),
        seal: Set(None),
    }
}

/// The names of an account's events, oldest first.
pub async fn events_of(db: &impl ConnectionTrait, account: AccountId) -> Result<Vec<String>, StoreError> {
    let rows = Entity::find().filter(Column::AccountId.eq(account.0)).order_by_asc(Column::Id).all(db).await?;
    Ok(rows.into_iter().map(|row| row.event).collect())
}

/// The newest `limit` events of an account, newest first; behind `cursor` where one is given.
pub async fn newest_of(
    db: &impl ConnectionTrait,
    account: AccountId,
    cursor: Option<Cursor>,
    limit: u64,
) -> Result<Vec<Recorded>, StoreError> {
    let behind = cursor.map(|Cursor { at, id }| {
        let same = Condition::all().add(Column::At.eq(at.as_micros())).add(Column::Id.lt(id));
        Condition::any().add(Column::At.lt(at.as_micros())).add(same)
    });
    let rows = Entity::find()
        .filter(Column::AccountId.eq(account.0))
        .filter(behind.unwrap_or_else(Condition::all))
        .order_by_desc(Column::At)
        .order_by_desc(Column::Id)
        .limit(limit);
    Ok(rows.all(db).await?.into_iter().map(read).collect())
}

/// The oldest `limit` events with a number above `after`.
pub async fn oldest(db: &impl ConnectionTrait, after: i64, limit: u64) -> Result<Vec<Recorded>, StoreError> {
    let rows = Entity::find().filter(Column::Id.gt(after)).order_by_asc(Column::Id).limit(limit);
    Ok(rows.all(db).await?.into_iter().map(read).collect())
}

/// The oldest `limit` events that no seal is over yet, by their numbers.
pub async fn unsealed(db: &impl ConnectionTrait, limit: u64) -> Result<Vec<Recorded>, StoreError> {
    let rows = Entity::find().filter(Column::Seal.is_null()).order_by_asc(Column::Id).limit(limit);
    Ok(rows.all(db).await?.into_iter().map(read).collect())
}

/// How many events no seal is over yet.
pub async fn count_unsealed(db: &impl ConnectionTrait) -> Result<u64, StoreError> {
    Ok(Entity::find().filter(Column::Seal.is_null()).count(db).await?)
}

/// The events under one seal, by their numbers, of which `first` is the least and `last` the greatest.
pub async fn under_seal(
    db: &impl ConnectionTrait,
    seal: i64,
    (first, last): (i64, i64),
) -> Result<Vec<Recorded>, StoreError> {
    let rows = Entity::find().filter(Column::Id.between(first, last)).filter(Column::Seal.eq(seal));
    Ok(rows.order_by_asc(Column::Id).all(db).await?.into_iter().map(read).collect())
}

/// Puts events under a seal; tells how many.
pub async fn put_under_seal(db: &impl ConnectionTrait, seal: i64, events: &[Recorded]) -> Result<u64, StoreError> {
    let numbers = events.iter().map(|event| event.id);
    let update = Entity::update_many().col_expr(Column::Seal, Expr::value(seal));
    let update = update.filter(Column::Id.is_in(numbers)).filter(Column::Seal.is_null());
    Ok(update.exec(db).await?.rows_affected)
}

/// Removes the events under the seals `seals`, whose numbers are all within `events`; tells how many. The database
/// refuses it where no seal says that they may go.
pub async fn remove(db: &impl ConnectionTrait, seals: (i64, i64), events: (i64, i64)) -> Result<u64, StoreError> {
    let old = Entity::delete_many().filter(Column::Id.between(events.0, events.1));
    Ok(old.filter(Column::Seal.between(seals.0, seals.1)).exec(db).await?.rows_affected)
}

fn read(row: Model) -> Recorded {
    Recorded {
        id: row.id,
        at: Timestamp::from_micros(row.at),
        event: row.event,
        outcome: row.outcome,
        times: row.times,
        actor: row.actor_id,
        account: row.account_id,
        session: row.session_id,
        client: row.client_id,
        source: row.source,
        user_agent: row.user_agent,
        request_id: row.request_id,
        seal: row.seal,
    }
}
