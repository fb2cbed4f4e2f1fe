//! What goes out, piece by piece.

use super::Session;
use crate::{PacketId, Token, outbox::Entry};
use dunlin_octet::Buffer;

/// What goes out next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Piece<'s> {
    /// The bytes.
    pub bytes: &'s [u8],
    /// Unless they are a whole packet: how many more of the same packet follow in later pieces, which
    /// nothing else may come between.
    pub behind: Option<usize>,
}

/// A payload that goes on to be supplied, by [`Session::supply`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Wanted {
    /// What [`Session::publish_stream`] returned.
    pub token: Token,
    /// Where in the payload it goes on, in bytes: again at 0 when the message goes out once more.
    pub offset: usize,
    /// How many bytes there is room for.
    pub room: usize,
}

impl<B: Buffer, const INFLIGHT: usize> Session<B, INFLIGHT> {
    /// Gives up the packet at `at`.
    pub(super) fn drop_entry(&mut self, at: usize, entry: Entry) {
        if let Some(id) = PacketId::new(entry.id) {
            self.end(id);
        }
        self.outbox.release(at);
    }
}
