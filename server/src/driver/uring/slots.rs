//! Which polls are armed on which slot, and for whom.

use corecast_core::connection::ConnectionId;

use super::token::Operation;

/// A kind of poll. `Readable` also serves idle streams: of them, only the end is ever readable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Armed {
    Readable = 1,
    Writable = 2,
}

impl Armed {
    /// What its token says.
    pub(super) const fn operation(self) -> Operation {
        match self {
            Self::Readable => Operation::Readable,
            Self::Writable => Operation::Writable,
        }
    }
}

const KINDS: [Armed; 2] = [Armed::Readable, Armed::Writable];

#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    generation: u32,
    armed: u8,
    occupied: bool,
}

/// A row of 8 bytes for each slot.
#[derive(Debug, Default)]
pub(super) struct Slots {
    entries: Vec<Entry>,
}

impl Slots {
    /// A connection has come into its slot.
    pub(super) fn occupy(&mut self, id: ConnectionId) {
        let end = self.entries.len().max(id.index as usize + 1);
        self.entries.resize(end, Entry::default());
        self.entries[id.index as usize] = Entry { generation: id.generation, armed: 0, occupied: true };
    }

    /// A connection has left its slot, and every poll on it has been cancelled.
    pub(super) fn release(&mut self, id: ConnectionId) {
        if let Some(entry) = self.present(id) {
            *entry = Entry::default();
        }
    }

    pub(super) fn is_present(&self, id: ConnectionId) -> bool {
        self.entries
            .get(id.index as usize)
            .is_some_and(|entry| entry.occupied && entry.generation == id.generation)
    }

    /// Marks a poll as armed; `false` if it is already, or the connection has gone.
    pub(super) fn arm(&mut self, id: ConnectionId, what: Armed) -> bool {
        self.present(id).is_some_and(|entry| {
            let was_armed = entry.armed & what as u8 != 0;
            entry.armed |= what as u8;
            !was_armed
        })
    }

    /// A poll has ended; `false` if it was of a former owner of the slot.
    pub(super) fn disarm(&mut self, id: ConnectionId, what: Armed) -> bool {
        self.present(id).is_some_and(|entry| {
            entry.armed &= !(what as u8);
            true
        })
    }

    /// The polls that are armed.
    pub(super) fn armed(&self, id: ConnectionId) -> impl Iterator<Item = Armed> + use<> {
        let armed = if self.is_present(id) { self.entries[id.index as usize].armed } else { 0 };
        KINDS.into_iter().filter(move |&kind| armed & kind as u8 != 0)
    }

    fn present(&mut self, id: ConnectionId) -> Option<&mut Entry> {
        let entry = self.entries.get_mut(id.index as usize)?;
        (entry.occupied && entry.generation == id.generation).then_some(entry)
    }
}
