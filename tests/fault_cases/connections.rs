//! More connections than anybody needs.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit, setrlimit};

use crate::load::Api;
use crate::server::{PATIENCE, Server};
use crate::skip;

/// How long a new caller may wait.
const SOON: Duration = Duration::from_secs(2);

fn open(server: &Server, count: usize) -> Vec<TcpStream> {
    (0..count).map(|_| TcpStream::connect(server.address).unwrap()).collect()
}

/// Whether the test may open so many files.
pub(crate) fn may_open(files: u64) -> bool {
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= files) {
        return true;
    }
    limit.current = Some(files);
    setrlimit(Resource::Nofile, limit).is_ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_thousand_idle_connections_do_not_stop_a_new_caller() {
    if !may_open(2_500) {
        return skip("two_thousand_idle_connections_do_not_stop_a_new_caller", "may not open 2,500 files");
    }
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let somebody = Api::of(&server).join("thandi").await;
    let idle = open(&server, 2_000);
    for _ in 0..5 {
        let start = Instant::now();
        // A fresh connection each.
        assert_eq!(Api::of(&server).get_profile(&somebody).await.unwrap().status, 200);
        assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
    }
    drop(idle);
}

/// The processor time that a process has had, in hundredths of a second.
fn processor_time(server: &Server) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", server.child.id())).unwrap();
    let (_, after_name) = stat.rsplit_once(')').unwrap();
    after_name.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<u64>().unwrap()).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn running_out_of_files_does_not_spin_and_passes() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    // It keeps files for all but connections; somebody takes them away.
    let files = std::fs::read_dir(format!("/proc/{}/fd", server.child.id())).unwrap().count() as u64;
    let few = Rlimit { current: Some(files + 20), maximum: Some(files + 20) };
    prlimit(Some(Pid::from_child(&server.child)), Resource::Nofile, few).unwrap();
    // No more than wait in the system's queue: the test would wait for a place in it.
    let idle = open(&server, 100);
    let complaints = || server.log().matches("could not be accepted").count();
    let start = Instant::now();
    while complaints() == 0 {
        assert!(start.elapsed() < PATIENCE, "it does not run out of files: {}", server.log());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let (before, lines_before) = (processor_time(&server), complaints());
    tokio::time::sleep(Duration::from_secs(2)).await;
    let (spent, lines) = (processor_time(&server) - before, complaints() - lines_before);
    assert!(spent < 40, "{spent} hundredths of two seconds");
    assert!(lines < 60, "{lines} lines in the log");

    drop(idle);
    let start = Instant::now();
    assert_eq!(Api::of(&server).get("/readyz").await.status, 200);
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
    assert!(!server.log().contains("panic"), "{}", server.log());
}
