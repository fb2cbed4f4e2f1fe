//! Tables for people.

use crate::count;
use crate::group::{Case, Group, OURS, Target};
use crate::measure::{Measured, Times};

/// How a verdict begins when a limit is missed.
const MISSED: &str = "MISSED";

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

/// How far from the recorded number of instructions a case may be: compilers differ a little, and other
/// code around a case changes what is inlined into it.
const TOLERANCE: f64 = 0.02;

/// Whether this case took as many instructions as it may.
pub(crate) fn of_count(group: &Group, case: &Case, count: f64) -> Vec<String> {
    if case.name != OURS {
        return Vec::new();
    }
    let most = group.instructions_max.map(f64::from);
    let most = most.map(|most| verdict(count <= most, format!("<= {most}")));
    let recorded = count::recorded(&group.title).map(f64::from);
    let recorded = recorded.map(|recorded| {
        let near = (count - recorded).abs() <= recorded * TOLERANCE;
        verdict(near, format!("recorded {recorded}"))
    });
    most.into_iter().chain(recorded).collect()
}

/// Whether a verdict says that a limit is missed.
pub(crate) fn is_missed(verdict: &str) -> bool {
    verdict.starts_with(MISSED)
}

/// How many limits are missed.
pub(crate) fn missed(measured: &[Measured]) -> usize {
    let verdicts = measured.iter().flat_map(|group| {
        group.times[1..].iter().map(of_peer).chain(std::iter::once(of_target(group)))
    });
    verdicts.filter(|verdict| is_missed(verdict)).count()
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

pub(crate) fn verdict(met: bool, words: String) -> String {
    if met { format!("met: {words}") } else { format!("{MISSED}: {words}") }
}

/// Three digits or more.
fn figure(value: f64) -> String {
    match value {
        100.0.. => format!("{value:.0}"),
        10.0..100.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}
