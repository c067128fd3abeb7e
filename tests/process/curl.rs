//! The calls in curl that the spec and the README show, run as they are written.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

use documines_auth::http::spec;
use serde_json::Value;

use crate::server::{Server, until};

/// A shell whose variables hold what the answers gave, and where curl also tells the status.
struct Shell<'a> {
    server: &'a Server,
    folder: &'a Path,
    variables: BTreeMap<String, String>,
}

impl<'a> Shell<'a> {
    fn new(server: &'a Server, folder: &'a Path) -> Self {
        std::fs::write(folder.join(".curlrc"), "silent\nmax-time = 60\nwrite-out = \"\\n%{http_code}\"\n").unwrap();
        Self { server, folder, variables: BTreeMap::new() }
    }

    /// Runs a call at this server, remembers what it gave (`access_token` as `ACCESS_TOKEN`), and gives status and answer.
    fn run(&mut self, call: &str) -> (u16, Value) {
        let call = call.replace("http://localhost:8020", &self.server.url(""));
        let output = Command::new("/bin/sh")
            .args(["-euc", &call])
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("CURL_HOME", self.folder)
            .envs(&self.variables)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{call}\n{text}{errors}");
        let (body, status) = text.rsplit_once('\n').unwrap();
        let answer: Value = serde_json::from_str(body).unwrap_or_else(|error| panic!("{call}\n{body}: {error}"));
        for (name, value) in answer.as_object().into_iter().flatten() {
            if let Some(value) = value.as_str() {
                self.variables.insert(name.to_uppercase(), value.to_owned());
            }
        }
        (status.parse().unwrap(), answer)
    }

    fn run_well(&mut self, call: &str) {
        let (status, answer) = self.run(call);
        assert!((200..300).contains(&status), "{status} {answer}\n{call}");
    }
}

/// Each operation's id and call.
fn calls() -> Vec<(String, String)> {
    let document = spec::document();
    let operations =
        document["paths"].as_object().unwrap().values().flat_map(|item| item.as_object().unwrap().values());
    let call = |operation: &Value| {
        let call = operation["x-codeSamples"][0]["source"].as_str().unwrap();
        let description = operation["description"].as_str().unwrap();
        assert!(description.contains(&format!("```sh\n{call}\n```")), "{description}");
        (operation["operationId"].as_str().unwrap().to_owned(), call.to_owned())
    };
    operations.map(call).collect()
}

#[test]
fn every_call_that_the_spec_shows_does_what_it_says() {
    let calls = calls();
    let call_of = |id: &str| calls.iter().find(|(known, _)| known == id).unwrap().1.as_str();
    for (id, call) in &calls {
        // Each on a server of its own, with an account that has just logged in.
        let folder = tempfile::tempdir().unwrap();
        let server = Server::start(folder.path());
        let mut shell = Shell::new(&server, folder.path());
        let before: &[&str] = match id.as_str() {
            "signup" => &[],
            "login" | "verifyEmail" => &["signup"],
            "resetPassword" => &["signup", "requestPasswordReset"],
            _ => &["signup", "login"],
        };
        for id in before {
            shell.run_well(call_of(id));
        }
        // What a mail calls its token, the answer to a reset request calls a reset token.
        if id == "verifyEmail" {
            shell.variables.insert("TOKEN".to_owned(), until(|| mailed_token(folder.path())));
        } else if let Some(token) = shell.variables.get("RESET_TOKEN").cloned() {
            shell.variables.insert("TOKEN".to_owned(), token);
        }
        shell.run_well(call);
    }
}

/// The token of a mail that was written to a file: a line of its own.
fn mailed_token(folder: &Path) -> Option<String> {
    let files = std::fs::read_dir(folder.join("data/mail")).ok()?.map(|file| file.unwrap().path());
    let mut mails = files.filter(|file| file.extension().is_some_and(|extension| extension == "eml"));
    let mail = std::fs::read_to_string(mails.next()?).unwrap();
    let is_token = |line: &&str| line.len() == 36 && line.matches('-').count() == 4;
    mail.lines().map(str::trim).find(is_token).map(str::to_owned)
}

/// What stands in the README between lines of three backquotes, with the language behind the first of them.
fn blocks(markdown: &str) -> Vec<(&str, &str)> {
    let parts = markdown.split("```").skip(1).step_by(2);
    parts.map(|part| part.split_once('\n').unwrap()).collect()
}

#[test]
fn every_call_of_the_readme_answers_as_it_shows() {
    let readme = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let mut shell = Shell::new(&server, folder.path());
    let blocks = blocks(&readme);
    let mut count = 0;
    for (at, (_, call)) in blocks.iter().enumerate().filter(|(_, (_, block))| block.starts_with("curl ")) {
        let (status, answer) = shell.run(call);
        let (language, shown) = blocks[at + 1];
        let shown: Value = serde_json::from_str(shown).unwrap();
        assert_eq!(language, "json", "its answer stands below: {call}");
        assert!((200..300).contains(&status), "{status} {answer}\n{call}");
        let names = |answer: &Value| answer.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&answer), names(&shown), "{call}");
        count += 1;
    }
    // The walk has eight calls; and each variable that a reader is told to set is named as the member that gives it.
    assert_eq!(count, 8);
    for (_, block) in blocks.iter().filter(|(_, block)| block.starts_with(|c: char| c.is_ascii_uppercase())) {
        for line in block.lines() {
            let (name, _) = line.split_once('=').unwrap();
            assert!(shell.variables.contains_key(name), "no answer gave {name}");
        }
    }
}
