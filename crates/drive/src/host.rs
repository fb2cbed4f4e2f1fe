//! What a host or a firmware supplies to the loop.

use core::task::{Context, Poll};
use dunlin::{Buffer, Entropy, Event, Instant, KeepAlive, Session};

/// The surroundings of a connection: its session behind a lock, its clock and timer, its program.
///
/// `N` is the session's `INFLIGHT`.
pub trait Host<const N: usize> {
    /// The memory of the session's outbox.
    type Outbox: Buffer;

    /// Runs `f` under the lock: short, and never across an await.
    ///
    /// From now on `cx` is to be woken whenever the session is given something to do.
    fn with<T>(
        &mut self,
        cx: &mut Context<'_>,
        f: impl FnOnce(&mut Context<'_>, Scope<'_, Self::Outbox, N>) -> T,
    ) -> T;

    /// What time it is.
    fn now(&self) -> Instant;

    /// Wakes `cx` no later than `deadline`; earlier wake-ups are harmless.
    fn wake_at(&mut self, cx: &mut Context<'_>, deadline: Instant);
}

/// What is reached under the lock.
#[expect(missing_debug_implementations, reason = "it lends trait objects")]
pub struct Scope<'s, O: Buffer, const N: usize> {
    /// The session.
    pub session: &'s mut Session<O, N>,
    /// What happens with events.
    pub program: &'s mut dyn Program<O, N>,
    /// Where randomness comes from.
    pub entropy: &'s mut dyn Entropy,
}

#[cfg(feature = "defmt")]
impl<O: Buffer, const N: usize> defmt::Format for Scope<'_, O, N> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "Scope {{ {} }}", &*self.session);
    }
}

/// What happens with events.
pub trait Program<O: Buffer, const N: usize> {
    /// Whether the next event can be taken; if not, `cx` is woken when it can.
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<()>;

    /// Takes an event; the session may be given work at once.
    fn handle_event(&mut self, session: &mut Session<O, N>, event: Event<'_>);

    /// All that the session calls sent has been written to the transport.
    fn handle_written(&mut self, session: &mut Session<O, N>);

    /// The server is late to answer a PINGREQ, or has answered after all; nobody has to care.
    fn handle_keep_alive(&mut self, keep_alive: KeepAlive) {
        let _ = keep_alive;
    }
}
