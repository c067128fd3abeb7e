//! What signals do.

use std::process::Command;

use reqwest::Method;
use rustix::process::{Pid, Signal, kill_process};

use crate::server::{Server, binary, until};

fn send(server: &Server, signal: Signal) {
    kill_process(Pid::from_child(&server.child), signal).unwrap();
}

#[test]
fn what_asks_for_an_end_gets_an_orderly_one() {
    let names =
        [(Signal::TERM, "SIGTERM"), (Signal::INT, "SIGINT"), (Signal::QUIT, "SIGQUIT"), (Signal::HUP, "SIGHUP")];
    for (signal, name) in names {
        let folder = tempfile::tempdir().unwrap();
        let mut server = Server::start(folder.path());
        send(&server, signal);
        assert_eq!(server.wait().code(), Some(0), "{name}");
        until(|| server.log().contains("stopped").then_some(()));
        assert!(server.log().contains(name), "{}", server.log());
    }
}

#[tokio::test]
async fn what_tells_other_servers_to_open_their_logs_anew_or_of_a_limit_does_not_end_this_one() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    for signal in [Signal::USR1, Signal::USR2, Signal::XFSZ, Signal::PIPE] {
        send(&server, signal);
        assert_eq!(server.call(Method::GET, "/profile/", &[], None).await.0, 401, "{signal:?}");
    }
    server.sign_up("thandi").await;
}

#[tokio::test]
async fn a_server_that_nohup_started_outlives_its_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let ours = binary(folder.path());
    let mut command = Command::new("nohup");
    command.arg(ours.get_program()).args(["--listen", "127.0.0.1:0"]).env_clear().current_dir(folder.path());
    let mut server = Server::follow(command);
    send(&server, Signal::HUP);
    assert_eq!(server.call(Method::GET, "/profile/", &[], None).await.0, 401);
    send(&server, Signal::TERM);
    assert_eq!(server.wait().code(), Some(0));
}
