//! Reading a segment from its front: record after record, each verified, and the search for records behind a place
//! that is no record.
//!
//! Invariant: memory is bounded by the longest record, whatever the file's length.
//! Not here: what a fault means (`recovery`), and reading for shards (`run`).

use std::io;

use corecast_core::id::Position;

use super::disk::Disk;
use super::record::{ALIGN, Body, Fault, HEAD_LEN, Head, Kind};

/// Bytes read at one time.
const WINDOW_BYTES: usize = 1 << 20;

/// A part of a file in memory.
pub(super) struct Window<'d, D: Disk> {
    disk: &'d D,
    file: &'d D::File,
    /// Bytes of the file.
    pub(super) len: u64,
    start: u64,
    bytes: Vec<u8>,
}

impl<'d, D: Disk> Window<'d, D> {
    pub(super) fn new(disk: &'d D, file: &'d D::File) -> io::Result<Self> {
        Ok(Self { disk, file, len: disk.len(file)?, start: 0, bytes: Vec::new() })
    }

    /// `len` bytes at `offset`; fewer where the file ends.
    pub(super) fn bytes(&mut self, offset: u64, len: usize) -> io::Result<&[u8]> {
        let len = len.min(usize::try_from(self.len.saturating_sub(offset)).unwrap_or(usize::MAX));
        let end = offset + len as u64;
        if offset < self.start || end > self.start + self.bytes.len() as u64 {
            self.read(offset, len.max(WINDOW_BYTES))?;
        }
        let from = usize::try_from(offset - self.start).expect("a window is in memory").min(self.bytes.len());
        Ok(&self.bytes[from..self.bytes.len().min(from + len)])
    }

    fn read(&mut self, offset: u64, len: usize) -> io::Result<()> {
        let len = len.min(usize::try_from(self.len.saturating_sub(offset)).unwrap_or(usize::MAX));
        self.start = offset;
        self.bytes.resize(len, 0);
        let mut have = 0;
        while have < len {
            match self.disk.read_at(self.file, &mut self.bytes[have..], offset + have as u64) {
                Ok(0) => break,
                Ok(read) => have += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.bytes.clear();
                    return Err(error);
                }
            }
        }
        self.bytes.truncate(have);
        Ok(())
    }
}

/// A record that was read.
pub(super) struct Record<'w> {
    pub(super) head: Head,
    /// Of an event.
    pub(super) body: Option<Body<'w>>,
    /// Where it begins.
    pub(super) offset: u64,
}

/// What was found behind a place that is no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Beyond {
    /// The newest position that was durable when some record there was written; 0 if there is none.
    pub(super) proven: Position,
    /// Where the last bytes are that are not 0.
    pub(super) used: u64,
}

/// Goes through the records of one segment.
pub(super) struct Scan<'d, D: Disk> {
    window: Window<'d, D>,
    mask: u32,
    /// Where the next record begins.
    pub(super) offset: u64,
    /// The position of the last event so far.
    pub(super) newest: Position,
    /// The check of the record before.
    pub(super) previous: u32,
}

impl<'d, D: Disk> Scan<'d, D> {
    /// Goes on at `offset`, behind the record with this check.
    pub(super) const fn new(
        window: Window<'d, D>,
        mask: u32,
        offset: u64,
        newest: Position,
        previous: u32,
    ) -> Self {
        Self { window, mask, offset, newest, previous }
    }

    /// Bytes of the file.
    pub(super) const fn file_len(&self) -> u64 {
        self.window.len
    }

    /// The next record, or why there is none; then the scan stays where it is.
    pub(super) fn next(&mut self) -> io::Result<Result<Record<'_>, Fault>> {
        let offset = self.offset;
        let head = match self.next_head()? {
            Ok(head) => head,
            Err(fault) => return Ok(Err(fault)),
        };
        let bytes = self.window.bytes(offset, head.room())?;
        let Some(body) = bytes.get(HEAD_LEN..) else { return Ok(Err(Fault::Cut)) };
        let body = match Body::decode(&head, body) {
            Ok(body) => (head.kind == Kind::Event).then_some(body),
            Err(fault) => return Ok(Err(fault)),
        };
        self.offset += head.room() as u64;
        self.newest = head.position;
        self.previous = head.check;
        Ok(Ok(Record { head, body, offset }))
    }

    fn next_head(&mut self) -> io::Result<Result<Head, Fault>> {
        let (mask, newest, previous) = (self.mask, self.newest, self.previous);
        let bytes = self.window.bytes(self.offset, HEAD_LEN)?;
        Ok(Head::decode(bytes, mask).and_then(|head| {
            let follows = match head.kind {
                Kind::Event => head.position == newest.next(),
                Kind::Lost => head.position > newest,
                Kind::Closed => head.position == newest,
            };
            let is_next = follows && head.previous == previous && head.synced <= newest;
            if is_next { Ok(head) } else { Err(Fault::Chain) }
        }))
    }

    /// What is behind the place where the scan has stopped.
    pub(super) fn look_beyond(&mut self) -> io::Result<Beyond> {
        let mut beyond = Beyond { proven: Position(0), used: self.offset };
        self.for_each_word(|offset, bytes, mask| {
            if let Some(last) = bytes[..bytes.len().min(ALIGN)].iter().rposition(|&byte| byte != 0) {
                beyond.used = offset + last as u64 + 1;
                if let Ok(head) = Head::decode(bytes, mask) {
                    beyond.proven = beyond.proven.max(head.synced);
                }
            }
            true
        })?;
        Ok(beyond)
    }

    /// Goes on at the next sound record behind the place where the scan has stopped, if there is one before the event
    /// at `next`. The position up to which the log is missing then.
    pub(super) fn skip(&mut self, next: Option<Position>) -> io::Result<Option<Position>> {
        let from = self.offset;
        loop {
            let (newest, mut found) = (self.newest, None);
            self.offset += ALIGN as u64;
            self.for_each_word(|offset, bytes, mask| {
                let head = Head::decode(bytes, mask).ok();
                let head = head
                    .filter(|head| head.position >= newest && next.is_none_or(|next| head.position < next));
                found = head.map(|head| (offset, head));
                found.is_none()
            })?;
            let Some((offset, head)) = found else {
                self.offset = from;
                return Ok(None);
            };
            let upto = match head.kind {
                Kind::Event => Position(head.position.0.saturating_sub(1)),
                Kind::Lost => newest,
                Kind::Closed => head.position,
            };
            let previous = self.previous;
            (self.offset, self.newest, self.previous) = (offset, upto, head.previous);
            let is_sound = upto >= newest && self.next()?.is_ok();
            (self.offset, self.newest, self.previous) = (offset, upto, head.previous);
            if is_sound {
                return Ok(Some(upto));
            }
            (self.newest, self.previous) = (newest, previous);
        }
    }

    /// The bytes of a record that was read.
    pub(super) fn raw(&mut self, offset: u64, head: &Head) -> io::Result<&[u8]> {
        self.window.bytes(offset, head.room())
    }

    /// Shows what is left of the file, from each place where a record could begin, with at least a head's bytes if
    /// the file has them; until `visit` has seen enough.
    fn for_each_word(&mut self, mut visit: impl FnMut(u64, &[u8], u32) -> bool) -> io::Result<()> {
        let (mut offset, file_len, mask) = (self.offset, self.window.len, self.mask);
        while offset < file_len {
            let bytes = self.window.bytes(offset, WINDOW_BYTES)?;
            let is_at_end = bytes.is_empty() || offset + bytes.len() as u64 >= file_len;
            // A head may lie across the end of this window; then it is at the front of the next.
            let len = if is_at_end { bytes.len() } else { (bytes.len() - HEAD_LEN) / ALIGN * ALIGN };
            for at in (0..len).step_by(ALIGN) {
                if !visit(offset + at as u64, &bytes[at..], mask) {
                    return Ok(());
                }
            }
            if is_at_end {
                break;
            }
            offset += len as u64;
        }
        Ok(())
    }
}
