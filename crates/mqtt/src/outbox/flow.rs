//! A packet whose payload is not kept: it is supplied while it goes out.

use super::{
    Entry, Outbox,
    entry::{ABANDONED, STREAMED},
};
use crate::{FixedHeader, Publish, Version};
use dunlin_octet::{Buffer, copy, shift};

/// How far such a packet is out, and which part of its payload is there.
///
/// ```text
///   0      head                                  entry.len
///   │ front  │ sent │ supplied, not sent │ free │
///            0     from                  to      window
/// ```
#[derive(Clone, Copy, Debug)]
pub(super) struct Flow {
    /// How long everything in front of the payload is.
    head: usize,
    head_sent: bool,
    from: usize,
    to: usize,
    /// How much of the window has been lent out.
    lent: usize,
    /// How much of the payload has been supplied.
    supplied: usize,
    /// How much of it has not.
    missing: usize,
}

impl<B: Buffer> Outbox<B> {
    /// Fills the place found by [`Outbox::place`] with a packet of which only the front and a part of the
    /// payload, the window, are kept.
    pub(crate) fn push_streamed(
        &mut self,
        at: usize,
        len: usize,
        token: u32,
        id: u16,
    ) -> &mut [u8] {
        self.push(at, len, token, id);
        self.set_entry(at, self.entry(at).with(STREAMED));
        self.packet_mut(at, len)
    }

    /// Begins to send the packet that was just lent out, if it is such a one.
    #[inline]
    pub(crate) fn begin_flow(&mut self, version: Version) {
        if let Some(at) = self.sending
            && self.entry(at).is_streamed()
        {
            self.begin_flow_at(at, version);
        }
    }

    #[inline(never)]
    fn begin_flow_at(&mut self, at: usize, version: Version) {
        let packet = self.packet(at);
        let Ok(Some((header, len))) = FixedHeader::decode(version, packet) else { return };
        let body = packet.get(len..).unwrap_or_default();
        let fields = Publish::head_len(version, header.flags, body);
        self.flow = Some(Flow {
            head: len.saturating_add(fields),
            head_sent: false,
            from: 0,
            to: 0,
            lent: 0,
            supplied: 0,
            missing: header.remaining.saturating_sub(fields),
        });
    }

    /// The packet that is lent out, or as much of it as goes next; and, unless it is whole, how much is
    /// behind that.
    #[inline]
    pub(crate) fn lent_piece(&mut self) -> Option<(&[u8], Option<usize>)> {
        if self.flow.is_none() {
            return Some((self.lent()?, None));
        }
        self.flow_piece()
    }

    #[inline(never)]
    fn flow_piece(&mut self) -> Option<(&[u8], Option<usize>)> {
        let (at, flow) = (self.sending?, self.flow.as_mut()?);
        if !flow.head_sent {
            let (head, behind) = (flow.head, flow.supplied.saturating_add(flow.missing));
            return Some((self.packet(at).get(..head)?, Some(behind)));
        }
        flow.lent = flow.to.saturating_sub(flow.from);
        let from = flow.head.saturating_add(flow.from);
        let (end, missing) = (from.saturating_add(flow.lent), flow.missing);
        let piece = self.packet(at).get(from..end)?;
        (!piece.is_empty()).then_some((piece, Some(missing)))
    }

    /// What was lent out has gone; says whether that was all of the packet.
    #[inline]
    pub(crate) const fn finish_piece(&mut self) -> bool {
        let Some(flow) = &mut self.flow else { return true };
        if flow.head_sent {
            flow.from = flow.from.saturating_add(flow.lent);
            flow.lent = 0;
        }
        flow.head_sent = true;
        if flow.from >= flow.to {
            flow.from = 0;
            flow.to = 0;
        }
        flow.missing == 0 && flow.to == 0
    }

    /// The packet that waits for its payload: its token, where in the payload it goes on, and how much
    /// there is room for.
    pub(crate) fn wanted(&self) -> Option<(u32, usize, usize)> {
        let (flow, entry) = (self.flow?, self.entry(self.sending?));
        let window = entry.len.saturating_sub(flow.head);
        let free = window.saturating_sub(flow.to.saturating_sub(flow.from));
        let room = free.min(flow.missing);
        (room > 0).then_some((entry.token, flow.supplied, room))
    }

    /// Copies the next bytes of the payload, as many as there is room for; returns how many.
    pub(crate) fn supply(&mut self, bytes: &[u8]) -> usize {
        let (Some(at), Some(mut flow)) = (self.sending, self.flow) else { return 0 };
        let len = self.entry(at).len;
        let window = self.packet_mut(at, len).get_mut(flow.head..).unwrap_or_default();
        if flow.from > 0 {
            let held = flow.to.saturating_sub(flow.from);
            shift(window, flow.from, 0, held);
            (flow.from, flow.to) = (0, held);
        }
        let bytes = bytes.get(..flow.missing).unwrap_or(bytes);
        let taken = copy(bytes, window.get_mut(flow.to..).unwrap_or_default());
        flow.to = flow.to.saturating_add(taken);
        flow.supplied = flow.supplied.saturating_add(taken);
        flow.missing = flow.missing.saturating_sub(taken);
        self.flow = Some(flow);
        taken
    }

    /// Where the packet with this token is, if it is such a one.
    pub(crate) fn find_streamed(&self, token: u32) -> Option<(usize, Entry)> {
        let fits = |entry: Entry| entry.is_streamed() && entry.token == token;
        // One that was answered before it was out is still wanted.
        let sending = self.sending.map(|at| (at, self.entry(at)));
        sending.filter(|(_, entry)| fits(*entry)).or_else(|| self.find_entry(fits))
    }

    /// The oldest packet that is still needed and fits.
    pub(crate) fn find_entry(&self, fits: impl Fn(Entry) -> bool) -> Option<(usize, Entry)> {
        let mut found = None;
        self.for_each(|at, entry| {
            if found.is_none() && fits(entry) {
                found = Some((at, entry));
            }
        });
        found
    }

    /// Takes back the packet at `at` if it is lent out; says whether it was.
    pub(crate) fn take_back(&mut self, at: usize) -> bool {
        let lent = self.sending == Some(at);
        if lent {
            self.sending = None;
            self.flow = None;
            self.reclaim();
        }
        lent
    }

    /// The program cannot supply the payload of the packet at `at` again.
    pub(crate) fn abandon(&mut self, at: usize) {
        self.set_entry(at, self.entry(at).with(ABANDONED));
    }
}
