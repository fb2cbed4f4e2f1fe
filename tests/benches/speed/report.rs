//! Tables for people.

use crate::group::{Case, Group, OURS, Target};
use crate::measure::{Measured, Times};

/// The figures of every case.
pub(crate) fn print_times(measured: &[Measured]) {
    println!("\nns a turn: median (10 % .. 90 % of the samples)");
    for group in measured {
        println!("{}", group.title);
        for times in &group.times {
            let nanos = times.nanos;
            println!(
                "    {:<24}{:>10} ({} .. {}){:>14}",
                times.name,
                figure(nanos.median),
                figure(nanos.low),
                figure(nanos.high),
                rate(group, times),
            );
        }
    }
}

/// Ours beside each peer, and beside what it must reach.
pub(crate) fn print_ratios(measured: &[Measured]) {
    println!("\ntime of ours / time of the peer, measured in turns: below 1, ours is faster");
    println!(
        "{:<53}{:>9}  {:<24}{:>9}{:>7}  {:<14}target",
        "", OURS, "peer", "", "ratio", "blocks"
    );
    for group in measured {
        let (ours, peers) = (&group.times[0], &group.times[1..]);
        let mut left = format!("{:<53}{:>9}", group.title, figure(ours.nanos.median));
        if group.target.is_some() || peers.is_empty() {
            println!("{left}{:>58}{}", "", of_target(group));
            left.clear();
        }
        for peer in peers {
            let spread = format!("{:.2} .. {:.2}", peer.ratio.low, peer.ratio.high);
            println!(
                "{left:<62}  {:<24}{:>9}{:>7.2}  {spread:<14}{}",
                peer.name,
                figure(peer.nanos.median),
                peer.ratio.median,
                of_peer(peer),
            );
            left.clear();
        }
    }
}

/// How many instructions this case may take, if a number is set.
pub(crate) fn limit(group: &Group, case: &Case) -> String {
    match group.instructions_max {
        Some(most) if case.name == OURS => format!("  (at most {most})"),
        _ => String::new(),
    }
}

fn rate(group: &Measured, times: &Times) -> String {
    match group.bytes {
        Some(bytes) => format!("{:.1} GB/s", bytes as f64 / times.nanos.median),
        None => format!("{} M/s", figure(1000.0 / times.nanos.median)),
    }
}

/// Whether ours took the time that it may take.
fn of_target(group: &Measured) -> String {
    let ours = group.times[0].nanos.median;
    match group.target {
        None => String::new(),
        Some(Target::Nanos(most)) => verdict(ours <= most, format!("<= {most} ns")),
        Some(Target::Millions(least)) => verdict(1000.0 / ours >= least, format!(">= {least} M/s")),
    }
}

/// Whether ours took as much of the peer's time as it may take.
fn of_peer(peer: &Times) -> String {
    let Some(most) = peer.ratio_max else { return String::new() };
    verdict(peer.ratio.median <= most, format!("ratio <= {most:.2}"))
}

fn verdict(met: bool, words: String) -> String {
    if met { format!("met: {words}") } else { format!("MISSED: {words}") }
}

/// Three digits or more.
fn figure(value: f64) -> String {
    match value {
        100.0.. => format!("{value:.0}"),
        10.0..100.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}
