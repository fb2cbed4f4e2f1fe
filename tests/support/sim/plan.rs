//! What a run is made of.

use super::{Bug, Manners, PAYLOAD_MIN, Random, Traits, node::PROMISES};
use dunlin::{Overdue, Qos, ReasonCode, Version};

/// Why a broker ends a connection.
const REASONS: [ReasonCode; 4] = [
    ReasonCode::SERVER_SHUTTING_DOWN,
    ReasonCode::SERVER_BUSY,
    ReasonCode::SESSION_TAKEN_OVER,
    ReasonCode::ADMINISTRATIVE_ACTION,
];

/// Something that the program, the network or the broker does.
#[derive(Clone, Copy, Debug)]
pub enum Act {
    /// The program publishes.
    Publish {
        /// Which node.
        node: u8,
        /// The number in its topic.
        topic: u8,
        /// How often it may arrive.
        qos: Qos,
        /// Whether the broker is to keep it.
        retain: bool,
        /// The length of its payload.
        len: usize,
    },
    /// The program subscribes, though it may have done so before.
    Subscribe(u8),
    /// The program says good-bye, and connects again later.
    Disconnect(u8),
    /// The broker ends the connection, in MQTT 5.0 with this reason.
    Dismiss(u8, ReasonCode),
    /// The connection ends, what is under way gets lost.
    Snap(u8),
    /// The connection ends behind what is under way.
    Break(u8),
    /// Nothing comes through any more, and nobody is told.
    Mute(u8),
    /// The broker ends, and comes back with what it knew.
    Restart,
    /// The broker ends, and comes back without.
    Forget,
}

/// All that a run is made of.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The clients.
    pub nodes: Vec<Traits>,
    /// The broker.
    pub manners: Manners,
    /// The longest latency, in milliseconds.
    pub latency: u64,
    /// What happens, in the order of its time.
    pub acts: Vec<(u64, Act)>,
    /// After how many bytes a node's first connection breaks: up, down.
    pub cuts: [(Option<usize>, Option<usize>); 2],
    /// How long nothing happens at the end, in milliseconds.
    pub idle: u64,
    /// A planted fault.
    pub bug: Option<Bug>,
}

impl Plan {
    /// A run as chance wills.
    pub fn of(seed: u64, bug: Option<Bug>) -> Self {
        let mut random = Random::new(seed);
        let count = 1 + random.len(2);
        let waits = random.chance(30);
        let nodes: Vec<_> =
            (0..count).map(|index| traits(index + 1 == count, waits, &mut random)).collect();
        let mut acts: Vec<_> = (0..4 + random.len(16))
            .map(|_| (random.below(20_000), publish(count, &mut random)))
            .collect();
        for _ in 0..random.len(6) {
            acts.push((random.below(20_000), fault(count, &mut random)));
        }
        for _ in 0..random.len(3) {
            acts.push((random.below(20_000), Act::Subscribe(count as u8 - 1)));
        }
        acts.sort_by_key(|(at, _)| *at);
        let manners = Manners {
            ack_delay: [0, 50, 2_000][random.len(3)],
            window: 1 + random.len(8),
            eager: random.chance(50),
            duplicates: random.below(20),
            ping_every: if random.chance(10) { 3_000 } else { 0 },
            refusals: if random.chance(20) { 30 } else { 0 },
            denials: if random.chance(30) { 20 } else { 0 },
            // Whoever does not wait for answers would wait for ever.
            lost_acks: if nodes.iter().all(|it| it.answers.is_some()) {
                random.below(20)
            } else {
                0
            },
            strays: if random.chance(20) { 20 } else { 0 },
            limits: [0, 50, 100][random.len(3)],
        };
        let mut cuts = [(None, None); 2];
        for cut in &mut cuts[..count] {
            if random.chance(15) {
                cut.0 = Some(random.len(1_500));
            }
            if random.chance(15) {
                cut.1 = Some(random.len(1_500));
            }
        }
        let latency = [1, 20, 60][random.len(3)];
        let idle = if random.chance(10) { 60_000 } else { 0 };
        Self { nodes, manners, latency, acts, cuts, idle, bug }
    }

    /// The same run with every node speaking this version.
    #[must_use]
    pub fn speaking(mut self, version: Version) -> Self {
        self.nodes.iter_mut().for_each(|node| node.version = version);
        self
    }

    /// Whether anything may have to be sent twice.
    pub fn has_faults(&self) -> bool {
        let quiet = |act: &(u64, Act)| matches!(act.1, Act::Publish { .. } | Act::Subscribe(_));
        let whole = |cut: &(Option<usize>, Option<usize>)| *cut == (None, None);
        !self.acts.iter().all(quiet)
            || !self.cuts.iter().all(whole)
            || self.manners.refusals > 0
            || self.nodes.iter().any(|node| node.answers.is_some())
    }
}

fn traits(subscribes: bool, waits: bool, random: &mut Random) -> Traits {
    Traits {
        version: if random.chance(60) { Version::V5 } else { Version::V3 },
        framed: random.chance(70),
        clean: !subscribes && random.chance(25),
        nameless: random.chance(10),
        promise: if random.chance(50) { 0 } else { random.len(PROMISES.len()) },
        aliases: random.below(5) as u16,
        subscribes,
        answers: waits.then(|| answers(random)),
        manual: random.chance(30),
        outbox: 1_000 + random.len(3_000),
        rx: 800 + random.len(2_000),
        tx: if random.chance(50) { 131 } else { 131 + random.len(2_000) },
        grows: random.chance(30),
        qos: if random.chance(80) { Qos::ExactlyOnce } else { Qos::AtLeastOnce },
        leaves: if random.chance(20) { 3 } else { 0 },
    }
}

fn answers(random: &mut Random) -> (u64, Overdue) {
    // Who resends may do so too early, who hangs up would never get an answer.
    match random.below(3) {
        0 => (1_000, Overdue::Resend),
        1 => (4_500, Overdue::Resend),
        _ => (4_500, Overdue::Close),
    }
}

fn publish(nodes: usize, random: &mut Random) -> Act {
    let qos = match random.below(10) {
        0 | 1 => Qos::AtMostOnce,
        2..=4 => Qos::AtLeastOnce,
        _ => Qos::ExactlyOnce,
    };
    let len = if random.chance(80) { random.len(60) } else { random.len(600) };
    let node = random.below(nodes as u64) as u8;
    Act::Publish {
        node,
        topic: random.below(4) as u8,
        qos,
        retain: random.chance(10),
        len: PAYLOAD_MIN + len,
    }
}

fn fault(nodes: usize, random: &mut Random) -> Act {
    let node = random.below(nodes as u64) as u8;
    match random.below(10) {
        0 | 1 => Act::Snap(node),
        2 => Act::Break(node),
        3 => Act::Mute(node),
        4 => Act::Disconnect(node),
        5 | 6 => Act::Restart,
        7 | 8 => Act::Dismiss(node, REASONS[random.len(REASONS.len())]),
        _ => Act::Forget,
    }
}
