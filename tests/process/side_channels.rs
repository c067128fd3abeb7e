//! What the server tells beside its answers (log, notice to systemd) and what a command prints: where it cannot be
//! written, it is dropped.

use std::fs::File;
use std::io::{PipeReader, Read, pipe};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::Stdio;

use crate::server::{Server, binary, until};

/// A server whose standard error goes where nobody follows it, as soon as it listens.
fn start(folder: &Path, sink: impl Into<Stdio>, filter: &str) -> Server {
    // The log cannot tell which port it is.
    let address: SocketAddr = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut command = binary(folder);
    command.args(["--listen", &address.to_string(), "--argon2-memory-kib", "64", "--log-filter", filter]);
    let child = command.env("DOCUMINES_RATE_LIMITS", "off").stderr(sink).spawn().unwrap();
    let mut server = Server::unheard(child, address);
    until(|| {
        assert!(server.child.try_wait().unwrap().is_none(), "it ended");
        TcpStream::connect(address).ok()
    });
    server
}

async fn serves_and_ends_in_order(server: Server) {
    let signed_up = server.sign_up("thandi").await;
    assert_eq!(server.log_in("thandi", &signed_up).await.0, 200);
    ends_in_order(server);
}

fn ends_in_order(mut server: Server) {
    server.terminate();
    assert_eq!(server.wait().code(), Some(0));
}

fn full() -> File {
    File::options().write(true).open("/dev/full").unwrap()
}

/// A pipe that nobody reads from; with its reader the pipe is closed.
fn unread() -> (PipeReader, Stdio) {
    let (reader, writer) = pipe().unwrap();
    (reader, writer.into())
}

#[tokio::test]
async fn the_server_goes_on_where_its_log_is_on_a_full_disk() {
    let folder = tempfile::tempdir().unwrap();
    serves_and_ends_in_order(start(folder.path(), full(), "trace")).await;
}

#[tokio::test]
async fn the_server_goes_on_where_the_reader_of_its_log_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let (reader, writer) = unread();
    drop(reader);
    serves_and_ends_in_order(start(folder.path(), writer, "trace")).await;
    // And where it goes later.
    let folder = tempfile::tempdir().unwrap();
    let (reader, writer) = unread();
    let server = start(folder.path(), writer, "info,access=info");
    drop(reader);
    serves_and_ends_in_order(server).await;
}

#[tokio::test]
async fn the_server_goes_on_where_the_reader_of_its_log_does_not_read_and_tells_it_later() {
    let folder = tempfile::tempdir().unwrap();
    let (mut reader, writer) = unread();
    let server = start(folder.path(), writer, "trace");
    let signed_up = server.sign_up("thandi").await;
    let (_, pair) = server.log_in("thandi", &signed_up).await;
    assert!(pair["access_token"].is_string(), "{pair}");
    // More than a pipe holds.
    for _ in 0..200 {
        server.log_in("thandi", &signed_up).await;
    }
    let reading = std::thread::spawn(move || {
        let (mut log, mut part) = (String::new(), [0; 65_536]);
        while !log.contains("standard error did not take log lines") {
            let count = reader.read(&mut part).unwrap();
            assert!(count > 0, "{log}");
            log.push_str(&String::from_utf8_lossy(&part[..count]));
        }
        reader
    });
    until(|| reading.is_finished().then_some(()));
    let _reader = reading.join().unwrap();
    ends_in_order(server);
}

#[tokio::test]
async fn the_server_listens_though_systemd_does_not_take_its_word() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("notify");
    let name = socket.to_str().unwrap();
    ends_in_order(Server::start_with(folder.path(), &[], &[("NOTIFY_SOCKET", name)]));

    // Nobody reads it, and no more goes in.
    let _systemd = UnixDatagram::bind(&socket).unwrap();
    let sender = UnixDatagram::unbound().unwrap();
    sender.set_nonblocking(true).unwrap();
    while sender.send_to(b"STATUS=busy", &socket).is_ok() {}
    let server = Server::start_with(folder.path(), &[], &[("NOTIFY_SOCKET", name)]);
    serves_and_ends_in_order(server).await;
}

#[test]
fn a_command_does_its_work_though_its_log_cannot_be_written() {
    let folder = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        let (reader, writer) = unread();
        drop(reader);
        for sink in [full().into(), writer] {
            let mut command = binary(folder.path());
            command.args(["migrate", "--log-filter", "trace"]).stderr(sink);
            assert_eq!(command.status().unwrap().code(), Some(0));
        }
    }
    // The line that says what is wrong.
    let mut command = binary(folder.path());
    assert_eq!(command.args(["migrate", "--lock-timeout", "soon"]).stderr(full()).status().unwrap().code(), Some(2));
    let mut command = binary(folder.path());
    let nowhere = ["mail", "list", "--data-dir", "nowhere"];
    assert_eq!(command.args(nowhere).stderr(full()).status().unwrap().code(), Some(2));
}

#[test]
fn what_a_command_prints_may_be_read_in_part_but_not_be_lost() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let url = server.url("");
    for arguments in [
        &["--help"][..],
        &["--version"],
        &["openapi"],
        &["openapi", "--format", "yaml"],
        &["mail", "list"],
        &["mail", "retry", "--all"],
        &["audit", "verify"],
        &["audit", "export"],
        &["walk", "--url", &url],
    ] {
        let (reader, writer) = unread();
        drop(reader);
        let output = binary(folder.path()).args(arguments).stdout(writer).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!((output.status.code(), said.as_str()), (Some(0), ""), "{arguments:?}");

        // The walk has put something on the record by then.
        if arguments == ["audit", "export"] {
            binary(folder.path()).args(["walk", "--url", &url]).output().unwrap();
        }
        let output = binary(folder.path()).args(arguments).stdout(full()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(3), "{arguments:?}");
        assert!(said.contains("No space left on device") && said.lines().count() == 1, "{arguments:?}: {said}");
    }
}
