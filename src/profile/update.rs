//! `updateProfile`: what the caller names changes, and nothing else.

use crate::app::App;
use crate::fault::Fault;
use crate::kernel::origin::Origin;
use crate::session::identity::Identity;
use crate::store::audit::{self, Event, Subject};
use crate::store::{accounts, changes};

pub use crate::store::accounts::ProfileChange;

/// Changes the caller's profile.
pub async fn update_profile(app: &App, origin: &Origin, caller: &Identity, change: ProfileChange) -> Result<(), Fault> {
    let now = app.clock.now();
    let tx = app.begin().await?;
    accounts::change_profile(&tx, caller.account, change).await?;
    let subject =
        Subject { account: caller.account, session: Some(caller.session), client: Some(&caller.client), origin };
    audit::record(&tx, Event::ProfileUpdated, subject, now).await?;
    changes::announce(&tx, caller.account).await?;
    app.commit(tx).await?;

    app.identities.forget(caller.account);
    Ok(())
}
