//! `listActivity`: what happened to the caller's account.

use crate::app::App;
use crate::fault::Fault;
use crate::kernel::page::{Cursor, PageLimit};
use crate::session::identity::Identity;
use crate::store::audit::{self, Recorded, SUCCESS};

/// A page of an account's events, newest first.
#[derive(Debug)]
pub struct Activity {
    /// The events.
    pub events: Vec<Happening>,
    /// Where the next page begins, if there is one.
    pub next: Option<Cursor>,
}

/// An event as its account may see it.
#[derive(Debug)]
pub struct Happening {
    /// What is kept of it. The client is omitted where the call was refused: it may be another account's.
    pub recorded: Recorded,
    /// Whether the session that asks is the one that it happened in.
    pub is_this_session: bool,
}

/// The newest events of the caller's account, behind `cursor` where one is given.
///
/// # Errors
/// Where the database does not answer.
pub async fn list_activity(
    app: &App,
    caller: &Identity,
    limit: PageLimit,
    cursor: Option<Cursor>,
) -> Result<Activity, Fault> {
    let limit = usize::from(limit.get());
    // One more than is shown, to know whether there are more.
    let mut events = audit::newest_of(app.reader(), caller.account, cursor, limit as u64 + 1).await?;
    let has_more = events.len() > limit;
    events.truncate(limit);
    let next = events.last().filter(|_| has_more).map(|last| Cursor { at: last.at, id: last.id });
    let show = |mut recorded: Recorded| {
        if recorded.outcome != SUCCESS {
            recorded.client = None;
        }
        Happening { is_this_session: recorded.session == Some(caller.session.0), recorded }
    };
    Ok(Activity { events: events.into_iter().map(show).collect(), next })
}
