//! One turn of the host's loop: what was sent in it, and the bytes that these sends point at.

use bytes::Bytes;

use crate::frame::Framing;
use crate::id::Position;
use crate::time::Instant;

use super::hot::clock_ms;
use super::output::BufferId;
use super::window::Mask;

/// Sends in one turn: some 0.2 ms of kernel time, after which inputs are looked at again (io-uring.md §5.5), and another
/// thread of the same core, such as the sequencer's, can go on: the kernel is not preempted within a batch of sends.
pub(super) const TURN_SENDS_MAX: usize = 32;

/// What one send carried, to be looked at again if it fell short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Carried {
    /// These events of the window.
    Fanout(Mask),
    /// Events from history, beginning at this position; the cursor already stands behind them.
    Feed(Position),
    /// The rest of what the connection has in `outgoing`.
    Outgoing,
    /// A heartbeat.
    Heartbeat,
    /// It fell short, and that has been dealt with.
    Settled,
}

/// A send of the present turn.
#[derive(Clone, Copy, Debug)]
pub(super) struct SendRecord {
    pub(super) index: u32,
    /// Bytes of it.
    pub(super) len: u32,
    pub(super) carried: Carried,
}

/// The present turn.
#[derive(Debug, Default)]
pub(super) struct Turn {
    /// Counts turns, wrapping. A row of a wrapped-around number only waits for one turn more.
    pub(super) number: u16,
    /// When it began, as `Hot::sent_ms` tells it.
    pub(super) clock_ms: u32,
    pub(super) sends: Vec<SendRecord>,
    /// Whether the next turn has to act on a send of this one: the rest of a feed, the request behind an answer, the
    /// close behind a goodbye. Without this a host would wait for somebody else to wake it.
    pub(super) has_consequences: bool,
    /// Looks at history that found nothing to send: each takes a place, or a herd of resumers that nothing concerns
    /// would make one turn of seconds.
    pub(super) vain_looks: usize,
    buffers: Vec<Bytes>,
    /// The buffer that the last fan-out send used.
    pub(super) shared: Option<Shared>,
}

/// Which events one buffer of the turn carries to connections that wait for `mask`.
///
/// Its sends are counted here and booked together (`Engine::book_shared`): with 64 events in the buffer that saves 64
/// steps a send.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shared {
    pub(super) mask: Mask,
    pub(super) framing: Framing,
    /// The part of `mask` that is in the buffer.
    pub(super) carried: Mask,
    pub(super) buffer: BufferId,
    /// Bytes of the buffer.
    pub(super) len: u32,
    /// Sends that are not booked yet.
    pub(super) uses: u32,
}

impl Turn {
    pub(super) fn is_full(&self) -> bool {
        self.sends.len() + self.vain_looks >= TURN_SENDS_MAX
    }

    /// Keeps `bytes` until the turn is over.
    pub(super) fn lend(&mut self, bytes: Bytes) -> BufferId {
        self.buffers.push(bytes);
        BufferId(self.buffers.len() as u32 - 1)
    }

    pub(super) fn bytes(&self, buffer: BufferId) -> &[u8] {
        &self.buffers[buffer.0 as usize]
    }

    pub(super) fn record(&mut self, send: SendRecord) {
        self.has_consequences |= matches!(send.carried, Carried::Outgoing | Carried::Feed(_));
        self.sends.push(send);
    }

    /// Ends the turn and moves what was sent in it to `sends`, which is empty; both keep their memory.
    pub(super) fn finish(&mut self, now: Instant, sends: &mut Vec<SendRecord>) {
        self.buffers.clear();
        debug_assert!(self.shared.is_none(), "what is shared has been booked");
        self.clock_ms = clock_ms(now);
        self.has_consequences = false;
        self.vain_looks = 0;
        self.number = self.number.wrapping_add(1);
        std::mem::swap(&mut self.sends, sends);
    }
}
