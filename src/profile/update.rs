//! `updateProfile`: what the caller names changes, and nothing else.

use crate::app::App;
use crate::fault::Fault;
use crate::kernel::origin::Origin;
use crate::session::identity::Identity;
use crate::store::audit::{self, Event, Subject};
use crate::store::writes::Writes;
use crate::store::{accounts, changes};

pub use crate::store::accounts::ProfileChange;

/// Changes the caller's profile.
pub async fn update_profile(app: &App, origin: &Origin, caller: &Identity, change: ProfileChange) -> Result<(), Fault> {
    let now = app.clock.now();
    let tx = app.begin().await?;
    let mut writes = Writes::to(&tx);
    accounts::change_profile(&mut writes, caller.account, change);
    let subject =
        Subject { account: caller.account, session: Some(caller.session), client: Some(&caller.client), origin };
    audit::record(&mut writes, Event::ProfileUpdated, subject, now);
    changes::announce(&mut writes, caller.account);
    app.commit_with(tx, writes).await?;

    app.identities.forget(caller.account);
    Ok(())
}
