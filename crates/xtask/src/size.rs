//! `cargo x size`: what the core costs on a microcontroller.

use crate::Outcome;
use crate::elf::sections;
use crate::panic_proof::{linked, print_sections};

/// Where the proof's binary lists its types: a name, filled up with zeros, and a size.
const TABLE: &str = ".dunlin.sizes";
const NAME: usize = 28;

pub(crate) fn run(arguments: &[String]) -> Outcome {
    if let [unknown, ..] = arguments {
        return Err(format!("size takes no arguments, not {unknown:?}"));
    }
    let file = linked()?;
    let sections = sections(&file).ok_or("the proof's binary is no ELF file")?;
    print_sections(&sections);
    let table = sections.iter().find(|section| section.name == TABLE);
    let (entries, _) =
        table.ok_or(format!("no section {TABLE}"))?.bytes.as_chunks::<{ NAME + 4 }>();
    for entry in entries {
        let [name @ .., a, b, c, d] = entry;
        let size = u32::from_le_bytes([*a, *b, *c, *d]);
        println!("{:<NAME$} {size:>7} bytes", String::from_utf8_lossy(name).trim_end_matches('\0'));
    }
    Ok(())
}
