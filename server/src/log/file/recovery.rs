//! What is done when a log is opened: every segment is read and verified, what a crash has left of the last batch is
//! cut off, and anything worse is an error.
//!
//! The question is always whether what is missing had been acknowledged. A record says which position was durable
//! when it was written (`synced`), and so does a segment that was begun behind it. Where a record is bad that must
//! have been durable, acknowledged events are lost: damage. Else it is of the last batch, whose publisher never got
//! its answer: a torn tail.
//!
//! Invariant: what is shown after this is durable. A process that ended right behind a failed sync may have left pages
//! that are in memory, look clean, and were never written: so what nothing proves to be durable is written again.
//! Not here: mending damage (`corecast log repair`).

use std::hash::{BuildHasher, RandomState};
use std::io;
use std::path::Path;
use std::sync::Arc;

use corecast_core::id::{Incarnation, Position};
use corecast_core::time::UnixMillis;

use super::active::{Active, WriteError, write_all};
use super::catalog::{Catalog, Placed};
use super::disk::Disk;
use super::error::OpenError;
use super::folder::explain;
use super::record::{Fault, Kind};
use super::run::Damage;
use super::scan::{Scan, Window};
use super::segment::{self, HEADER_LEN, Header, HeaderFault};
use super::{FileLogOptions, lock};

/// How the names of files end that repair has put aside, or is about to put in place.
pub(super) const DAMAGED: &str = ".damaged";
pub(super) const MENDED: &str = ".mended";

/// Bytes that are written again at one time.
const REWRITE_BYTES: usize = 1 << 20;

/// What every folder at the root of an ext file system has.
const LOST_AND_FOUND: &str = "lost+found";

/// What was found, and what was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovered {
    /// The log's.
    pub incarnation: Incarnation,
    /// Whether the log was begun just now.
    pub is_new: bool,
    /// Whether the log had been closed in good order.
    pub was_closed: bool,
    /// Segments there are.
    pub segments: usize,
    /// Events in them.
    pub events: u64,
    /// Bytes in them.
    pub bytes: u64,
    /// The position of the oldest event; the one after `newest` if there is none.
    pub oldest: Position,
    /// The position of the newest event, or the one before the first.
    pub newest: Position,
    /// What was cut off.
    pub cut: Option<Cut>,
}

/// What was cut off: the end of a batch that was never acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// The file's name.
    pub segment: Arc<str>,
    /// Where the file ends now. 0 if all of it was removed: a segment that had just been begun.
    pub offset: u64,
    /// Bytes cut off.
    pub bytes: u64,
}

/// Whether a segment without a header is one that was never begun. Its header is durable before anything is written
/// behind it.
pub(super) fn is_unfinished<D: Disk>(window: &mut Window<'_, D>) -> io::Result<bool> {
    let mut offset = HEADER_LEN as u64;
    while offset < window.len {
        let bytes = window.bytes(offset, REWRITE_BYTES)?;
        if bytes.is_empty() || bytes.iter().any(|&byte| byte != 0) {
            return Ok(bytes.is_empty());
        }
        offset += bytes.len() as u64;
    }
    Ok(true)
}

/// Nobody outside may know it; two logs may have the same.
fn new_mask() -> u32 {
    // Random numbers of the standard library's, whose source cannot fail.
    RandomState::new().hash_one(0) as u32
}

/// A log that is ready to be written to.
pub(super) struct State<F> {
    pub(super) mask: u32,
    pub(super) catalog: Catalog,
    pub(super) active: Active<F>,
}

/// The names of a folder that belong to a log, sorted out.
pub(super) fn segments_of<D: Disk>(disk: &D) -> Result<Vec<Position>, OpenError> {
    let names = disk.names().map_err(|error| explain(disk.path(), "list", error))?;
    let mut bases = Vec::new();
    for name in names {
        match segment::base_of(&name) {
            Some(base) => bases.push(base),
            None if is_tolerated(&name) => {}
            None => return Err(OpenError::Foreign { path: disk.path().join(name) }),
        }
    }
    bases.sort_unstable();
    Ok(bases)
}

fn is_tolerated(name: &str) -> bool {
    name == lock::NAME || name == LOST_AND_FOUND || name.ends_with(DAMAGED) || name.ends_with(MENDED)
}

/// See the module.
pub(super) fn recover<D: Disk>(
    disk: &D,
    options: &FileLogOptions,
    fresh: Incarnation,
    now: UnixMillis,
) -> Result<(State<D::File>, Recovered), OpenError> {
    let mut recovery =
        Recovery { disk, options, log: None, cut: None, events: 0, was_closed: false, last: None };
    let bases = segments_of(disk)?;
    for (index, base) in bases.iter().enumerate() {
        recovery.read(*base, bases.get(index + 1).copied())?;
    }
    recovery.finish(fresh, now)
}

/// What is known so far.
struct Recovery<'d, D: Disk> {
    disk: &'d D,
    options: &'d FileLogOptions,
    /// What the first segment says of the log.
    log: Option<OfLog>,
    cut: Option<Cut>,
    events: u64,
    was_closed: bool,
    /// The last segment with a header.
    last: Option<LastSegment>,
}

struct OfLog {
    incarnation: Incarnation,
    mask: u32,
    catalog: Catalog,
}

struct LastSegment {
    name: Arc<str>,
    end: u64,
    previous: u32,
    first: Option<UnixMillis>,
    newest: Position,
    /// Where what nothing proves to be durable begins: the last batch.
    unproven: u64,
}

impl<D: Disk> Recovery<'_, D> {
    /// Reads the segment at `base`; `next` is the one behind it.
    fn read(&mut self, base: Position, next: Option<Position>) -> Result<(), OpenError> {
        let name: Arc<str> = segment::name(base).into();
        let path = self.disk.path().join(&*name);
        let cannot = |what| explain_on(&path, what);
        let file = self.disk.open_to_read(&name).map_err(cannot("open"))?;
        let mut window = Window::new(self.disk, &file).map_err(cannot("read"))?;
        let header = Header::decode(window.bytes(0, HEADER_LEN).map_err(cannot("read"))?);
        let (header, check) = match header {
            Ok(found) => found,
            Err(HeaderFault::Version(version)) => {
                return Err(OpenError::Version { path: self.disk.path().join(&*name), version });
            }
            Err(HeaderFault::Damaged) => {
                if next.is_none() && is_unfinished(&mut window).map_err(cannot("read"))? {
                    let bytes = window.len;
                    return self.leave_unfinished(base, name, bytes);
                }
                return Err(self.damaged(name, 0, base, Fault::Head));
            }
        };
        self.check_header(&name, &header, base)?;
        let log = self.log.as_ref().expect("the first header says what log this is");
        let catalog = &log.catalog;
        catalog.add_segment(base, header.made);
        let mut scan = Scan::new(window, log.mask, HEADER_LEN as u64, Position(base.0 - 1), check);
        let mut unproven = (0, scan.newest);
        let mut first = None;
        let fault = loop {
            let previous = scan.previous;
            let record = match scan.next().map_err(cannot("read"))? {
                Ok(record) => record,
                Err(fault) => break fault,
            };
            let head = &record.head;
            self.was_closed = head.kind == Kind::Closed;
            if head.kind == Kind::Event {
                first = first.or(Some(head.time));
                self.events += 1;
            }
            if head.synced != unproven.1 {
                unproven = (record.offset, head.synced);
            }
            let placed = Placed {
                kind: head.kind,
                offset: record.offset,
                room: head.room() as u64,
                previous,
                position: head.position,
                time: head.time,
            };
            let (id, key) = record.body.as_ref().map_or((None, None), |body| (body.publisher_id, body.key));
            catalog.add_found(&placed, id, key.as_ref());
        };
        let missing = scan.newest.next();
        // The next segment was begun when everything before it was durable.
        if next.is_some_and(|next| next > missing) {
            if fault == Fault::Empty && scan.offset >= scan.file_len() {
                let path = self.disk.path().join(segment::name(next.unwrap_or(missing)));
                return Err(OpenError::Hole { path, expected: missing });
            }
            return Err(self.damaged(name, scan.offset, missing, fault));
        }
        if next.is_none() {
            let beyond = scan.look_beyond().map_err(cannot("read"))?;
            if beyond.proven >= missing {
                return Err(self.damaged(name, scan.offset, missing, fault));
            }
            if beyond.used > scan.offset {
                let bytes = beyond.used - scan.offset;
                self.cut = Some(Cut { segment: name.clone(), offset: scan.offset, bytes });
                self.was_closed = false;
            }
        }
        let (end, previous, newest, unproven) = (scan.offset, scan.previous, scan.newest, unproven.0);
        self.last = Some(LastSegment { name, end, previous, first, newest, unproven });
        Ok(())
    }

    /// Whether this segment is the next of this log.
    fn check_header(&mut self, name: &Arc<str>, header: &Header, base: Position) -> Result<(), OpenError> {
        if header.base != base {
            return Err(self.damaged(name.clone(), 0, base, Fault::Content));
        }
        let path = self.disk.path().join(&**name);
        let Some(log) = &self.log else {
            let FileLogOptions { bytes, ids, .. } = *self.options;
            let catalog = Catalog::new(header.incarnation, header.mask, bytes, ids, Position(base.0 - 1));
            self.log = Some(OfLog { incarnation: header.incarnation, mask: header.mask, catalog });
            return Ok(());
        };
        if (header.incarnation, header.mask) != (log.incarnation, log.mask) {
            let (found, expected) = (header.incarnation, log.incarnation);
            return Err(OpenError::OtherLog { path, found, expected });
        }
        let expected = log.catalog.newest().next();
        if base == expected { Ok(()) } else { Err(OpenError::Hole { path, expected }) }
    }

    /// The last segment, which was never finished. Its name says that everything before it was durable.
    fn leave_unfinished(&mut self, base: Position, name: Arc<str>, bytes: u64) -> Result<(), OpenError> {
        if let Some(last) = &self.last
            && last.newest.next() != base
        {
            let path = self.disk.path().join(&*name);
            return Err(OpenError::Hole { path, expected: last.newest.next() });
        }
        self.cut = Some(Cut { segment: name, offset: 0, bytes });
        Ok(())
    }

    /// Everything is read, and nothing stands in the way: from here on the disk is changed.
    fn finish(
        mut self,
        fresh: Incarnation,
        now: UnixMillis,
    ) -> Result<(State<D::File>, Recovered), OpenError> {
        if let Some(cut) = self.cut.as_ref().filter(|cut| cut.offset == 0) {
            let path = self.disk.path().join(&*cut.segment);
            self.disk.remove(&cut.segment).map_err(explain_on(&path, "remove"))?;
        }
        let (is_new, active) = match self.last.take() {
            Some(last) => (false, self.reopen(&last)?),
            None => (true, self.begin(fresh, now)?),
        };
        self.disk.sync_folder().map_err(explain_on(self.disk.path(), "sync"))?;
        let OfLog { incarnation, mask, catalog } = self.log.expect("a log was read or begun");
        let holdings = catalog.holdings();
        let recovered = Recovered {
            incarnation,
            is_new,
            was_closed: self.was_closed,
            segments: usize::try_from(holdings.segments).unwrap_or(usize::MAX),
            events: self.events,
            bytes: holdings.bytes,
            oldest: holdings.start.next(),
            newest: holdings.newest,
            cut: self.cut,
        };
        Ok((State { mask, catalog, active }, recovered))
    }

    /// Makes the last segment end where its records do, and all of them durable.
    fn reopen(&self, last: &LastSegment) -> Result<Active<D::File>, OpenError> {
        let path = self.disk.path().join(&*last.name);
        let cannot = |what| explain_on(&path, what);
        let file = self.disk.open(&last.name).map_err(cannot("open"))?;
        if self.disk.len(&file).map_err(cannot("read"))? > last.end {
            self.disk.truncate(&file, last.end).map_err(cannot("truncate"))?;
        }
        let mut window = Window::new(self.disk, &file).map_err(cannot("read"))?;
        let mut offset = last.unproven;
        while offset < last.end {
            let bytes = window.bytes(offset, REWRITE_BYTES).map_err(cannot("read"))?;
            write_all(self.disk, &file, bytes, offset).map_err(cannot("write"))?;
            offset += bytes.len().max(1) as u64;
        }
        self.disk.sync_data(&file).map_err(cannot("sync"))?;
        let size = self.options.segment_size();
        Ok(Active::reopened(file, last.name.clone(), last.end, last.previous, last.first, size))
    }

    /// Begins a log.
    fn begin(&mut self, fresh: Incarnation, now: UnixMillis) -> Result<Active<D::File>, OpenError> {
        let FileLogOptions { bytes, ids, .. } = *self.options;
        let base = Position(0).next();
        let mask = new_mask();
        let header = Header { incarnation: fresh, mask, base, made: now };
        let active = Active::create(self.disk, &header, self.options.segment_size());
        let active = active.map_err(|error| match error {
            WriteError::NoSpace(error) | WriteError::Write(error) => {
                explain(self.disk.path(), "make a file in", error)
            }
            WriteError::Sync(error) => explain(self.disk.path(), "sync", error),
        })?;
        let catalog = Catalog::new(fresh, mask, bytes, ids, Position(0));
        catalog.add_segment(base, now);
        self.log = Some(OfLog { incarnation: fresh, mask, catalog });
        Ok(active)
    }

    fn damaged(&self, segment: Arc<str>, offset: u64, position: Position, fault: Fault) -> OpenError {
        let damage = Damage { segment, offset, position, fault };
        OpenError::Damaged { path: self.disk.path().to_owned(), damage }
    }
}

/// What an error on `path` means.
fn explain_on(path: &Path, what: &'static str) -> impl FnOnce(io::Error) -> OpenError {
    move |error| explain(path, what, error)
}
