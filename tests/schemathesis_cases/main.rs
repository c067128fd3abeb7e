//! Schemathesis against a live server, by the committed spec. `tests/schemathesis` installs it and runs this.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "../shared/postgres_server.rs"]
mod postgres_server;
#[path = "../process/server.rs"]
#[expect(dead_code, reason = "the tests of the process use all of it")]
mod server;

use std::path::Path;
use std::process::Command;

use crate::postgres_server::Postgres;
use crate::server::Server;

#[test]
fn on_sqlite() {
    fuzz("");
}

#[test]
fn on_postgresql() {
    let postgres = Postgres::start().expect("PostgreSQL is installed: tests/run does so");
    fuzz(&postgres.url("postgres"));
}

fn fuzz(database_url: &str) {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start_with(folder.path(), &[], &[("DATABASE_URL", database_url)]);
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let examples = setting("FUZZ_EXAMPLES");
    // It writes where it runs.
    let place = root.join("target/schemathesis");
    for file in ["hooks.py", "schemathesis.toml"] {
        std::fs::copy(root.join("tests/schemathesis_cases").join(file), place.join(file)).unwrap();
    }
    let status = Command::new(place.join("python/bin/schemathesis"))
        .current_dir(&place)
        .args(["--config-file", "schemathesis.toml", "run", "--checks", "all", "--no-color"])
        .args(["--url", &server.url("/api/v1/auth"), "--max-examples", &examples])
        .args(["--generation-database", "none"])
        .arg(root.join("openapi/openapi.json"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .status()
        .unwrap();
    assert!(status.success(), "schemathesis found something; it is printed above");
    let log = server.log();
    assert!(!log.contains("ERROR"), "the server logged errors: {log}");
}

#[expect(clippy::disallowed_methods, reason = "it is the suite's setting, not the server's")]
fn setting(name: &str) -> String {
    std::env::var(name).expect("tests/schemathesis runs this")
}
