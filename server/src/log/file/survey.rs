//! Going through a log that may be damaged: everything sound in it, and where something is missing.
//!
//! What is a torn tail, and what is damage, is decided as at a start (`recovery`). Not here: what is done about it.

use std::sync::Arc;

use corecast_core::id::{Incarnation, Position};

use super::disk::Disk;
use super::error::OpenError;
use super::folder::explain;
use super::record::{Fault, Head};
use super::recovery::{is_unfinished, segments_of};
use super::run::Damage;
use super::scan::{Scan, Window};
use super::segment::{self, HEADER_LEN, Header, HeaderFault};

/// What all segments have in common.
#[derive(Clone, Copy, Debug)]
pub(super) struct Identity {
    pub(super) incarnation: Incarnation,
    pub(super) mask: u32,
}

/// One file.
#[derive(Clone, Debug)]
pub(super) struct SegmentAt {
    pub(super) name: Arc<str>,
    pub(super) base: Position,
    /// The first position of the segment behind it.
    pub(super) next: Option<Position>,
    /// `None` if it is damaged.
    pub(super) header: Option<Header>,
}

/// What is seen in a segment, in order.
#[derive(Debug)]
pub(super) enum Sight<'a> {
    /// It begins.
    Segment,
    /// A sound record, with all its bytes.
    Record { offset: u64, head: Head, bytes: &'a [u8] },
    /// No record, from here to `end`. Positions after `after` and up to `upto` are lost with it, if any.
    Bad { offset: u64, end: u64, after: Position, upto: Position, fault: Fault },
    /// The end of a batch that was never acknowledged.
    Torn { offset: u64, bytes: u64 },
    /// All of the segment is such: it has not even a header.
    Unfinished { bytes: u64 },
}

/// Shows all of the log, in order.
///
/// # Errors
/// What cannot be read, or is no part of one log; or an error of `visit`.
pub(super) fn walk<D: Disk>(
    disk: &D,
    mut visit: impl FnMut(&Identity, &SegmentAt, Sight<'_>) -> Result<(), OpenError>,
) -> Result<Option<Identity>, OpenError> {
    let bases = segments_of(disk)?;
    let Some(identity) = identify(disk, &bases)? else { return Ok(None) };
    for (index, &base) in bases.iter().enumerate() {
        let next = bases.get(index + 1).copied();
        let segment = SegmentAt { name: segment::name(base).into(), base, next, header: None };
        let upto = walk_segment(disk, &identity, segment, &mut visit)?;
        if let Some(next) = next.filter(|next| *next != upto.next()) {
            return Err(OpenError::Hole {
                path: disk.path().join(segment::name(next)),
                expected: upto.next(),
            });
        }
    }
    Ok(Some(identity))
}

/// What log this is, as the first segment says whose header is sound. `None` if there is nothing yet.
fn identify<D: Disk>(disk: &D, bases: &[Position]) -> Result<Option<Identity>, OpenError> {
    let mut is_unfinished = true;
    for &base in bases {
        let (header, unfinished) = read_header(disk, &segment::name(base))?;
        if let Some(Header { incarnation, mask, .. }) = header {
            return Ok(Some(Identity { incarnation, mask }));
        }
        is_unfinished &= unfinished;
    }
    match bases.first() {
        Some(&base) if !is_unfinished => {
            let segment = segment::name(base).into();
            let damage = Damage { segment, offset: 0, position: base, fault: Fault::Head };
            Err(OpenError::Damaged { path: disk.path().to_owned(), damage })
        }
        _ => Ok(None),
    }
}

/// The header of a segment; without one, whether the segment was never finished.
fn read_header<D: Disk>(disk: &D, name: &str) -> Result<(Option<Header>, bool), OpenError> {
    let path = disk.path().join(name);
    let file = disk.open_to_read(name).map_err(|error| explain(&path, "open", error))?;
    let read = || {
        let mut window = Window::new(disk, &file)?;
        let header = Header::decode(window.bytes(0, HEADER_LEN)?);
        let is_unfinished = header.is_err() && is_unfinished(&mut window)?;
        Ok((header, is_unfinished))
    };
    match read().map_err(|error| explain(&path, "read", error))? {
        (Ok((header, _)), _) => Ok((Some(header), false)),
        (Err(HeaderFault::Damaged), is_unfinished) => Ok((None, is_unfinished)),
        (Err(HeaderFault::Version(version)), _) => Err(OpenError::Version { path, version }),
    }
}

/// Shows one segment. The position up to which the log goes with it, lost or not.
fn walk_segment<D: Disk>(
    disk: &D,
    identity: &Identity,
    mut segment: SegmentAt,
    visit: &mut impl FnMut(&Identity, &SegmentAt, Sight<'_>) -> Result<(), OpenError>,
) -> Result<Position, OpenError> {
    let path = disk.path().join(&*segment.name);
    let cannot_read = |error| explain(&path, "read", error);
    let (header, is_unfinished) = read_header(disk, &segment.name)?;
    if let Some(Header { incarnation: found, mask, .. }) = header
        && (found, mask) != (identity.incarnation, identity.mask)
    {
        return Err(OpenError::OtherLog { path, found, expected: identity.incarnation });
    }
    segment.header = header.filter(|header| header.base == segment.base);
    let file = disk.open_to_read(&segment.name).map_err(|error| explain(&path, "open", error))?;
    let window = Window::new(disk, &file).map_err(cannot_read)?;
    visit(identity, &segment, Sight::Segment)?;
    let before = Position(segment.base.0 - 1);
    if is_unfinished && segment.next.is_none() {
        visit(identity, &segment, Sight::Unfinished { bytes: window.len })?;
        return Ok(before);
    }
    let start = HEADER_LEN as u64;
    let previous = segment.header.map_or(0, |header| header.encode().1);
    let mut scan = Scan::new(window, identity.mask, start, before, previous);
    if segment.header.is_none() {
        // What follows has no header to be linked to: as behind any other stretch that is bad.
        scan.offset = 0;
    }
    loop {
        let found = match segment.header {
            None if scan.offset == 0 => Err(Fault::Head),
            _ => scan.next().map_err(cannot_read)?.map(|record| (record.offset, record.head)),
        };
        let fault = match found {
            Ok((offset, head)) => {
                let bytes = scan.raw(offset, &head).map_err(cannot_read)?;
                visit(identity, &segment, Sight::Record { offset, head, bytes })?;
                continue;
            }
            Err(fault) => fault,
        };
        let (offset, after) = (scan.offset, scan.newest);
        // What is known to have been acknowledged, by what comes later.
        let (durable, used) = match segment.next {
            Some(next) => (Position(next.0 - 1), 0),
            None => {
                let beyond = scan.look_beyond().map_err(cannot_read)?;
                (beyond.proven, beyond.used)
            }
        };
        if durable <= after && offset > 0 {
            if used > offset {
                visit(identity, &segment, Sight::Torn { offset, bytes: used - offset })?;
            }
            return Ok(after);
        }
        let found = scan.skip(segment.next).map_err(cannot_read)?;
        let upto = found.unwrap_or_else(|| durable.max(after));
        let end = if found.is_some() { scan.offset } else { scan.file_len().max(offset) };
        visit(identity, &segment, Sight::Bad { offset, end, after, upto, fault })?;
        if found.is_none() {
            return Ok(upto);
        }
    }
}
