//! A network connection that is slow, cuts bytes into pieces, and breaks.

use super::Random;
use std::collections::VecDeque;

/// One direction.
#[derive(Debug, Default)]
pub struct Pipe {
    chunks: VecDeque<(u64, Vec<u8>)>,
    last_arrival: u64,
    sent: usize,
    /// How many bytes get through before the connection breaks.
    pub cut_at: Option<usize>,
}

impl Pipe {
    /// Bytes go in; returns whether the connection broke.
    pub fn send(&mut self, bytes: &[u8], now: u64, latency: u64, random: &mut Random) -> bool {
        let room = self.cut_at.map_or(bytes.len(), |cut| cut.saturating_sub(self.sent));
        let mut rest = &bytes[..room.min(bytes.len())];
        self.sent += bytes.len();
        while !rest.is_empty() {
            let len = if random.chance(50) { rest.len() } else { 1 + random.len(rest.len()) };
            let spike = if random.chance(3) { 400 } else { 0 };
            let arrival = now + 1 + random.below(latency + 1) + spike;
            self.last_arrival = self.last_arrival.max(arrival);
            self.chunks.push_back((self.last_arrival, rest[..len].to_vec()));
            rest = &rest[len..];
        }
        self.cut_at.is_some_and(|cut| self.sent > cut)
    }

    fn take(&mut self, now: u64) -> Option<Vec<u8>> {
        let (arrival, _) = self.chunks.front()?;
        if *arrival > now { None } else { self.chunks.pop_front().map(|(_, bytes)| bytes) }
    }
}

/// Both directions of one connection.
#[derive(Debug, Default)]
pub struct Link {
    /// From the client to the broker.
    pub up: Pipe,
    /// From the broker to the client.
    pub down: Pipe,
    /// When both ends see the end.
    ends_at: Option<u64>,
    is_over: bool,
    /// Nothing gets through any more, and nobody is told.
    pub is_mute: bool,
}

impl Link {
    /// What the client sends.
    pub fn send_up(&mut self, bytes: &[u8], now: u64, latency: u64, random: &mut Random) {
        if self.ends_at.is_none() && self.up.send(bytes, now, latency, random) {
            self.break_off(now);
        }
    }

    /// What the broker sends.
    pub fn send_down(&mut self, bytes: &[u8], now: u64, latency: u64, random: &mut Random) {
        if self.ends_at.is_none() && self.down.send(bytes, now, latency, random) {
            self.break_off(now);
        }
    }

    /// Both ends see the end once what is under way has arrived.
    pub fn break_off(&mut self, now: u64) {
        if self.ends_at.is_none() {
            self.ends_at = Some(now.max(self.up.last_arrival).max(self.down.last_arrival) + 1);
        }
    }

    /// Both ends see the end at once; what is under way is lost.
    pub fn snap(&mut self, now: u64) {
        self.up.chunks.clear();
        self.down.chunks.clear();
        self.ends_at = Some(now);
    }

    /// What arrives at the broker by `now`.
    pub fn take_up(&mut self, now: u64) -> Option<Vec<u8>> {
        self.up.take(now).filter(|_| !self.is_mute)
    }

    /// What arrives at the client by `now`.
    pub fn take_down(&mut self, now: u64) -> Option<Vec<u8>> {
        self.down.take(now).filter(|_| !self.is_mute)
    }

    /// Whether it ends just now; true once.
    pub fn ends(&mut self, now: u64) -> bool {
        let ends = !self.is_over && self.ends_at.is_some_and(|at| at <= now);
        self.is_over |= ends;
        ends
    }

    /// Whether it has neither ended nor will.
    pub const fn is_whole(&self) -> bool {
        self.ends_at.is_none() && !self.is_mute
    }

    /// Whether nothing is under way.
    pub fn is_empty(&self) -> bool {
        self.up.chunks.is_empty() && self.down.chunks.is_empty()
    }

    /// When something happens next.
    pub fn next_event(&self) -> Option<u64> {
        let arrivals = [&self.up, &self.down].map(|pipe| pipe.chunks.front().map(|(at, _)| *at));
        let end = self.ends_at.filter(|_| !self.is_over);
        arrivals.into_iter().flatten().chain(end).min()
    }
}
