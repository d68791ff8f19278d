//! A disk in memory, which fails when it is told to. What is not synced is lost with the power, as on a real one.
//!
//! Not here: torn sectors and crashes at every operation (the simulator's disk has them).

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard};

use crate::log::file::disk::Disk;

/// All clones are the same disk.
#[derive(Clone, Debug, Default)]
pub(super) struct MemoryDisk(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    names: BTreeMap<String, File>,
    faults: Faults,
    syncs: usize,
}

/// What goes wrong from now on.
#[derive(Clone, Debug, Default)]
pub(super) struct Faults {
    /// Bytes that each file may have.
    pub(super) room: Option<u64>,
    pub(super) writes_fail: bool,
    pub(super) syncs_fail: bool,
    pub(super) removals_fail: bool,
    /// Most bytes that one write takes.
    pub(super) write_max: Option<usize>,
    pub(super) cannot_reserve: bool,
}

/// An open file; it stays when its name goes.
pub(super) type File = Arc<Mutex<Content>>;

#[derive(Debug, Default)]
pub(super) struct Content {
    bytes: Vec<u8>,
    durable: Vec<u8>,
    /// Written, and not yet durable.
    dirty: Vec<Range<usize>>,
    is_unlinked: bool,
}

impl MemoryDisk {
    pub(super) fn set_faults(&self, faults: Faults) {
        self.state().faults = faults;
    }

    pub(super) fn syncs(&self) -> usize {
        self.state().syncs
    }

    pub(super) fn bytes(&self, name: &str) -> Vec<u8> {
        self.content(name).lock().unwrap().bytes.clone()
    }

    /// Puts a file there, durably.
    pub(super) fn put(&self, name: &str, bytes: &[u8]) {
        let content = Content { bytes: bytes.into(), durable: bytes.into(), ..Content::default() };
        self.state().names.insert(name.into(), Arc::new(Mutex::new(content)));
    }

    pub(super) fn flip(&self, name: &str, bit: usize) {
        self.content(name).lock().unwrap().bytes[bit / 8] ^= 1 << (bit % 8);
    }

    pub(super) fn cut(&self, name: &str, len: usize) {
        self.content(name).lock().unwrap().bytes.truncate(len);
    }

    /// Another disk with the same bytes on it and no faults.
    pub(super) fn copy(&self) -> Self {
        let copy = Self::default();
        for (name, content) in &self.state().names {
            copy.put(name, &content.lock().unwrap().bytes);
        }
        copy
    }

    /// What is there once the power is back.
    pub(super) fn after_power_loss(&self) -> Self {
        let copy = Self::default();
        for (name, content) in &self.state().names {
            copy.put(name, &content.lock().unwrap().durable);
        }
        copy
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    fn content(&self, name: &str) -> File {
        self.state().names[name].clone()
    }
}

fn failed(kind: io::ErrorKind) -> io::Error {
    io::Error::from(kind)
}

impl Disk for MemoryDisk {
    type File = File;

    fn names(&self) -> io::Result<Vec<String>> {
        Ok(self.state().names.keys().cloned().collect())
    }

    fn create(&self, name: &str) -> io::Result<File> {
        let mut state = self.state();
        if state.names.contains_key(name) {
            return Err(failed(io::ErrorKind::AlreadyExists));
        }
        let file = File::default();
        state.names.insert(name.into(), file.clone());
        Ok(file)
    }

    fn open(&self, name: &str) -> io::Result<File> {
        self.state().names.get(name).cloned().ok_or_else(|| failed(io::ErrorKind::NotFound))
    }

    fn open_to_read(&self, name: &str) -> io::Result<File> {
        self.open(name)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut state = self.state();
        if state.faults.removals_fail {
            return Err(failed(io::ErrorKind::PermissionDenied));
        }
        let file = state.names.remove(name).ok_or_else(|| failed(io::ErrorKind::NotFound))?;
        file.lock().unwrap().is_unlinked = true;
        Ok(())
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.state();
        let file = state.names.remove(from).ok_or_else(|| failed(io::ErrorKind::NotFound))?;
        state.names.insert(to.into(), file);
        Ok(())
    }

    fn sync_folder(&self) -> io::Result<()> {
        Ok(())
    }

    fn len(&self, file: &File) -> io::Result<u64> {
        Ok(file.lock().unwrap().bytes.len() as u64)
    }

    fn is_linked(&self, file: &File) -> io::Result<bool> {
        Ok(!file.lock().unwrap().is_unlinked)
    }

    fn read_at(&self, file: &File, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let file = file.lock().unwrap();
        let rest = file.bytes.get(offset as usize..).unwrap_or_default();
        let len = rest.len().min(buf.len());
        buf[..len].copy_from_slice(&rest[..len]);
        Ok(len)
    }

    fn write_at(&self, file: &File, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let faults = self.state().faults.clone();
        if faults.writes_fail {
            return Err(failed(io::ErrorKind::InvalidInput));
        }
        let room = faults.room.map_or(usize::MAX, |room| room.saturating_sub(offset) as usize);
        let len = bytes.len().min(room).min(faults.write_max.unwrap_or(usize::MAX));
        if len == 0 {
            return Err(failed(io::ErrorKind::StorageFull));
        }
        let mut file = file.lock().unwrap();
        let (start, end) = (offset as usize, offset as usize + len);
        let file_len = file.bytes.len().max(end);
        file.bytes.resize(file_len, 0);
        file.bytes[start..end].copy_from_slice(&bytes[..len]);
        file.dirty.push(start..end);
        Ok(len)
    }

    fn sync_data(&self, file: &File) -> io::Result<()> {
        let mut state = self.state();
        let mut file = file.lock().unwrap();
        let dirty = std::mem::take(&mut file.dirty);
        if state.faults.syncs_fail {
            // What was dirty is clean now, and nowhere but in memory.
            return Err(io::Error::other("the disk is broken"));
        }
        state.syncs += 1;
        let len = file.bytes.len();
        file.durable.resize(len, 0);
        for range in dirty {
            let range = range.start.min(len)..range.end.min(len);
            let Content { bytes, durable, .. } = &mut *file;
            durable[range.clone()].copy_from_slice(&bytes[range]);
        }
        Ok(())
    }

    fn reserve(&self, file: &File, len: u64) -> io::Result<()> {
        let faults = self.state().faults.clone();
        if faults.cannot_reserve {
            return Err(failed(io::ErrorKind::Unsupported));
        }
        if faults.room.is_some_and(|room| room < len) {
            return Err(failed(io::ErrorKind::StorageFull));
        }
        let mut file = file.lock().unwrap();
        let len = file.bytes.len().max(len as usize);
        file.bytes.resize(len, 0);
        Ok(())
    }

    fn truncate(&self, file: &File, len: u64) -> io::Result<()> {
        file.lock().unwrap().bytes.resize(len as usize, 0);
        Ok(())
    }
}
