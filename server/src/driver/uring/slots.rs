//! Which polls are armed on which slot, and for whom.

use corecast_core::connection::ConnectionId;

use crate::driver::sockets::Watch;

/// Generation, polls and whether there is a connection at all, in 4 bytes: there is one for each slot.
#[derive(Clone, Copy, Debug, Default)]
struct Entry(u32);

const GENERATION: u32 = ConnectionId::GENERATION_MODULUS - 1;
const POLLS_SHIFT: u32 = GENERATION.count_ones();
const OCCUPIED: u32 = 1 << 31;

impl Entry {
    /// Of a connection that has just come.
    const fn of(id: ConnectionId) -> Self {
        Self(OCCUPIED | (id.generation & GENERATION))
    }

    const fn is_of(self, id: ConnectionId) -> bool {
        self.0 & (OCCUPIED | GENERATION) == Self::of(id).0
    }

    const fn is_armed(self, what: Watch) -> bool {
        self.0 & (what as u32) << POLLS_SHIFT != 0
    }

    const fn set_armed(&mut self, what: Watch, armed: bool) {
        let bit = (what as u32) << POLLS_SHIFT;
        self.0 = if armed { self.0 | bit } else { self.0 & !bit };
    }
}

/// A row for each slot, up to the highest that was ever taken.
#[derive(Debug)]
pub(super) struct Slots {
    entries: Vec<Entry>,
}

impl Slots {
    /// No connections, and room for `capacity` of them.
    pub(super) fn new(capacity: u32) -> Self {
        Self { entries: Vec::with_capacity(capacity as usize) }
    }

    /// A connection has come into its slot.
    pub(super) fn occupy(&mut self, id: ConnectionId) {
        let end = self.entries.len().max(id.index as usize + 1);
        self.entries.resize(end, Entry::default());
        self.entries[id.index as usize] = Entry::of(id);
    }

    /// A connection has left its slot, and every poll on it has been cancelled.
    pub(super) fn release(&mut self, id: ConnectionId) {
        if let Some(entry) = self.present(id) {
            *entry = Entry::default();
        }
    }

    pub(super) fn is_present(&self, id: ConnectionId) -> bool {
        self.entries.get(id.index as usize).is_some_and(|entry| entry.is_of(id))
    }

    /// Marks a poll as armed; `false` if it is already, or the connection has gone.
    pub(super) fn arm(&mut self, id: ConnectionId, what: Watch) -> bool {
        self.present(id).is_some_and(|entry| {
            let was_armed = entry.is_armed(what);
            entry.set_armed(what, true);
            !was_armed
        })
    }

    /// A poll has ended; `false` if it was of a former owner of the slot.
    pub(super) fn disarm(&mut self, id: ConnectionId, what: Watch) -> bool {
        self.present(id).is_some_and(|entry| {
            entry.set_armed(what, false);
            true
        })
    }

    /// The polls that are armed.
    pub(super) fn armed(&self, id: ConnectionId) -> impl Iterator<Item = Watch> + use<> {
        let entry = if self.is_present(id) { self.entries[id.index as usize] } else { Entry::default() };
        Watch::ALL.into_iter().filter(move |&kind| entry.is_armed(kind))
    }

    fn present(&mut self, id: ConnectionId) -> Option<&mut Entry> {
        self.entries.get_mut(id.index as usize).filter(|entry| entry.is_of(id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn polls_belong_to_one_connection_of_a_slot() {
        let mut slots = Slots::new(0);
        let id = |generation| ConnectionId { index: 3, generation };
        let (former, last) = (id(GENERATION - 1), id(GENERATION));
        slots.occupy(former);
        assert!(slots.arm(former, Watch::Writable) && !slots.arm(former, Watch::Writable));
        slots.release(former);
        slots.occupy(last);
        assert!(!slots.is_present(former) && slots.is_present(last));
        assert_eq!(slots.armed(last).count(), 0);
        assert!(!slots.arm(former, Watch::Readable) && !slots.disarm(former, Watch::Readable));
        for kind in Watch::ALL {
            assert!(slots.arm(last, kind));
        }
        assert!(slots.disarm(last, Watch::Readable));
        assert_eq!(slots.armed(last).collect::<Vec<_>>(), [Watch::Writable]);
        assert!(slots.is_present(last) && !slots.is_present(ConnectionId { index: 4, generation: 0 }));
    }
}
