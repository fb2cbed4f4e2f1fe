//! A signed target, written out.

use dunlin_embassy::dunlin::octet::{Sink, Text, Window};

/// Longest target, in bytes: a session token has about 1,200, some of which take three in a target.
const TARGET_MAX: usize = 3072;

/// A signed target, apart from what it was signed with.
pub struct Target {
    bytes: [u8; TARGET_MAX],
    len: usize,
}

impl Target {
    /// Nothing yet.
    pub const fn new() -> Self {
        Self { bytes: [0; TARGET_MAX], len: 0 }
    }

    /// Writes it out; `None` when it is too long.
    pub fn keep(&mut self, text: &impl Text) -> Option<()> {
        let mut window = Window::new(&mut self.bytes, 0);
        text.write(&mut window);
        self.len = window.filled();
        (!window.overflowed()).then_some(())
    }
}

impl Default for Target {
    fn default() -> Self {
        Self::new()
    }
}

impl Text for Target {
    fn write(&self, sink: &mut dyn Sink) {
        sink.put(self.bytes.get(..self.len).unwrap_or_default());
    }
}
