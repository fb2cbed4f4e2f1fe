//! Memory that grows with what comes, up to a stated limit.

use dunlin_drive::dunlin::Buffer;

/// A vector with a limit: ten thousand idle connections stay small, and none grows without end.
#[derive(Debug)]
pub(crate) struct Growing {
    memory: Vec<u8>,
    limit: usize,
}

impl Growing {
    pub(crate) fn new(len: usize, limit: usize) -> Self {
        Self { memory: vec![0; len.min(limit)], limit }
    }
}

impl Buffer for Growing {
    fn bytes(&self) -> &[u8] {
        &self.memory
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.memory
    }

    fn limit(&self) -> usize {
        self.limit
    }

    fn grow(&mut self, len: usize) -> bool {
        let fits = len <= self.limit;
        if fits && len > self.memory.len() {
            // Exactly: a vector's own way of growing would pass the limit.
            self.memory.reserve_exact(len - self.memory.len());
            self.memory.resize(len, 0);
        }
        fits
    }
}
