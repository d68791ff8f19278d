//! Hierarchical timer wheel: one deadline per connection, armed and disarmed in constant time.
//!
//! Invariants: nothing expires early; what is due expires at the first `advance` at or after the end of its tick, so
//! late by less than one tick. An entry on level `n > 0` lies in a later slot of that level than the present tick and
//! moves down when the present reaches its slot, so that a slot of level 0 holds exactly one tick.
//! Not here: what a deadline is for. The engine keeps several per connection and arms the earliest.

use crate::connection::ConnectionIndex;
use crate::time::Instant;

/// A tick is 2^24 ns, about 16.8 ms: a shift instead of a division, and far below every timeout there is.
const TICK_BITS: u32 = 24;

/// The last tick that an `Instant` can name, 584 years on. What lies beyond its end counts as within it.
const TICK_MAX: u64 = u64::MAX >> TICK_BITS;

const SLOT_BITS: u32 = 6;
const SLOTS: u64 = 1 << SLOT_BITS;

/// Four levels reach 2^24 ticks (78 hours): beyond every heartbeat and most tokens. What is further away waits in the
/// furthest slot and is placed again when that comes, once in 78 hours.
const LEVELS: u32 = 4;
const TOP: u32 = LEVELS - 1;

/// In `Link::next`: the end of a list.
const NONE: u32 = u32::MAX;

/// In `Link::previous`: the rest is not an index but the slot whose list begins here. Indexes stay below it.
const IS_FIRST: u32 = 1 << 31;

/// Place of an index in the list of its slot. 16 bytes per index up to the highest one armed.
#[derive(Clone, Copy, Debug)]
struct Link {
    /// The tick at whose beginning it expires; `NEVER` if it is not armed, and then the links mean nothing.
    tick: u64,
    next: u32,
    previous: u32,
}

const _: () = assert!(size_of::<Link>() == 16);

const NEVER: u64 = u64::MAX;

/// The deadlines of one shard's connections.
#[derive(Debug)]
pub struct TimerWheel {
    links: Vec<Link>,
    /// The first index of each slot's list, level by level.
    first: [u32; (LEVELS as usize) << SLOT_BITS],
    /// Which slots of a level have a list, a bit each.
    occupied: [u64; LEVELS as usize],
    /// The present tick. Entries of earlier ones have expired.
    present: u64,
    len: usize,
}

impl TimerWheel {
    /// An empty wheel. `now` is the earliest time it will ever be told.
    #[must_use]
    pub const fn new(now: Instant) -> Self {
        Self {
            links: Vec::new(),
            first: [NONE; (LEVELS as usize) << SLOT_BITS],
            occupied: [0; LEVELS as usize],
            present: now.as_nanos() >> TICK_BITS,
            len: 0,
        }
    }

    /// The same, with room for the indexes below `room`; more is fine.
    #[must_use]
    pub fn with_room(room: usize, now: Instant) -> Self {
        Self { links: Vec::with_capacity(room), ..Self::new(now) }
    }

    /// How many deadlines are armed.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether none is armed.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Sets the deadline of `index`, in place of the one it may have. One in the past expires at the next `advance`.
    ///
    /// # Panics
    /// If `index` is 2^31 or more: no host has so many slots.
    pub fn arm(&mut self, index: ConnectionIndex, at: Instant) {
        assert!(index < IS_FIRST, "index {index} is not a slot");
        let tick = at.as_nanos().div_ceil(1 << TICK_BITS).clamp(self.present, TICK_MAX);
        if index as usize >= self.links.len() {
            self.links.resize(index as usize + 1, Link { tick: NEVER, next: NONE, previous: NONE });
        }
        if self.links[index as usize].tick == tick {
            return;
        }
        self.disarm(index);
        self.links[index as usize].tick = tick;
        self.link(index);
        self.len += 1;
    }

    /// Forgets the deadline of `index`, if it has one.
    pub fn disarm(&mut self, index: ConnectionIndex) {
        if self.is_armed(index) {
            self.unlink(index);
            self.links[index as usize].tick = NEVER;
            self.len -= 1;
        }
    }

    /// Whether `index` has a deadline.
    #[must_use]
    pub fn is_armed(&self, index: ConnectionIndex) -> bool {
        self.links.get(index as usize).is_some_and(|link| link.tick != NEVER)
    }

    /// Appends to `expired` whose deadline has come, earlier ticks first, and forgets those deadlines. Within a tick
    /// the order is arbitrary, but the same for the same calls. A `now` before an earlier one counts as that one.
    ///
    /// Costs O(expired), at most `LEVELS` moves for each deadline over its life, and skips empty time.
    pub fn advance(&mut self, now: Instant, expired: &mut Vec<ConnectionIndex>) {
        let now = (now.as_nanos() >> TICK_BITS).max(self.present);
        while let Some((level, tick)) = self.first_slot().filter(|&(_, tick)| tick <= now) {
            self.present = tick;
            let slot = slot_of(level, tick);
            if level == 0 {
                self.expire(slot, expired);
            } else {
                self.cascade(slot);
            }
        }
        self.present = now;
    }

    /// When to call `advance` next: at or before the time at which something expires. Often it is early, for a slot
    /// that is only to be moved down, and that call expires nothing.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        self.first_slot().map(|(_, tick)| Instant::from_nanos(tick << TICK_BITS))
    }

    /// The earliest slot with a list: its level, and the tick at which it begins.
    fn first_slot(&self) -> Option<(u32, u64)> {
        // All of a lower level comes before anything of a higher one.
        let level = (0..LEVELS).find(|&level| self.occupied[level as usize] != 0)?;
        let shift = SLOT_BITS * level;
        let block = self.present >> shift;
        // Rotated so that the present slot is bit 0. Only the top level is a ring and wraps.
        let ahead = self.occupied[level as usize].rotate_right(slot_in_level(level, self.present));
        // Only level 0 has entries in the present slot, and it begins now.
        Some((level, (block + u64::from(ahead.trailing_zeros())) << shift))
    }

    fn expire(&mut self, slot: usize, expired: &mut Vec<ConnectionIndex>) {
        let mut index = self.take_list(slot);
        while index != NONE {
            let link = &mut self.links[index as usize];
            link.tick = NEVER;
            self.len -= 1;
            expired.push(index);
            index = link.next;
        }
    }

    /// Places a slot's entries again, now that the present is at its beginning.
    fn cascade(&mut self, slot: usize) {
        let mut index = self.take_list(slot);
        while index != NONE {
            let next = self.links[index as usize].next;
            self.link(index);
            index = next;
        }
    }

    /// Empties a slot and returns the first of what was its list.
    fn take_list(&mut self, slot: usize) -> u32 {
        self.occupied[slot >> SLOT_BITS] &= !(1 << (slot as u64 % SLOTS));
        std::mem::replace(&mut self.first[slot], NONE)
    }

    /// The slot for an entry that expires at `tick`, seen from the present.
    fn place(&self, tick: u64) -> usize {
        for level in 0..TOP {
            let wider = SLOT_BITS * (level + 1);
            if tick >> wider == self.present >> wider {
                return slot_of(level, tick);
            }
        }
        // The top level is a ring, from the slot after the present one to the one before it.
        let furthest = (self.present >> (SLOT_BITS * TOP)) + SLOTS - 1;
        slot_of(TOP, tick.min(furthest << (SLOT_BITS * TOP)))
    }

    fn link(&mut self, index: u32) {
        let slot = self.place(self.links[index as usize].tick);
        let next = std::mem::replace(&mut self.first[slot], index);
        self.occupied[slot >> SLOT_BITS] |= 1 << (slot as u64 % SLOTS);
        if next != NONE {
            self.links[next as usize].previous = index;
        }
        let link = &mut self.links[index as usize];
        link.next = next;
        link.previous = IS_FIRST | slot as u32;
    }

    fn unlink(&mut self, index: u32) {
        let Link { next, previous, .. } = self.links[index as usize];
        if next != NONE {
            self.links[next as usize].previous = previous;
        }
        if previous & IS_FIRST == 0 {
            self.links[previous as usize].next = next;
            return;
        }
        let slot = (previous & !IS_FIRST) as usize;
        if next == NONE {
            self.take_list(slot);
        } else {
            self.first[slot] = next;
        }
    }

    /// Panics if an invariant is broken. Costs O(indexes).
    pub fn assert_invariants(&self) {
        let mut linked = 0;
        for slot in 0..self.first.len() {
            let has_list = self.occupied[slot >> SLOT_BITS] >> (slot as u64 % SLOTS) & 1 == 1;
            assert_eq!(has_list, self.first[slot] != NONE, "the occupied bit of slot {slot}");
            linked += self.assert_list(slot);
        }
        let armed = self.links.iter().filter(|link| link.tick != NEVER).count();
        assert_eq!((linked, armed), (self.len, self.len), "linked and armed entries, len");
    }

    /// Walks one slot's list and returns its length.
    fn assert_list(&self, slot: usize) -> usize {
        let (mut index, mut length) = (self.first[slot], 0);
        let mut previous = IS_FIRST | u32::try_from(slot).unwrap_or(NONE);
        while index != NONE {
            let link = self.links[index as usize];
            assert_eq!(link.previous, previous, "the back link of {index}");
            assert!((self.present..=TICK_MAX).contains(&link.tick), "{index} should have expired");
            // A clamped entry is in the furthest slot it had when it was placed, so before its own.
            let is_top = slot >> SLOT_BITS == TOP as usize;
            let is_placed = self.place(link.tick) == slot
                || is_top && self.ring_distance(slot) <= (link.tick - self.present) >> (SLOT_BITS * TOP);
            assert!(is_placed, "{index} is in slot {slot}");
            (previous, index, length) = (index, link.next, length + 1);
        }
        length
    }

    /// Slots of the top level from the present one to `slot`; never 0 for an occupied one.
    fn ring_distance(&self, slot: usize) -> u64 {
        let present = u64::from(slot_in_level(TOP, self.present));
        match (slot as u64 % SLOTS + SLOTS - present) % SLOTS {
            0 => u64::MAX,
            distance => distance,
        }
    }
}

/// The slot that holds `tick` on `level`, counted from the beginning of the level.
fn slot_in_level(level: u32, tick: u64) -> u32 {
    (tick >> (SLOT_BITS * level) & (SLOTS - 1)) as u32
}

/// The same, counted over all levels.
fn slot_of(level: u32, tick: u64) -> usize {
    (level << SLOT_BITS | slot_in_level(level, tick)) as usize
}

#[cfg(test)]
mod tests;
