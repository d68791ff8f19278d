//! Events that are on their way to live connections: a ring of 64 slots, one bit each in a connection's mask.
//!
//! Invariant: a slot is free exactly when no connection has its bit set. Slots are freed in order and only between
//! turns, so that a send that fell short can still be traced to the events it carried.
//! Not here: who receives what (`fanout`).

use bytes::{Bytes, BytesMut};

use crate::event::SharedEvent;
use crate::frame::Framing;

/// Events in the window, and the most that are joined into one send: the bits of a mask.
pub(super) const WINDOW_EVENTS: usize = 64;

/// A send is joined up to here: as much as a send buffer that is empty takes at once (`SO_SNDBUF`). With 4 KiB events, 16 of them
/// outstanding, a delivery costs half of what it does with 16 KiB (measured); with more, sends would be cut.
const JOIN_BYTES_MAX: usize = 32 * 1024;

/// Different mixes of events remembered as one buffer. Connections wait in line in the order they were reached,
/// so neighbours have the same mix; a few cover subscribers of different topics.
const JOINED_MAX: usize = 16;

/// Which slots a connection still waits for.
pub(super) type Mask = u64;

#[derive(Debug)]
pub(super) struct Window {
    slots: [Option<SharedEvent>; WINDOW_EVENTS],
    /// Connections that still wait for the slot.
    waiting: [u32; WINDOW_EVENTS],
    /// Slots that somebody waited for and nobody does any more, since the last look.
    served: Mask,
    /// Slots in use are `first..next`, modulo 64.
    first: u64,
    next: u64,
    joined: Vec<Joined>,
    /// Which of `joined` is replaced next.
    victim: usize,
}

/// Several events as one buffer.
#[derive(Debug)]
struct Joined {
    mask: Mask,
    framing: Framing,
    /// The part of `mask` that is in `bytes`.
    prefix: Mask,
    bytes: Bytes,
}

impl Window {
    pub(super) fn new() -> Self {
        Self {
            slots: [const { None }; WINDOW_EVENTS],
            waiting: [0; WINDOW_EVENTS],
            served: 0,
            first: 0,
            next: 0,
            joined: Vec::with_capacity(JOINED_MAX),
            victim: 0,
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.next - self.first == WINDOW_EVENTS as u64
    }

    /// Takes an event in. The caller has checked that there is room.
    pub(super) fn open(&mut self, event: SharedEvent) -> u32 {
        assert!(!self.is_full(), "the host offers events only while the window has room");
        let slot = (self.next % WINDOW_EVENTS as u64) as usize;
        self.joined.retain(|joined| joined.mask & (1 << slot) == 0);
        self.slots[slot] = Some(event);
        self.next += 1;
        slot as u32
    }

    /// So many connections more wait for `slot`.
    pub(super) fn wait(&mut self, slot: u32, connections: u32) {
        self.waiting[slot as usize] += connections;
    }

    /// So many connections wait no longer for each slot of `mask`.
    pub(super) fn release(&mut self, mut mask: Mask, connections: u32) {
        while mask != 0 {
            let slot = mask.trailing_zeros();
            let waiting = &mut self.waiting[slot as usize];
            *waiting -= connections;
            self.served |= Mask::from(*waiting == 0) << slot;
            mask &= mask - 1;
        }
    }

    /// The events that somebody waited for and nobody does any more, each once. Look before `reclaim` frees their slots.
    pub(super) fn take_served(&mut self) -> impl Iterator<Item = &SharedEvent> {
        let served = std::mem::take(&mut self.served);
        self.in_order(served).map(|(_, event)| event)
    }

    /// Frees what nobody waits for. Only between turns.
    pub(super) fn reclaim(&mut self) {
        while self.first != self.next {
            let slot = (self.first % WINDOW_EVENTS as u64) as usize;
            if self.waiting[slot] != 0 {
                return;
            }
            self.slots[slot] = None;
            self.first += 1;
        }
    }

    /// The events of `mask` in the log's order, each with its bit.
    pub(super) fn in_order(&self, mask: Mask) -> impl Iterator<Item = (Mask, &SharedEvent)> {
        let turn = (self.first % WINDOW_EVENTS as u64) as u32;
        let mut rest = mask.rotate_right(turn);
        std::iter::from_fn(move || {
            if rest == 0 {
                return None;
            }
            let slot = (rest.trailing_zeros() + turn) % WINDOW_EVENTS as u32;
            rest &= rest - 1;
            let event = self.slots[slot as usize].as_ref().expect("a slot that is waited for holds an event");
            Some((1 << slot, event))
        })
    }

    /// The bytes of as many events of `mask` as one send takes, in order, and which these are.
    /// One event is lent, not copied; the same mix is joined once. The number is of bytes copied.
    pub(super) fn bytes(&mut self, mask: Mask, framing: Framing) -> (Bytes, Mask, usize) {
        if mask.is_power_of_two() {
            let event = self.slots[mask.trailing_zeros() as usize]
                .as_ref()
                .expect("a waited-for slot holds an event");
            return (event.frame.shared(framing), mask, 0);
        }
        if let Some(joined) = self.joined.iter().find(|j| j.mask == mask && j.framing == framing) {
            return (joined.bytes.clone(), joined.prefix, 0);
        }
        let joined = self.join(mask, framing);
        let found = (joined.bytes.clone(), joined.prefix, joined.bytes.len());
        if self.joined.len() < JOINED_MAX {
            self.joined.push(joined);
        } else {
            self.victim = (self.victim + 1) % JOINED_MAX;
            self.joined[self.victim] = joined;
        }
        found
    }

    fn join(&self, mask: Mask, framing: Framing) -> Joined {
        let (mut prefix, mut len) = (0, 0);
        for (bit, event) in self.in_order(mask) {
            let frame_len = event.frame.bytes(framing).len();
            if prefix != 0 && len + frame_len > JOIN_BYTES_MAX {
                break;
            }
            (prefix, len) = (prefix | bit, len + frame_len);
        }
        let mut bytes = BytesMut::with_capacity(len);
        for (_, event) in self.in_order(prefix) {
            bytes.extend_from_slice(event.frame.bytes(framing));
        }
        Joined { mask, framing, prefix, bytes: bytes.freeze() }
    }

    /// Each slot, and how many connections wait for it.
    pub(super) fn waiting(&self) -> impl Iterator<Item = (usize, u32)> {
        self.waiting.iter().copied().enumerate()
    }
}
