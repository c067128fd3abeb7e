//! Strangers who send whatever they like.

mod requests;
mod smuggling;
mod tricks;

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use crate::load::{Api, Person};
use crate::postgres_server::Postgres;
use crate::server::{PATIENCE, Server};
use crate::{seed_walk, skip};
use requests::Fuzzer;

/// How many connections are tried in all unless HOSTILE_REQUESTS says otherwise, by this many callers at once.
const REQUESTS: u64 = 10_000;
const CALLERS: u64 = 32;
/// How long a caller who is one of many waits for more.
const LULL: Duration = Duration::from_millis(100);

/// Sends this on a connection of its own; gives what was answered before the connection ended.
/// A caller who has heard nothing for so long hangs up, on a server that may wait for more, too.
fn send(address: SocketAddr, bytes: &[u8], lull: Duration) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(lull)).unwrap();
    let mut answer = Vec::new();
    // A server that has heard enough hangs up, and what it said before may be lost: `/metrics` has it all the same.
    let written = stream.write_all(bytes);
    let lull = stream.read_to_end(&mut answer);
    if written.is_ok() && lull.is_err() {
        let _ = stream.shutdown(Shutdown::Write);
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let _ = stream.read_to_end(&mut answer);
    }
    answer
}

/// The status of each answer that stands in these bytes.
fn statuses(answer: &[u8]) -> Vec<u16> {
    let text = String::from_utf8_lossy(answer);
    text.match_indices("HTTP/1.").filter_map(|(at, _)| text.get(at + 9..at + 12)?.parse().ok()).collect()
}

/// The answers that the server gave, by status, as it counted them itself.
async fn counted(metrics: &str) -> BTreeMap<u16, u64> {
    let text = reqwest::get(metrics).await.unwrap().text().await.unwrap();
    let mut counts = BTreeMap::new();
    for line in text.lines().filter(|line| line.starts_with("documines_auth_requests_total{")) {
        let status = line.split("status=\"").nth(1).unwrap()[..3].parse().unwrap();
        let count: u64 = line.rsplit(' ').next().unwrap().parse().unwrap();
        *counts.entry(status).or_default() += count;
    }
    counts
}

fn metrics_of(server: &Server) -> String {
    let log = server.log();
    let line = log.lines().find(|line| line.contains("serving metrics")).unwrap();
    let address = line.split("address=").nth(1).unwrap().split_whitespace().next().unwrap();
    format!("http://{address}/metrics")
}

/// A number that whoever runs the suite may set.
#[expect(clippy::disallowed_methods, reason = "it is the suite's setting, not the server's")]
fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[expect(clippy::disallowed_methods, reason = "each run tries other requests, and says which")]
fn seed() -> u64 {
    setting("HOSTILE_SEED").unwrap_or_else(rand::random)
}

/// Sends everything, and holds the server to what it promises afterwards.
async fn withstand(database: &[(&str, &str)]) {
    let requests = setting("HOSTILE_REQUESTS").unwrap_or(REQUESTS);
    let folder = tempfile::tempdir().unwrap();
    // The fuzzer is its own proxy, so that its requests come from everywhere.
    // Behind a proxy no answer shows a reset token by itself, and the walk needs one.
    let shown = ["--reset-token-in-response", "always"];
    let arguments = [&["--metrics-listen", "127.0.0.1:0", "--trusted-proxies", "127.0.0.0/8"], &shown[..]].concat();
    let server = Server::start_with(folder.path(), &arguments, database);
    let person: Person = Api::of(&server).join("thandi").await;
    let seed = seed();
    let mut stderr = std::io::stderr();
    writeln!(stderr, "HOSTILE_SEED={seed}").unwrap();
    let address = server.address;
    let callers = (0..CALLERS).map(|number| {
        let mut fuzzer = Fuzzer::new(seed.wrapping_add(number), person.clone());
        std::thread::spawn(move || {
            for _ in 0..requests / CALLERS {
                let bytes = fuzzer.next();
                let answer = send(address, &bytes, LULL);
                let bad = statuses(&answer).into_iter().find(|status| *status >= 500 && *status != 503);
                assert!(bad.is_none(), "{bad:?} to {:?}", String::from_utf8_lossy(&bytes));
            }
        })
    });
    for caller in callers.collect::<Vec<_>>() {
        assert!(caller.join().is_ok(), "HOSTILE_SEED={seed}");
    }
    let counts = counted(&metrics_of(&server)).await;
    writeln!(stderr, "answers by status: {counts:?}").unwrap();
    assert!(counts.keys().all(|status| *status < 500 || *status == 503), "HOSTILE_SEED={seed}: {counts:?}");
    // Enough of it got past the first look to mean something.
    let heard: u64 = counts.values().sum();
    assert!(heard > requests / 2 && counts.contains_key(&200) && counts.contains_key(&400), "{heard}: {counts:?}");
    assert!(!server.log().contains("panic"), "HOSTILE_SEED={seed}: {}", server.log());
    seed_walk::walk(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_ten_thousand_hostile_requests_the_seeds_walk_works() {
    withstand(&[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_ten_thousand_hostile_requests_the_seeds_walk_works_on_postgres() {
    let case = "after_ten_thousand_hostile_requests_the_seeds_walk_works_on_postgres";
    let Some(postgres) = Postgres::start() else { return skip(case, "no PostgreSQL") };
    withstand(&[("DATABASE_URL", &postgres.url("postgres"))]).await;
}
