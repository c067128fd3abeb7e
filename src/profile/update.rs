//! `updateProfile`: what the caller names changes, and nothing else.

use crate::app::App;
use crate::fault::Fault;
use crate::kernel::origin::Origin;
use crate::kernel::rate_limit::Throttled;
use crate::session::identity::Identity;
use crate::store::audit::{self, Event, Subject};
use crate::store::writes::Writes;
use crate::store::{LockedRow, StoreError, accounts, changes};
use crate::throttle::{self, Whose, limits};

pub use crate::store::accounts::ProfileChange;

/// Why the profile stays as it is.
#[derive(Debug, thiserror::Error)]
pub enum UpdateError {
    /// The account's profile was changed too often.
    #[error(transparent)]
    Throttled(#[from] Throttled),
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
    if !account.is_some_and(|account| change.changes(&account)) {
        return Ok(());
    }
    let mut writes = Writes::to(&tx);
    throttle::spend_with(app, origin, &tx, &mut writes, [(&limits::PROFILE_UPDATES, whose)]).await??;
    accounts::change_profile(&mut writes, caller.account, change);
    let subject =
        Subject { account: caller.account, session: Some(caller.session), client: Some(&caller.client), origin };
    audit::record(&mut writes, Event::ProfileUpdated, subject, now);
    changes::announce(&mut writes, caller.account);
    app.commit_with(tx, writes).await?;

    app.identities.forget(caller.account);
    Ok(())
}
