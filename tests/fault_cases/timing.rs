//! What a stranger could learn from the time that an answer takes.
//!
//! The machine that runs this has others to serve. So the two kinds of call take turns, their medians are compared, and
//! one round of several has to agree: where the server does other work for the one than for the other, none does.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::json;

use crate::load::{Api, Person};
use crate::server::{Server, binary};

/// Calls of each kind whose median is taken.
const CALLS: usize = 200;
/// How far the medians may be apart.
const TOLERANCE: f64 = 0.05;
const ROUNDS: usize = 8;

/// A password hash takes some milliseconds, which is what a stranger would measure.
fn server(folder: &std::path::Path) -> Server {
    server_at(folder, "4096")
}

fn server_at(folder: &std::path::Path, memory_kib: &str) -> Server {
    let mut command = binary(folder);
    command.args(["--listen", "127.0.0.1:0", "--rate-limits", "off", "--argon2-memory-kib", memory_kib]);
    Server::follow(command)
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort();
    times[times.len() / 2].as_secs_f64()
}

/// Asserts that calls for the two addresses take the same time.
async fn compare(call: impl AsyncFn(&str)) {
    let addresses = ["thandi@example.com", "nobody@example.com"];
    let mut apart = Vec::new();
    for _ in 0..ROUNDS {
        let mut times = [Vec::new(), Vec::new()];
        for number in 0..CALLS {
            // Each goes first as often as second.
            for turn in [number % 2, 1 - number % 2] {
                // What a call leaves to be done afterwards must not fall on the other kind alone.
                call(addresses[0]).await;
                let start = Instant::now();
                call(addresses[turn]).await;
                times[turn].push(start.elapsed());
            }
        }
        let [known, unknown] = times.map(median);
        apart.push((unknown / known - 1.0).abs());
        if apart.last().is_some_and(|apart| *apart < TOLERANCE) {
            return;
        }
    }
    panic!("the medians are apart by {apart:?}");
}

async fn thandi(server: &Server) -> (Api, Person) {
    let api = Api::of(server);
    let thandi = api.join("thandi").await;
    (api, thandi)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_takes_as_long_for_an_unknown_email_as_for_a_wrong_password() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(folder.path());
    let (api, thandi) = thandi(&server).await;
    compare_logins(&api, &thandi).await;
}

async fn compare_logins(api: &Api, person: &Person) {
    compare(async |email| {
        let body = json!({"email": email, "password": "violet-anchor-93-steam"});
        let answer = api.call(Method::POST, "/login/", Some(person), Some(&body)).await.unwrap();
        assert_eq!(answer.status, 401, "{answer:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_takes_as_long_for_an_unknown_email_where_a_kept_hash_costs_more() {
    let folder = tempfile::tempdir().unwrap();
    let (_, thandi) = thandi(&server_at(folder.path(), "8192")).await;
    // The operator lowers the cost.
    let server = server(folder.path());
    compare_logins(&Api::of(&server), &thandi).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_request_takes_as_long_for_an_unknown_email_as_for_a_known_one() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(folder.path());
    let (api, thandi) = thandi(&server).await;
    compare(async |email| {
        let body = json!({"email": email});
        let answer = api.call(Method::POST, "/password/reset/request/", Some(&thandi), Some(&body)).await.unwrap();
        assert_eq!(answer.status, 200, "{answer:?}");
    })
    .await;
}
