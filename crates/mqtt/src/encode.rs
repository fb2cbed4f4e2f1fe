//! Packets as the bytes of one version.

use dunlin_octet::{Sink, Text};

/// Makes a [`Text`] of what writes one.
///
/// The version belongs to the connection and not to a packet: a packet is one value in both, and
/// `Text`, the one way to write, has no place for an argument. So the two are put together here.
pub(crate) fn text(write: impl Fn(&mut dyn Sink)) -> impl Text {
    With(write)
}

struct With<F>(F);

impl<F: Fn(&mut dyn Sink)> Text for With<F> {
    fn write(&self, sink: &mut dyn Sink) {
        (self.0)(sink);
    }
}
