//! A build without QoS 2: no message of it is ever known.

use crate::{AckToken, PacketId, ReasonCode, record::Record};
use core::marker::PhantomData;
use dunlin_octet::{Entry, Places};

/// Stands in no token.
pub(crate) const EXACTLY_ONCE: u16 = u16::MAX;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival;

impl Entry for Arrival {
    const EMPTY: Self = Self;
}

#[derive(Debug)]
pub(crate) struct Received<const N: usize, P = [Arrival; N]>(PhantomData<P>);

impl<const N: usize, P: Places<Arrival>> Received<N, P> {
    pub(crate) const fn new() -> Self {
        Self(PhantomData)
    }

    pub(crate) const fn clear(&mut self) {}

    pub(crate) const fn counted(&self) -> u16 {
        0
    }

    pub(crate) const fn doubt(&mut self) {}

    pub(crate) const fn reset(&mut self) {}

    pub(crate) const fn count(&mut self, _: PacketId) {}

    pub(crate) const fn is_counted(&self, _: PacketId) -> bool {
        false
    }

    pub(crate) const fn is_repeat(&self, _: PacketId, _: bool, _: u32) -> bool {
        false
    }

    pub(crate) const fn push(&mut self, _: PacketId, _: u32) -> Option<AckToken> {
        None
    }

    #[cfg(feature = "oversize")]
    pub(crate) const fn next_token(&self, id: PacketId) -> AckToken {
        AckToken { packet_id: id, place: EXACTLY_ONCE, epoch: 0 }
    }

    pub(crate) const fn verdict(&self, _: PacketId) -> Option<ReasonCode> {
        None
    }

    pub(crate) const fn is_held(&self, _: AckToken) -> bool {
        false
    }

    pub(crate) const fn settle(&mut self, _: AckToken, _: ReasonCode) -> bool {
        false
    }

    pub(crate) const fn remove(&mut self, _: PacketId) -> bool {
        false
    }

    pub(crate) const fn is_clogged(&self) -> bool {
        false
    }

    pub(crate) const fn has_unrecorded(&self) -> bool {
        false
    }

    pub(crate) const fn is_doubted(&self) -> bool {
        false
    }

    pub(crate) const fn handle_doubt_recorded(&mut self) {}

    pub(crate) const fn unrecorded(&self) -> Option<(usize, Record<'static>)> {
        None
    }

    pub(crate) const fn handle_recorded(&mut self, _: usize) {}

    pub(crate) fn for_each_taken(&self, _: impl FnMut(Record<'static>)) {}

    pub(crate) const fn restore(&mut self, _: PacketId, _: bool, _: u32) {}

    pub(crate) const fn restore_removed(&mut self, _: PacketId) {}
}

pub(crate) const fn digest(_: &str, _: usize, _: &[u8]) -> u32 {
    0
}
