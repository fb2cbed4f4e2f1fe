//! What every source file keeps to.
use crate::support::{files, root, sources};
use std::fs;

/// Crates that a device without an operating system or a heap can use.
const CORE: &[&str] = &["octet", "ws", "mqtt", "sigv4", "client", "aws", "pubsub", "drive"];

/// Lines of a file before its tests.
const LINES_MAX: usize = 600;

#[test]
fn core_crate_has_no_std_and_no_alloc_outside_tests() {
    let mut crates = 0;
    for name in CORE {
        let folder = root().join("crates").join(name).join("src");
        if !folder.is_dir() {
            continue;
        }
        crates += 1;
        let sources = sources(&folder);
        let (_, head) = sources.iter().find(|(path, _)| *path == folder.join("lib.rs")).unwrap();
        assert!(head.lines().any(|line| line == "#![no_std]"), "{name} is not no_std");
        for (path, text) in &sources {
            let allowed = ["#[cfg(test)]", "#[cfg(any(test, feature = \"fuzzing\"))]"];
            let mut before = "";
            for line in before_tests(text).map(str::trim) {
                let brings = ["extern crate std", "extern crate alloc"];
                let bad = brings.iter().any(|start| line.contains(start));
                assert!(!bad || allowed.contains(&before), "{}: {line}", path.display());
                before = line;
            }
        }
    }
    assert!(crates >= 6, "only {crates} core crates were found");
}

#[test]
fn source_file_is_short_enough_before_its_tests() {
    let sources = sources(&root());
    assert!(sources.len() > 20, "only {} sources were found", sources.len());
    for (path, text) in &sources {
        let lines = before_tests(text).count();
        assert!(lines <= LINES_MAX, "{}: {lines} lines, at most {LINES_MAX}", path.display());
    }
}

#[test]
fn file_names_no_home_directory() {
    // In pieces, so that this file does not name them either.
    let homes = ["home", "root", "Users", "work"].map(|folder| ["/", folder, "/"].concat());
    for path in files(&root()) {
        let bytes = fs::read(&path).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        for (index, line) in text.lines().enumerate() {
            for home in &homes {
                let named = starts_a_path(line, home);
                assert!(!named, "{}:{}: {line}", path.display(), index + 1);
            }
        }
    }
}

#[test]
fn starts_a_path_is_not_fooled_by_longer_ones() {
    assert!(starts_a_path("see /srv/x", "/srv/") && starts_a_path("\"/srv/x\"", "/srv/"));
    assert!(!starts_a_path("my/srv/x", "/srv/") && !starts_a_path("http://a/srv/", "/srv/"));
}

/// Whether an absolute path on `line` begins with `start`.
fn starts_a_path(line: &str, start: &str) -> bool {
    line.match_indices(start).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|before| before.is_alphanumeric() || "-_.}/".contains(before))
    })
}

/// Everything in front of a file's test module.
fn before_tests(text: &str) -> impl Iterator<Item = &str> {
    let module = |line: &&str| line.starts_with("mod tests");
    let count = text.lines().position(|line| module(&line)).unwrap_or(usize::MAX);
    text.lines().take(count)
}
