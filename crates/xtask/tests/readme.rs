//! README.md says what is so: its commands exist and its numbers are those of the source.
//!
//! Checked are lines that start with `cargo ` inside code blocks, every line with "MSRV", and table rows
//! of the form ``| what it is | 131,072 bytes | `dunlin_ws::SOME_MAX` |``, whose last cell names a
//! constant by its crate and its name. A unit KiB or MiB multiplies; any other text is ignored. Sizes are
//! those that `cargo x size` has recorded.
use crate::support::{packages, root, sources};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

fn readme() -> String {
    fs::read_to_string(root().join("README.md")).unwrap()
}

#[test]
fn readme_commands_exist() {
    let config = fs::read_to_string(root().join(".cargo/config.toml")).unwrap();
    let help = Command::new(env!("CARGO_BIN_EXE_xtask")).output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let readme = readme();
    let commands = commands(&readme);
    for wanted in ["cargo demo", "cargo x test"] {
        assert!(commands.contains(wanted), "README lacks {wanted:?}: {commands:?}");
    }
    for command in commands {
        let words: Vec<&str> = command.split_whitespace().collect();
        let known = match words[1..] {
            ["x"] => true,
            ["x", name, ..] => help.lines().any(|line| line.starts_with(&with_space(name))),
            [name, ..] => {
                config.lines().any(|line| line.starts_with(&format!("{name} = ")))
                    || ["add", "build", "run", "test", "install", "doc", "bench"].contains(&name)
            }
            [] => false,
        };
        assert!(known, "README shows a command that does not exist: {command}");
    }
}

#[test]
fn readme_msrv_is_the_one_of_the_workspace() {
    let packages = packages();
    let octet = packages.iter().find(|package| package["name"] == "dunlin-octet").unwrap();
    let version = octet["rust_version"].as_str().unwrap();
    let readme = readme();
    let mut lines = readme.lines().filter(|line| line.contains("MSRV")).peekable();
    assert!(lines.peek().is_some(), "README tells no MSRV");
    for line in lines {
        let numbers: Vec<&str> = line
            .split(|c: char| !c.is_ascii_digit() && c != '.')
            .map(|word| word.trim_matches('.'))
            .filter(|word| word.starts_with("1."))
            .collect();
        assert!(numbers.iter().all(|number| *number == version), "{line:?}, but it is {version}");
        assert!(!numbers.is_empty(), "{line:?} names no version");
    }
}

#[test]
fn readme_limits_are_those_of_the_source() {
    let readme = readme();
    let rows = limits(&readme);
    assert!(!rows.is_empty(), "README tells no limits");
    for (value, path) in rows {
        let stated = number(value).unwrap_or_else(|| panic!("not a number: {value:?}"));
        assert_eq!(stated, constant(path), "README says {value} for {path}");
    }
}

/// The table names what was measured in backticks, as the record of `cargo x size` does.
#[test]
fn readme_sizes_are_those_recorded() {
    let recorded = root().join("tests/firmware/budget/recorded.tsv");
    let recorded = fs::read_to_string(recorded).unwrap();
    let readme = readme();
    let mut stated = BTreeSet::new();
    for line in readme.lines().filter_map(|line| line.strip_prefix("| `")) {
        let cells: Vec<&str> = line.trim_end_matches(" |").split(" | ").collect();
        let [name, flash, stack, state] = cells[..] else { continue };
        let name = name.split('`').next().unwrap();
        for (what, value) in [("flash", flash), ("stack", stack), ("state", state)] {
            let row = format!("{name}\t{what}\t{}", value.replace(',', ""));
            assert!(recorded.lines().any(|line| line == row), "README says {row:?}");
        }
        stated.insert(name);
    }
    let names: BTreeSet<&str> =
        recorded.lines().filter_map(|line| line.split('\t').next()).collect();
    assert_eq!(stated, names, "README shows all forms that are measured");
}

#[test]
fn limits_row_is_found_among_others() {
    let text = "| a | b | c |\n|---|---|---|\n| Long | 4 KiB | `dunlin::A` |\n| x | 1 | `plain` |";
    assert_eq!(limits(text), [("4 KiB", "dunlin::A")]);
    assert_eq!(number("4 KiB"), Some(4096));
    assert_eq!(number("131,072 bytes"), Some(131_072));
    assert_eq!(number("bytes"), None);
}

#[test]
fn expression_of_a_constant_is_calculated() {
    assert_eq!(calculate("128 * 1024"), Some(131_072));
    assert_eq!(calculate("2 + 8"), Some(10));
    assert_eq!(calculate("65_535_usize"), Some(65_535));
    assert_eq!(calculate("1 << 4"), Some(16));
    assert_eq!(calculate("OTHER"), None);
}

fn with_space(name: &str) -> String {
    format!("cargo x {name} ")
}

/// The lines of code blocks that call cargo, comments cut off.
fn commands(readme: &str) -> BTreeSet<&str> {
    let blocks = readme.split("```").skip(1).step_by(2);
    let lines = blocks.flat_map(str::lines).map(|line| line.split('#').next().unwrap().trim());
    lines.filter(|line| line.starts_with("cargo ")).collect()
}

/// Value and path of every table row whose last cell is a path in backticks.
fn limits(readme: &str) -> Vec<(&str, &str)> {
    readme.lines().filter_map(limit).collect()
}

fn limit(line: &str) -> Option<(&str, &str)> {
    let cells = line.strip_prefix('|')?.strip_suffix('|')?;
    let cells: Vec<&str> = cells.split('|').map(str::trim).collect();
    let [_, value, path] = cells[..] else { return None };
    let path = path.strip_prefix('`')?.strip_suffix('`')?;
    path.contains("::").then_some((value, path))
}

/// `131,072 bytes` or `128 KiB`.
fn number(value: &str) -> Option<u64> {
    let (digits, unit) = value.split_once(' ').unwrap_or((value, ""));
    let factor = match unit.split_whitespace().next() {
        Some("KiB") => 1024,
        Some("MiB") => 1024 * 1024,
        _ => 1,
    };
    digits.replace([',', '_'], "").parse::<u64>().ok()?.checked_mul(factor)
}

/// What the one constant of this name in the crate is set to.
fn constant(path: &str) -> u64 {
    let (package, rest) = path.split_once("::").unwrap();
    let name = rest.rsplit("::").next().unwrap();
    let packages = packages();
    let package = packages
        .iter()
        .find(|found| found["name"].as_str().unwrap().replace('-', "_") == package)
        .unwrap_or_else(|| panic!("no package for {path}"));
    let folder = Path::new(package["manifest_path"].as_str().unwrap()).parent().unwrap();
    let start = format!("const {name}:");
    let mut values = Vec::new();
    for (_, text) in sources(&folder.join("src")) {
        for line in text.lines().filter(|line| line.contains(&start)) {
            values.extend(
                line.split_once(" = ").map(|(_, value)| value.trim_end_matches(';').to_owned()),
            );
        }
    }
    assert_eq!(values.len(), 1, "{path} is defined {} times: {values:?}", values.len());
    calculate(&values[0]).unwrap_or_else(|| panic!("{path} is no number: {}", values[0]))
}

/// Numbers with one kind of operator between them.
fn calculate(expression: &str) -> Option<u64> {
    type Operation = fn(u64, u64) -> Option<u64>;
    let operations: [(&str, Operation); 3] = [
        ("<<", |a, b| a.checked_shl(u32::try_from(b).ok()?)),
        ("+", u64::checked_add),
        ("*", u64::checked_mul),
    ];
    for (sign, operation) in operations {
        if let Some((left, right)) = expression.split_once(sign) {
            return operation(calculate(left)?, calculate(right)?);
        }
    }
    let digits = expression.trim();
    let end = digits.find(|c: char| !c.is_ascii_digit() && c != '_').unwrap_or(digits.len());
    let suffix = ["", "u8", "u16", "u32", "u64", "usize"].contains(&&digits[end..]);
    suffix.then(|| digits[..end].replace('_', "").parse().ok()).flatten()
}
