//! Removing what nobody can use any more, so that the tables stay as small as what is alive.

use std::time::Duration;

use crate::app::App;
use crate::audit::seal;
use crate::background::name;
use crate::store::audit::{self, Event};
use crate::store::writes::Writes;
use crate::store::{StoreError, claims, expired};

/// How often it looks.
const INTERVAL: Duration = Duration::from_secs(60);
/// Rows of a kind that go in one transaction: few, so that nobody waits long behind it.
const BATCH: u64 = 500;
/// Accounts that go in one transaction, each with all that belongs to it.
const CLAIMS: u64 = 100;
/// How long an ended session is kept, for those who look into what happened.
const REMEMBERED: Duration = Duration::from_secs(24 * 60 * 60);
/// How long mail that was given up is kept, for an operator to have it tried again.
const UNDELIVERABLE: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Removes what has expired, for ever.
pub async fn run(app: &App) {
    loop {
        tokio::time::sleep(INTERVAL).await;
        let outcome = sweep(app).await;
        app.jobs.ended(name::HOUSEKEEPING, &outcome, app.clock.now().as_micros());
        if let Err(error) = outcome {
            tracing::warn!(%error, "what has expired could not be removed; trying again later");
        }
    }
}

/// Removes all that has expired by now, batch by batch.
///
/// # Errors
/// Where the database does not take it; what went before stays removed.
pub async fn sweep(app: &App) -> Result<(), StoreError> {
    loop {
        let now = app.clock.now();
        let tx = app.begin().await?;
        let removed = expired::remove(&tx, now, now - REMEMBERED, now - UNDELIVERABLE, BATCH).await?;
        app.commit(tx).await?;
        if removed < BATCH {
            break;
        }
    }
    remove_claims(app).await?;
    seal::remove_old(app).await
}

/// Removes accounts that nobody ever used and whose address nobody verified: it is free for its owner again.
async fn remove_claims(app: &App) -> Result<(), StoreError> {
    loop {
        let now = app.clock.now();
        let tx = app.begin().await?;
        let found = claims::find_expired(&tx, now, CLAIMS).await?;
        let mut writes = Writes::to(&tx);
        for claim in &found {
            if claims::remove(&tx, *claim, now).await? {
                audit::record_own(&mut writes, Event::ClaimExpired, *claim, now);
            }
        }
        app.commit_with(tx, writes).await?;
        if (found.len() as u64) < CLAIMS {
            return Ok(());
        }
    }
}
