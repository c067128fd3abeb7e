//! Callers who hold on to memory: what hundreds of them cost, how soon it is given back, and how others fare meanwhile.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::net::sockopt::set_socket_recv_buffer_size;
use tokio::net::TcpSocket;
use tokio::task::JoinHandle;

use crate::connections::may_open;
use crate::load::Api;
use crate::server::{Server, binary};
use crate::skip;

/// How much more memory than before they may cost at any time, in MB.
const MOST: u64 = 60;
/// How long an ordinary call may take meanwhile.
const SOON: Duration = Duration::from_secs(1);
/// How long after they stopped nothing may be left of them.
const GONE: Duration = Duration::from_secs(10);
/// What the system may have for sockets then, in MB, beyond what it had before: it gives back by the MB.
const LEFT: u64 = 8;
const SCRIPT: &str = "GET /docs/swagger-ui.js HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// What the server's process costs, in MB.
fn resident(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.child.id())).unwrap();
    after(&status, "VmRSS:") / 1024
}

/// What the system keeps for the sockets of all processes, in MB.
fn sockets() -> u64 {
    let sockets = std::fs::read_to_string("/proc/net/sockstat").unwrap();
    let tcp = sockets.lines().find(|line| line.starts_with("TCP:")).unwrap();
    // In pages of 4 KiB.
    after(tcp, " mem ") / 256
}

fn after(text: &str, name: &str) -> u64 {
    text.split_once(name).unwrap().1.split_whitespace().next().unwrap().parse().unwrap()
}

fn files(server: &Server) -> usize {
    std::fs::read_dir(format!("/proc/{}/fd", server.child.id())).unwrap().count()
}

/// A caller whose system takes next to nothing for it.
async fn connect(address: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    set_socket_recv_buffer_size(&socket, 2_048).unwrap();
    // Nothing waits: who is greedy does not hold up the next.
    socket.connect(address).await.unwrap().into_std().unwrap()
}

/// An ordinary caller, who makes calls over fresh connections until it is told to stop; gives the longest that one took.
fn call_meanwhile(server: &Server, is_enough: &Arc<AtomicBool>) -> JoinHandle<Duration> {
    let (url, is_enough) = (server.url("/readyz"), is_enough.clone());
    tokio::spawn(async move {
        let mut longest = Duration::ZERO;
        while !is_enough.load(Ordering::Relaxed) {
            let start = Instant::now();
            assert_eq!(reqwest::get(&url).await.unwrap().status(), 200);
            longest = longest.max(start.elapsed());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        longest
    })
}

/// So many callers send this, and go on with `each` once a second until the server has closed all of them, which takes no
/// longer than `patience`.
async fn hold(case: &str, count: usize, sent: &str, patience: Duration, mut each: impl FnMut(&mut TcpStream)) {
    if !may_open(2_500) {
        return skip(case, "may not open 2,500 files");
    }
    let folder = tempfile::tempdir().unwrap();
    let mut command = binary(folder.path());
    command.args(["--listen", "127.0.0.1:0"]);
    let server = Server::follow(command);
    // What is made once is no part of what they cost.
    assert_eq!(Api::of(&server).get("/docs/swagger-ui.js").await.status, 200);
    assert_eq!(Api::of(&server).get("/readyz").await.status, 200);
    let is_enough = Arc::new(AtomicBool::new(false));
    let ordinary = call_meanwhile(&server, &is_enough);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let (sockets_before, files_before) = (sockets(), files(&server));
    let before = resident(&server) + sockets_before;

    let mut callers = Vec::new();
    for _ in 0..count {
        let mut caller = connect(server.address).await;
        let _ = caller.write(sent.as_bytes());
        callers.push(caller);
    }
    let (start, mut most) = (Instant::now(), 0);
    // The ordinary caller has one or two.
    while files(&server) > files_before + 3 {
        assert!(start.elapsed() < patience, "{} files are still held", files(&server));
        most = most.max(resident(&server) + sockets());
        callers.iter_mut().for_each(&mut each);
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert!(most >= before && most <= before + MOST, "{before} MB before, {most} MB meanwhile");
    drop(callers);
    tokio::time::sleep(GONE).await;
    is_enough.store(true, Ordering::Relaxed);
    let longest = ordinary.await.unwrap();
    assert!(longest < SOON, "{longest:?}");
    // The process keeps freed memory for the next callers, and no more.
    assert!(resident(&server) + sockets() <= before + MOST, "{before} MB before, {} MB after", resident(&server));
    assert!(sockets() <= sockets_before + LEFT, "{sockets_before} MB of sockets before, {} MB after", sockets());
    assert!(!server.log().contains("ERROR") && !server.log().contains("panic"), "{}", server.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_readers_of_next_to_nothing_cost_little_and_are_given_up() {
    // 2 KiB a second, so that there is progress at all times.
    let read = |reader: &mut TcpStream| drop(reader.read(&mut [0; 2_048]));
    let case = "a_thousand_readers_of_next_to_nothing_cost_little_and_are_given_up";
    hold(case, 1_000, SCRIPT, Duration::from_secs(40), read).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_hundred_half_sent_heads_cost_little_and_are_closed() {
    let head = format!("GET /livez HTTP/1.1\r\nHost: localhost\r\nX: {}", "a".repeat(31_000));
    let case = "eight_hundred_half_sent_heads_cost_little_and_are_closed";
    hold(case, 800, &head, Duration::from_secs(15), |_| ()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn three_hundred_pipelines_that_are_never_read_cost_little_and_are_given_up() {
    let case = "three_hundred_pipelines_that_are_never_read_cost_little_and_are_given_up";
    hold(case, 300, &SCRIPT.repeat(12), Duration::from_secs(15), |_| ()).await;
}

/// How many connections the system still has of which the process has closed its end.
fn orphans() -> u64 {
    after(&std::fs::read_to_string("/proc/net/sockstat").unwrap(), " orphan ")
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_the_system_still_has_for_closed_connections_are_dropped() {
    const CALLERS: u64 = 100;
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let before = orphans();
    let nowhere = "GET /nowhere/ HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(20);
    let last = "GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let mut callers = Vec::new();
    for _ in 0..CALLERS {
        let mut caller = connect(server.address).await;
        caller.write_all(format!("{nowhere}{last}").as_bytes()).unwrap();
        callers.push(caller);
    }
    let start = Instant::now();
    while orphans() < before + CALLERS / 2 {
        assert!(start.elapsed() < GONE, "the system has nothing of them");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    while orphans() > before {
        assert!(start.elapsed() < 3 * GONE, "the system still has {} of them", orphans());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
