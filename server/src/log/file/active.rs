//! The segment that is written: room reserved ahead, a batch behind the last one, synced before anybody hears of it.
//!
//! Invariant: `end` and `previous` tell of what is durable and nothing else. Behind `end` the file has zeros, or what
//! a write that failed has left there, which no record leads to.
//! Not here: when a segment is full, and what a failure means for the log (`FileLog`).

use std::io;
use std::sync::Arc;

use corecast_core::time::UnixMillis;

use super::disk::Disk;
use super::segment::{self, HEADER_LEN, Header};

/// Room is reserved in such steps: seldom enough not to count, little enough not to matter on the disk.
const RESERVE_STEP: u64 = 4 << 20;

/// Bytes of the length 0 that ends a segment.
pub(super) const END: [u8; 8] = [0; 8];

/// Why something was not written.
#[derive(Debug)]
pub(super) enum WriteError {
    /// There is no room. Nothing is left behind, and it may be tried again.
    NoSpace(io::Error),
    /// The disk does not write.
    Write(io::Error),
    /// The disk does not keep what was written. What it has of it nobody knows (fsync(2), "Errors").
    Sync(io::Error),
}

impl WriteError {
    fn of_write(error: io::Error) -> Self {
        if is_no_space(&error) { Self::NoSpace(error) } else { Self::Write(error) }
    }
}

fn is_no_space(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// See the module.
#[derive(Debug)]
pub(super) struct Active<F> {
    pub(super) file: F,
    pub(super) name: Arc<str>,
    /// Where the next record begins.
    pub(super) end: u64,
    /// The check of the last record, or of the header.
    pub(super) previous: u32,
    /// When its first event was sequenced.
    pub(super) first: Option<UnixMillis>,
    /// Bytes that the file has, as far as is known.
    pub(super) reserved: u64,
    /// In which steps room is reserved; 0 if the file system cannot.
    pub(super) step: u64,
}

impl<F> Active<F> {
    /// Makes a segment and lets its name and header be durable. Room for more is not reserved yet.
    pub(super) fn create<D: Disk<File = F>>(
        disk: &D,
        header: &Header,
        size: u64,
    ) -> Result<Self, WriteError> {
        let name = segment::name(header.base);
        let file = match disk.create(&name) {
            // An attempt that failed has left it, and it could not be removed: no record of it was acknowledged.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                disk.remove(&name).and_then(|()| disk.create(&name))
            }
            created => created,
        };
        let file = file.map_err(WriteError::of_write)?;
        let (bytes, previous) = header.encode();
        if let Err(error) = write_all(disk, &file, &bytes, 0) {
            // The next batch may still fit into the segment before. If this one stayed, or came back after a crash, then
            // the next start would find it in the middle of the log, and it removes it only from the end.
            return Err(match disk.remove(&name).and_then(|()| disk.sync_folder()) {
                Ok(()) => WriteError::of_write(error),
                Err(_) => WriteError::Write(error),
            });
        }
        disk.sync_data(&file).map_err(WriteError::Sync)?;
        disk.sync_folder().map_err(WriteError::Sync)?;
        let end = HEADER_LEN as u64;
        let step = RESERVE_STEP.min(size);
        Ok(Self { file, name: name.into(), end, previous, first: None, reserved: end, step })
    }

    /// One that recovery has found, cut to its end.
    pub(super) fn reopened(
        file: F,
        name: Arc<str>,
        end: u64,
        previous: u32,
        first: Option<UnixMillis>,
        size: u64,
    ) -> Self {
        Self { file, name, end, previous, first, reserved: end, step: RESERVE_STEP.min(size) }
    }

    /// Whether it has records.
    pub(super) const fn is_empty(&self) -> bool {
        self.end == HEADER_LEN as u64
    }

    /// Writes records and `END` behind them, and has the disk keep them. The last of them has `previous` as its check.
    pub(super) fn append<D: Disk<File = F>>(
        &mut self,
        disk: &D,
        bytes: &[u8],
        previous: u32,
    ) -> Result<(), WriteError> {
        self.reserve(disk, self.end + bytes.len() as u64)?;
        if let Err(error) = write_all(disk, &self.file, bytes, self.end) {
            self.undo(disk);
            return Err(WriteError::of_write(error));
        }
        if let Err(error) = disk.sync_data(&self.file) {
            self.undo(disk);
            return Err(WriteError::Sync(error));
        }
        self.end += (bytes.len() - END.len()) as u64;
        self.previous = previous;
        Ok(())
    }

    /// Cuts off the reserve.
    pub(super) fn cut<D: Disk<File = F>>(&mut self, disk: &D) -> io::Result<()> {
        disk.truncate(&self.file, self.end)?;
        self.reserved = self.end;
        Ok(())
    }

    fn reserve<D: Disk<File = F>>(&mut self, disk: &D, len: u64) -> Result<(), WriteError> {
        if self.step == 0 || len <= self.reserved {
            return Ok(());
        }
        let ahead = len.next_multiple_of(self.step);
        let reserved = match disk.reserve(&self.file, ahead) {
            Ok(()) => Ok(ahead),
            // There may be room for this batch alone.
            Err(error) if is_no_space(&error) => disk.reserve(&self.file, len).map(|()| len),
            Err(error) => Err(error),
        };
        match reserved {
            Ok(reserved) => self.reserved = reserved,
            Err(error) if error.kind() == io::ErrorKind::Unsupported => self.step = 0,
            Err(error) => return Err(WriteError::of_write(error)),
        }
        Ok(())
    }

    /// Takes a batch off that was not kept. Should that fail, or not last, then nothing leads to the batch: the next
    /// one is written over its beginning.
    fn undo<D: Disk<File = F>>(&mut self, disk: &D) {
        let _ = self.cut(disk);
    }
}

/// Writes all of `bytes`, however the disk takes them.
pub(super) fn write_all<D: Disk>(disk: &D, file: &D::File, bytes: &[u8], offset: u64) -> io::Result<()> {
    let mut written = 0;
    while written < bytes.len() {
        match disk.write_at(file, &bytes[written..], offset + written as u64) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(taken) => written += taken,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
