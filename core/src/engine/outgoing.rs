//! Bytes that must go out whole before anything else: answers, greetings, goodbyes, and the rest of a cut frame.
//!
//! Invariant: a connection has at most one entry; while it has one, nothing else is sent to it.

use bytes::{Bytes, BytesMut};

use crate::close_reason::CloseReason;
use crate::connection::ConnectionId;
use crate::time::Instant;

use super::output::Output;
use super::turn::Carried;
use super::{Engine, Source};

/// What is going out.
#[derive(Debug)]
pub(super) struct Outgoing {
    /// What is left of it. May be empty: a send that ended exactly between two frames only waits for room.
    pub(super) rest: Bytes,
    /// What comes when it is out.
    pub(super) then: Then,
    /// Whether a part of it is out already.
    pub(super) is_begun: bool,
    /// Whether the socket is full. Nothing is sent before the host says that it has room.
    is_blocked: bool,
    /// Since when not a byte has moved, though it was tried. A host that says that there is room where there is none
    /// changes nothing about it.
    stalled: Option<Instant>,
}

/// What comes after bytes that had to go out whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    /// The stream goes on from its cursor.
    Feed,
    /// What was going on goes on: it was only a word in between.
    Nothing,
    /// The next request on a kept connection.
    NextRequest,
    /// The end, once the peer has been listened to a little longer.
    Linger,
    /// The end.
    Close,
}

impl Outgoing {
    /// Since when it has waited for room, counted from the last byte that moved.
    pub(super) fn blocked_since(&self) -> Option<Instant> {
        self.stalled.filter(|_| self.is_blocked)
    }
}

impl Engine {
    /// Begins to send `bytes`. What is still on its way goes first.
    pub(super) fn begin_outgoing(&mut self, index: u32, bytes: Bytes, then: Then) {
        match self.outgoing.get_mut(&index) {
            Some(outgoing) => {
                let mut joined = BytesMut::with_capacity(outgoing.rest.len() + bytes.len());
                joined.extend_from_slice(&outgoing.rest);
                joined.extend_from_slice(&bytes);
                outgoing.rest = joined.freeze();
                outgoing.then = then;
                if !outgoing.is_blocked {
                    self.queue(Source::Outgoing, index);
                }
            }
            None => {
                self.outgoing.insert(
                    index,
                    Outgoing { rest: bytes, then, is_begun: false, is_blocked: false, stalled: None },
                );
                self.queue(Source::Outgoing, index);
            }
        }
    }

    /// A send fell short: `rest` remains of a frame (or nothing, if it ended between two), and the socket is full.
    pub(super) fn block(&mut self, index: u32, rest: Bytes, then: Then) {
        self.counters.short_sends += 1;
        self.outgoing.insert(
            index,
            Outgoing { rest, then, is_begun: true, is_blocked: true, stalled: Some(self.now.instant) },
        );
        self.outputs.push_back(Output::AwaitWritable(self.id_of(index)));
        self.arm(index);
    }

    pub(super) fn on_outgoing_short(&mut self, index: u32, taken: usize) {
        let now = self.now.instant;
        let Some(outgoing) = self.outgoing.get_mut(&index) else { return };
        outgoing.rest = outgoing.rest.slice(taken..);
        outgoing.is_begun |= taken > 0;
        outgoing.is_blocked = true;
        if taken > 0 || outgoing.stalled.is_none() {
            outgoing.stalled = Some(now);
        }
        self.counters.short_sends += 1;
        self.outputs.push_back(Output::AwaitWritable(self.id_of(index)));
        self.arm(index);
    }

    pub(super) fn on_writable(&mut self, index: u32) {
        let Some(outgoing) = self.outgoing.get_mut(&index) else { return };
        outgoing.is_blocked = false;
        if outgoing.rest.is_empty() {
            self.finish_outgoing(index);
        } else {
            self.queue(Source::Outgoing, index);
        }
        self.arm_if_occupied(index);
    }

    pub(super) fn next_outgoing(&mut self, index: u32) -> Option<Output> {
        let outgoing = self.outgoing.get(&index)?;
        if outgoing.is_blocked {
            return None;
        }
        let bytes = outgoing.rest.clone();
        Some(self.send(index, bytes, Carried::Outgoing))
    }

    pub(super) fn on_outgoing_sent(&mut self, index: u32) {
        if let Some(outgoing) = self.outgoing.get_mut(&index) {
            outgoing.rest = Bytes::new();
            outgoing.stalled = None;
        }
    }

    /// Goes on to what comes next, unless more has been added to what is going out.
    pub(super) fn finish_outgoing(&mut self, index: u32) {
        if self.outgoing.get(&index).is_none_or(|outgoing| !outgoing.rest.is_empty()) {
            return;
        }
        let Some(outgoing) = self.outgoing.remove(&index) else { return };
        match outgoing.then {
            Then::Feed => self.on_fed(index),
            Then::Nothing => {}
            Then::NextRequest => self.on_answered(index),
            Then::Linger => self.begin_linger(index),
            Then::Close => self.close(index),
        }
    }

    /// The end of a connection: says goodbye with `bytes`, then closes.
    pub(super) fn begin_goodbye(&mut self, index: u32, bytes: Bytes, reason: CloseReason) {
        self.begin_draining(index, reason);
        self.begin_outgoing(index, bytes, Then::Close);
    }

    pub(super) fn id_of(&self, index: u32) -> ConnectionId {
        ConnectionId { index, generation: self.hot[index as usize].generation }
    }
}
