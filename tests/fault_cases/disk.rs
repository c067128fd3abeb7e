//! The disk is full.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::load::Api;
use crate::server::{Server, binary, until};
use crate::skip;

/// A file system of a few megabytes in memory, until it is dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// `None` where this process may not mount.
    fn mount(at: &Path) -> Option<Self> {
        std::fs::create_dir(at).unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=8m", "tmpfs"]).arg(at).stderr(Stdio::null());
        mount.status().is_ok_and(|status| status.success()).then(|| Self(at.to_owned()))
    }

    fn filler(&self) -> PathBuf {
        self.0.join("filler")
    }

    /// Writes until nothing more goes in.
    fn fill(&self) {
        let mut filler = std::fs::File::options().create(true).append(true).open(self.filler()).unwrap();
        for size in [4096, 1] {
            while filler.write_all(&vec![0; size]).is_ok() {}
        }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily, for a server that a failed test left may still hold it.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_goes_on_while_the_disk_under_its_log_is_full() {
    let folder = tempfile::tempdir().unwrap();
    let Some(disk) = SmallDisk::mount(&folder.path().join("disk")) else {
        return skip("the_server_goes_on_while_the_disk_under_its_log_is_full", "cannot mount a small disk");
    };
    let log = disk.0.join("log");
    let read = || std::fs::read_to_string(&log).unwrap();
    let mut command = binary(folder.path());
    command.args(["--listen", "127.0.0.1:0", "--argon2-memory-kib", "64", "--rate-limits", "off"]);
    command.args(["--log-format", "json", "--log-filter", "info,access=info"]);
    let appended = std::fs::File::options().create(true).append(true).open(&log).unwrap();
    let child = command.stderr(appended).spawn().unwrap();
    let lines = || read().lines().map(|line| serde_json::from_str(line).unwrap_or_default()).collect::<Vec<Value>>();
    let address = until(|| lines().iter().find_map(|line| line["address"].as_str()?.parse().ok()));
    let mut server = Server::unheard(child, address);
    let api = Api::of(&server);
    let writer = api.join("writer").await;

    disk.fill();
    let street = |number: usize| format!("{number} Fynbos Road, Hermanus");
    for number in 0..200 {
        let answer = api.move_to(&writer, &street(number)).await.unwrap();
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    let lost = lines().len();
    assert!(lost < 200, "{lost}");

    std::fs::remove_file(disk.filler()).unwrap();
    assert_eq!(api.move_to(&writer, &street(200)).await.unwrap().status, 200);
    // Nothing but the line that the full disk cut off is no line by now, and the log tells what it lacks.
    until(|| lines().iter().find_map(|line| line["lines"].as_u64()).filter(|dropped| *dropped > 100));
    server.terminate();
    assert_eq!(server.wait().code(), Some(0));
    let lines = lines();
    assert!(lines.iter().filter(|line| line.is_null()).count() <= 1, "{}", read());
    assert_eq!(lines.last().unwrap()["message"], "stopped");
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_are_refused_for_now_and_reads_go_on_while_the_disk_is_full() {
    let folder = tempfile::tempdir().unwrap();
    let Some(disk) = SmallDisk::mount(&folder.path().join("disk")) else {
        return skip("writes_are_refused_for_now_and_reads_go_on_while_the_disk_is_full", "cannot mount a small disk");
    };
    let data = disk.0.join("data");
    let server = Server::start_with(folder.path(), &["--data-dir", data.to_str().unwrap()], &[]);
    let api = Api::of(&server);
    let (reader, writer) = (api.join("reader").await, api.join("writer").await);

    disk.fill();
    // The database's files have some room left inside.
    let mut refusal = api.move_to(&writer, &"1".repeat(2000)).await.unwrap();
    for _ in 0..2_000 {
        if refusal.status != 200 {
            break;
        }
        disk.fill();
        refusal = api.move_to(&writer, &"1".repeat(2000)).await.unwrap();
    }
    assert!(refusal.is_for_later() && refusal.body["code"] == "unavailable", "{refusal:?}");
    let (refusal, _) = api.try_sign_up("thandi").await.unwrap();
    assert!(refusal.is_for_later(), "{refusal:?}");
    assert!(server.log().contains("disk is full"), "{}", server.log());
    for _ in 0..10 {
        for somebody in [&reader, &writer] {
            let profile = api.get_profile(somebody).await.unwrap();
            assert_eq!(profile.status, 200, "{profile:?}");
        }
    }

    std::fs::remove_file(disk.filler()).unwrap();
    let answer = api.move_to(&writer, "3 Fynbos Road, Hermanus").await.unwrap();
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(api.try_sign_up("thandi").await.unwrap().0.status, 201);
    assert!(!server.log().contains("panic"), "{}", server.log());
}
