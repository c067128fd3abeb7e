//! The binary, started and talked to.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

/// How long anything may take before a test gives up on it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The binary, with no environment but what a test gives it, in that folder.
pub(crate) fn binary(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_documines-auth"));
    command.env_clear().current_dir(folder).stdin(Stdio::null());
    command
}

/// Runs it to its end.
pub(crate) fn run(folder: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    binary(folder).args(arguments).envs(environment.iter().copied()).output().unwrap()
}

/// A server on a free port, with its data in `data` below a folder. It is killed when dropped.
pub(crate) struct Server {
    pub(crate) child: Child,
    pub(crate) address: SocketAddr,
    log: Arc<Mutex<String>>,
}

impl Server {
    pub(crate) fn start(folder: &Path) -> Self {
        Self::start_with(folder, &[], &[])
    }

    pub(crate) fn start_with(folder: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let mut command = binary(folder);
        command.args(["--listen", "127.0.0.1:0", "--argon2-memory-kib", "64"]).args(arguments);
        // Most tests are about something else, and all of them come from one source.
        command.env("DOCUMINES_RATE_LIMITS", "off").envs(environment.iter().copied());
        Self::follow(command)
    }

    /// The server that a command starts, as soon as it listens.
    pub(crate) fn follow(mut command: Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let (log, listening) = follow(child.stderr.take().unwrap());
        let address = listening.recv_timeout(PATIENCE);
        let address = address.unwrap_or_else(|_| panic!("it does not listen: {}", log.lock().unwrap()));
        Self { child, address, log }
    }

    /// One whose log nobody follows.
    pub(crate) fn unheard(child: Child, address: SocketAddr) -> Self {
        Self { child, address, log: Arc::default() }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Calls an operation with these headers; gives status and body.
    pub(crate) async fn call(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> (u16, Value) {
        let client = reqwest::Client::builder().timeout(PATIENCE).build().unwrap();
        let mut request = client.request(method, self.url(&format!("/api/v1/auth{path}")));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    /// Signs somebody up, and gives what was answered.
    pub(crate) async fn sign_up(&self, name: &str) -> Value {
        let (status, answer) = self.call(Method::POST, "/signup/", &[], Some(&person(name))).await;
        assert_eq!(status, 201, "{answer}");
        answer
    }

    /// Logs in with what a sign-up answered.
    pub(crate) async fn log_in(&self, name: &str, signed_up: &Value) -> (u16, Value) {
        let body = json!({"email": format!("{name}@example.com"), "password": PASSWORD});
        self.call(Method::POST, "/login/", &client_headers(signed_up), Some(&body)).await
    }

    /// Asks it to stop, as a service manager does.
    pub(crate) fn terminate(&self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    }

    /// Kills it (SIGKILL), and waits until it is gone.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits for its end.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        until(|| self.child.try_wait().unwrap())
    }

    /// What it logged so far.
    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Tries until it gives something, within [`PATIENCE`].
pub(crate) fn until<T>(mut attempt: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = attempt() {
            return found;
        }
        assert!(start.elapsed() < PATIENCE, "it did not come");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Collects the log, and tells the address as soon as it is there.
fn follow(stderr: std::process::ChildStderr) -> (Arc<Mutex<String>>, Receiver<SocketAddr>) {
    let log = Arc::new(Mutex::new(String::new()));
    let (found, listening) = channel();
    let collected = log.clone();
    std::thread::spawn(move || {
        for line in BufReader::new(stderr).lines() {
            let Ok(line) = line else { return };
            if let Some(address) = address_in(&line).filter(|_| line.contains("listening")) {
                let _ = found.send(address);
            }
            let mut log = collected.lock().unwrap();
            log.push_str(&line);
            log.push('\n');
        }
    });
    (log, listening)
}

/// The address that a line of either format tells.
fn address_in(line: &str) -> Option<SocketAddr> {
    let rest = line.split("address=").nth(1).or_else(|| line.split("\"address\":\"").nth(1))?;
    rest.split([' ', '"']).next()?.parse().ok()
}

pub(crate) const PASSWORD: &str = "maize-lantern-47-tide";

pub(crate) fn person(name: &str) -> Value {
    json!({
        "email": format!("{name}@example.com"),
        "password": PASSWORD,
        "organisation": "Nkosi Geological Surveys",
        "contact_name": "Thandi Nkosi",
        "contact_phone": "+27 21 555 0147"
    })
}

pub(crate) fn client_headers(signed_up: &Value) -> [(&str, &str); 2] {
    let text = |member: &str| signed_up[member].as_str().unwrap();
    [("X-Client-ID", text("client_id")), ("X-Client-Secret", text("client_secret"))]
}
