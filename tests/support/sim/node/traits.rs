//! What distinguishes one program from another.

use crate::sim::INFLIGHT;
use dunlin::{Buffer, Overdue, Property, Qos, Subscription, Version};
use std::num::{NonZeroU16, NonZeroU32};

/// Memory that grows up to a limit, or starts there.
#[derive(Debug)]
pub struct Memory {
    bytes: Vec<u8>,
    limit: usize,
}

impl Memory {
    pub(super) fn new(limit: usize, grows: bool) -> Self {
        Self { bytes: vec![0; if grows { 0 } else { limit }], limit }
    }
}

impl Buffer for Memory {
    type Places<T: dunlin::octet::Entry, const N: usize> = [T; N];

    fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }

    fn limit(&self) -> usize {
        self.limit
    }

    fn grow(&mut self, len: usize) -> bool {
        let fits = len <= self.limit;
        if fits && len > self.bytes.len() {
            self.bytes.resize(len, 0);
        }
        fits
    }
}

/// What the CONNECT of a program says in MQTT 5.0 beside what follows from its memory.
pub(crate) const PROMISES: [&[Property<'static>]; 7] = [
    &[Property::SessionExpiryInterval(u32::MAX)],
    &[Property::SessionExpiryInterval(3_600)],
    &[Property::SessionExpiryInterval(600), receive_maximum(1)],
    &[Property::SessionExpiryInterval(u32::MAX), receive_maximum(2), packet_size(200)],
    &[Property::SessionExpiryInterval(5)],
    &[packet_size(300)],
    &[],
];

const fn receive_maximum(most: u16) -> Property<'static> {
    assert!(most as usize <= INFLIGHT, "more than the session can follow");
    match NonZeroU16::new(most) {
        Some(most) => Property::ReceiveMaximum(most),
        None => panic!("no message at all"),
    }
}

const fn packet_size(most: u32) -> Property<'static> {
    match NonZeroU32::new(most) {
        Some(most) => Property::MaximumPacketSize(most),
        None => panic!("no packet at all"),
    }
}

/// What distinguishes one node from another.
#[derive(Clone, Copy, Debug)]
pub struct Traits {
    /// The version that it speaks.
    pub version: Version,
    /// WebSocket, or the bare stream.
    pub framed: bool,
    /// It asks for a session that begins, and in MQTT 3.1.1 also ends, with its connection.
    pub clean: bool,
    /// The broker is to give it a name; only in MQTT 5.0.
    pub nameless: bool,
    /// Which of the `PROMISES` its CONNECT has.
    pub promise: usize,
    /// The highest topic alias that the broker may use.
    pub aliases: u16,
    /// It wants messages.
    pub subscribes: bool,
    /// It acknowledges messages itself, some time later.
    pub manual: bool,
    /// How long it waits for answers, and what it does then.
    pub answers: Option<(u64, Overdue)>,
    /// The memory of its outbox.
    pub outbox: usize,
    /// The memory that it receives into.
    pub rx: usize,
    /// The memory that it sends from.
    pub tx: usize,
    /// Whether memory grows from nothing.
    pub grows: bool,
    /// What it asks for.
    pub qos: Qos,
    /// How often it drops its connection at an event, in percent.
    pub leaves: u64,
}

impl Traits {
    /// A program of MQTT 3.1.1 with little memory that only publishes, over the bare stream.
    pub const PLAIN: Self = Self {
        version: Version::V3,
        framed: false,
        clean: false,
        nameless: false,
        promise: 0,
        aliases: 0,
        subscribes: false,
        manual: false,
        answers: None,
        outbox: 1_500,
        rx: 800,
        tx: 131,
        grows: false,
        qos: Qos::ExactlyOnce,
        leaves: 0,
    };

    /// What it subscribes to, with wildcards or without.
    pub(super) fn filters(&self, wild: bool) -> Vec<Subscription<'static>> {
        let wish = |filter| Subscription::new(filter, self.qos);
        if wild { vec![wish("t/#"), wish("else/+")] } else { crate::sim::TOPICS.map(wish).to_vec() }
    }

    /// How long its connections wait for answers: where it cannot resend, longer than a broker takes.
    pub(super) fn patience(&self) -> Option<(u64, Overdue)> {
        /// The longest delay of a broker's answer, with the network's both ways and a quarter more.
        const ANSWER_MS: u64 = 4_500;
        self.answers.map(|(timeout_ms, overdue)| match (self.version, overdue) {
            (Version::V3, Overdue::Resend) => (timeout_ms, overdue),
            _ => (timeout_ms.max(ANSWER_MS), overdue),
        })
    }

    /// For how long its sessions are to outlive their connections, in seconds.
    pub(super) fn expiry_s(&self) -> u32 {
        let asked = PROMISES[self.promise].iter().find_map(|property| match property {
            Property::SessionExpiryInterval(expiry_s) => Some(*expiry_s),
            _ => None,
        });
        match self.version {
            Version::V3 if self.clean => 0,
            Version::V3 => u32::MAX,
            Version::V5 => asked.unwrap_or(0),
        }
    }
}
