//! What operators start it with names nothing that is not there.

use std::collections::BTreeSet;
use std::os::unix::net::UnixDatagram;
use std::path::Path;

use crate::server::{PATIENCE, Server, run};

fn read(file: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap()
}

/// The words of a text that are flags or variables of ours.
fn settings_in(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && !"-_".contains(c));
    let is_setting = |word: &&str| {
        word.starts_with("--") && word.len() > 2
            || word.starts_with("DOCUMINES_") && !word.ends_with('_')
            || word.starts_with("DATABASE_URL")
            || *word == "RUST_LOG"
    };
    words.filter(is_setting).collect()
}

/// The lines of a text that set or start something.
fn lines_with<'a>(text: &'a str, beginnings: &'a [&str]) -> impl Iterator<Item = &'a str> {
    let is_meant = |line: &&str| beginnings.iter().any(|beginning| line.trim_start_matches('#').starts_with(beginning));
    text.lines().filter(is_meant)
}

#[test]
fn every_flag_and_variable_that_is_written_down_exists() {
    let folder = tempfile::tempdir().unwrap();
    let help = String::from_utf8(run(folder.path(), &["serve", "--help"], &[]).stdout).unwrap();
    let exists = settings_in(&help);
    let (image, unit) = (read("Dockerfile"), read("docs/documines-auth.service"));
    let image = lines_with(&image, &["ENV ", "ENTRYPOINT ", "CMD "]).collect::<Vec<_>>().join("\n");
    let unit = lines_with(&unit, &["ExecStart=", "Environment="]).collect::<Vec<_>>().join("\n");
    for (name, text, least) in [("Dockerfile", image, 3), ("documines-auth.service", unit, 4)] {
        let named = settings_in(&text);
        assert!(named.len() >= least, "{name} names {named:?}");
        // Flags of other programs stand in other lines.
        let unknown: Vec<_> = named.difference(&exists).collect();
        assert!(unknown.is_empty(), "{name} names {unknown:?}");
    }
    for page in ["README.md", "docs/operations.md", "compose.yaml", "packaging/environment"] {
        let text = read(page);
        let variables: BTreeSet<_> = settings_in(&text).into_iter().filter(|word| !word.starts_with("--")).collect();
        let unknown: Vec<_> = variables.difference(&exists).collect();
        assert!(variables.len() >= 3 && unknown.is_empty(), "{page} names {unknown:?}");
    }
}

#[test]
fn the_image_is_built_by_a_rust_that_is_new_enough() {
    let version = |text: &str, before: &str| -> Vec<u32> {
        let rest = text.split(before).nth(1).unwrap_or_else(|| panic!("{before} is not there"));
        let number = rest.split(|c: char| !c.is_ascii_digit() && c != '.').next().unwrap();
        number.split('.').map(|part| part.parse().unwrap()).collect()
    };
    let wanted = version(&read("Cargo.toml"), "rust-version = \"");
    assert!(version(&read("Dockerfile"), "/rust:") >= wanted);
}

#[test]
fn it_tells_systemd_when_it_listens() {
    let folder = tempfile::tempdir().unwrap();
    let systemd = UnixDatagram::bind(folder.path().join("notify")).unwrap();
    systemd.set_read_timeout(Some(PATIENCE)).unwrap();
    let socket = folder.path().join("notify");
    let server = Server::start_with(folder.path(), &[], &[("NOTIFY_SOCKET", socket.to_str().unwrap())]);
    let mut message = [0; 64];
    let length = systemd.recv(&mut message).unwrap();
    assert_eq!(std::str::from_utf8(&message[..length]).unwrap(), "READY=1\n");
    std::net::TcpStream::connect(server.address).unwrap();
}
