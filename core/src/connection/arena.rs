//! Arena of connections: a table of slots, addressed by index and generation.
//!
//! Invariant: an id finds its own connection or nothing. Releasing a slot moves its generation on.
//! Not here: sockets, and which slot is free. The host allocates indexes and says when the kernel holds nothing of a
//! slot any more.

use super::{ConnectionId, ConnectionIndex};

/// The connections of one shard. Costs `size_of::<Option<T>>() + 4` bytes (padded) for each index up to the highest.
#[derive(Debug)]
pub struct Arena<T> {
    slots: Vec<Slot<T>>,
    len: usize,
}

#[derive(Debug)]
struct Slot<T> {
    /// Of the connection in the slot, or of the next one; below `GENERATION_MODULUS`.
    generation: u32,
    value: Option<T>,
}

impl<T> Default for Arena<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Arena<T> {
    /// An empty arena; it allocates nothing yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { slots: Vec::new(), len: 0 }
    }

    /// An empty arena with room for the indexes below `room`; more is fine.
    #[must_use]
    pub fn with_room(room: usize) -> Self {
        Self { slots: Vec::with_capacity(room), len: 0 }
    }

    /// Puts a connection into the slot `index`.
    ///
    /// # Panics
    /// If the slot is occupied: a host that hands out a slot twice would mix two peers' streams.
    pub fn occupy(&mut self, index: ConnectionIndex, value: T) -> ConnectionId {
        let at = index as usize;
        if at >= self.slots.len() {
            self.slots.resize_with(at + 1, || Slot { generation: 0, value: None });
        }
        let slot = &mut self.slots[at];
        assert!(slot.value.is_none(), "slot {index} is occupied");
        slot.value = Some(value);
        self.len += 1;
        ConnectionId { index, generation: slot.generation }
    }

    /// Takes a connection out of its slot; `None` if the id is stale.
    pub fn release(&mut self, id: ConnectionId) -> Option<T> {
        let slot = self.slots.get_mut(id.index as usize).filter(|slot| slot.generation == id.generation)?;
        let value = slot.value.take()?;
        slot.generation = (slot.generation + 1) % ConnectionId::GENERATION_MODULUS;
        self.len -= 1;
        Some(value)
    }

    /// The connection `id`; `None` if the id is stale.
    #[must_use]
    pub fn by_id(&self, id: ConnectionId) -> Option<&T> {
        self.slots.get(id.index as usize).filter(|slot| slot.generation == id.generation)?.value.as_ref()
    }

    /// The connection `id`; `None` if the id is stale.
    #[must_use]
    pub fn by_id_mut(&mut self, id: ConnectionId) -> Option<&mut T> {
        self.slots.get_mut(id.index as usize).filter(|slot| slot.generation == id.generation)?.value.as_mut()
    }

    /// Whichever connection is in the slot `index` now.
    #[must_use]
    pub fn by_index(&self, index: ConnectionIndex) -> Option<&T> {
        self.slots.get(index as usize)?.value.as_ref()
    }

    /// Whichever connection is in the slot `index` now.
    #[must_use]
    pub fn by_index_mut(&mut self, index: ConnectionIndex) -> Option<&mut T> {
        self.slots.get_mut(index as usize)?.value.as_mut()
    }

    /// The id of whichever connection is in the slot `index` now.
    #[must_use]
    pub fn id_of(&self, index: ConnectionIndex) -> Option<ConnectionId> {
        let slot = self.slots.get(index as usize).filter(|slot| slot.value.is_some())?;
        Some(ConnectionId { index, generation: slot.generation })
    }

    /// How many connections there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// One more than the highest index that was ever occupied: the end of a walk by index.
    #[must_use]
    pub const fn index_end(&self) -> usize {
        self.slots.len()
    }

    /// All connections, in the order of their indexes.
    pub fn iter(&self) -> impl Iterator<Item = (ConnectionId, &T)> {
        (0..).zip(&self.slots).filter_map(|(index, slot)| {
            let id = ConnectionId { index, generation: slot.generation };
            slot.value.as_ref().map(|value| (id, value))
        })
    }

    /// Panics if an invariant is broken. Costs O(slots).
    pub fn assert_invariants(&self) {
        assert_eq!(self.len, self.slots.iter().filter(|slot| slot.value.is_some()).count(), "len");
        assert!(
            self.slots.iter().all(|slot| slot.generation < ConnectionId::GENERATION_MODULUS),
            "generation"
        );
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// The naive model: every id ever given out, and what is in the arena now.
    #[derive(Default)]
    struct Model {
        given: Vec<ConnectionId>,
        present: BTreeMap<ConnectionId, u64>,
    }

    fn step(arena: &mut Arena<u64>, model: &mut Model, operation: usize, indexes: usize, value: u64) {
        let index = u32::try_from(operation % indexes).unwrap();
        let occupant = model.present.keys().copied().find(|id| id.index == index);
        match occupant {
            None => {
                let id = arena.occupy(index, value);
                assert!(!model.given.contains(&id), "{id:?} is given out twice");
                model.given.push(id);
                model.present.insert(id, value);
            }
            Some(id) if operation >= indexes => {
                assert_eq!(arena.release(id), model.present.remove(&id));
                assert_eq!(arena.release(id), None, "a released id is stale");
            }
            Some(id) => {
                *arena.by_id_mut(id).unwrap() = value;
                *arena.by_index_mut(index).unwrap() += 1;
                model.present.insert(id, value + 1);
            }
        }
        arena.assert_invariants();
        compare(arena, model);
    }

    fn compare(arena: &Arena<u64>, model: &Model) {
        assert_eq!(arena.len(), model.present.len());
        assert_eq!(arena.is_empty(), model.present.is_empty());
        let all: Vec<_> = model.present.iter().map(|(id, value)| (*id, value)).collect();
        assert_eq!(arena.iter().collect::<Vec<_>>(), all);
        for id in &model.given {
            assert_eq!(arena.by_id(*id), model.present.get(id));
            let now = model.present.range(at_index(id.index)).next();
            assert_eq!(arena.id_of(id.index), now.map(|(id, _)| *id));
            assert_eq!(arena.by_index(id.index), now.map(|(_, value)| value));
        }
    }

    fn at_index(index: u32) -> std::ops::RangeInclusive<ConnectionId> {
        ConnectionId { index, generation: 0 }..=ConnectionId { index, generation: u32::MAX }
    }

    #[test]
    fn every_short_sequence_agrees_with_the_model() {
        let operations: usize = 4;
        for sequence in 0..operations.pow(7) {
            let (mut arena, mut model) = (Arena::new(), Model::default());
            for place in 0..7 {
                let operation = sequence / operations.pow(place) % operations;
                step(&mut arena, &mut model, operation, 2, u64::from(place) * 10);
            }
        }
    }

    #[test]
    fn random_sequences_agree_with_the_model() {
        for seed in 0..20 {
            let mut random = fastrand::Rng::with_seed(seed);
            let (mut arena, mut model) = (Arena::new(), Model::default());
            for _ in 0..300 {
                step(&mut arena, &mut model, random.usize(..60), 30, random.u64(..1 << 60));
            }
        }
    }

    #[test]
    fn a_generation_wraps_after_24_bits() {
        let mut arena = Arena::new();
        let first = arena.occupy(0, ());
        arena.release(first);
        arena.slots[0].generation = ConnectionId::GENERATION_MODULUS - 1;
        let last = arena.occupy(0, ());
        arena.release(last);
        assert_eq!(arena.occupy(0, ()).generation, 0);
        assert_eq!(arena.by_id(last), None);
        arena.assert_invariants();
    }

    #[test]
    #[should_panic(expected = "slot 3 is occupied")]
    fn a_slot_cannot_be_occupied_twice() {
        let mut arena = Arena::new();
        arena.occupy(3, 'a');
        arena.occupy(3, 'b');
    }
}
