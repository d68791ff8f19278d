//! One file of a simulated disk: what the medium has, what processes read, and what lies between the two.

use fastrand::Rng;

use super::SECTOR_BYTES;

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct FileState {
    /// On the medium.
    synced: Vec<u8>,
    /// As processes read it.
    present: Vec<u8>,
    /// What leads from the one to the other, in order.
    changes: Vec<Change>,
}

#[derive(Clone, Debug)]
enum Change {
    Write { bytes: Vec<u8>, offset: usize },
    Reserve(usize),
    Truncate(usize),
}

impl FileState {
    /// What a process reads.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.present
    }

    /// Of no use to anybody any more.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    pub(super) fn write(&mut self, bytes: &[u8], offset: usize) {
        self.change(Change::Write { bytes: bytes.to_vec(), offset });
    }

    pub(super) fn reserve(&mut self, len: usize) {
        self.change(Change::Reserve(len));
    }

    pub(super) fn truncate(&mut self, len: usize) {
        self.change(Change::Truncate(len));
    }

    fn change(&mut self, change: Change) {
        change.extend(&mut self.present);
        change.fill(&mut self.present, |_| true);
        self.changes.push(change);
    }

    /// Changes that are not on the medium.
    pub(super) fn changes(&self) -> usize {
        self.changes.len()
    }

    /// Everything is on the medium.
    pub(super) fn sync(&mut self) {
        self.sync_first(self.changes.len());
    }

    /// The oldest changes are on the medium.
    pub(super) fn sync_first(&mut self, changes: usize) {
        for change in self.changes.drain(..changes.min(self.changes.len())) {
            change.extend(&mut self.synced);
            change.fill(&mut self.synced, |_| true);
        }
    }

    /// Some of it is on the medium, and the kernel has given up on the rest of the bytes: they are still what processes
    /// read. Lengths are the journal's and still to come; where that fails, nothing can be written at all any more.
    pub(super) fn fail_to_sync(&mut self, rng: &mut Rng) {
        let lengths = self.changes.iter().map(Change::without_bytes).collect();
        self.write_some(rng);
        self.changes = lengths;
    }

    /// What the next process reads is what the medium has.
    pub(super) fn lose_power(&mut self, rng: &mut Rng) {
        self.write_some(rng);
        self.present = self.synced.clone();
    }

    /// Brings an arbitrary part of the changes to the medium. Lengths are in the file system's journal, and so in
    /// order; sectors are not.
    fn write_some(&mut self, rng: &mut Rng) {
        // Often nothing or everything, which a coin for each sector would hardly ever give.
        let share = match rng.u8(..4) {
            0 => 0.0,
            1 => 1.0,
            _ => rng.f64(),
        };
        let lengths = if share == 1.0 { self.changes.len() } else { rng.usize(..=self.changes.len()) };
        for (index, change) in self.changes.drain(..).enumerate() {
            if index < lengths {
                change.extend(&mut self.synced);
            }
            change.fill(&mut self.synced, |_| rng.f64() < share);
        }
    }

    /// Changes what is on the medium, and what is read.
    pub(super) fn tamper(&mut self, change: impl FnOnce(&mut Vec<u8>)) {
        self.sync();
        change(&mut self.synced);
        self.present = self.synced.clone();
    }
}

impl Change {
    /// What it does to the length.
    fn without_bytes(&self) -> Self {
        match self {
            Self::Write { bytes, offset } => Self::Reserve(offset + bytes.len()),
            Self::Reserve(len) => Self::Reserve(*len),
            Self::Truncate(len) => Self::Truncate(*len),
        }
    }

    /// Gives a file the length that it has after this.
    fn extend(&self, bytes: &mut Vec<u8>) {
        let len = match self {
            Self::Write { bytes: written, offset } => bytes.len().max(offset + written.len()),
            Self::Reserve(len) => bytes.len().max(*len),
            Self::Truncate(len) => *len,
        };
        bytes.resize(len, 0);
    }

    /// Writes those sectors that `is_written`, as far as the file is long enough.
    fn fill(&self, bytes: &mut [u8], mut is_written: impl FnMut(usize) -> bool) {
        let Self::Write { bytes: written, offset } = self else { return };
        let (mut at, end) = (*offset, offset + written.len());
        while at < end {
            let sector = at / SECTOR_BYTES;
            let until = end.min((sector + 1) * SECTOR_BYTES);
            if is_written(sector) {
                let until = until.min(bytes.len());
                if at < until {
                    bytes[at..until].copy_from_slice(&written[at - offset..until - offset]);
                }
            }
            at = until;
        }
    }
}
