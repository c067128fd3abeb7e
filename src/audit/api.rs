//! The record on the wire.

use std::sync::Arc;

use poem::web::Data;
use poem_openapi::{Object, OpenApi};
use serde::Serialize;
use serde_json::{Value, json};

use super::activity::{Activity, Happening, list_activity};
use crate::app::App;
use crate::body;
use crate::fault::Fault;
use crate::http::body::{Answer, Documented};
use crate::http::caller::Caller;
use crate::http::problem::Refused;
use crate::http::query::Query;
use crate::http::spec::Tag;
use crate::kernel::clock::Timestamp;
use crate::kernel::page::{Cursor, PageLimit};

/// The operations on the record.
#[derive(Clone, Copy, Debug)]
pub struct AuditApi;

#[OpenApi]
impl AuditApi {
    /// List the account's activity
    ///
    /// What happened to the caller's account and what was refused, newest first: sign-up, logins, refreshes, changes
    /// of the profile, password resets, and where each came from. Calls that change nothing are not on the record.
    ///
    /// A page holds `limit` events at most. Where `next_cursor` is not `null`, hand it back as `cursor` for the next
    /// one. Refused calls of one kind from one network within a minute are told as one event, with their number in
    /// `times`; an event shows up to a second after a call was refused.
    #[oai(path = "/account/activity/", method = "get", operation_id = "listActivity", tag = "Tag::Activity")]
    async fn list_activity(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller,
        query: Query<ListActivityQuery>,
    ) -> Result<Answer<ListActivityAnswer>, Refused<Fault>> {
        let ListActivityQuery { limit, cursor } = query.0;
        let activity = list_activity(&app, &caller.0, limit.unwrap_or_default(), cursor).await?;
        Ok(Answer(activity.into()))
    }
}

body! {
    /// Which page.
    pub struct ListActivityQuery {
        /// How many events the page holds at most.
        limit: Option<PageLimit>,
        /// `next_cursor` of the answer before; the newest events where it is omitted.
        cursor: Option<Cursor>,
    }
}

impl Documented for ListActivityQuery {
    const DESCRIPTION: &'static str = "Which page.";

    fn example() -> Value {
        json!({"limit": 20, "cursor": "AAYvuJlzXaAAAAAAAAAABw"})
    }
}

/// A page of events, newest first.
#[derive(Serialize, Object)]
pub struct ListActivityAnswer {
    /// The events, newest first.
    #[oai(validator(max_items = 100))]
    events: Vec<ActivityEvent>,
    /// For the next page's `cursor`; `null` on the last page.
    #[oai(nullable, validator(min_length = 22, max_length = 22, pattern = "^[A-Za-z0-9_-]{21}[AQgw]$"))]
    next_cursor: Option<String>,
}

/// Something that happened to the account.
#[derive(Serialize, Object)]
pub struct ActivityEvent {
    /// When it happened; of several that were refused, the last.
    at: Timestamp,
    /// What happened, such as `logged_in`, `token_refreshed`, `profile_updated`, `password_reset` or `login_refused`.
    /// More names will come.
    #[oai(validator(max_length = 64, pattern = "^[a-z_]+$"))]
    event: String,
    /// `success`, or the code of the problem that was answered.
    #[oai(validator(max_length = 64, pattern = "^[a-z_]+$"))]
    outcome: String,
    /// How many calls this tells of.
    #[oai(validator(minimum(value = "1"), maximum(value = "1000000000")))]
    times: i64,
    /// The address that called: IPv4 or IPv6. `null` where it was not kept.
    #[oai(nullable, validator(max_length = 45))]
    source: Option<String>,
    /// What the caller said it is, in the header User-Agent. `null` where it said nothing.
    #[oai(nullable, validator(max_length = 255))]
    user_agent: Option<String>,
    /// The client that called. `null` where the call was refused, or none was named.
    #[oai(nullable, validator(min_length = 40, max_length = 40, pattern = "^[A-Za-z0-9]+$"))]
    client_id: Option<String>,
    /// Whether it happened in the session whose token this call carries.
    this_session: bool,
}

impl Documented for ListActivityAnswer {
    const DESCRIPTION: &'static str = "A page of events, newest first.";

    fn example() -> Value {
        json!({
            "events": [
                {
                    "at": "2026-03-02T08:16:02.417305Z",
                    "event": "logged_in",
                    "outcome": "success",
                    "times": 1,
                    "source": "203.0.113.9",
                    "user_agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
                    "client_id": "dTxNzW3qXbVn5mPf0aRk7sYh2LcJ8uGe4oKi9tBw",
                    "this_session": true
                },
                {
                    "at": "2026-03-02T08:15:40.093117Z",
                    "event": "login_refused",
                    "outcome": "invalid_credentials",
                    "times": 3,
                    "source": "2001:db8::7",
                    "user_agent": null,
                    "client_id": null,
                    "this_session": false
                }
            ],
            "next_cursor": "AAYvuJlzXaAAAAAAAAAABw"
        })
    }
}

impl From<Activity> for ListActivityAnswer {
    fn from(activity: Activity) -> Self {
        Self {
            events: activity.events.into_iter().map(ActivityEvent::from).collect(),
            next_cursor: activity.next.map(|cursor| cursor.to_string()),
        }
    }
}

impl From<Happening> for ActivityEvent {
    fn from(Happening { recorded, is_this_session }: Happening) -> Self {
        Self {
            at: recorded.at,
            event: recorded.event,
            outcome: recorded.outcome,
            times: recorded.times,
            source: recorded.source,
            user_agent: recorded.user_agent,
            client_id: recorded.client,
            this_session: is_this_session,
        }
    }
}
