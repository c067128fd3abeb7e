//! `updateProfile`: what the caller names changes, and nothing else.

use crate::app::App;
use crate::fault::Fault;
use crate::kernel::origin::Origin;
use crate::kernel::rate_limit::Throttled;
use crate::session::identity::Identity;
use crate::store::audit::{self, Event, Reason, Subject};
use crate::store::writes::Writes;
use crate::store::{LockedRow, StoreError, accounts, changes, claims, profile_changes};
use crate::throttle::{self, Whose, limits};

pub use crate::store::profile_changes::ProfileChange;

/// Why the profile stays as it is.
#[derive(Debug, thiserror::Error)]
pub enum UpdateError {
    /// The account's profile was changed too often.
    #[error(transparent)]
    Throttled(#[from] Throttled),
    /// Somebody else has the username.
    #[error("the username is taken")]
    UsernameTaken,
    /// No doing of the caller's.
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl From<StoreError> for UpdateError {
    fn from(error: StoreError) -> Self {
        Self::Fault(error.into())
    }
}

/// Changes the caller's profile. What it is already is not written again, and leaves no event.
pub async fn update_profile(
    app: &App,
    origin: &Origin,
    caller: &Identity,
    change: ProfileChange,
) -> Result<(), UpdateError> {
    let whose = Whose::Account(caller.account);
    // Asked without a lock first: a flood of what is refused takes no turn of the writers.
    throttle::told(app, origin, throttle::check(app, &limits::PROFILE_UPDATES, whose).await?)?;
    let now = app.clock.now();
    let tx = app.begin_locking([LockedRow::Account(caller.account)]).await?;
    let account = accounts::find_locked(&tx, caller.account).await?;
    let Some(account) = account.filter(|account| change.changes(account)) else { return Ok(()) };
    let mut writes = Writes::to(&tx);
    throttle::spend_with(app, origin, &tx, &mut writes, [(&limits::PROFILE_UPDATES, whose)]).await??;
    let subject =
        Subject { account: caller.account, session: Some(caller.session), client: Some(&caller.client), origin };
    if change.changes_username(&account) {
        let wanted = change.username.change().flatten();
        let holder = match wanted {
            Some(username) => accounts::find_by_username(&tx, username).await?.filter(|holder| holder.id != account.id),
            None => None,
        };
        let refuse = || {
            app.refusals.note(Event::ProfileUpdateRefused, Reason::UsernameTaken, subject, now);
            UpdateError::UsernameTaken
        };
        if let Some(holder) = holder {
            if !claims::remove(&tx, holder.id, now).await? {
                // It counts all the same, for it tells which names there are.
                app.commit_with(tx, writes).await?;
                return Err(refuse());
            }
            let origin = Subject { account: holder.id, session: None, client: None, origin };
            audit::record(&mut writes, Event::ClaimExpired, origin, now);
        }
        if !profile_changes::set_username(&tx, account.id, wanted).await? {
            return Err(refuse());
        }
    }
    profile_changes::change_profile(&mut writes, &account, &change);
    audit::record(&mut writes, Event::ProfileUpdated, subject, now);
    changes::announce(&mut writes, caller.account);
    app.commit_with(tx, writes).await?;

    app.identities.forget(caller.account);
    Ok(())
}
