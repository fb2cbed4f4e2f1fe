//! Time, taken in turns.

use crate::group::{Group, Target};
use std::time::{Duration, Instant};

/// How long one sample runs: short, so that most of them are not interrupted.
const SAMPLE: Duration = Duration::from_micros(250);
/// How many samples of each case are taken.
const ROUNDS: usize = 400;
/// How many of them give one ratio.
const BLOCK: usize = 20;
/// How long each case runs before the first sample.
const WARM_UP: Duration = Duration::from_millis(30);
/// How many runs tell how many turns a sample has.
const WARM_RUNS: usize = 3;

/// Median, and the tenth from either end.
#[derive(Clone, Copy)]
pub(crate) struct Spread {
    pub(crate) low: f64,
    pub(crate) median: f64,
    pub(crate) high: f64,
}

/// What one case took.
pub(crate) struct Times {
    pub(crate) name: &'static str,
    /// Nanoseconds a turn.
    pub(crate) nanos: Spread,
    /// The time of ours as a part of this one's: medians of all rounds, and of blocks of them.
    pub(crate) ratio: Spread,
    pub(crate) ratio_max: Option<f64>,
}

pub(crate) struct Measured {
    pub(crate) title: String,
    pub(crate) bytes: Option<usize>,
    pub(crate) target: Option<Target>,
    pub(crate) times: Vec<Times>,
}

/// Runs the cases of a group in turns.
pub(crate) fn measure(group: &mut Group) -> Measured {
    let turns: Vec<u32> = group.cases.iter_mut().map(|case| warm_up(&mut case.run)).collect();
    let mut samples = vec![Vec::with_capacity(ROUNDS); group.cases.len()];
    for _ in 0..ROUNDS {
        for ((case, turns), samples) in group.cases.iter_mut().zip(&turns).zip(&mut samples) {
            samples.push(nanos_of(&mut case.run, *turns) / f64::from(*turns));
        }
    }
    let times = group.cases.iter().zip(&samples).map(|(case, of_case)| Times {
        name: case.name,
        nanos: spread(of_case),
        ratio: ratio(&samples[0], of_case),
        ratio_max: case.ratio_max,
    });
    Measured {
        title: group.title.clone(),
        bytes: group.bytes,
        target: group.target,
        times: times.collect(),
    }
}

/// Runs for a while; returns how many turns make a sample.
fn warm_up(run: &mut dyn FnMut(u32)) -> u32 {
    let start = Instant::now();
    let mut turns = 1;
    loop {
        // The shortest of a few: an interrupted one would make samples too short to say anything.
        let runs = (0..WARM_RUNS).map(|_| nanos_of(run, turns));
        let nanos = runs.fold(f64::INFINITY, f64::min).max(1.0);
        let sample = SAMPLE.as_nanos() as f64;
        if nanos < sample / 2.0 {
            turns *= 2;
        } else if start.elapsed() >= WARM_UP {
            return ((f64::from(turns) * sample / nanos) as u32).max(1);
        }
    }
}

fn nanos_of(run: &mut dyn FnMut(u32), turns: u32) -> f64 {
    let start = Instant::now();
    run(turns);
    start.elapsed().as_nanos() as f64
}

/// A round alone says little where one of its samples was interrupted; the median of a block does.
fn ratio(ours: &[f64], peers: &[f64]) -> Spread {
    let medians = |ours, peers| spread(ours).median / spread(peers).median;
    let blocks = ours.chunks(BLOCK).zip(peers.chunks(BLOCK));
    let blocks: Vec<f64> = blocks.map(|(ours, peers)| medians(ours, peers)).collect();
    Spread { median: medians(ours, peers), ..spread(&blocks) }
}

fn spread(values: &[f64]) -> Spread {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    let at = |tenths: usize| values[(values.len() - 1) * tenths / 10];
    Spread { low: at(1), median: at(5), high: at(9) }
}
