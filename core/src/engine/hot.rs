//! The few bytes of every connection that a fan-out touches, side by side in one table.
//!
//! Invariant: `pending` is not 0 only while `live`.
//! Not here: everything that is looked at once per request, refusal or timer (`connection::state`).

use crate::frame::Framing;
use crate::time::Instant;

use super::window::Mask;

/// A row of the table, indexed by slot.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hot {
    /// Events of the window that it has yet to be sent.
    pub(super) pending: Mask,
    /// Bytes that its socket took.
    pub(super) bytes: u64,
    /// When something was last sent to it: milliseconds of the engine's clock, wrapping after 49 days.
    pub(super) sent_ms: u32,
    /// The generation of the slot's present owner.
    pub(super) generation: u32,
    /// The turn in which it was last sent something: at most one send in each.
    pub(super) turn: u16,
    /// Whether it is sent what arrives. If not, it is no stream, or is fed from history.
    pub(super) live: bool,
    /// Whether it stands in line among the few.
    pub(super) hurried: bool,
    /// How its body is delimited.
    pub(super) framing: Framing,
}

const _: () =
    assert!(size_of::<Hot>() <= 32, "a fan-out reads one row per delivery, and a cache line holds two");

impl Hot {
    /// The row of a slot that has no stream.
    pub(super) const IDLE: Self = Self {
        pending: 0,
        bytes: 0,
        sent_ms: 0,
        generation: 0,
        turn: 0,
        live: false,
        hurried: false,
        framing: Framing::Chunked,
    };
}

/// The present as `sent_ms` tells it.
pub(super) fn clock_ms(now: Instant) -> u32 {
    // Truncation is the point: differences stay right across the wrap.
    now.as_millis() as u32
}
