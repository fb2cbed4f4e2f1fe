//! A build without messages that are longer than the buffers: none is supplied, or abandoned half-way.

use super::Session;
use dunlin_octet::Buffer;

impl<B: Buffer, const INFLIGHT: usize> Session<B, INFLIGHT> {
    /// Whether a message was abandoned of which a part may be out: never.
    pub const fn take_cut_off(&mut self) -> bool {
        false
    }

    pub(super) const fn is_cut_off(&self) -> bool {
        false
    }

    pub(super) const fn reset_long(&mut self) {}

    pub(super) const fn forget_abandoned(&mut self) {}
}
