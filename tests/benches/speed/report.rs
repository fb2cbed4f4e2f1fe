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
        let ours = &group.times[0];
        let verdict = verdict(group);
        if group.times.len() == 1 {
            println!("{:<53}{:>9}{:>58}{verdict}", group.title, figure(ours.nanos.median), "");
        }
        for (at, peer) in group.times.iter().skip(1).enumerate() {
            let spread = format!("{:.2} .. {:.2}", peer.ratio.low, peer.ratio.high);
            println!(
                "{:<53}{:>9}  {:<24}{:>9}{:>7.2}  {:<14}{}",
                if at == 0 { group.title.as_str() } else { "" },
                if at == 0 { figure(ours.nanos.median) } else { String::new() },
                peer.name,
                figure(peer.nanos.median),
                peer.ratio.median,
                spread,
                if at == 0 { verdict.as_str() } else { "" },
            );
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

fn verdict(group: &Measured) -> String {
    let ours = group.times[0].nanos.median;
    let (met, words) = match group.target {
        None => return String::new(),
        Some(Target::Nanos(most)) => (ours <= most, format!("<= {most} ns")),
        Some(Target::Millions(least)) => (1000.0 / ours >= least, format!(">= {least} M/s")),
        Some(Target::OfPeer(most)) => {
            let ratio = group.times[1].ratio.median;
            (ratio <= most, format!("ratio <= {most:.2}"))
        }
    };
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
