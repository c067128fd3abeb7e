//! `resetPassword`: a reset token and a new password in; the old password and every session are gone. Who has no client any
//! more gets one: the mailbox opens the account.

use sea_orm::ConnectionTrait;

use crate::app::App;
use crate::fault::Fault;
use crate::kernel::Invalid;
use crate::kernel::clock::Timestamp;
use crate::kernel::origin::Origin;
use crate::kernel::password::{NewPassword, PersonalWords};
use crate::kernel::rate_limit::Throttled;
use crate::kernel::token::{ClientId, Token};
use crate::mail::{Mail, outbox};
use crate::password::queue::Who;
use crate::settings::ResetTokenShown;
use crate::store::audit::{self, Event, Reason, Subject};
use crate::store::clients::{self, Client};
use crate::store::email_verifications::{self, Purpose};
use crate::store::writes::Writes;
use crate::store::{AccountId, LockedRow, StoreError, accounts, changes, password_resets, sessions};
use crate::throttle::{self, Whose, guess, limits};

/// Why the password is what it was.
#[derive(Debug, thiserror::Error)]
pub enum ResetError {
    /// Too many resets were tried from there.
    #[error(transparent)]
    Throttled(#[from] Throttled),
    /// Unknown, used, expired, or superseded by a newer one.
    #[error("the reset token is not valid")]
    InvalidResetToken,
    /// The new password is too easy to guess. The token is good for another try.
    #[error("the new password {0}")]
    WeakPassword(Invalid),
    /// No doing of the caller's.
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl From<StoreError> for ResetError {
    fn from(error: StoreError) -> Self {
        Self::Fault(error.into())
    }
}

/// How many clients in use an account has at most.
const MOST_CLIENTS: usize = 20;

/// A new client of the account. The secret is in the clear here and nowhere else.
#[derive(Debug)]
pub struct NewClient {
    /// Its public half.
    pub id: ClientId,
    /// Its secret half.
    pub secret: Token,
}

/// Sets a new password, ends every session of the account and a change of its address that waits, opens its login where failures had closed it, and tells its
/// owner by mail.
pub async fn reset_password(
    app: &App,
    origin: &Origin,
    client: Option<&Client>,
    token: &Token,
    new_password: NewPassword,
    wants_client: bool,
) -> Result<Option<NewClient>, ResetError> {
    let refuse = |account: AccountId, reason: Reason| {
        let subject = Subject { account, session: None, client: client.map(|client| &client.id), origin };
        app.refusals.note(Event::PasswordResetRefused, reason, subject, app.clock.now());
    };
    let invalid = |account: AccountId| {
        refuse(account, Reason::InvalidResetToken);
        ResetError::InvalidResetToken
    };
    let from_there = Whose::Source(origin.source);
    throttle::told(app, origin, throttle::check(app, &limits::RESET, from_there).await?)?;
    let digest = token.digest();
    let account = match password_resets::find_usable(app.reader(), &digest, app.clock.now()).await? {
        Some(owner) => accounts::find(app.reader(), owner).await?,
        None => None,
    };
    // Nothing is counted for a caller who gets no place. The token proves as much as a login from there did.
    let place = account.as_ref().map(|account| {
        let account = Some(account.profile.email.clone());
        app.hasher.ask(Who { source: origin.source.network(), account, is_known: true })
    });
    let place = place.transpose()?;
    throttle::told(app, origin, throttle::spend(app, &limits::RESET, from_there).await?)?;
    let (account, place) = account.zip(place).ok_or_else(|| invalid(AccountId::NOBODY))?;
    let profile = &account.profile;
    let username = account.username.as_deref();
    let personal = PersonalWords::about(&profile.email, username, &profile.contact_name, &profile.organisation);
    let hash = app.hasher.hash_new(&place, new_password, personal).await?.map_err(|reason| {
        refuse(account.id, Reason::WeakPassword);
        ResetError::WeakPassword(reason)
    })?;

    let now = app.clock.now();
    let opened = guess::rows_to_open(app, origin, &limits::LOGIN, &profile.email);
    let tx = app.begin_locking(opened.chain([LockedRow::Account(account.id)])).await?;
    accounts::find_locked(&tx, account.id).await?.ok_or(ResetError::InvalidResetToken)?;
    if !password_resets::take(&tx, &digest, now).await? {
        return Err(invalid(account.id));
    }
    let mut writes = Writes::to(&tx);
    accounts::set_password(&mut writes, account.id, &hash);
    sessions::end_all(&mut writes, account.id, now);
    // Whoever asked for another address had the old password.
    email_verifications::void(&mut writes, account.id, Purpose::Change);
    if let ResetTokenShown::ToNobody(_) = app.settings.reset_token_shown() {
        // The token came by mail alone: that proves the address as well as a verification does.
        accounts::note_email_verified(&mut writes, account.id, now);
    }
    changes::announce(&mut writes, account.id);
    let subject = Subject { account: account.id, session: None, client: client.map(|client| &client.id), origin };
    audit::record(&mut writes, Event::PasswordReset, subject, now);
    let issued = if wants_client { Some(issue_client(app, &tx, &mut writes, subject, now).await?) } else { None };
    guess::open(app, &mut writes, origin, &limits::LOGIN, &account.profile.email, now);
    // Where the answer showed the token it proved nothing, but there the operator alone can call.
    let notice = Mail::PasswordChanged { at: now, has_new_client: issued.is_some() };
    outbox::notify_at(app, &tx, &mut writes, &account.profile.email, &notice, now).await?;
    app.commit_with(tx, writes).await?;

    app.identities.forget(account.id);
    app.mail_bell.notify_one();
    Ok(issued)
}

/// Makes a client for the account, which is locked. The older ones stay: whether they are lost, or whose they are, cannot be
/// told. Where there are too many, those that were unused for longest make room.
async fn issue_client(
    app: &App,
    tx: &impl ConnectionTrait,
    writes: &mut Writes,
    subject: Subject<'_>,
    now: Timestamp,
) -> Result<NewClient, StoreError> {
    let older = clients::of_account(tx, subject.account).await?;
    let too_many = (older.len() + 1).saturating_sub(MOST_CLIENTS);
    for id in &older[..too_many] {
        clients::revoke(tx, id, now).await?;
        audit::record(writes, Event::ClientRevoked, Subject { client: Some(id), ..subject }, now);
    }
    let client = NewClient { id: ClientId::new(&app.random), secret: Token::new_client_secret(&app.random) };
    clients::insert(writes, &client.id, &client.secret.digest(), Some(subject.account), now);
    audit::record(writes, Event::ClientIssued, Subject { client: Some(&client.id), ..subject }, now);
    Ok(client)
}
