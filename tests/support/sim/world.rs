//! One run: what happens when, until everything has come to rest.

use super::{Act, Broker, Link, Moment, Node, Plan, Random, Record};

/// How long everything that is pending may take once faults have stopped, in milliseconds.
const REST_MS: u64 = 120_000;

/// Most points in time of one run: more is a loop without progress.
const INSTANTS_MAX: usize = 20_000;

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
            self.perform(act)?;
        }
        for index in 0..self.nodes.len() {
            if self.nodes[index].wants_to_open(self.now) {
                self.open(index)?;
            }
            self.deliver(index)?;
            let Some((_, link)) = &mut self.links[index] else { continue };
            let latency = self.plan.latency;
            let (record, random) = (&mut self.record, &mut self.random);
            let mut at = Moment { now: self.now, record, random };
            self.nodes[index].run(link, latency, &mut at)?;
            if !self.nodes[index].is_live() {
                link.break_off(self.now);
            }
        }
        let (record, random) = (&mut self.record, &mut self.random);
        self.broker.tick(&mut Moment { now: self.now, record, random })?;
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
            self.broker.handle_gone(older, self.now, &mut self.record);
        }
        let mut link = Link::default();
        let cut = std::mem::take(&mut self.plan.cuts[index]);
        (link.up.cut_at, link.down.cut_at) = cut;
        let id = self.next_link;
        self.next_link += 1;
        self.broker.handle_open(id, self.nodes[index].guest(), self.now);
        self.links[index] = Some((id, link));
        let (record, random) = (&mut self.record, &mut self.random);
        self.nodes[index].open(id, &mut Moment { now: self.now, record, random })
    }

    /// Hands over what has arrived at either end, and the end.
    fn deliver(&mut self, index: usize) -> Result<(), String> {
        let Some((id, link)) = &mut self.links[index] else { return Ok(()) };
        let id = *id;
        while let Some(bytes) = link.take_up(self.now) {
            let (record, random) = (&mut self.record, &mut self.random);
            self.broker.receive(id, &bytes, &mut Moment { now: self.now, record, random })?;
        }
        while let Some(bytes) = link.take_down(self.now) {
            self.nodes[index].receive(bytes);
        }
        if link.ends(self.now) {
            if !link.is_mute {
                self.nodes[index].handle_end();
            }
            self.broker.handle_gone(id, self.now, &mut self.record);
        } else if link.is_whole() {
            self.broker.check_silence(id, self.now)?;
        }
        Ok(())
    }

    fn perform(&mut self, act: Act) -> Result<(), String> {
        match act {
            Act::Publish { node, topic, qos, retain, len } => {
                let message = (topic, qos, retain);
                self.nodes[usize::from(node)].publish(message, len, &mut self.record);
            }
            Act::Subscribe(node) => self.nodes[usize::from(node)].subscribe(),
            Act::Disconnect(node) => {
                let (record, random) = (&mut self.record, &mut self.random);
                let at = &mut Moment { now: self.now, record, random };
                self.nodes[usize::from(node)].disconnect(at)?;
            }
            Act::Dismiss(node, reason) => {
                if let Some((id, _)) = self.links[usize::from(node)] {
                    self.broker.dismiss(id, reason, &mut self.record);
                }
            }
            Act::Snap(node) => self.with_link(node, |link, now| link.snap(now)),
            Act::Break(node) => self.with_link(node, |link, now| link.break_off(now)),
            Act::Mute(node) => self.with_link(node, |link, _| link.is_mute = true),
            Act::Restart => self.crash(true),
            Act::Forget => self.crash(false),
        }
        Ok(())
    }

    fn crash(&mut self, keep: bool) {
        self.broker.crash(keep, self.now, &mut self.record);
        for (_, link) in self.links.iter_mut().flatten() {
            link.snap(self.now);
        }
        // The next answer to a CONNECT may get lost: was the session there?
        for (cut, node) in self.plan.cuts.iter_mut().zip(&self.nodes) {
            if self.random.chance(30) {
                cut.1 = Some(self.random.len(if node.guest().framed { 180 } else { 4 }));
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
            && self.broker.is_idle(&self.record)
            && self.links.iter().flatten().all(|(_, link)| link.is_whole() && link.is_empty())
    }

    /// A time without messages at the end, and then the balance.
    fn conclude(&mut self) -> Result<Summary, String> {
        let mut subscribers = self.nodes.iter().filter_map(Node::subscriber);
        subscribers.try_for_each(|name| self.broker.check_subscribed(name))?;
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
