//! What a log remembers of publishers' ids and idempotency keys: under which of them it has an event, and where.
//!
//! Invariants: the oldest are forgotten first, one by one; an id leads to the first event that had it while it was
//! remembered. Only keyed 128-bit hashes are kept, so nobody outside can choose ids that meet, and two ids meet by
//! chance once in 2^64 of them.
//! Not here: for how long an event is kept (its log says what to forget).

use std::collections::VecDeque;
use std::hash::{BuildHasher, Hasher, RandomState};

use corecast_core::id::Position;
use corecast_core::idempotency::EventKey;
use siphasher::sip128::{Hasher128, SipHasher13};

/// Most that can be remembered: a slot is 32 bits, and one value of it means "empty".
pub(super) const IDS_MAX: usize = 1 << 30;

/// Slots of a table that was never grown.
const SLOTS_MIN: usize = 1 << 10;

/// Forgotten entries that one call takes out: some 10 µs.
const FORGET_STEP: usize = 256;

/// See the module. Costs 24 B for each, and 5 to 11 B for its slot.
#[derive(Debug)]
pub(super) struct Ids {
    hasher: SipHasher13,
    len_max: usize,
    /// In the order of their events.
    entries: VecDeque<Entry>,
    /// How many were taken out so far: the number of the first of `entries`.
    forgotten: u64,
    /// What leads to events up to here is forgotten, even while it is in `entries`.
    gone: Position,
    /// Open addressing with linear probing. A slot has the low bits of an entry's number plus one, or 0. Always a
    /// power of two of them, and never more than 3/4 are taken, so that a search meets an empty one soon.
    slots: Vec<u32>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    // Not a u128, whose alignment would make 32 B of 24.
    hash: [u64; 2],
    position: Position,
}

const _: () = assert!(size_of::<Entry>() == 24);

/// Numbers in slots count modulo this: one less than there are values, since one of them means "empty".
const NUMBERS: u64 = u32::MAX as u64;

const _: () = assert!((IDS_MAX as u64) < NUMBERS);

impl Ids {
    /// Remembers at most `len_max`, itself at most `IDS_MAX`.
    #[must_use]
    pub(super) fn new(len_max: usize) -> Self {
        // The standard library's is the one source of random numbers that cannot fail. Nothing that anybody sees
        // depends on these.
        let random = RandomState::new();
        let hasher = SipHasher13::new_with_keys(random.hash_one(0), random.hash_one(1));
        let slots = vec![0; SLOTS_MIN];
        Self {
            hasher,
            len_max: len_max.min(IDS_MAX),
            entries: VecDeque::new(),
            forgotten: 0,
            gone: Position(0),
            slots,
        }
    }

    /// How many are remembered, or forgotten and not yet taken out.
    #[must_use]
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Where the event with this publisher's id is.
    #[must_use]
    pub(super) fn find(&self, publisher_id: &str) -> Option<Position> {
        self.find_hash(self.hash_id(publisher_id))
    }

    /// Where the event with this key is.
    #[must_use]
    pub(super) fn find_key(&self, key: &EventKey) -> Option<Position> {
        self.find_hash(self.hash_key(key))
    }

    /// Remembers what leads to the event at `position`, which is not before any remembered so far.
    pub(super) fn remember(
        &mut self,
        publisher_id: Option<&str>,
        key: Option<&EventKey>,
        position: Position,
    ) {
        // The key first, so that it is forgotten first: while an event is known by its key, it is by its id.
        if let Some(key) = key {
            self.insert(Entry { hash: self.hash_key(key), position });
        }
        if let Some(id) = publisher_id {
            self.insert(Entry { hash: self.hash_id(id), position });
        }
    }

    /// Forgets all that leads to events up to `upto`. Room is given back a step at a time, by the calls that follow
    /// too: a whole segment's ids at once would hold up the sequencer.
    pub(super) fn forget(&mut self, upto: Position) {
        self.gone = self.gone.max(upto);
        self.make_room(0);
        for _ in 0..FORGET_STEP {
            if self.entries.front().is_none_or(|oldest| oldest.position > self.gone) {
                return;
            }
            self.forget_oldest();
        }
    }

    /// Remembers at most so many from now on. If that is fewer, the oldest are forgotten a step at a time.
    pub(super) fn set_len_max(&mut self, len_max: usize) {
        self.len_max = len_max.min(IDS_MAX);
    }

    /// Forgets the oldest, at most a step of them, until there is room for `more`.
    fn make_room(&mut self, more: usize) {
        for _ in 0..FORGET_STEP {
            if self.entries.len() + more <= self.len_max {
                return;
            }
            self.forget_oldest();
        }
    }

    fn insert(&mut self, entry: Entry) {
        if self.len_max == 0 || self.find_hash(entry.hash).is_some() {
            return;
        }
        self.make_room(1);
        if (self.entries.len() + 1) * 4 > self.slots.len() * 3 {
            self.grow();
        }
        let number = self.forgotten + self.entries.len() as u64;
        let slot = self.probe(entry.hash).find(|&slot| self.slots[slot] == 0);
        self.slots[slot.expect("a quarter of the slots is empty")] = tag(number);
        self.entries.push_back(entry);
    }

    fn forget_oldest(&mut self) {
        let Some(oldest) = self.entries.front() else { return };
        let of_oldest = tag(self.forgotten);
        let slot = self.probe(oldest.hash).find(|&slot| self.slots[slot] == of_oldest);
        self.vacate(slot.expect("what is remembered has a slot"));
        self.entries.pop_front();
        self.forgotten += 1;
    }

    /// Empties a slot, and moves up what was put behind it only because it was taken: so there are no tombstones to
    /// clear away, which would stop the sequencer now and then.
    fn vacate(&mut self, mut hole: usize) {
        let last = self.slots.len() - 1;
        let mut slot = (hole + 1) & last;
        while let Some(entry) = self.entry_in(slot) {
            let from_home = slot.wrapping_sub(self.home(entry.hash)) & last;
            if from_home >= (slot.wrapping_sub(hole) & last) {
                self.slots[hole] = self.slots[slot];
                hole = slot;
            }
            slot = (slot + 1) & last;
        }
        self.slots[hole] = 0;
    }

    fn grow(&mut self) {
        self.slots = vec![0; self.slots.len() * 2];
        for index in 0..self.entries.len() {
            let slot = self.probe(self.entries[index].hash).find(|&slot| self.slots[slot] == 0);
            self.slots[slot.expect("the table has grown")] = tag(self.forgotten + index as u64);
        }
    }

    fn find_hash(&self, hash: [u64; 2]) -> Option<Position> {
        let entries = self.probe(hash).map_while(|slot| self.entry_in(slot));
        let mut found = entries.filter(|entry| entry.hash == hash && entry.position > self.gone);
        found.next().map(|entry| entry.position)
    }

    /// The slots in the order in which an entry with this hash looks for one.
    fn probe(&self, hash: [u64; 2]) -> impl Iterator<Item = usize> + use<> {
        let (home, last) = (self.home(hash), self.slots.len() - 1);
        (0..=last).map(move |step| (home + step) & last)
    }

    fn home(&self, hash: [u64; 2]) -> usize {
        hash[0] as usize & (self.slots.len() - 1)
    }

    fn entry_in(&self, slot: usize) -> Option<Entry> {
        let number = u64::from(self.slots[slot].checked_sub(1)?);
        let first = self.forgotten % NUMBERS;
        let index = (number + NUMBERS - first) % NUMBERS;
        self.entries.get(index as usize).copied()
    }

    fn hash_id(&self, publisher_id: &str) -> [u64; 2] {
        self.hash(b'i', publisher_id.as_bytes())
    }

    fn hash_key(&self, key: &EventKey) -> [u64; 2] {
        self.hash(b'k', &key.0)
    }

    /// The byte in front keeps ids and keys apart.
    fn hash(&self, kind: u8, bytes: &[u8]) -> [u64; 2] {
        let mut hasher = self.hasher;
        hasher.write_u8(kind);
        hasher.write(bytes);
        let (low, high) = hasher.finish128().as_u64();
        [low, high]
    }
}

/// What a slot has of the entry with this number.
fn tag(number: u64) -> u32 {
    (number % NUMBERS) as u32 + 1
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;

    /// Ids in order, searched one by one.
    #[derive(Default)]
    struct Model {
        ids: VecDeque<(String, Position)>,
    }

    impl Model {
        fn find(&self, id: &str) -> Option<Position> {
            self.ids.iter().find(|(known, _)| known == id).map(|(_, position)| *position)
        }
    }

    #[test]
    fn random_sequences_agree_with_the_model() {
        for seed in 0..30 {
            let mut random = fastrand::Rng::with_seed(seed);
            let len_max = *random.choice(&[0, 1, 5, 700, 3000]).unwrap();
            let (mut ids, mut model) = (Ids::new(len_max), Model::default());
            // Just before the numbers of slots begin anew.
            ids.forgotten = NUMBERS - 1000;
            for position in 1..6000 {
                let position = Position(position);
                let id = format!("order-{}", random.u64(..4000));
                if len_max > 0 && model.find(&id).is_none() {
                    if model.ids.len() == len_max {
                        model.ids.pop_front();
                    }
                    model.ids.push_back((id.clone(), position));
                }
                ids.remember(Some(&id), None, position);
                if random.u32(..500) == 0 {
                    let upto = Position(random.u64(..=position.0));
                    ids.forget(upto);
                    model.ids.retain(|(_, position)| *position > upto);
                }
                let asked = format!("order-{}", random.u64(..4000));
                assert_eq!(ids.find(&asked), model.find(&asked), "seed {seed}, {asked} at {position:?}");
            }
            let taken = ids.slots.iter().filter(|&&slot| slot != 0).count();
            assert_eq!(taken, ids.len());
            while ids.len() > model.ids.len() {
                ids.forget(Position(0));
            }
            for (id, position) in &model.ids {
                assert_eq!(ids.find(id), Some(*position));
            }
        }
    }

    #[test]
    fn an_id_and_a_key_of_the_same_bytes_are_apart() {
        let mut ids = Ids::new(10);
        let key = EventKey(*b"0123456789abcdef");
        ids.remember(Some("0123456789abcdef"), None, Position(1));
        assert_eq!(ids.find_key(&key), None);
        ids.remember(Some("another"), Some(&key), Position(2));
        assert_eq!((ids.find_key(&key), ids.find("another")), (Some(Position(2)), Some(Position(2))));
        assert_eq!(ids.find("0123456789abcdef"), Some(Position(1)));
    }
}
