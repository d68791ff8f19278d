//! Repair: each damaged segment is written anew, with its sound records and a record in place of what is lost.
//!
//! Invariant: whenever this is interrupted, the folder has the log as it was or with more segments mended, and a second
//! run goes on. The file as it was is copied beside before the new one takes its name, so there is never none.

use std::sync::Arc;

use corecast_core::id::Position;

use super::active::write_all;
use super::disk::Disk;
use super::error::OpenError;
use super::folder::explain;
use super::inspect::{Problem, verify};
use super::record::{self, Kind, Link};
use super::recovery::{Cut, DAMAGED, MENDED};
use super::scan::Window;
use super::segment::{Header, UNKNOWN};
use super::survey::{Identity, SegmentAt, Sight, walk};

/// Bytes of a new segment that are collected before they are written.
const WRITE_BYTES: usize = 1 << 20;

/// What was done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Repaired {
    /// What was wrong, in order. Nothing of it is now, and the log says what is lost.
    pub mended: Vec<Problem>,
    /// The files that were put aside, as they were.
    pub kept: Vec<String>,
    /// What was cut off: the end of a batch that was never acknowledged.
    pub cut: Option<Cut>,
}

/// Makes a log such that a hub starts with it. Needs room for twice the damaged segments.
///
/// # Errors
/// What cannot be read or written, or is no part of one log. If no header of any segment can be read, then nothing
/// can be told apart and nothing is done.
pub fn repair<D: Disk>(disk: &D) -> Result<Repaired, OpenError> {
    let report = verify(disk)?;
    remove_leftovers(disk)?;
    let mut repaired = Repaired { mended: report.problems, kept: Vec::new(), cut: None };
    let mut names: Vec<Arc<str>> =
        repaired.mended.iter().map(|problem| problem.damage.segment.clone()).collect();
    names.dedup();
    for name in names {
        mend(disk, &name)?;
        repaired.kept.push(keep(disk, &name)?);
        disk.rename(&format!("{name}{MENDED}"), &name).map_err(on(disk, &name, "rename"))?;
        disk.sync_folder().map_err(on(disk, "", "sync"))?;
    }
    if let Some(torn) = verify(disk)?.torn {
        cut(disk, &torn)?;
        repaired.cut = Some(torn);
    }
    Ok(repaired)
}

/// What a repair has left that was interrupted.
fn remove_leftovers<D: Disk>(disk: &D) -> Result<(), OpenError> {
    for name in disk.names().map_err(on(disk, "", "list"))? {
        if name.ends_with(MENDED) {
            disk.remove(&name).map_err(on(disk, &name, "remove"))?;
        }
    }
    Ok(())
}

/// Writes a segment anew, under a name of its own.
fn mend<D: Disk>(disk: &D, name: &str) -> Result<(), OpenError> {
    let mut mending: Option<Mending<'_, D>> = None;
    walk(disk, |identity, segment, sight| {
        if *segment.name != *name {
            return Ok(());
        }
        if matches!(sight, Sight::Segment) {
            mending = Some(Mending::begin(disk, identity, segment)?);
        } else if let Some(mending) = &mut mending {
            mending.take(sight)?;
        }
        Ok(())
    })?;
    mending.map_or(Ok(()), Mending::end)
}

/// A segment that is being written.
struct Mending<'d, D: Disk> {
    disk: &'d D,
    name: String,
    file: D::File,
    mask: u32,
    /// What is not written yet, and where it belongs.
    bytes: Vec<u8>,
    offset: u64,
    /// The check of the last record.
    previous: u32,
}

impl<'d, D: Disk> Mending<'d, D> {
    fn begin(disk: &'d D, identity: &Identity, segment: &SegmentAt) -> Result<Self, OpenError> {
        let name = format!("{}{MENDED}", segment.name);
        let file = disk.create(&name).map_err(on(disk, &name, "make"))?;
        let header = segment.header.unwrap_or(Header {
            incarnation: identity.incarnation,
            mask: identity.mask,
            base: segment.base,
            made: UNKNOWN,
        });
        let (bytes, previous) = header.encode();
        Ok(Self { disk, name, file, mask: identity.mask, bytes: bytes.into(), offset: 0, previous })
    }

    fn take(&mut self, sight: Sight<'_>) -> Result<(), OpenError> {
        match sight {
            Sight::Record { bytes, .. } => {
                let start = self.bytes.len();
                self.bytes.extend_from_slice(bytes);
                self.previous = record::relink(&mut self.bytes[start..], self.previous, self.mask);
            }
            Sight::Bad { after, upto, .. } if upto > after => self.say_lost(after, upto),
            Sight::Bad { .. } | Sight::Segment | Sight::Torn { .. } | Sight::Unfinished { .. } => {}
        }
        if self.bytes.len() >= WRITE_BYTES { self.write() } else { Ok(()) }
    }

    fn say_lost(&mut self, after: Position, upto: Position) {
        let link = Link { mask: self.mask, previous: self.previous, synced: after };
        self.previous = record::encode_mark(&mut self.bytes, Kind::Lost, upto, link);
    }

    fn write(&mut self) -> Result<(), OpenError> {
        write_all(self.disk, &self.file, &self.bytes, self.offset)
            .map_err(on(self.disk, &self.name, "write"))?;
        self.offset += self.bytes.len() as u64;
        self.bytes.clear();
        Ok(())
    }

    fn end(mut self) -> Result<(), OpenError> {
        self.write()?;
        self.disk.sync_data(&self.file).map_err(on(self.disk, &self.name, "sync"))
    }
}

/// Copies a segment as it is; the copy's name.
fn keep<D: Disk>(disk: &D, name: &str) -> Result<String, OpenError> {
    let names = disk.names().map_err(on(disk, "", "list"))?;
    let copy = (1..)
        .map(
            |number| {
                if number == 1 { format!("{name}{DAMAGED}") } else { format!("{name}.{number}{DAMAGED}") }
            },
        )
        .find(|copy| !names.contains(copy))
        .expect("there are more numbers than files");
    let from = disk.open_to_read(name).map_err(on(disk, name, "open"))?;
    let to = disk.create(&copy).map_err(on(disk, &copy, "make"))?;
    let mut window = Window::new(disk, &from).map_err(on(disk, name, "read"))?;
    let mut offset = 0;
    while offset < window.len {
        let bytes = window.bytes(offset, WRITE_BYTES).map_err(on(disk, name, "read"))?;
        if bytes.is_empty() {
            break;
        }
        write_all(disk, &to, bytes, offset).map_err(on(disk, &copy, "write"))?;
        offset += bytes.len() as u64;
    }
    disk.sync_data(&to).map_err(on(disk, &copy, "sync"))?;
    Ok(copy)
}

fn cut<D: Disk>(disk: &D, torn: &Cut) -> Result<(), OpenError> {
    let name = &*torn.segment;
    if torn.offset == 0 {
        disk.remove(name).map_err(on(disk, name, "remove"))?;
        return disk.sync_folder().map_err(on(disk, "", "sync"));
    }
    let file = disk.open(name).map_err(on(disk, name, "open"))?;
    disk.truncate(&file, torn.offset).map_err(on(disk, name, "truncate"))?;
    disk.sync_data(&file).map_err(on(disk, name, "sync"))
}

/// What an error on the file `name` means; on the folder if it is empty.
fn on<D: Disk>(
    disk: &D,
    name: &str,
    what: &'static str,
) -> impl FnOnce(std::io::Error) -> OpenError + use<D> {
    let folder = disk.path();
    let path = if name.is_empty() { folder.to_owned() } else { folder.join(name) };
    move |error| explain(&path, what, error)
}
