//! Guessing is slow, nobody is locked out by it, and nobody's mailbox is flooded.

mod budgets;
mod guessing;
mod nodes;
mod notices;
mod queue;
mod sources;
mod strangers;
mod successes;

use documines_auth::kernel::origin::{Origin, Source};
use documines_auth::kernel::rate_limit::Standings;

use crate::support::TestApp;
use crate::support::answer::Answer;

pub(crate) const WRONG: &str = "violet-anchor-93-steam";

/// A server with limits, behind a proxy that says where calls come from.
pub(crate) async fn limited() -> TestApp {
    // Behind a proxy the answer to a reset request shows no token by itself, and these tests go on with it.
    let flags = ["--rate-limits=on", "--trusted-proxies=0.0.0.0/32", "--reset-token-in-response=always"];
    TestApp::start_with(&flags).await
}

/// Asserts that a limit of that name was met, and gives the seconds to wait.
#[track_caller]
pub(crate) fn wait_for(answer: &Answer, limit: &str) -> u64 {
    answer.refused(429, "rate_limited");
    let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert_eq!(answer.header("ratelimit"), Some(format!("\"{limit}\";r=0;t={wait}").as_str()));
    let policy = answer.header("ratelimit-policy").unwrap();
    assert!(policy.starts_with(&format!("\"{limit}\";q=")), "{policy}");
    wait
}

/// Where a guess comes from that a test counts itself.
fn origin(source: &str) -> Origin {
    Origin {
        source: Source::new(source.parse().unwrap()),
        user_agent: None,
        request_id: String::new(),
        standings: Standings::default(),
    }
}
