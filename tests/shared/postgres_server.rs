//! A PostgreSQL server of a test's own, from the machine's `initdb` and `postgres`.

use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// How long it may take to start or to stop.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs what its arguments say, and kills it as soon as nobody holds the other end of its standard input: so it goes with
/// the test, even where that is killed.
const KEEPER: &str = r#"
exec 3<&0
"$@" 3<&- & child=$!
{ read -r _ <&3; kill -QUIT $child; } & watcher=$!
wait $child
kill $watcher
"#;

/// The server; it is stopped when dropped.
pub(crate) struct Postgres {
    pub(crate) folder: TempDir,
    binaries: PathBuf,
    port: u16,
    pub(crate) keeper: Option<Child>,
}

impl Postgres {
    /// A fresh server on a free port of the loopback address; `None` where PostgreSQL is not installed.
    pub(crate) fn start() -> Option<Self> {
        let binaries = find_binaries()?;
        let folder = tempfile::tempdir().unwrap();
        if let Some((user, group)) = unprivileged_user() {
            chown(folder.path(), Some(user), Some(group)).unwrap();
        }
        let made = command(&binaries.join("initdb"), folder.path())
            .args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"])
            .args(["--no-instructions", "--pgdata"])
            .arg(folder.path().join("data"))
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut server = Self { folder, binaries, port, keeper: None };
        server.run();
        Some(server)
    }

    /// The URL of one of its databases; `postgres` is there from the start.
    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    /// Lets it run on its data, where it does not; until it listens.
    pub(crate) fn run(&mut self) {
        let (folder, port) = (self.folder.path(), self.port);
        let log = std::fs::File::options().create(true).append(true).open(folder.join("log")).unwrap();
        let mut keeper = command(Path::new("/bin/sh"), folder)
            .args(["-c", KEEPER, "sh"])
            .arg(self.binaries.join("postgres"))
            .arg("-D")
            .arg(folder.join("data"))
            .args(["-p", &port.to_string(), "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="])
            // What a test loses when the machine fails is no loss.
            .args(["-c", "fsync=off", "-c", "max_connections=400"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(log)
            // Not in the terminal's group: the test stops it, however that ends.
            .process_group(0)
            .spawn()
            .unwrap();
        let start = Instant::now();
        // It listens a moment before it is ready, and says in this file when it is.
        let is_ready = || {
            std::fs::read_to_string(folder.join("data/postmaster.pid"))
                .is_ok_and(|lines| lines.lines().nth(7).is_some_and(|status| status.trim() == "ready"))
        };
        while !is_ready() {
            let log = || std::fs::read_to_string(folder.join("log")).unwrap_or_default();
            let is_hopeless = keeper.try_wait().unwrap().is_some() || start.elapsed() > PATIENCE;
            assert!(!is_hopeless, "PostgreSQL does not start: {}", log());
            std::thread::sleep(Duration::from_millis(20));
        }
        self.keeper = Some(keeper);
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if let Some(mut keeper) = self.keeper.take() {
            // Closes the keeper's input, too.
            let _ = keeper.wait();
        }
    }
}

/// PostgreSQL refuses to run as root.
fn command(program: &Path, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("LC_ALL", "C").current_dir(folder).stdin(Stdio::null());
    if let Some((user, group)) = unprivileged_user() {
        command.uid(user).gid(group);
    }
    command
}

/// Whom to run as where this is root: `postgres`, or else `nobody`.
fn unprivileged_user() -> Option<(u32, u32)> {
    let is_root = std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0);
    let users = std::fs::read_to_string("/etc/passwd").ok().filter(|_| is_root)?;
    let find = |name: &str| {
        let mut user = users.lines().find(|line| line.starts_with(&format!("{name}:")))?.split(':').skip(2);
        Some((user.next()?.parse().ok()?, user.next()?.parse().ok()?))
    };
    find("postgres").or_else(|| find("nobody"))
}

/// The folder of `initdb` and `postgres`: on the path, or where Debian keeps each version, the newest first.
fn find_binaries() -> Option<PathBuf> {
    let mut versions: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .map(|versions| versions.flatten().map(|version| version.path().join("bin")).collect())
        .unwrap_or_default();
    versions.sort();
    let on_path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders = std::env::split_paths(&on_path).chain(versions.into_iter().rev());
    folders.find(|folder| ["initdb", "postgres"].iter().all(|name| folder.join(name).is_file()))
}
