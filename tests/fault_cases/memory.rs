//! What the server holds in memory when it is left alone, and after work.

use std::thread::available_parallelism;
use std::time::Duration;

use crate::load::Api;
use crate::server::{PASSWORD, Server, binary};

/// What an idle server may hold, in MB.
const IDLE: u64 = 25;
/// What it may hold after logins, on two cores: each worker's 20 MiB for hashes, with the huge page that they begin in.
const AFTER_LOGINS: u64 = 80;
/// What each core more may add: one more such worker.
const OF_A_WORKER: u64 = 22;
/// What an idle server of the release profile maps of its own file and of libraries. An unoptimised one, whose file is four
/// times as large, maps more; it is counted with this.
const OF_A_RELEASE: u64 = 18;

/// The memory of the server's process, in MB.
fn memory(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.child.id())).unwrap();
    let megabytes = |name: &str| {
        let value = status.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next());
        value.unwrap().parse::<u64>().unwrap() / 1024
    };
    let of_files = if cfg!(debug_assertions) { OF_A_RELEASE } else { megabytes("RssFile:") };
    megabytes("RssAnon:") + of_files
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_server_holds_25_mb_and_one_that_hashed_80() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = binary(folder.path());
    command.args(["--listen", "127.0.0.1:0", "--rate-limits", "off"]);
    let server = Server::follow(command);
    let api = Api::of(&server);
    // Each background job has run once.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let idle = memory(&server);
    assert!(idle <= IDLE, "{idle} MB");

    let somebody = api.join("thandi").await;
    let callers = (0..16).map(|_| {
        let (api, somebody) = (api.clone(), somebody.clone());
        tokio::spawn(async move {
            for _ in 0..13 {
                let answer = api.log_in(&somebody, PASSWORD).await.unwrap();
                assert_eq!(answer.status, 200, "{answer:?}");
            }
        })
    });
    for caller in callers.collect::<Vec<_>>() {
        caller.await.unwrap();
    }
    let more_cores = available_parallelism().map_or(0, |cores| cores.get().saturating_sub(2) as u64);
    let after = memory(&server);
    assert!(after <= AFTER_LOGINS + OF_A_WORKER * more_cores, "{idle} MB, then {after} MB");
}
