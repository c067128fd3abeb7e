//! The server when things break around it: each case runs the built binary, loads it, breaks something, and holds it to
//! what it promises. `tests/faults` runs them.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod connections;
mod disk;
mod greedy;
mod half_sent;
mod hostile;
mod kill;
mod load;
mod memory;
mod one_server;
mod postgres;
#[path = "../shared/postgres_server.rs"]
mod postgres_server;
mod proxies;
#[path = "../shared/seed_walk.rs"]
mod seed_walk;
#[path = "../process/server.rs"]
#[expect(dead_code, reason = "the tests of the process use all of it")]
mod server;
mod stop;
mod timing;

use std::io::Write;

/// Says on the real standard error that a case is not run: the test runner keeps to itself what a test prints that
/// passes.
#[expect(clippy::disallowed_methods, reason = "it is the suite's setting, not the server's")]
fn skip(case: &str, why: &str) {
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{why}");
    let mut stderr = std::io::stderr();
    writeln!(stderr, "{case} skipped: {why}").unwrap();
}
