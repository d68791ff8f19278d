//! What `corecast log verify`, `dump` and `repair` do with the log in a folder.
//!
//! Invariants: to verify and to dump changes nothing; to repair loses no sound record, says in the log what could not
//! be saved, and keeps every segment that it changes as a file that ends in `.damaged`.
//! Not here: the command line, and who may repair when (`Folder::open` refuses while a hub has the log).

use std::sync::Arc;

use bytes::Bytes;
use corecast_core::event::SharedEvent;
use corecast_core::id::{Incarnation, Position};
use corecast_core::time::UnixMillis;
use thiserror::Error;

use super::disk::Disk;
use super::error::OpenError;
use super::record::{Body, HEAD_LEN, Kind};
use super::recovery::Cut;
use super::run::Damage;
use super::segment::UNKNOWN;
use super::survey::{Sight, walk};

pub use super::mend::{Repaired, repair};

/// A stretch of a segment that has no records where there were some.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{damage}; up to offset {end}, {}", Lost(damage.position, *upto))]
pub struct Problem {
    /// Where it begins, and what is wrong there.
    pub damage: Damage,
    /// Where the next sound record begins, or the file ends.
    pub end: u64,
    /// The last position that is lost; the one before that of `damage` if none is.
    pub upto: Position,
}

/// Says how many events are lost.
struct Lost(Position, Position);

impl std::fmt::Display for Lost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self(first, last) = self;
        match (last.0 + 1).saturating_sub(first.0) {
            0 => write!(f, "no event is lost"),
            1 => write!(f, "the event at position {} is lost", first.0),
            events => write!(f, "{events} events are lost, positions {} to {}", first.0, last.0),
        }
    }
}

/// What one segment has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentReport {
    /// The file's name.
    pub name: Arc<str>,
    /// The position of its first event, if it has any: the one in its name.
    pub base: Position,
    /// When it was made; `None` if its header is damaged, or was.
    pub made: Option<UnixMillis>,
    /// Sound records.
    pub records: u64,
    /// Sound events.
    pub events: u64,
    /// Where the last sound record ends.
    pub bytes: u64,
}

/// What a log has, and what is wrong with it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The log's; `None` if there is none.
    pub incarnation: Option<Incarnation>,
    /// In order.
    pub segments: Vec<SegmentReport>,
    /// The position of the newest sound event.
    pub newest: Position,
    /// What a hub would refuse to start with, in order.
    pub problems: Vec<Problem>,
    /// Stretches that an earlier repair has said to be lost: first and last position of each.
    pub lost: Vec<(Position, Position)>,
    /// The end of a batch that was never acknowledged: what the next start cuts off by itself.
    pub torn: Option<Cut>,
}

/// Reads all of a log and says what it has and what is wrong with it. A hub that runs may have it open; then what it
/// is just writing looks torn.
///
/// # Errors
/// What cannot be read, or is no part of one log.
pub fn verify<D: Disk>(disk: &D) -> Result<Report, OpenError> {
    let mut report = Report::default();
    let identity = walk(disk, |_, segment, sight| {
        match sight {
            Sight::Segment => report.segments.push(SegmentReport {
                name: segment.name.clone(),
                base: segment.base,
                made: segment.header.map(|header| header.made).filter(|made| *made != UNKNOWN),
                records: 0,
                events: 0,
                bytes: 0,
            }),
            Sight::Record { offset, head, bytes } => {
                if let Some(report) = report.segments.last_mut() {
                    report.records += 1;
                    report.events += u64::from(head.kind == Kind::Event);
                    report.bytes = offset + bytes.len() as u64;
                }
                if head.kind == Kind::Lost {
                    let before = report.newest.max(Position(segment.base.0 - 1));
                    report.lost.push((before.next(), head.position));
                }
                report.newest = head.position;
            }
            Sight::Bad { offset, end, after, upto, fault } => {
                let segment = segment.name.clone();
                let damage = Damage { segment, offset, position: after.next(), fault };
                report.problems.push(Problem { damage, end, upto });
                report.newest = upto;
            }
            Sight::Torn { offset, bytes } => {
                report.torn = Some(Cut { segment: segment.name.clone(), offset, bytes });
            }
            Sight::Unfinished { bytes } => {
                report.torn = Some(Cut { segment: segment.name.clone(), offset: 0, bytes });
            }
        }
        Ok(())
    })?;
    report.incarnation = identity.map(|identity| identity.incarnation);
    Ok(report)
}

/// A part of a log, as `dump` shows it.
#[derive(Clone, Debug)]
pub enum Dumped {
    /// An event.
    Event {
        /// The file's name.
        segment: Arc<str>,
        /// Where its record begins in the file.
        offset: u64,
        /// Bytes of its record.
        bytes: usize,
        /// The newest position that was durable when it was written.
        synced: Position,
        /// The event itself.
        event: SharedEvent,
    },
    /// Events that an earlier repair has said to be lost.
    Lost {
        /// The last of them.
        upto: Position,
    },
    /// The log was closed in good order behind this position.
    Closed {
        /// That of the last event.
        at: Position,
    },
    /// What cannot be read.
    Problem(Problem),
}

/// Shows a log from the event at `from` on, until `show` returns false. Damage is shown and skipped; a torn tail is
/// left out.
///
/// # Errors
/// What cannot be read, or is no part of one log.
pub fn dump<D: Disk>(
    disk: &D,
    from: Position,
    mut show: impl FnMut(Dumped) -> bool,
) -> Result<(), OpenError> {
    let mut is_wanted = true;
    walk(disk, |identity, segment, sight| {
        let dumped = match sight {
            _ if !is_wanted => return Ok(()),
            Sight::Record { head, .. } if head.position < from => return Ok(()),
            Sight::Record { offset, head, bytes } => match head.kind {
                Kind::Lost => Dumped::Lost { upto: head.position },
                Kind::Closed => Dumped::Closed { at: head.position },
                Kind::Event => {
                    let body = Bytes::copy_from_slice(&bytes[HEAD_LEN..]);
                    let event = Body::decode(&head, &body)
                        .and_then(|decoded| decoded.event(&body, identity.incarnation));
                    let segment = segment.name.clone();
                    match event {
                        Ok(event) => Dumped::Event {
                            segment,
                            offset,
                            bytes: head.len as usize,
                            synced: head.synced,
                            event: Arc::new(event),
                        },
                        Err(fault) => {
                            let damage = Damage { segment, offset, position: head.position, fault };
                            let end = offset + bytes.len() as u64;
                            Dumped::Problem(Problem { damage, end, upto: head.position })
                        }
                    }
                }
            },
            Sight::Bad { offset, end, after, upto, fault } => {
                let segment = segment.name.clone();
                let damage = Damage { segment, offset, position: after.next(), fault };
                Dumped::Problem(Problem { damage, end, upto })
            }
            Sight::Segment | Sight::Torn { .. } | Sight::Unfinished { .. } => return Ok(()),
        };
        is_wanted = show(dumped);
        Ok(())
    })?;
    Ok(())
}
