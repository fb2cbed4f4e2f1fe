//! `cargo x spec`: which statements of the MQTT standards are proved, and by which tests.
//!
//! tests/conformance/ holds a table for each version: a statement a line, in our own words, and where
//! no test can prove it, the reason. A test proves what the first paragraph of its doc comment cites:
//! identifiers in brackets, which are of MQTT 5.0 unless `v3.1.1:` stands before them in their line.
//! Every other comment may cite too, and proves nothing.

use crate::Outcome;
use crate::process::{capture, command, root};
use std::collections::BTreeSet;
use std::fs;

/// Longest wording of a statement, in characters: a line of the table is one of a page.
const WORDING_MAX: usize = 80;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    V5,
    V3,
}

#[derive(Debug, PartialEq, Eq)]
struct Statement {
    id: String,
    wording: String,
    /// Why no test can prove it.
    reason: Option<String>,
}

struct Table {
    version: Version,
    statements: Vec<Statement>,
}

#[derive(Debug, PartialEq, Eq)]
struct Citation {
    version: Version,
    id: String,
    /// File and line.
    place: String,
    /// File and name of the test that claims to prove it.
    test: Option<String>,
}

pub(crate) fn run(arguments: &[String]) -> Outcome {
    if let [unknown, ..] = arguments {
        return Err(format!("spec takes no arguments, not {unknown:?}"));
    }
    let tables = [table(Version::V5)?, table(Version::V3)?];
    let mut cited = Vec::new();
    // What is new and not ignored counts before it is committed.
    let listing = ["ls-files", "--cached", "--others", "--exclude-standard", "--", "*.rs"];
    for file in capture(command("git").args(listing))?.lines() {
        let text = fs::read_to_string(root().join(file));
        cited.extend(citations(file, &text.map_err(|error| format!("{file}: {error}"))?));
    }
    for table in &tables {
        print(table, &cited);
    }
    let problems = problems(&tables, &cited);
    for problem in &problems {
        println!("{problem}");
    }
    if problems.is_empty() { Ok(()) } else { Err(format!("{} problems", problems.len())) }
}

impl Version {
    const fn name(self) -> &'static str {
        match self {
            Self::V5 => "5.0",
            Self::V3 => "3.1.1",
        }
    }

    const fn file(self) -> &'static str {
        match self {
            Self::V5 => "tests/conformance/mqtt5.tsv",
            Self::V3 => "tests/conformance/mqtt311.tsv",
        }
    }
}

fn table(version: Version) -> Result<Table, String> {
    let text = fs::read_to_string(root().join(version.file()));
    let text = text.map_err(|error| format!("{}: {error}", version.file()))?;
    let statements = statements(&text).map_err(|error| format!("{}: {error}", version.file()))?;
    Ok(Table { version, statements })
}

/// Lines of an identifier, a wording and perhaps a reason, with tabs between; the first one is a head.
fn statements(text: &str) -> Result<Vec<Statement>, String> {
    let mut ids = BTreeSet::new();
    let mut statements = Vec::new();
    for line in text.lines().skip(1) {
        let fields: Vec<&str> = line.split('\t').collect();
        let (id, wording, reason) = match fields[..] {
            [id, wording] => (id, wording, None),
            [id, wording, reason] if !reason.trim().is_empty() => (id, wording, Some(reason)),
            _ => return Err(format!("not two or three fields: {line:?}")),
        };
        if wording.is_empty() || wording.chars().count() > WORDING_MAX {
            return Err(format!("a wording has 1 to {WORDING_MAX} characters: {line:?}"));
        }
        if !ids.insert(id) {
            return Err(format!("{id} stands twice"));
        }
        let reason = reason.map(str::to_owned);
        statements.push(Statement { id: id.to_owned(), wording: wording.to_owned(), reason });
    }
    Ok(statements)
}

fn print(table: &Table, cited: &[Citation]) {
    let (mut proved, mut reasoned, mut missing) = (0_u32, 0_u32, 0_u32);
    println!("MQTT {}", table.version.name());
    for statement in &table.statements {
        println!("{:<15} {}", statement.id, statement.wording);
        let tests = tests(table.version, &statement.id, cited);
        for test in &tests {
            println!("                + {test}");
        }
        if let Some(reason) = &statement.reason {
            println!("                - {reason}");
        }
        proved = proved.saturating_add(u32::from(!tests.is_empty()));
        reasoned = reasoned.saturating_add(u32::from(statement.reason.is_some()));
        let neither = tests.is_empty() && statement.reason.is_none();
        missing = missing.saturating_add(u32::from(neither));
    }
    let (name, count) = (table.version.name(), table.statements.len());
    println!(
        "MQTT {name}: {count} statements: {proved} proved, {reasoned} reasoned, {missing} missing\n"
    );
}

/// The tests that claim to prove the statement.
fn tests<'a>(version: Version, id: &str, cited: &'a [Citation]) -> BTreeSet<&'a str> {
    cited
        .iter()
        .filter(|citation| citation.version == version && citation.id == id)
        .filter_map(|citation| citation.test.as_deref())
        .collect()
}

/// Statements without a proof, statements that no test could prove and one does, and citations of
/// nothing; each in a line.
fn problems(tables: &[Table], cited: &[Citation]) -> Vec<String> {
    let mut problems = Vec::new();
    for Table { version, statements } in tables {
        for Statement { id, wording, reason } in statements {
            let tests = tests(*version, id, cited);
            let problem = match (tests.first(), reason) {
                (None, None) => format!("neither a test nor a reason: {wording}"),
                (Some(test), Some(_)) => format!("has a reason, and a test: {test}"),
                _ => continue,
            };
            problems.push(format!("{} {id}: {problem}", version.name()));
        }
    }
    for Citation { version, id, place, .. } in cited {
        let known = |table: &Table| {
            table.version == *version && table.statements.iter().any(|known| known.id == *id)
        };
        if !tables.iter().any(known) {
            problems.push(format!("{place}: MQTT {} has no {id}", version.name()));
        }
    }
    problems
}

/// All that the comments of a source cite.
fn citations(file: &str, text: &str) -> Vec<Citation> {
    let mut found = Vec::new();
    let mut item = Item::default();
    for (number, line) in (1_u32..).zip(text.lines().map(str::trim)) {
        let comment = line.split_once("//").map_or("", |(_, comment)| comment);
        let place = format!("{file}:{number}");
        let claimed = item.claims(line);
        for (version, id) in cited(comment) {
            item.claimed.extend(claimed.then_some(found.len()));
            found.push(Citation { version, id, place: place.clone(), test: None });
        }
        if let Some(name) = item.ends(line) {
            for index in &item.claimed {
                if let Some(citation) = found.get_mut(*index).filter(|_| item.is_test) {
                    citation.test = Some(format!("{file}::{name}"));
                }
            }
        }
        item = item.after(line);
    }
    found
}

/// What has been read in front of a function.
#[derive(Default)]
struct Item {
    /// Citations in the first paragraph of its doc comment.
    claimed: Vec<usize>,
    /// That paragraph has ended.
    explained: bool,
    is_test: bool,
    /// Brackets open in an attribute.
    open: usize,
}

impl Item {
    /// Whether what is cited in this line stands in the first paragraph of a doc comment.
    fn claims(&self, line: &str) -> bool {
        !self.explained && line.starts_with("///")
    }

    /// The name of the function that begins here.
    fn ends<'a>(&self, line: &'a str) -> Option<&'a str> {
        let (before, rest) = line.split_once("fn ")?;
        let words = ["pub", "pub(crate)", "pub(super)", "async", "const"];
        let plain = before.split_whitespace().all(|word| words.contains(&word));
        let name = rest.split(['(', '<']).next()?;
        plain.then_some(name)
    }

    /// What there is after this line: nothing, once it is no doc comment and no attribute.
    fn after(self, line: &str) -> Self {
        if let Some(doc) = line.strip_prefix("///") {
            return Self { explained: self.explained || doc.trim().is_empty(), ..self };
        }
        if self.open > 0 || line.starts_with("#[") {
            let opened = line.matches('[').count().saturating_add(self.open);
            let open = opened.saturating_sub(line.matches(']').count());
            let is_test = self.is_test || (self.open == 0 && is_test_attribute(line));
            return Self { is_test, open, ..self };
        }
        // A comment on an attribute, perhaps.
        if line.starts_with("//") { self } else { Self::default() }
    }
}

/// `#[test]`, and what the runtimes make of it: `#[tokio::test(..)]`.
fn is_test_attribute(line: &str) -> bool {
    let path = line.strip_prefix("#[").and_then(|rest| rest.split(['(', ']']).next());
    path.is_some_and(|path| path.rsplit("::").next() == Some("test"))
}

/// The identifiers in brackets, and which version's they are.
fn cited(comment: &str) -> impl Iterator<Item = (Version, String)> {
    let older = comment.find("v3.1.1:").unwrap_or(usize::MAX);
    comment.match_indices("[MQTT-").filter_map(move |(at, _)| {
        let id = comment.get(at.checked_add(1)?..)?.split(']').next()?;
        Some((if at < older { Version::V5 } else { Version::V3 }, id.to_owned()))
    })
}

#[cfg(test)]
mod tests;
