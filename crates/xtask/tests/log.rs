//! What a device's log shows of public types: each of them, and no secret.
use crate::support::{root, sources};
use std::collections::BTreeSet;
use std::path::Path;

/// Sources of crates that firmware uses.
const FIRMWARE: &[&str] = &[
    "crates/octet",
    "crates/ws",
    "crates/mqtt",
    "crates/sigv4",
    "crates/client",
    "crates/aws",
    "crates/pubsub",
    "crates/drive",
    "adapters/embassy",
    "adapters/embassy-tls",
];

#[test]
fn public_type_of_firmware_can_be_written_to_its_log() {
    let mut total = 0;
    for package in FIRMWARE {
        let sources = shipped(package);
        let types: Vec<Type<'_>> = sources.iter().flat_map(|text| types(text)).collect();
        assert!(types.len() > 5, "{package}: only {} public types were found", types.len());
        total += types.len();
        let written: BTreeSet<&str> =
            sources.iter().flat_map(|text| written_out("defmt::Format", text)).collect();
        let missing = |found: &&Type<'_>| !found.derives && !written.contains(found.name);
        let missing: Vec<&str> = types.iter().filter(missing).map(|found| found.name).collect();
        assert!(missing.is_empty(), "{package}: without defmt::Format: {missing:?}");
    }
    assert!(total > 200, "only {total} public types were found");
}

/// What is kept from `Debug`, as a secret is, must not come back by a derive.
#[test]
fn log_of_a_type_whose_debug_is_written_out_is_written_out_too() {
    let mut total = 0;
    for package in FIRMWARE {
        for text in shipped(package) {
            let shown: BTreeSet<&str> = written_out("fmt::Debug", &text).collect();
            let derived = |found: &Type<'_>| found.derives && shown.contains(found.name);
            let derived: Vec<&str> = types(&text).filter(derived).map(|found| found.name).collect();
            assert!(
                derived.is_empty(),
                "{package}: derives defmt::Format, but not Debug: {derived:?}"
            );
            total += shown.len();
        }
    }
    assert!(total > 20, "only {total} were found");
}

#[test]
fn types_and_written_out_find_derives_and_implementations() {
    let attribute = "#[cfg_attr(feature = \"defmt\", derive(defmt::Format))]";
    let text = format!(
        "{attribute}\nenum Own {{\n}}\n/// One.\n{attribute}\n#[must_use]\npub enum One<'a> {{\n}}\n\
         #[derive(Debug)]\npub struct Two<T>(T);\npub struct Three;\n\
         impl<T> defmt::Format\n    for Two<T>\n{{\n}}\n"
    );
    let found: Vec<_> = types(&text).map(|found| (found.name, found.derives)).collect();
    assert_eq!(found, [("One", true), ("Two", false), ("Three", false)]);
    assert_eq!(written_out("defmt::Format", &text).collect::<Vec<_>>(), ["Two"]);
}

/// The sources of a package, without its tests.
fn shipped(package: &str) -> Vec<String> {
    let folder = root().join(package).join("src");
    let ours = |path: &Path| {
        let path = path.strip_prefix(&folder).unwrap().to_string_lossy();
        !path.contains("tests") && !path.contains("fuzzing")
    };
    let sources = sources(&folder).into_iter();
    sources.filter(|(path, _)| ours(path)).map(|(_, text)| text).collect()
}

struct Type<'t> {
    name: &'t str,
    /// Its attributes derive `defmt::Format`.
    derives: bool,
}

/// The public structs and enums at the top level of a file.
fn types(text: &str) -> impl Iterator<Item = Type<'_>> {
    let mut derives = false;
    text.lines().filter_map(move |line| {
        let found = ["pub struct ", "pub enum "].iter().find_map(|start| line.strip_prefix(start));
        let found = found.map(|rest| Type { name: name(rest), derives });
        derives = match line {
            _ if line.starts_with("#[") => derives || line.contains("derive(defmt::Format)"),
            // Within an attribute or a comment of several lines.
            _ if line.starts_with([' ', ')', '/']) => derives,
            _ => false,
        };
        found
    })
}

/// The types for which a trait is written out.
fn written_out<'t>(of: &str, text: &'t str) -> impl Iterator<Item = &'t str> {
    let behind = text.split(of).skip(1);
    behind.filter_map(|rest| rest.trim_start().strip_prefix("for ")).map(name)
}

/// The name that `text` begins with.
fn name(text: &str) -> &str {
    text.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default()
}
