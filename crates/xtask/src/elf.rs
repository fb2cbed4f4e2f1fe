//! As much of a 32-bit little-endian ELF file as the firmware's binaries need read.
//!
//! System V ABI, chapter 4: the header, section headers, symbols and relocations.

const SYMBOL_TABLE: u32 = 2;
const RELOCATIONS: u32 = 9;
/// Type of the symbol that names a function, in the low half of `st_info`.
const FUNCTION: u8 = 2;
/// The same for constants and variables.
const OBJECT: u8 = 1;

pub(crate) struct Section<'a> {
    pub(crate) name: &'a str,
    pub(crate) bytes: &'a [u8],
    /// As linked, also where the file holds no bytes for it (`.bss`).
    pub(crate) size: usize,
    kind: u32,
    link: usize,
}

pub(crate) struct Symbol<'a> {
    pub(crate) name: &'a str,
    kind: u8,
    address: u32,
    size: u32,
}

/// Every section, in the order of the file; `None` for a file that is no such ELF.
pub(crate) fn sections(file: &[u8]) -> Option<Vec<Section<'_>>> {
    // Magic, 32-bit, little-endian.
    if !file.starts_with(b"\x7fELF\x01\x01") {
        return None;
    }
    let (table, entry) = (word(file, 0x20)?, half(file, 0x2e)?);
    let (count, names) = (half(file, 0x30)?, half(file, 0x32)?);
    let header = |index: usize| file.get(table.checked_add(index.checked_mul(entry)?)?..);
    let content = |header: &[u8]| {
        let start = word(header, 0x10)?;
        file.get(start..start.checked_add(word(header, 0x14)?)?)
    };
    let names = content(header(names)?)?;
    (0..count)
        .map(|index| {
            let header = header(index)?;
            Some(Section {
                name: text(names, word(header, 0)?)?,
                bytes: content(header).unwrap_or_default(),
                size: word(header, 0x14)?,
                kind: u32_at(header, 4)?,
                link: word(header, 0x18)?,
            })
        })
        .collect()
}

/// The name of every function, and its size in bytes.
pub(crate) fn functions<'a>(sections: &[Section<'a>]) -> Option<Vec<(&'a str, usize)>> {
    sized(sections, &[FUNCTION])
}

/// The same, and constants and variables.
pub(crate) fn items<'a>(sections: &[Section<'a>]) -> Option<Vec<(&'a str, usize)>> {
    sized(sections, &[FUNCTION, OBJECT])
}

fn sized<'a>(sections: &[Section<'a>], kinds: &[u8]) -> Option<Vec<(&'a str, usize)>> {
    let symbols = symbols(sections)?.into_iter().filter(|symbol| kinds.contains(&symbol.kind));
    symbols.map(|symbol| Some((symbol.name, usize::try_from(symbol.size).ok()?))).collect()
}

/// Pairs of a function and what it refers to; needs a file linked with `--emit-relocs`.
pub(crate) fn references<'a>(sections: &[Section<'a>]) -> Option<Vec<(&'a str, &'a str)>> {
    let symbols = symbols(sections)?;
    let mut references = Vec::new();
    for section in sections.iter().filter(|section| section.kind == RELOCATIONS) {
        for entry in section.bytes.chunks_exact(8) {
            let (place, target) = (u32_at(entry, 0)?, u32_at(entry, 4)? >> 8);
            let target = symbols.get(usize::try_from(target).ok()?)?;
            if let Some(function) = symbols.iter().find(|symbol| symbol.holds(place)) {
                references.push((function.name, target.name));
            }
        }
    }
    Some(references)
}

impl Symbol<'_> {
    fn holds(&self, place: u32) -> bool {
        // The lowest bit of a Thumb function's address only says that it is Thumb.
        let start = self.address & !1;
        self.kind == FUNCTION && place.checked_sub(start).is_some_and(|inside| inside < self.size)
    }
}

fn symbols<'a>(sections: &[Section<'a>]) -> Option<Vec<Symbol<'a>>> {
    let table = sections.iter().find(|section| section.kind == SYMBOL_TABLE)?;
    let names = sections.get(table.link)?.bytes;
    table.bytes.chunks_exact(16).map(|entry| symbol(entry, names)).collect()
}

fn symbol<'a>(entry: &[u8], names: &'a [u8]) -> Option<Symbol<'a>> {
    Some(Symbol {
        name: text(names, word(entry, 0)?)?,
        address: u32_at(entry, 4)?,
        size: u32_at(entry, 8)?,
        kind: entry.get(12)? & 0xf,
    })
}

fn text(names: &[u8], at: usize) -> Option<&str> {
    let rest = names.get(at..)?;
    let end = rest.iter().position(|byte| *byte == 0)?;
    str::from_utf8(rest.get(..end)?).ok()
}

fn half(bytes: &[u8], at: usize) -> Option<usize> {
    let half = bytes.get(at..)?.first_chunk()?;
    Some(usize::from(u16::from_le_bytes(*half)))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn word(bytes: &[u8], at: usize) -> Option<usize> {
    usize::try_from(u32_at(bytes, at)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_that_is_no_elf_is_none() {
        assert!(sections(b"").is_none());
        assert!(sections(b"#!/bin/sh").is_none());
        assert!(sections(b"\x7fELF\x01\x01 and too short").is_none());
    }
}
