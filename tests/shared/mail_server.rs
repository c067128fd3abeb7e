//! A mail server of a test's own: `mail_server.py`, which says how it behaves.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};

use serde_json::Value;

/// The server; it is stopped when dropped.
pub(crate) struct MailServer {
    pub(crate) port: u16,
    child: Child,
    _input: ChildStdin,
    taken: Arc<Mutex<Vec<Value>>>,
}

impl MailServer {
    /// On a free port of 127.0.0.1; `None` where aiosmtpd is not installed, which is a failure with `CI=true`.
    pub(crate) fn start(arguments: &[&str]) -> Option<Self> {
        let python = python()?;
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/shared/mail_server.py");
        let mut child = Command::new(python)
            .arg(script)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let port = lines.next().unwrap().unwrap().parse().unwrap();
        let taken = Arc::<Mutex<Vec<Value>>>::default();
        let collected = taken.clone();
        std::thread::spawn(move || {
            for line in lines {
                let Ok(line) = line else { return };
                collected.lock().unwrap().push(serde_json::from_str(&line).unwrap());
            }
        });
        let input = child.stdin.take().unwrap();
        Some(Self { port, child, _input: input, taken })
    }

    /// The `count` mails that it took, or more; waits until there are so many.
    pub(crate) fn taken(&self, count: usize) -> Vec<Value> {
        let start = std::time::Instant::now();
        loop {
            let taken = self.taken.lock().unwrap().clone();
            if taken.len() >= count {
                return taken;
            }
            assert!(start.elapsed().as_secs() < 30, "{} of {count} mails came", taken.len());
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }

    /// Whom it took mail for, in the order of the alphabet.
    pub(crate) fn recipients(&self, count: usize) -> Vec<String> {
        let mut recipients: Vec<_> =
            self.taken(count).iter().map(|mail| mail["to"][0].as_str().unwrap().to_owned()).collect();
        recipients.sort();
        recipients
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The Python that has aiosmtpd: that of tests/run.
#[expect(clippy::disallowed_methods, reason = "it is the suite's setting, not the server's")]
fn python() -> Option<PathBuf> {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/mail-server/bin/python");
    let has_it = Command::new(&python).args(["-c", "import aiosmtpd"]).output();
    if has_it.is_ok_and(|output| output.status.success()) {
        return Some(python);
    }
    assert!(std::env::var("CI").as_deref() != Ok("true"), "no mail server: tests/run installs it");
    let name = std::thread::current().name().unwrap_or_default().to_owned();
    // Past the test runner, which keeps to itself what a test prints that passes.
    let mut stderr = std::io::stderr();
    writeln!(stderr, "{name} skipped: no mail server; tests/run installs it").unwrap();
    None
}
