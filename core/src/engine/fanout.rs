//! From an event to the connections that are live: who is to have it, and its turn to be sent.
//!
//! Invariant: a publish evaluates no selector; the topic index has matched them when the topic was new.
//! An event reaches a connection once however many of its selectors match: it has one bit in its mask.

use smallvec::SmallVec;

use crate::event::{Audience, SharedEvent};
use crate::frame::Framing;
use crate::time::Instant;
use crate::topics::TopicId;
use crate::users::UserKey;

use super::Engine;
use super::hot::Hot;
use super::output::Output;
use super::queues::{Queues, Source};
use super::turn::{Carried, Shared};
use super::window::Mask;

/// An event for at most so many connections does not stand in line behind one for all.
const FEW_MAX: u32 = 64;

impl Engine {
    /// Whether there is room for one more event. While there is not, events wait with the host, and publishers are
    /// held back in the end.
    #[must_use]
    pub fn wants_event(&self) -> bool {
        !self.window.is_full()
    }

    /// The next event of the log.
    pub fn handle_event(&mut self, event: SharedEvent) {
        self.counters.events += 1;
        let topics = self.intern_topics(&event.audience);
        self.fan_out(&event, &topics);
        if event.ephemeral {
            self.release_topics(&topics);
        } else {
            let position = event.position;
            self.history.push(event, &topics);
            self.trim_history();
            self.catch_up_with(position);
        }
    }

    pub(super) fn intern_topics(&mut self, audience: &Audience) -> SmallVec<[TopicId; 1]> {
        match audience {
            Audience::Topics(topics) => topics.iter().map(|topic| self.topics.intern(topic)).collect(),
            Audience::Users(_) | Audience::All => SmallVec::new(),
        }
    }

    pub(super) fn release_topics(&mut self, topics: &[TopicId]) {
        for &topic in topics {
            self.topics.release(topic);
        }
    }

    fn fan_out(&mut self, event: &SharedEvent, topics: &[TopicId]) {
        let slot = self.window.open(event.clone());
        let mut offer = Offer {
            bit: 1 << slot,
            ephemeral: event.ephemeral,
            reached: 0,
            missed: 0,
            hot: &mut self.hot,
            queues: &mut self.queues,
        };
        // Begins elsewhere each time, so that the same connection is not always the last.
        let offset = event.position.0 as usize;
        match &event.audience {
            Audience::Topics(_) if event.private => {
                for &topic in topics {
                    self.topics.for_each_subscriber(topic, false, offset, |index| {
                        if self.topics.is_granted(index, topics) {
                            offer.meet(index);
                        }
                    });
                }
            }
            Audience::Topics(_) => {
                for &topic in topics {
                    self.topics.for_each_subscriber(topic, false, offset, |index| offer.meet(index));
                }
            }
            Audience::Users(users) => {
                for user in users {
                    self.users.connections(UserKey::Named(user)).for_each(|index| offer.meet(index));
                }
            }
            Audience::All => {
                let is_user = |index| matches!(self.users.key_of(index), Some(UserKey::Named(_)));
                offer.meet_all(event.private, is_user);
                // Who is fed is no live row to be met on the way, and misses it.
                if event.ephemeral {
                    let behind = self.behind.iter().map(|&(_, index)| index);
                    behind
                        .filter(|&index| !event.private || is_user(index))
                        .for_each(|index| offer.meet(index));
                }
            }
        }
        self.counters.ephemeral_missed += offer.missed;
        self.window.wait(slot, offer.reached);
    }

    pub(super) fn next_fanout(&mut self, index: u32) -> Option<Output> {
        let hot = &mut self.hot[index as usize];
        let Hot { pending, framing, .. } = *hot;
        hot.hurried = false;
        if pending == 0 {
            return None;
        }
        // The common case: the connection before had the same events, and its buffer is still at hand.
        let is_same = |shared: &Shared| shared.mask == pending && shared.framing == framing;
        let shared = match &mut self.turn.shared {
            Some(shared) if is_same(shared) => shared,
            _ => self.share(pending, framing),
        };
        shared.uses += 1;
        let Shared { carried, buffer, len, .. } = *shared;
        let rest = pending & !carried;
        self.hot[index as usize].pending = rest;
        if rest != 0 {
            self.queues.push_next_turn(Source::Many, index);
        }
        Some(self.send_lent(index, buffer, len, Carried::Fanout(carried)))
    }

    #[cold]
    fn share(&mut self, mask: Mask, framing: Framing) -> &mut Shared {
        self.book_shared();
        let (bytes, carried, copied) = self.window.bytes(mask, framing);
        self.counters.joined_bytes += copied as u64;
        let len = u32::try_from(bytes.len()).expect("a send is far below 4 GiB");
        let buffer = self.turn.lend(bytes);
        self.turn.shared.insert(Shared { mask, framing, carried, buffer, len, uses: 0 })
    }

    /// Counts what the shared buffer was sent for. Afterwards there is none.
    pub(super) fn book_shared(&mut self) {
        let Some(Shared { carried, len, uses, .. }) = self.turn.shared.take() else { return };
        self.window.release(carried, uses);
        self.counters.deliveries += u64::from(carried.count_ones()) * u64::from(uses);
        self.counters.bytes += u64::from(len) * u64::from(uses);
    }

    /// Counts how long the events took that nobody waits for any more.
    pub(super) fn measure_fanout(&mut self, now: Instant) {
        for event in self.window.take_served() {
            self.counters.fanout.add(now.since(event.published));
        }
    }

    /// A live connection's socket was full in the middle of `mask`: from here on it is fed from history.
    pub(super) fn on_fanout_short(&mut self, index: u32, mask: Mask, taken: usize) {
        let framing = self.hot[index as usize].framing;
        let mut left = taken;
        let mut next = None;
        let mut rest = bytes::Bytes::new();
        let mut undelivered: Mask = 0;
        for (bit, event) in self.window.in_order(mask) {
            let len = event.frame.bytes(framing).len();
            if undelivered == 0 && left >= len {
                left -= len;
                continue;
            }
            if undelivered == 0 && left > 0 {
                // Cut: its rest is all that is owed of it, the cursor stands behind it.
                rest = event.frame.shared(framing).slice(left..);
                next.get_or_insert(event.position.next());
                left = 0;
                continue;
            }
            undelivered |= bit;
            let from = if event.ephemeral { event.position.next() } else { event.position };
            next.get_or_insert(from);
        }
        self.miss_ephemeral(undelivered);
        self.counters.deliveries -= u64::from(undelivered.count_ones());
        let behind = self.first_pending(index);
        let cursor = next.or(behind).unwrap_or_else(|| self.history.newest().next());
        self.leave_live(index, cursor);
        self.block(index, rest, super::outgoing::Then::Feed);
    }

    /// Where history has to begin for what a live connection is still waiting for.
    pub(super) fn first_pending(&self, index: u32) -> Option<crate::id::Position> {
        let pending = self.hot[index as usize].pending;
        let first = self.window.in_order(pending).next();
        first.map(|(_, event)| if event.ephemeral { event.position.next() } else { event.position })
    }

    pub(super) fn miss_ephemeral(&mut self, mask: Mask) {
        let missed = self.window.in_order(mask).filter(|(_, event)| event.ephemeral).count();
        self.counters.ephemeral_missed += missed as u64;
    }

    /// Takes a connection out of the fan-out.
    pub(super) fn stop_fanout(&mut self, index: u32) {
        let hot = &mut self.hot[index as usize];
        let pending = std::mem::take(&mut hot.pending);
        hot.live = false;
        self.window.release(pending, 1);
    }
}

/// One event on its way to its recipients' masks.
struct Offer<'a> {
    bit: Mask,
    ephemeral: bool,
    reached: u32,
    missed: u64,
    hot: &'a mut [Hot],
    queues: &'a mut Queues,
}

impl Offer<'_> {
    #[inline]
    fn meet(&mut self, index: u32) {
        let hot = &mut self.hot[index as usize];
        if !hot.live {
            // History will feed it; but of an ephemeral event history knows nothing.
            self.missed += u64::from(self.ephemeral);
            return;
        }
        if hot.pending & self.bit != 0 {
            return;
        }
        let waits = hot.pending != 0;
        hot.pending |= self.bit;
        if !waits || self.reached < FEW_MAX {
            self.line_up(index);
        }
        self.reached += 1;
    }

    /// Out of line: most rows that are met wait already while events come faster than they go.
    #[inline(never)]
    fn line_up(&mut self, index: u32) {
        if self.reached >= FEW_MAX {
            return self.queues.push(Source::Many, index);
        }
        // Who already waits among many comes sooner now, with all that it waits for; its old place is passed over.
        let hot = &mut self.hot[index as usize];
        if !hot.hurried {
            hot.hurried = true;
            self.queues.push(Source::Few, index);
        }
    }

    fn meet_all(&mut self, private: bool, is_user: impl Fn(u32) -> bool) {
        for index in 0..self.hot.len() as u32 {
            if self.hot[index as usize].live && (!private || is_user(index)) {
                self.meet(index);
            }
        }
    }
}
