//! Who may use whom: the crate map as data, held against `cargo metadata` and `cargo tree`.
use crate::support::{cargo, packages};
use std::collections::BTreeSet;

/// Crates from the registry that a package may use.
enum Foreign {
    Only(&'static [&'static str]),
    Any,
}
use Foreign::{Any, Only};

struct Layer {
    package: &'static str,
    /// Packages of this workspace; what those may use, this one may use too.
    uses: &'static [&'static str],
    foreign: Foreign,
}

const fn layer(package: &'static str, uses: &'static [&'static str], foreign: Foreign) -> Layer {
    Layer { package, uses, foreign }
}

/// From the bottom up: a row names only rows above it.
const LAYERS: &[Layer] = &[
    layer("dunlin-octet", &[], Only(&[])),
    layer("dunlin-ws", &["dunlin-octet"], Only(&[])),
    layer("dunlin-mqtt", &["dunlin-octet"], Only(&[])),
    layer("dunlin-sigv4", &["dunlin-octet"], Only(&["hmac", "sha2", "zeroize"])),
    layer("dunlin", &["dunlin-ws", "dunlin-mqtt", "dunlin-octet"], Only(&[])),
    layer("dunlin-aws", &["dunlin", "dunlin-sigv4", "dunlin-octet"], Only(&["zeroize"])),
    layer("dunlin-pubsub", &["dunlin", "dunlin-aws"], Only(&[])),
    // The last two stand behind its feature `flash`.
    layer(
        "dunlin-drive",
        &["dunlin", "dunlin-pubsub"],
        Only(&["embedded-io-async", "embedded-storage-async", "sequential-storage"]),
    ),
    layer("dunlin-embassy", &["dunlin-drive"], Any),
    layer("dunlin-embassy-tls", &["dunlin-embassy"], Any),
    layer("dunlin-tokio", &["dunlin-drive"], Any),
    layer("dunlin-cli", &["dunlin-tokio"], Any),
    layer("xtask", &[], Only(&[])),
    layer("tests", &["dunlin-cli"], Any),
];

/// Derives for a device's log: allowed everywhere, as long as nothing but a feature brings it.
const OPTIONAL: &[&str] = &["defmt"];

/// More would have to be justified to everyone who vets what they ship.
const TOKIO_CRATES_MAX: usize = 35;

#[test]
fn layers_point_only_upwards_in_the_table() {
    let mut above = BTreeSet::new();
    for layer in LAYERS {
        for used in layer.uses {
            assert!(above.contains(used), "{} names {used}, not above it", layer.package);
        }
        assert!(above.insert(layer.package), "{} stands twice", layer.package);
    }
}

#[test]
fn package_uses_only_what_its_layer_allows() {
    let packages = packages();
    let own: BTreeSet<&str> = packages.iter().map(|p| p["name"].as_str().unwrap()).collect();
    assert!(own.contains("dunlin-octet"), "cargo metadata shows another workspace: {own:?}");
    for package in &packages {
        let name = package["name"].as_str().unwrap();
        let layer = LAYERS.iter().find(|layer| layer.package == name);
        let layer = layer.unwrap_or_else(|| panic!("{name} stands in no layer: give it a row"));
        let below = below(layer);
        for dependency in package["dependencies"].as_array().unwrap() {
            let used = dependency["name"].as_str().unwrap();
            if dependency["kind"] == "dev" {
                continue;
            }
            let allowed = if own.contains(used) || !dependency["path"].is_null() {
                below.contains(used)
            } else {
                let optional = dependency["optional"] == true && OPTIONAL.contains(&used);
                optional || layer.foreign.allows(used)
            };
            assert!(allowed, "{name} must not use {used}");
        }
    }
}

#[test]
fn tokio_adapter_stays_within_its_number_of_crates() {
    let arguments = ["tree", "-p", "dunlin-tokio", "-e", "normal", "--prefix", "none"];
    let tree = cargo(&arguments);
    // `name v1.2.3 (*)`: the mark says that it was shown before.
    let crates: BTreeSet<String> = tree
        .lines()
        .map(|line| line.split_whitespace().take(2).collect::<Vec<_>>().join(" "))
        .collect();
    assert!(crates.iter().any(|name| name.starts_with("dunlin-octet ")), "no tree: {tree}");
    let count = crates.len();
    assert!(count <= TOKIO_CRATES_MAX, "{count} crates, at most {TOKIO_CRATES_MAX}: {crates:#?}");
}

impl Foreign {
    fn allows(&self, name: &str) -> bool {
        match self {
            Only(names) => names.contains(&name),
            Any => true,
        }
    }
}

/// Every package that `layer` may use, whatever lies between them.
fn below(layer: &Layer) -> BTreeSet<&'static str> {
    let mut below: BTreeSet<&'static str> = layer.uses.iter().copied().collect();
    for used in layer.uses {
        below.extend(self::below(LAYERS.iter().find(|layer| layer.package == *used).unwrap()));
    }
    below
}
