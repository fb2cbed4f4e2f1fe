//! What a small client costs: flash, stack, memory, and instructions for each message.
//!
//! `tests/firmware/budget` is built for a Cortex-M4 in several forms, and run in an emulator whose clock
//! counts instructions. What comes out is held against `recorded.tsv` beside it: whoever makes it worse by
//! more than [`SLACK`] has to say so by recording it anew.
//!
//! What flash it saved, in bytes of the form `stream, 3.1.1` and of `websocket, 3.1.1`: moves to the front
//! without `memmove`, and one way to change an arrival of QoS 2, 1,740 and 1,740; filters put without
//! their decoder 464 and 424; answers to nothing decoded with all others 316 and 352; no properties
//! without MQTT 5.0 284 and 404; no masks without WebSocket 288 and 0; memory that is cleared in whole
//! words 224 and 112; packet types by their number 196 and 120; deadlines as plain numbers 120 and 88; one
//! walk through the outbox 96 and 304; no `memchr` 52 and 52; headers of the outbox in the machine's order
//! 24 and 24; no short cuts for plain topics and short lengths on small machines, and one step over a
//! packet 136 and 128. Features: `qos2` 3,060, `answers` 440, `journal` 260.
//!
//! What did not: conversions of errors out of line, from 104 less to 76 more with the form; a frame header
//! in three pieces, 32 less for 160 instructions a message, and with its end cut off, 112 less, but twice
//! the time of a short frame on a host; the compiler's thresholds of inlining, from 32 less to 8 more;
//! another run of its outliner, which `z` has on, frame pointers and a Cortex-M4 instead of any Armv7E-M,
//! 0 to 12 less; its hoisting 4 less, its sinking 432 more.

use crate::Outcome;
use crate::elf::{functions, items, sections};
use crate::process::{add_targets, capture, command, root, run as run_command, target_dir};
use crate::setup;
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

const TARGET: &str = "thumbv7em-none-eabi";

/// In percent.
const SLACK: u64 = 2;

/// Name and features; the first is what the others are weighed without.
const FORMS: &[(&str, &str)] = &[
    ("harness", ""),
    ("stream, 3.1.1", "stream,v3,full"),
    ("stream, 3.1.1, least", "stream,v3"),
    ("websocket, 3.1.1", "websocket,v3,full"),
    ("websocket, 3.1.1, least", "websocket,v3"),
    ("websocket, both", "websocket,full"),
    ("websocket, both, signed", "signed,full"),
    ("websocket, both, signed, least", "signed"),
    ("websocket, all", "websocket,oversize,full"),
    (PRESIGNER, "presigned"),
];

/// Signs an upgrade request and writes it; weighed beside SHA-256 and the compiler's functions for memory.
const PRESIGNER: &str = "presigner";

/// The forms whose instructions are counted, in images of their own.
const COUNTED: &[(&str, &str)] = &[
    ("stream, 3.1.1", "stream,v3,full,counted"),
    ("websocket, 3.1.1", "websocket,v3,full,counted"),
    ("websocket, both", "websocket,full,counted"),
];

/// What each is meant to take at most, in bytes; printed beside what it takes. The flash is that of the
/// least form which connects, subscribes, publishes at QoS 1 and receives.
const BUDGETS: &[(&str, &str, u64)] = &[
    ("stream, 3.1.1, least", "flash", 12_000),
    ("websocket, 3.1.1, least", "flash", 20_000),
    ("websocket, both, signed, least", "flash", 36_000),
    ("websocket, both, signed", "stack", 2_048),
    ("websocket, both, signed", "state", 1_024),
    (PRESIGNER, "flash", 4_096),
    (PRESIGNER, "stack", 1_024),
];

/// Functions that are printed of a form beyond its budget: its largest.
const LARGEST: usize = 12;

/// By form and by what is measured.
type Figures = BTreeMap<(String, String), u64>;

/// Measures, prints, and compares; or records.
pub(crate) fn run(records: bool) -> Outcome {
    setup::install_packages()?;
    add_targets(&[TARGET])?;
    let measured = measure()?;
    for ((form, what), figure) in &measured {
        println!("{form:<31} {what:<10} {figure:>7}{}", beside(form, what));
    }
    let file = root().join("tests/firmware/budget/recorded.tsv");
    if records {
        let lines: String =
            measured.iter().map(|((form, what), n)| format!("{form}\t{what}\t{n}\n")).collect();
        return fs::write(&file, lines).map_err(|error| format!("{}: {error}", file.display()));
    }
    let text = fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
    compare(&measured, &read(&text)?)
}

fn beside(form: &str, what: &str) -> String {
    budget(form, what).map_or_else(String::new, |most| format!(" of {most:>6}"))
}

/// The budget, where there is one.
fn budget(form: &str, what: &str) -> Option<u64> {
    BUDGETS.iter().find(|(f, w, _)| (*f, *w) == (form, what)).map(|(.., most)| *most)
}

fn measure() -> Result<Figures, String> {
    let mut figures = Figures::new();
    let mut harness = (0, 0);
    for (form, features) in FORMS {
        let image = build(features)?;
        let (flash, said) = (flash(&image)?, play(&image)?);
        let part = |name| said.get(name).copied().unwrap_or(0);
        let state = ["session", "connection", "state"].map(part).iter().sum::<u64>();
        let kept = state.saturating_add(part("buffers"));
        let stack = part("stack").saturating_sub(kept);
        if harness == (0, 0) {
            harness = (flash, stack);
            continue;
        }
        let mut put = |what: &str, figure| {
            figures.insert((form.to_string(), what.to_owned()), figure);
        };
        let beside = if *form == PRESIGNER { beside_presigner(&image)? } else { 0 };
        let flash = flash.saturating_sub(harness.0).saturating_sub(beside);
        put("flash", flash);
        put("stack", stack.saturating_sub(harness.1));
        put("state", state);
        if budget(form, "flash").is_some_and(|most| flash > most) {
            println!("{form}: beyond its budget of flash; largest are");
            print_largest(&image)?;
        }
    }
    for (form, features) in COUNTED {
        let said = play(&build(features)?)?;
        for what in ["published", "received"] {
            let count = said.get(what).ok_or_else(|| format!("{form}: {what} was not counted"))?;
            figures.insert((form.to_string(), what.to_owned()), *count);
        }
    }
    Ok(figures)
}

fn build(features: &str) -> Result<PathBuf, String> {
    let target_dir = target_dir().join("firmware");
    let mut build = command("cargo");
    build
        .current_dir(root().join("tests/firmware/budget"))
        .args(["build", "--quiet", "--release", "--locked", "--target", TARGET])
        .args(["--features", features, "--target-dir"])
        .arg(&target_dir);
    run_command(&mut build)?;
    Ok(target_dir.join(TARGET).join("release").join("budget"))
}

/// Code and constants, in bytes.
fn flash(image: &PathBuf) -> Result<u64, String> {
    let file = fs::read(image).map_err(|error| format!("{}: {error}", image.display()))?;
    let sections = sections(&file).ok_or("the image is no ELF file")?;
    let sizes = sections.iter().filter(|section| [".text", ".rodata"].contains(&section.name));
    u64::try_from(sizes.map(|section| section.size).sum::<usize>()).map_err(|e| e.to_string())
}

/// What a presigner's image has that is SHA-256, the program's or the compiler's, in bytes.
fn beside_presigner(image: &PathBuf) -> Result<u64, String> {
    let file = fs::read(image).map_err(|error| format!("{}: {error}", image.display()))?;
    let sections = sections(&file).ok_or("the image is no ELF file")?;
    let items = items(&sections).ok_or("the image has no symbols")?;
    let (hash, others): (Vec<_>, Vec<_>) =
        items.into_iter().partition(|(name, _)| name.contains("sha2"));
    if hash.is_empty() {
        return Err("the image has no SHA-256: its figure says nothing".to_owned());
    }
    let is_beside = |name: &str| {
        let memory = ["__aeabi_mem", "mem"].iter().any(|start| name.starts_with(start));
        let glue = name.starts_with("_ZN6budget7presign") && !name.contains("weighed");
        memory || glue || name.contains("compiler_builtins")
    };
    let others = others.into_iter().filter(|(name, _)| is_beside(name));
    let sizes = hash.into_iter().chain(others).map(|(_, size)| size);
    u64::try_from(sizes.sum::<usize>()).map_err(|error| error.to_string())
}

/// The functions that take most of the flash, each with what is inlined into it.
fn print_largest(image: &PathBuf) -> Outcome {
    let file = fs::read(image).map_err(|error| format!("{}: {error}", image.display()))?;
    let sections = sections(&file).ok_or("the image is no ELF file")?;
    let mut functions = functions(&sections).ok_or("the image has no symbols")?;
    functions.sort_by_key(|(_, size)| std::cmp::Reverse(*size));
    for (name, size) in functions.into_iter().take(LARGEST) {
        println!("{size:>8}  {}", path(name));
    }
    Ok(())
}

/// What a mangled name stands for, without its hash; any other name as it is.
fn path(name: &str) -> String {
    let mut rest = name.strip_prefix("_ZN").unwrap_or_default();
    let mut parts = Vec::new();
    while let Some((len, behind)) = split_number(rest)
        && let Some((part, behind)) = behind.split_at_checked(len)
    {
        parts.push(part);
        rest = behind;
    }
    // The last part is the hash.
    match parts.split_last() {
        Some((_, parts)) if !parts.is_empty() => parts.join("::"),
        _ => name.to_owned(),
    }
}

fn split_number(text: &str) -> Option<(usize, &str)> {
    let len = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at_checked(len)?;
    Some((digits.parse().ok()?, rest))
}

/// Runs the image to its end, with success; what it said, by name.
fn play(image: &PathBuf) -> Result<BTreeMap<String, u64>, String> {
    let said = capture(
        command("qemu-system-arm")
            .args(["-M", "mps2-an386", "-icount", "shift=8,sleep=off", "-display", "none"])
            .args(["-monitor", "none", "-serial", "none", "-chardev", "stdio,id=out"])
            .args(["-semihosting-config", "enable=on,target=native,chardev=out", "-kernel"])
            .arg(image),
    )?;
    let figure = |line: &str| {
        let (name, figure) = line.split_once(' ')?;
        Some((name.to_owned(), figure.parse().ok()?))
    };
    said.lines().map(|line| figure(line).ok_or(format!("no figure: {line:?}"))).collect()
}

fn read(text: &str) -> Result<Figures, String> {
    let figure = |line: &str| {
        let mut cells = line.split('\t');
        let name = (cells.next()?.to_owned(), cells.next()?.to_owned());
        Some((name, cells.next()?.parse().ok()?))
    };
    text.lines().map(|line| figure(line).ok_or(format!("no record: {line:?}"))).collect()
}

/// Every figure is recorded, and none has grown.
fn compare(measured: &Figures, recorded: &Figures) -> Outcome {
    let again = "`cargo x size --record` records it";
    for (name, figure) in measured {
        let (form, what) = name;
        let before = recorded.get(name).ok_or(format!("{form}, {what}: new; {again}"))?;
        let most = before.saturating_add(before.saturating_mul(SLACK) / 100);
        if *figure > most {
            return Err(format!("{form}: {what} was {before}, is {figure}; {again}"));
        }
    }
    match recorded.keys().find(|name| !measured.contains_key(*name)) {
        Some((form, what)) => Err(format!("{form}, {what}: not measured any more; {again}")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(text: &str) -> Figures {
        read(text).unwrap()
    }

    #[test]
    fn figure_that_has_grown_is_found_beyond_the_slack() {
        let recorded = figures("a\tflash\t1000\nb\tflash\t50");
        assert!(compare(&figures("a\tflash\t1020\nb\tflash\t50"), &recorded).is_ok());
        assert!(compare(&figures("a\tflash\t900\nb\tflash\t50"), &recorded).is_ok());
        assert!(compare(&figures("a\tflash\t1021\nb\tflash\t50"), &recorded).is_err());
    }

    #[test]
    fn path_is_found_in_a_mangled_name() {
        assert_eq!(path("_ZN6dunlin4open17h0123456789abcdefE"), "dunlin::open");
        for name in ["memcpy", "_ZN", "_ZN9short", "_ZN17h0123456789abcdefE"] {
            assert_eq!(path(name), name);
        }
    }

    #[test]
    fn figure_that_is_new_or_gone_is_found() {
        let recorded = figures("a\tflash\t1000");
        assert!(compare(&figures("a\tflash\t1000\na\tstack\t1"), &recorded).is_err());
        assert!(compare(&Figures::new(), &recorded).is_err());
    }

    #[test]
    fn budget_that_names_no_form_is_found() {
        for (budgeted, ..) in BUDGETS {
            assert!(FORMS.iter().any(|(form, _)| form == budgeted), "{budgeted}");
        }
        assert_eq!(beside("stream, 3.1.1, least", "flash"), " of  12000");
        assert_eq!(beside("stream, 3.1.1", "published"), "");
    }

    #[test]
    fn record_that_is_torn_is_refused() {
        assert!(read("a\tflash").is_err());
        assert!(read("a\tflash\tx").is_err());
    }
}
