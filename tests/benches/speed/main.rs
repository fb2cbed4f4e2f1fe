//! How fast the core is, beside others that do the same work: `cargo x bench`.
//!
//! Measures ours and the peers in turns within one run, so that a busy machine slows all of them
//! down alike; the ratios hold where the figures do not. `--instructions` counts instructions under
//! callgrind instead, which no neighbour can disturb. A word that is no option chooses the groups
//! whose title holds it. A limit that is missed is an error, either way; where a limit is not what one
//! would want, the reason stands beside it.
//!
//! No benchmark library: none of them measures in turns, and pairs are what ratios are made of.
#![allow(
    clippy::alloc_instead_of_core,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::std_instead_of_core,
    clippy::string_slice,
    clippy::unreachable,
    clippy::unwrap_used,
    reason = "a program for the developer's own machine: what cannot go on panics"
)]

mod connection;
mod count;
mod frames;
mod group;
mod masking;
mod measure;
mod memory;
mod mqtt;
mod protocol_core;
mod random;
mod report;
mod routing;
mod signing;
mod sockets;
mod wire;

use group::Group;
use std::env;
use std::process::ExitCode;

const SUITES: &[fn() -> Vec<Group>] = &[
    mqtt::groups,
    frames::groups,
    masking::groups,
    connection::groups,
    signing::groups,
    routing::groups,
];

const USAGE: &str = "usage: speed [--instructions] [WORD...]";

fn main() -> ExitCode {
    // `cargo bench` adds `--bench`.
    let arguments: Vec<String> = env::args().skip(1).filter(|a| a != "--bench").collect();
    if let [flag, title, name, turns] = arguments.as_slice()
        && flag == count::TURNS
    {
        return take_turns(title, name, turns);
    }
    let (options, words): (Vec<_>, Vec<_>) = arguments.iter().partition(|a| a.starts_with('-'));
    let counting = match options.as_slice() {
        [] => false,
        [option] if *option == "--instructions" => true,
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::FAILURE;
        }
    };
    let chosen = |group: &Group| words.is_empty() || words.iter().any(|w| group.title.contains(*w));
    if counting { count_chosen(chosen) } else { measure_chosen(chosen) }
}

fn measure_chosen(chosen: impl Fn(&Group) -> bool) -> ExitCode {
    let mut measured = Vec::new();
    for suite in SUITES {
        for mut group in suite().into_iter().filter(&chosen) {
            eprintln!("measuring {}", group.title);
            measured.push(measure::measure(&mut group));
        }
    }
    report::print_times(&measured);
    report::print_ratios(&measured);
    finish(report::missed(&measured) + usize::from(!connection::print_sizes()))
}

fn count_chosen(chosen: impl Fn(&Group) -> bool) -> ExitCode {
    println!("instructions a turn, callgrind");
    let groups = SUITES.iter().flat_map(|suite| suite()).filter(|group| group.is_counted);
    let mut missed = 0;
    for group in groups.filter(chosen) {
        println!("{}", group.title);
        for case in &group.cases {
            let count = match count::instructions(&group.title, case.name) {
                Ok(count) => count,
                Err(problem) => {
                    eprintln!("{}: {problem}", case.name);
                    return ExitCode::FAILURE;
                }
            };
            let verdicts = report::of_count(&group, case, count);
            println!("    {:<24}{count:>9.0}  {}", case.name, verdicts.join(", "));
            missed += verdicts.iter().filter(|verdict| report::is_missed(verdict)).count();
        }
    }
    finish(missed)
}

fn finish(missed: usize) -> ExitCode {
    if missed == 0 {
        return ExitCode::SUCCESS;
    }
    eprintln!("{missed} limits are missed");
    ExitCode::FAILURE
}

/// What runs under callgrind: one case, so many times.
fn take_turns(title: &str, name: &str, turns: &str) -> ExitCode {
    let turns = turns.parse().expect("a number of turns");
    let mut groups = SUITES.iter().flat_map(|suite| suite());
    let mut group = groups.find(|group| group.title == title).expect("a group of this title");
    let case = group.cases.iter_mut().find(|case| case.name == name).expect("a case of this name");
    (case.run)(turns);
    ExitCode::SUCCESS
}
