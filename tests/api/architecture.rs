//! Who may name whom. It is read from the source, without its comments and unit tests.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

struct Source {
    /// Below `src/`, with `/` between.
    path: String,
    code: String,
}

impl Source {
    /// The folder below `src/`, empty for a file beside `lib.rs`.
    fn folder(&self) -> &str {
        self.path.split_once('/').map_or("", |(folder, _)| folder)
    }

    /// The modules of ours that are named by `crate::…`, one by one or in braces.
    fn modules(&self) -> BTreeSet<&str> {
        let mut modules = BTreeSet::new();
        for (at, found) in self.code.match_indices("crate::") {
            let rest = &self.code[at + found.len()..];
            match rest.strip_prefix('{') {
                Some(group) => modules.extend(first_segments(group)),
                None => drop(modules.insert(identifier(rest))),
            }
        }
        modules
    }

    /// The first segments of what `use` names: crates, `crate`, `self` and `super`.
    fn crates(&self) -> BTreeSet<&str> {
        let lines = self.code.lines().map(str::trim_start);
        let used = lines.filter_map(|line| line.split_once("use ").filter(|(before, _)| is_visibility(before)));
        used.map(|(_, path)| identifier(path)).collect()
    }

    /// Whether a path anywhere begins with that crate.
    fn names_crate(&self, name: &str) -> bool {
        let path = format!("{name}::");
        let starts = |at: usize| !self.code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':');
        self.code.match_indices(&path).any(|(at, _)| starts(at))
    }

    fn may_name_only(&self, allowed: &[&str]) {
        let others: Vec<_> = self.modules().into_iter().filter(|module| !allowed.contains(module)).collect();
        assert!(others.is_empty(), "src/{} names {others:?}, but may name {allowed:?} alone", self.path);
    }
}

fn is_visibility(before: &str) -> bool {
    let before = before.trim_end();
    before.is_empty() || before.starts_with("pub")
}

fn identifier(text: &str) -> &str {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default()
}

/// Of `a::{b, c}, d}…`: `a` and `d`.
fn first_segments(group: &str) -> Vec<&str> {
    let (mut depth, mut segments, mut is_first) = (0_usize, Vec::new(), true);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => is_first = true,
            c if is_first && !c.is_whitespace() => {
                segments.push(identifier(&group[at..]));
                is_first = false;
            }
            _ => {}
        }
    }
    segments
}

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub(crate) fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.map(|entry| entry.unwrap().path());
    let files = paths.flat_map(|path| if path.is_dir() { rust_files(&path) } else { vec![path] });
    let mut files: Vec<_> = files.filter(|path| path.extension().is_some_and(|extension| extension == "rs")).collect();
    files.sort();
    files
}

fn sources() -> Vec<Source> {
    let src = root().join("src");
    let read = |file: PathBuf| {
        let path = file.strip_prefix(&src).unwrap().to_str().unwrap().to_owned();
        let text = std::fs::read_to_string(&file).unwrap();
        let code = text.split("\n#[cfg(test)]").next().unwrap_or_default();
        let code = code.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
        Source { path, code }
    };
    rust_files(&src).into_iter().map(read).collect()
}

/// The sources that a test is about: never none, or the test would hold nothing.
fn sources_where(is_meant: impl Fn(&Source) -> bool) -> Vec<Source> {
    let meant: Vec<_> = sources().into_iter().filter(is_meant).collect();
    assert!(!meant.is_empty());
    meant
}

/// Folders that are a capability: they have an `api.rs`.
fn capabilities() -> BTreeSet<String> {
    sources_where(|source| source.path.ends_with("/api.rs")).iter().map(|source| source.folder().to_owned()).collect()
}

#[test]
fn the_reader_of_sources_finds_what_is_named() {
    let code = "use crate::{mail, store::{self, clients}};\npub use crate::app::App;\nuse poem::web::Data;\n\
                fn f() { sea_orm::x(); $crate::http::y() }";
    let source = Source { path: "profile/get.rs".to_owned(), code: code.to_owned() };
    assert_eq!(source.modules(), BTreeSet::from(["app", "http", "mail", "store"]));
    assert_eq!(source.crates(), BTreeSet::from(["crate", "poem"]));
    assert!(source.names_crate("sea_orm") && source.names_crate("poem") && !source.names_crate("orm"));
}

#[test]
fn the_wire_never_names_the_store() {
    for source in sources_where(|source| source.path.ends_with("/api.rs")) {
        let own = source.folder().to_owned();
        source.may_name_only(&[&own, "app", "body", "fault", "http", "kernel"]);
        assert!(!source.names_crate("sea_orm"), "src/{} names sea_orm", source.path);
    }
}

#[test]
fn rules_and_mail_never_name_the_wire() {
    let capabilities = capabilities();
    assert!(capabilities.len() >= 4, "{capabilities:?}");
    let is_rule = |source: &Source| {
        let is_ours = capabilities.contains(source.folder()) || source.folder() == "mail";
        is_ours && !source.path.ends_with("/api.rs") && !source.path.ends_with("/mod.rs")
    };
    for source in sources_where(is_rule) {
        assert!(!source.modules().contains("http"), "src/{} names http", source.path);
        for wire in ["poem", "poem_openapi"] {
            assert!(!source.names_crate(wire), "src/{} names {wire}", source.path);
        }
    }
}

#[test]
fn the_store_names_sea_orm_and_the_kernel_alone() {
    for source in sources_where(|source| source.folder() == "store") {
        source.may_name_only(&["kernel", "store"]);
        let allowed = ["crate", "sea_orm", "self", "serde", "serde_json", "std", "super", "thiserror"];
        let others: Vec<_> = source.crates().into_iter().filter(|used| !allowed.contains(used)).collect();
        assert!(others.is_empty(), "src/{} uses {others:?}", source.path);
    }
}

#[test]
fn the_store_begins_no_transaction() {
    for source in sources_where(|source| source.folder() == "store") {
        for begin in [".begin(", ".begin_with", ".transaction("] {
            assert!(!source.code.contains(begin), "src/{} calls {begin}", source.path);
        }
    }
}

#[test]
fn the_kernel_names_nothing_of_ours() {
    for source in sources_where(|source| source.folder() == "kernel") {
        source.may_name_only(&["kernel"]);
        for outer in ["poem", "poem_openapi", "sea_orm", "tokio"] {
            assert!(!source.names_crate(outer), "src/{} names {outer}", source.path);
        }
    }
}

#[test]
fn settings_alone_read_the_environment() {
    for source in sources() {
        if source.path == "settings.rs" || source.folder() == "settings" {
            continue;
        }
        let reads = source.code.contains("env::var") || source.code.contains("std::env::{");
        assert!(!reads, "src/{} reads the environment", source.path);
        if source.path != "main.rs" {
            assert!(!source.code.contains("std::env"), "src/{} names std::env", source.path);
        }
        assert!(!source.code.contains("env = \""), "src/{} takes a variable", source.path);
    }
}

#[test]
fn no_crate_of_ours_may_be_unsafe() {
    let read = |path: &str| std::fs::read_to_string(root().join(path)).unwrap();
    let workspace = read("Cargo.toml");
    assert!(workspace.contains("[workspace]\nmembers = [\"migration\"]\n"), "another crate has to be looked at too");
    assert!(workspace.contains("\nunsafe_code = \"forbid\"\n"));
    for manifest in [workspace, read("migration/Cargo.toml")] {
        assert!(manifest.contains("\n[lints]\nworkspace = true\n"), "{manifest}");
    }
}

/// Files that read what strangers send without a property test of their own, and why they need none.
const UNFUZZED: [(&str, &str); 4] = [
    ("http/envelope.rs", "hands headers on to request_id and cors"),
    ("http/origin.rs", "hands headers on to kernel::origin"),
    ("http/pages.rs", "compares If-None-Match as a whole"),
    ("kernel/public_url.rs", "reads what the operator sets"),
];

#[test]
fn whatever_parses_what_strangers_send_has_a_property_test_beside_it() {
    let signs = ["impl FromStr for", "impl TryFrom<", "> FromStr for", "fn parse(", "fn from_header(", "fn received("];
    let signs = signs.into_iter().chain([
        "fn open(",
        "serde_json::from_slice(",
        "HeaderMap",
        ".headers().get",
        "impl Member for",
    ]);
    let signs: Vec<&str> = signs.collect();
    let parsers = sources_where(|source| {
        ["http", "kernel"].contains(&source.folder()) && signs.iter().any(|sign| source.code.contains(sign))
    });
    assert!(parsers.len() >= 15, "{}", parsers.len());
    for parser in &parsers {
        let text = std::fs::read_to_string(root().join("src").join(&parser.path)).unwrap();
        let is_excused = UNFUZZED.iter().any(|(path, _)| *path == parser.path);
        assert!(text.contains("proptest! {") != is_excused, "src/{}: a property test, or a reason", parser.path);
    }
    for (path, _) in UNFUZZED {
        assert!(parsers.iter().any(|parser| parser.path == path), "src/{path} needs no excuse any more");
    }
}

#[test]
fn no_file_is_longer_than_400_lines() {
    let folders = ["src", "migration", "tests", "benches"].map(|folder| rust_files(&root().join(folder)));
    for file in folders.concat() {
        let lines = std::fs::read_to_string(&file).unwrap().lines().count();
        assert!(lines <= 400, "{} has {lines} lines", file.display());
    }
}
