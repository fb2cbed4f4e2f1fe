//! One run: what happens when, until everything has come to rest.

use super::{Broker, Bug, Link, Manners, Node, PAYLOAD_MIN, Random, Record, Traits};
use dunlin::Qos;

/// How long everything that is pending may take once faults have stopped, in milliseconds.
const REST_MS: u64 = 120_000;

/// Most points in time of one run: more is a loop without progress.
const INSTANTS_MAX: usize = 20_000;

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
        /// The length of its payload.
        len: usize,
    },
    /// The program says good-bye, and connects again later.
    Disconnect(u8),
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
        let nodes: Vec<_> =
            (0..count).map(|index| traits(index + 1 == count, &mut random)).collect();
        let mut acts: Vec<_> = (0..4 + random.len(16))
            .map(|_| (random.below(20_000), publish(count, &mut random)))
            .collect();
        for _ in 0..random.len(6) {
            acts.push((random.below(20_000), fault(count, &mut random)));
        }
        acts.sort_by_key(|(at, _)| *at);
        let manners = Manners {
            ack_delay: [0, 50, 2_000][random.len(3)],
            window: 1 + random.len(8),
            eager: random.chance(50),
            duplicates: random.below(20),
            ping_every: if random.chance(10) { 3_000 } else { 0 },
            refusals: if random.chance(20) { 30 } else { 0 },
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

    fn has_faults(&self) -> bool {
        let quiet = |act: &(u64, Act)| matches!(act.1, Act::Publish { .. });
        let whole = |cut: &(Option<usize>, Option<usize>)| *cut == (None, None);
        !self.acts.iter().all(quiet) || !self.cuts.iter().all(whole) || self.manners.refusals > 0
    }
}

/// What a run came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Messages that were accepted.
    pub messages: usize,
    /// Connections that were opened.
    pub connections: u32,
    /// The time it took in the world, in milliseconds.
    pub took: u64,
}

fn traits(subscribes: bool, random: &mut Random) -> Traits {
    Traits {
        framed: random.chance(70),
        clean: !subscribes && random.chance(25),
        subscribes,
        manual: random.chance(30),
        outbox: 1_000 + random.len(3_000),
        rx: 800 + random.len(2_000),
        tx: if random.chance(50) { 131 } else { 131 + random.len(2_000) },
        grows: random.chance(30),
        qos: if random.chance(80) { Qos::ExactlyOnce } else { Qos::AtLeastOnce },
        leaves: if random.chance(20) { 3 } else { 0 },
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
    Act::Publish { node, topic: random.below(3) as u8, qos, len: PAYLOAD_MIN + len }
}

fn fault(nodes: usize, random: &mut Random) -> Act {
    let node = random.below(nodes as u64) as u8;
    match random.below(8) {
        0 | 1 => Act::Snap(node),
        2 => Act::Break(node),
        3 => Act::Mute(node),
        4 => Act::Disconnect(node),
        5 | 6 => Act::Restart,
        _ => Act::Forget,
    }
}

struct World {
    plan: Plan,
    now: u64,
    nodes: Vec<Node>,
    links: Vec<Option<(u32, Link)>>,
    broker: Broker,
    record: Record,
    random: Random,
    next_link: u32,
    /// The next act.
    act: usize,
}

/// Runs a plan to its end; every broken rule is an error.
pub fn run(plan: Plan, seed: u64) -> Result<Summary, String> {
    let mut world = World::new(plan, seed);
    let mut rest = None;
    for _ in 0..INSTANTS_MAX {
        world.instant().map_err(|problem| format!("at {} ms: {problem}", world.now))?;
        let done = world.act == world.plan.acts.len();
        if done && rest.is_none() {
            world.broker.calm_down();
            rest = Some(world.now + REST_MS);
        }
        if done && world.is_settled() {
            return world.conclude();
        }
        let Some(next) = world.next_event() else {
            return Err(format!("at {} ms: nothing will ever happen again", world.now));
        };
        if rest.is_some_and(|rest| next > rest) {
            return Err(format!("not at rest {REST_MS} ms after the last fault: {world:?}"));
        }
        world.now = world.now.max(next);
    }
    Err(format!("more than {INSTANTS_MAX} points in time"))
}

impl World {
    fn new(plan: Plan, seed: u64) -> Self {
        let nodes = plan.nodes.iter().zip(0..).map(|(it, index)| Node::new(index, *it, plan.bug));
        let mut record = Record::default();
        record.faults = u32::from(plan.has_faults());
        Self {
            now: 0,
            nodes: nodes.collect(),
            links: plan.nodes.iter().map(|_| None).collect(),
            broker: Broker::new(plan.manners, plan.bug),
            record,
            random: Random::new(seed ^ 0x5eed),
            next_link: 0,
            act: 0,
            plan,
        }
    }

    /// Everything that happens now.
    fn instant(&mut self) -> Result<(), String> {
        while let Some((at, act)) = self.plan.acts.get(self.act).copied()
            && at <= self.now
        {
            self.act += 1;
            self.perform(act);
        }
        for index in 0..self.nodes.len() {
            if self.nodes[index].wants_to_open(self.now) {
                self.open(index)?;
            }
            self.deliver(index)?;
            let Some((_, link)) = &mut self.links[index] else { continue };
            let latency = self.plan.latency;
            let (record, random) = (&mut self.record, &mut self.random);
            self.nodes[index].run(self.now, link, latency, record, random)?;
            if !self.nodes[index].is_live() {
                link.break_off(self.now);
            }
        }
        self.broker.tick(self.now, &mut self.record)?;
        for (id, bytes, over) in self.broker.flush(&mut self.random) {
            let link = self.links.iter_mut().flatten().find(|(it, _)| *it == id);
            let Some((_, link)) = link else { continue };
            if !bytes.is_empty() {
                link.send_down(&bytes, self.now, self.plan.latency, &mut self.random);
            }
            if over {
                link.break_off(self.now);
            }
        }
        Ok(())
    }

    fn open(&mut self, index: usize) -> Result<(), String> {
        if let Some((older, _)) = self.links[index].take() {
            self.broker.handle_gone(older);
        }
        let mut link = Link::default();
        let cut = std::mem::take(&mut self.plan.cuts[index]);
        (link.up.cut_at, link.down.cut_at) = cut;
        let id = self.next_link;
        self.next_link += 1;
        self.broker.handle_open(id, self.nodes[index].is_framed(), self.now);
        self.links[index] = Some((id, link));
        self.nodes[index].open(self.now, &mut self.random)
    }

    /// Hands over what has arrived at either end, and the end.
    fn deliver(&mut self, index: usize) -> Result<(), String> {
        let Some((id, link)) = &mut self.links[index] else { return Ok(()) };
        let id = *id;
        while let Some(bytes) = link.take_up(self.now) {
            self.broker.receive(id, &bytes, self.now, &mut self.record, &mut self.random)?;
        }
        while let Some(bytes) = link.take_down(self.now) {
            self.nodes[index].receive(bytes);
        }
        if link.ends(self.now) {
            if !link.is_mute {
                self.nodes[index].handle_end();
            }
            self.broker.handle_gone(id);
        } else if link.is_whole() {
            self.broker.check_silence(id, self.now)?;
        }
        Ok(())
    }

    fn perform(&mut self, act: Act) {
        match act {
            Act::Publish { node, topic, qos, len } => {
                let topic = ["t/0", "t/1", "t/2"][usize::from(topic)];
                self.nodes[usize::from(node)].publish(topic, qos, len, &mut self.record);
            }
            Act::Disconnect(node) => self.nodes[usize::from(node)].disconnect(),
            Act::Snap(node) => self.with_link(node, |link, now| link.snap(now)),
            Act::Break(node) => self.with_link(node, |link, now| link.break_off(now)),
            Act::Mute(node) => self.with_link(node, |link, _| link.is_mute = true),
            Act::Restart | Act::Forget => {
                self.broker.crash(matches!(act, Act::Restart), &mut self.record);
                for (_, link) in self.links.iter_mut().flatten() {
                    link.snap(self.now);
                }
                // The next answer to a CONNECT may get lost: was the session there?
                for (cut, node) in self.plan.cuts.iter_mut().zip(&self.nodes) {
                    if self.random.chance(30) {
                        cut.1 = Some(self.random.len(if node.is_framed() { 180 } else { 4 }));
                    }
                }
            }
        }
    }

    fn with_link(&mut self, node: u8, act: impl FnOnce(&mut Link, u64)) {
        if let Some((_, link)) = &mut self.links[usize::from(node)] {
            act(link, self.now);
        }
    }

    fn next_event(&self) -> Option<u64> {
        let acts = self.plan.acts.get(self.act).map(|(at, _)| *at);
        let nodes = self.nodes.iter().filter_map(Node::next_event);
        let links = self.links.iter().flatten().filter_map(|(_, link)| link.next_event());
        nodes.chain(links).chain(self.broker.next_event()).chain(acts).min()
    }

    fn is_settled(&self) -> bool {
        self.nodes.iter().all(Node::is_settled)
            && self.broker.is_idle()
            && self.links.iter().flatten().all(|(_, link)| link.is_empty())
    }

    /// A time without messages at the end, and then the balance.
    fn conclude(&mut self) -> Result<Summary, String> {
        let took = self.now;
        while self.now < took + self.plan.idle {
            self.now = self.next_event().unwrap_or(u64::MAX).min(took + self.plan.idle);
            self.instant().map_err(|problem| format!("idle at {} ms: {problem}", self.now))?;
        }
        self.record.conclude()?;
        self.nodes.iter_mut().try_for_each(Node::conclude)?;
        let (messages, connections) = (self.record.len(), self.next_link);
        Ok(Summary { messages, connections, took })
    }
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World")
            .field("now", &self.now)
            .field("broker", &self.broker)
            .field("plan", &self.plan)
            .finish_non_exhaustive()
    }
}
