//! Randomness of the operating system, drawn in batches.

use dunlin_drive::dunlin::Entropy;

/// Bytes drawn at a time: a system call for each frame's mask would cost more than the frame.
const BATCH: usize = 256;

/// The operating system's generator.
pub(crate) struct SystemEntropy {
    batch: [u8; BATCH],
    used: usize,
}

impl SystemEntropy {
    pub(crate) const fn new() -> Self {
        Self { batch: [0; BATCH], used: BATCH }
    }
}

impl Entropy for SystemEntropy {
    /// # Panics
    /// When the operating system has no randomness to give: nothing can be done safely then.
    fn fill(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            if self.used == BATCH {
                getrandom::getrandom(&mut self.batch).expect("the operating system has entropy");
                self.used = 0;
            }
            *byte = std::mem::take(&mut self.batch[self.used]);
            self.used += 1;
        }
    }
}

impl std::fmt::Debug for SystemEntropy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SystemEntropy")
    }
}
