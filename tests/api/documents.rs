//! `docs/security.md` against the tree: every promise names a test that there is, and every requirement has a line.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::architecture::{root, rust_files};

/// The requirements of level 1 and 2 of the chapters of OWASP ASVS 5.0.0 that the page goes through, by section.
const ASVS: &[(&str, &[u32])] = &[
    ("4.1", &[1, 2, 3]),
    ("4.2", &[1]),
    ("4.3", &[1, 2]),
    ("4.4", &[1, 2, 3, 4]),
    ("6.1", &[1, 2, 3]),
    ("6.2", &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]),
    ("6.3", &[1, 2, 3, 4]),
    ("6.4", &[1, 2, 3, 4]),
    ("6.5", &[1, 2, 3, 4, 5]),
    ("6.6", &[1, 2, 3]),
    ("6.8", &[1, 2, 3, 4]),
    ("7.1", &[1, 2, 3]),
    ("7.2", &[1, 2, 3, 4]),
    ("7.3", &[1, 2]),
    ("7.4", &[1, 2, 3, 4, 5]),
    ("7.5", &[1, 2]),
    ("7.6", &[1, 2]),
    ("9.1", &[1, 2, 3]),
    ("9.2", &[1, 2, 3, 4]),
    ("10.1", &[1, 2]),
    ("10.2", &[1, 2]),
    ("10.3", &[1, 2, 3, 4]),
    ("10.4", &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]),
    ("10.5", &[1, 2, 3, 4, 5]),
    ("10.6", &[1, 2]),
    ("10.7", &[1, 2, 3]),
    ("11.1", &[1, 2]),
    ("11.2", &[1, 2, 3]),
    ("11.3", &[1, 2, 3]),
    ("11.4", &[1, 2, 3, 4]),
    ("11.5", &[1]),
    ("11.6", &[1]),
    ("12.1", &[1, 2, 3]),
    ("12.2", &[1, 2]),
    ("12.3", &[1, 2, 3, 4]),
    ("13.1", &[1]),
    ("13.2", &[1, 2, 3, 4, 5]),
    ("13.3", &[1, 2]),
    ("13.4", &[1, 2, 3, 4, 5]),
    ("16.1", &[1]),
    ("16.2", &[1, 2, 3, 4, 5]),
    ("16.3", &[1, 2, 3, 4]),
    ("16.4", &[1, 2, 3]),
    ("16.5", &[1, 2, 3]),
];

/// The names of all tests: functions behind an attribute that says so.
fn tests() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for file in ["src", "tests"].map(|folder| rust_files(&root().join(folder))).concat() {
        let text = std::fs::read_to_string(file).unwrap();
        let mut is_test = false;
        for line in text.lines().map(str::trim_start) {
            if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
                is_test = true;
            } else if is_test && let Some((_, rest)) = line.split_once("fn ") {
                names.extend(rest.split(['(', '<']).next().map(str::to_owned));
                is_test = false;
            }
        }
    }
    names
}

/// The rows of a page's tables, without their heads; every table's last column says what holds a line.
fn rows(page: &str) -> Vec<Vec<&str>> {
    let mut rows = Vec::new();
    let mut is_in_table = false;
    for line in page.lines() {
        let Some(row) = line.strip_prefix("| ").and_then(|line| line.strip_suffix(" |")) else {
            is_in_table = is_in_table && line.starts_with("|---");
            continue;
        };
        let cells: Vec<&str> = row.split(" | ").collect();
        if is_in_table {
            rows.push(cells);
        } else {
            assert_eq!(cells.last(), Some(&"held by"), "{line}");
            is_in_table = true;
        }
    }
    rows
}

fn page(name: &str) -> String {
    std::fs::read_to_string(root().join(name)).unwrap()
}

/// What stands between backticks.
fn quoted(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

#[test]
fn every_promise_of_the_security_page_is_held_by_a_test_or_owned_up_to() {
    let (page, tests, ci) = (page("docs/security.md"), tests(), page(".ci/run"));
    let rows = rows(&page);
    assert!(rows.len() > 50 && tests.len() > 200, "{} rows, {} tests", rows.len(), tests.len());
    for row in rows {
        let held_by = row.last().unwrap();
        let owned_up = ["deviation: ", "not ours: ", "not yet: "].iter().find_map(|word| held_by.strip_prefix(word));
        if let Some(reason) = owned_up {
            assert!(reason.len() > 20, "{row:?} gives no reason");
            continue;
        }
        assert!(quoted(held_by).next().is_some(), "{row:?} names no test");
        for name in quoted(held_by) {
            let is_script = ci.lines().any(|line| line.split(' ').next() == Some(name)) && root().join(name).is_file();
            assert!(tests.contains(name) || is_script, "{name} of {row:?} is no test");
        }
    }
}

#[test]
fn the_security_page_has_a_line_for_every_requirement_of_its_chapters() {
    let page = page("docs/security.md");
    let (_, page) = page.split_once("\n## OWASP ASVS").unwrap();
    let (page, _) = page.split_once("\n## NIST").unwrap();
    let mut seen: BTreeMap<&str, u32> = BTreeMap::new();
    for row in rows(page) {
        let numbers = row[0].split(", ").filter(|number| number.split('.').count() == 3);
        numbers.filter(|number| number.bytes().all(|b| b.is_ascii_digit() || b == b'.')).for_each(|number| {
            *seen.entry(number).or_default() += 1;
        });
    }
    let wanted = ASVS.iter().flat_map(|(section, numbers)| numbers.iter().map(move |n| format!("{section}.{n}")));
    let wanted: BTreeSet<String> = wanted.collect();
    let missing: Vec<_> = wanted.iter().filter(|number| !seen.contains_key(number.as_str())).collect();
    let unknown: Vec<_> = seen.keys().filter(|number| !wanted.contains(**number)).collect();
    let twice: Vec<_> = seen.iter().filter(|(_, times)| **times > 1).collect();
    assert!(missing.is_empty() && unknown.is_empty() && twice.is_empty(), "{missing:?} {unknown:?} {twice:?}");
}

#[test]
fn links_between_the_documents_lead_somewhere() {
    for name in ["README.md", "CONTRIBUTING.md", "SECURITY.md", "docs/security.md", "docs/operations.md"] {
        let text = page(name);
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let target = link.split('#').next().unwrap_or_default();
            if target.is_empty() || target.contains("://") {
                continue;
            }
            let folder = Path::new(name).parent().unwrap();
            assert!(root().join(folder).join(target).exists(), "{name} links to {link}");
        }
    }
}
