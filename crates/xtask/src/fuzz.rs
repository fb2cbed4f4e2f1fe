//! `cargo x fuzz`: every target of `fuzz/`, with cargo-fuzz on nightly.
//!
//! The committed corpus is only read; what a run finds goes to the target directory, and a failing
//! input to `fuzz/artifacts`. With `--keep`, inputs that reach what no committed one reaches join them.

use crate::Outcome;
use crate::process::{cargo, command, root, run as run_command, succeeds, target_dir};
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

const CARGO_FUZZ: &str = "0.13.2";
const SECONDS: u32 = 30;

pub(crate) fn run(arguments: &[String]) -> Outcome {
    let request = Request::parse(arguments)?;
    let targets = targets()?;
    if let Some(unknown) = request.targets.iter().find(|name| !targets.contains(name)) {
        return Err(format!("no fuzz target {unknown:?}; there are: {}", targets.join(" ")));
    }
    let chosen = if request.targets.is_empty() { &targets } else { &request.targets };
    install()?;
    for target in chosen {
        fuzz(target, request.seconds, request.seed.unwrap_or_else(new_seed))?;
        if request.keep {
            keep(target)?;
        }
    }
    Ok(())
}

struct Request {
    targets: Vec<String>,
    seconds: u32,
    seed: Option<u32>,
    keep: bool,
}

impl Request {
    fn parse(arguments: &[String]) -> Result<Self, String> {
        let mut request = Self { targets: Vec::new(), seconds: SECONDS, seed: None, keep: false };
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            let mut number = || {
                let value = arguments.next().and_then(|value| value.parse::<u32>().ok());
                value.filter(|value| *value > 0).ok_or(format!("{argument} wants a number"))
            };
            match argument.as_str() {
                "--seconds" => request.seconds = number()?,
                "--seed" => request.seed = Some(number()?),
                "--keep" => request.keep = true,
                option if option.starts_with('-') => return Err(format!("no option {option}")),
                target => request.targets.push(target.to_owned()),
            }
        }
        Ok(request)
    }
}

/// One target per file of `fuzz/fuzz_targets`.
fn targets() -> Result<Vec<String>, String> {
    let folder = root().join("fuzz/fuzz_targets");
    let problem = |error| format!("{}: {error}", folder.display());
    let mut targets = Vec::new();
    for entry in fs::read_dir(&folder).map_err(problem)? {
        let path = entry.map_err(problem)?.path();
        targets.extend(path.file_stem().map(|stem| stem.to_string_lossy().into_owned()));
    }
    targets.sort();
    if targets.is_empty() { Err("there are no fuzz targets".to_owned()) } else { Ok(targets) }
}

fn install() -> Outcome {
    if !succeeds(command("cargo").args(["+nightly", "--version"])) {
        run_command(command("rustup").args([
            "toolchain",
            "install",
            "nightly",
            "--profile",
            "minimal",
        ]))?;
    }
    if succeeds(&mut cargo(&["fuzz", "--version"])) {
        return Ok(());
    }
    run_command(&mut cargo(&["install", "cargo-fuzz", "--version", CARGO_FUZZ, "--locked"]))
}

fn fuzz(target: &str, seconds: u32, seed: u32) -> Outcome {
    println!("fuzz {target}: {seconds} s, seed {seed}");
    let (found, committed) = corpora(target)?;
    let mut fuzz = libfuzzer(target);
    fuzz.args([found, committed]);
    fuzz.args(["--", &format!("-max_total_time={seconds}"), &format!("-seed={seed}")]);
    // An input that takes long or much memory is a finding too.
    fuzz.args(["-timeout=10", "-rss_limit_mb=1024", "-verbosity=0", "-print_final_stats=1"]);
    run_command(&mut fuzz)
        .map_err(|problem| format!("fuzz target {target}, seed {seed}: {problem}"))
}

/// Lets what was found join the committed corpus, as far as it reaches new code.
fn keep(target: &str) -> Outcome {
    let (found, committed) = corpora(target)?;
    run_command(libfuzzer(target).args([committed, found]).args([
        "--",
        "-set_cover_merge=1",
        "-use_counters=0",
    ]))
}

/// Where inputs lie: those found here, and those committed.
fn corpora(target: &str) -> Result<(PathBuf, PathBuf), String> {
    let found = target_dir().join("fuzz-found").join(target);
    let committed = root().join("fuzz/corpus").join(target);
    for folder in [&found, &committed] {
        fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    }
    Ok((found, committed))
}

/// Builds a target and runs it; corpora and libFuzzer's own options follow.
fn libfuzzer(target: &str) -> Command {
    let mut fuzz = command("cargo");
    // The core has no unsafe code, so that the address sanitizer would only cost time.
    fuzz.args(["+nightly", "fuzz", "run", "--sanitizer", "none", "--target-dir"])
        .arg(target_dir().join("fuzz"))
        .arg(target);
    fuzz
}

/// Another one each time; libFuzzer takes zero as "choose one yourself".
fn new_seed() -> u32 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    now.subsec_nanos().max(1)
}
