//! A folder on a disk that forgets what was not synced, and fails when it is told to: what the file log stands on.
//!
//! After a loss of power a file has what was synced, and of each later write an arbitrary subset of its sectors; its
//! length may be that of any moment since. Names are ordered, as in the journal of every file system in use: those of
//! the last `sync_folder`, and some of the changes since, without a hole.
//! Invariant: two disks with the same seed that are asked the same give the same.
//! Not here: when something goes wrong. Whoever makes the disk says so, or has it crash at an operation.

mod file;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use corecast::log::file::disk::Disk;
use fastrand::Rng;
use rustix::io::Errno;

use self::file::FileState;

/// What the medium writes whole or not at all.
pub const SECTOR_BYTES: usize = 512;

/// A disk with less room than this is full.
const FULL_BYTES: u64 = 1 << 20;

/// What may go wrong, each with its probability where it can strike.
#[derive(Clone, Debug, Default)]
pub struct DiskFaults {
    /// A write takes less than it was given.
    pub short_write: f64,
    /// A write fails (`EIO`); some of it may have been taken.
    pub write: f64,
    /// A sync fails (`EIO`). What was not synced may be there or not, and is never written again.
    pub sync: f64,
    /// A read fails (`EIO`).
    pub read: f64,
    /// A read gives less than it could.
    pub short_read: f64,
    /// A folder cannot be changed or listed (`EIO`).
    pub folder: f64,
    /// A sync takes long.
    pub slow: f64,
}

/// How a hub ends that does not end by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crash {
    /// The process is killed: what it wrote is in the kernel, and stays.
    Process,
    /// The power fails: what was not synced may be lost.
    Power,
}

/// See the module. Clones are the same disk.
#[derive(Clone, Debug)]
pub struct SimDisk {
    shared: Arc<Mutex<Shared>>,
    /// Which process this is: files of one that has ended are of no use any more.
    life: u64,
}

/// An open file of a `SimDisk`.
#[derive(Debug)]
pub struct SimFile {
    disk: SimDisk,
    number: usize,
    can_write: bool,
}

impl Drop for SimFile {
    fn drop(&mut self) {
        // After a panic elsewhere there is nothing left to account for.
        if let Ok(mut shared) = self.disk.shared.lock() {
            shared.close(self.number, self.disk.life);
        }
    }
}

#[derive(Debug)]
struct Shared {
    rng: Rng,
    faults: DiskFaults,
    /// Every file there ever was.
    files: Vec<FileState>,
    /// How often each is open.
    open: BTreeMap<usize, usize>,
    names: BTreeMap<String, usize>,
    /// As of the last sync of the folder.
    synced_names: BTreeMap<String, usize>,
    /// Since then, in order.
    name_changes: Vec<NameChange>,
    /// Bytes of all files; `None` is as much as anybody wants.
    capacity: Option<u64>,
    can_reserve: bool,
    /// Operations that change anything, from 1.
    operations: u64,
    crash_at: Option<u64>,
    /// Whether the process is gone, for this disk's part.
    has_crashed: bool,
    life: u64,
    /// Time that operations have taken since somebody asked.
    elapsed: Duration,
    /// Syncs that say they are done are done with the next one. A mistake, planted to be found.
    lies: bool,
    /// How many changes of a file a lying sync owes.
    owed: BTreeMap<usize, usize>,
}

#[derive(Clone, Debug)]
enum NameChange {
    Create(String, usize),
    Remove(String),
    Rename(String, String),
}

impl SimDisk {
    /// An empty folder.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let can_reserve = rng.u8(..4) > 0;
        let shared = Shared {
            rng,
            faults: DiskFaults::default(),
            files: Vec::new(),
            open: BTreeMap::new(),
            names: BTreeMap::new(),
            synced_names: BTreeMap::new(),
            name_changes: Vec::new(),
            capacity: None,
            can_reserve,
            operations: 0,
            crash_at: None,
            has_crashed: false,
            life: 0,
            elapsed: Duration::ZERO,
            lies: false,
            owed: BTreeMap::new(),
        };
        Self { shared: Arc::new(Mutex::new(shared)), life: 0 }
    }

    /// What goes wrong from here on.
    pub fn set_faults(&self, faults: DiskFaults) {
        self.lock().faults = faults;
    }

    /// How much fits from here on: if there is more already, nothing further does.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.lock().capacity = bytes;
    }

    /// Has each sync be done only with the next one.
    pub fn lie(&self) {
        self.lock().lies = true;
    }

    /// Has the power fail in the middle of the operation with this number, counted from 1 over the disk's whole life,
    /// or not at all.
    pub fn crash_at(&self, operation: Option<u64>) {
        self.lock().crash_at = operation;
    }

    /// Operations so far that changed anything.
    #[must_use]
    pub fn operations(&self) -> u64 {
        self.lock().operations
    }

    /// Whether the disk has crashed and was not restarted.
    #[must_use]
    pub fn has_crashed(&self) -> bool {
        self.lock().has_crashed
    }

    /// Whether there is hardly any room.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.lock().room() < FULL_BYTES
    }

    /// Bytes that all files take.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.lock().bytes()
    }

    /// The time that operations have taken since this was last asked.
    #[must_use]
    pub fn take_elapsed(&self) -> Duration {
        std::mem::take(&mut self.lock().elapsed)
    }

    /// The hub that used the disk is gone.
    pub fn crash(&self, how: Crash) {
        let mut shared = self.lock();
        if how == Crash::Power {
            shared.lose_power();
        }
        shared.has_crashed = true;
    }

    /// The disk as the next process finds it.
    #[must_use]
    pub fn restart(&self) -> Self {
        let mut shared = self.lock();
        shared.has_crashed = false;
        shared.life += 1;
        shared.open.clear();
        shared.forget_removed();
        Self { shared: Arc::clone(&self.shared), life: shared.life }
    }

    /// Another disk with what this one has now. Whatever happens to one of them is nothing to the other.
    #[must_use]
    pub fn fork(&self, seed: u64) -> Self {
        let shared = self.lock();
        let files = shared.files.clone();
        let shared = Shared {
            rng: Rng::with_seed(seed),
            faults: DiskFaults::default(),
            files,
            open: BTreeMap::new(),
            names: shared.names.clone(),
            synced_names: shared.synced_names.clone(),
            name_changes: shared.name_changes.clone(),
            owed: shared.owed.clone(),
            ..*shared
        };
        Self { shared: Arc::new(Mutex::new(shared)), life: self.life }
    }

    /// Changes the bytes of a file as if somebody else had written them, and synced them.
    pub fn tamper(&self, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let mut shared = self.lock();
        let number = shared.names[name];
        shared.files[number].tamper(change);
    }

    /// The names in the folder, sorted.
    #[must_use]
    pub fn present_names(&self) -> Vec<String> {
        self.lock().names.keys().cloned().collect()
    }

    /// What a file has, as a process would read it.
    #[must_use]
    pub fn contents(&self, name: &str) -> Vec<u8> {
        let shared = self.lock();
        shared.files[shared.names[name]].bytes().to_vec()
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().expect("nobody panics while it is locked")
    }

    /// The disk of a process that is still there.
    fn alive(&self) -> io::Result<MutexGuard<'_, Shared>> {
        let shared = self.lock();
        if shared.has_crashed || shared.life != self.life { Err(Errno::IO.into()) } else { Ok(shared) }
    }

    /// The disk, for a file that this process has open.
    fn of(&self, file: &SimFile) -> io::Result<MutexGuard<'_, Shared>> {
        if file.disk.life == self.life { self.alive() } else { Err(Errno::BADF.into()) }
    }

    fn file(&self, number: usize, shared: &mut Shared, can_write: bool) -> SimFile {
        *shared.open.entry(number).or_default() += 1;
        SimFile { disk: self.clone(), number, can_write }
    }

    /// Carries out an operation that changes something. If the power fails in it, it has begun, as far as that shows.
    fn change<T>(
        &self,
        mut shared: MutexGuard<'_, Shared>,
        operation: impl FnOnce(&mut Shared) -> io::Result<T>,
    ) -> io::Result<T> {
        shared.operations += 1;
        let done = operation(&mut shared);
        if shared.crash_at == Some(shared.operations) {
            shared.lose_power();
            shared.has_crashed = true;
            // A file that was opened closes itself, for which it locks the disk.
            drop(shared);
            return Err(Errno::IO.into());
        }
        done
    }
}

impl Shared {
    fn strikes(&mut self, rate: f64) -> bool {
        rate > 0.0 && self.rng.f64() < rate
    }

    fn folder_fails(&mut self) -> io::Result<()> {
        let rate = self.faults.folder;
        if self.strikes(rate) { Err(Errno::IO.into()) } else { Ok(()) }
    }

    fn find(&self, name: &str) -> io::Result<usize> {
        self.names.get(name).copied().ok_or_else(|| Errno::NOENT.into())
    }

    /// Of files that have a name or are open.
    fn bytes(&self) -> u64 {
        let used: BTreeSet<usize> = self.names.values().chain(self.open.keys()).copied().collect();
        used.into_iter().map(|number| self.files[number].bytes().len() as u64).sum()
    }

    /// How much longer files may become.
    fn room(&self) -> u64 {
        self.capacity.map_or(u64::MAX, |capacity| capacity.saturating_sub(self.bytes()))
    }

    fn close(&mut self, number: usize, life: u64) {
        if life == self.life
            && let Some(times) = self.open.get_mut(&number)
        {
            *times -= 1;
            if *times == 0 {
                self.open.remove(&number);
            }
        }
    }

    /// Lets go of files that nobody can reach any more, not even after a crash.
    fn forget_removed(&mut self) {
        let names = self.names.values().chain(self.synced_names.values());
        let used: BTreeSet<usize> = names.chain(self.open.keys()).copied().collect();
        for (number, file) in self.files.iter_mut().enumerate() {
            if !used.contains(&number) {
                file.clear();
            }
        }
    }

    fn lose_power(&mut self) {
        let kept = self.rng.usize(..=self.name_changes.len());
        let changes: Vec<_> = self.name_changes.drain(..).take(kept).collect();
        self.names = std::mem::take(&mut self.synced_names);
        for change in changes {
            change.apply(&mut self.names);
        }
        self.synced_names = self.names.clone();
        self.owed.clear();
        for file in &mut self.files {
            file.lose_power(&mut self.rng);
        }
    }

    fn rename(&mut self, change: NameChange) {
        change.apply(&mut self.names);
        self.name_changes.push(change);
    }

    fn sync(&mut self, number: usize) -> io::Result<()> {
        self.elapsed += Duration::from_micros(self.rng.u64(50..400));
        let (slow, fails) = (self.faults.slow, self.faults.sync);
        if self.strikes(slow) {
            self.elapsed += Duration::from_millis(self.rng.u64(5..4000));
        }
        if self.strikes(fails) {
            let Self { files, rng, .. } = self;
            files[number].fail_to_sync(rng);
            return Err(Errno::IO.into());
        }
        let last = self.crash_at == Some(self.operations);
        if self.lies {
            for (owed, changes) in std::mem::take(&mut self.owed) {
                self.files[owed].sync_first(changes);
            }
            self.owed.insert(number, self.files[number].changes());
        } else if !last {
            self.files[number].sync();
        }
        Ok(())
    }
}

impl NameChange {
    fn apply(&self, names: &mut BTreeMap<String, usize>) {
        match self {
            Self::Create(name, number) => {
                names.insert(name.clone(), *number);
            }
            Self::Remove(name) => {
                names.remove(name);
            }
            Self::Rename(from, to) => {
                let number = names.remove(from).expect("what is renamed is there: changes are in order");
                names.insert(to.clone(), number);
            }
        }
    }
}

impl Disk for SimDisk {
    type File = SimFile;

    fn names(&self) -> io::Result<Vec<String>> {
        let mut shared = self.alive()?;
        shared.folder_fails()?;
        let mut names: Vec<String> = shared.names.keys().cloned().collect();
        shared.rng.shuffle(&mut names);
        Ok(names)
    }

    fn create(&self, name: &str) -> io::Result<SimFile> {
        self.change(self.alive()?, |shared| {
            shared.folder_fails()?;
            if shared.names.contains_key(name) {
                return Err(Errno::EXIST.into());
            }
            let number = shared.files.len();
            shared.files.push(FileState::default());
            shared.rename(NameChange::Create(name.to_owned(), number));
            Ok(self.file(number, shared, true))
        })
    }

    fn open(&self, name: &str) -> io::Result<SimFile> {
        let mut shared = self.alive()?;
        shared.folder_fails()?;
        let number = shared.find(name)?;
        Ok(self.file(number, &mut shared, true))
    }

    fn open_to_read(&self, name: &str) -> io::Result<SimFile> {
        let mut shared = self.alive()?;
        shared.folder_fails()?;
        let number = shared.find(name)?;
        Ok(self.file(number, &mut shared, false))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.change(self.alive()?, |shared| {
            shared.folder_fails()?;
            shared.find(name)?;
            shared.rename(NameChange::Remove(name.to_owned()));
            Ok(())
        })
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.change(self.alive()?, |shared| {
            shared.folder_fails()?;
            shared.find(from)?;
            shared.rename(NameChange::Rename(from.to_owned(), to.to_owned()));
            Ok(())
        })
    }

    fn sync_folder(&self) -> io::Result<()> {
        self.change(self.alive()?, |shared| {
            shared.folder_fails()?;
            if shared.crash_at != Some(shared.operations) {
                shared.name_changes.clear();
                shared.synced_names = shared.names.clone();
                shared.forget_removed();
            }
            Ok(())
        })
    }

    fn len(&self, file: &SimFile) -> io::Result<u64> {
        Ok(self.of(file)?.files[file.number].bytes().len() as u64)
    }

    fn is_linked(&self, file: &SimFile) -> io::Result<bool> {
        Ok(self.of(file)?.names.values().any(|&number| number == file.number))
    }

    fn read_at(&self, file: &SimFile, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut shared = self.of(file)?;
        shared.elapsed += Duration::from_micros(20);
        let (fails, short) = (shared.faults.read, shared.faults.short_read);
        if shared.strikes(fails) {
            return Err(Errno::IO.into());
        }
        let is_short = shared.strikes(short);
        let bytes = shared.files[file.number].bytes();
        let bytes = &bytes[bytes.len().min(offset as usize)..];
        let mut len = bytes.len().min(buf.len());
        buf[..len].copy_from_slice(&bytes[..len]);
        if is_short && len > 1 {
            len = shared.rng.usize(1..len);
        }
        Ok(len)
    }

    fn write_at(&self, file: &SimFile, bytes: &[u8], offset: u64) -> io::Result<usize> {
        assert!(file.can_write, "a file that was opened to be read is written");
        self.change(self.of(file)?, |shared| {
            let end = shared.files[file.number].bytes().len() as u64;
            let room = end.saturating_add(shared.room()).saturating_sub(offset);
            let mut len = bytes.len().min(usize::try_from(room).unwrap_or(usize::MAX));
            if len == 0 && !bytes.is_empty() {
                return Err(Errno::NOSPC.into());
            }
            let (fails, short) = (shared.faults.write, shared.faults.short_write);
            if shared.strikes(short) && len > 1 {
                len = shared.rng.usize(1..len);
            }
            let fails = shared.strikes(fails);
            if fails {
                len = shared.rng.usize(..=len);
            }
            shared.files[file.number].write(&bytes[..len], offset as usize);
            if fails { Err(Errno::IO.into()) } else { Ok(len) }
        })
    }

    fn sync_data(&self, file: &SimFile) -> io::Result<()> {
        self.change(self.of(file)?, |shared| shared.sync(file.number))
    }

    fn reserve(&self, file: &SimFile, len: u64) -> io::Result<()> {
        assert!(file.can_write, "room is reserved in a file that was opened to be read");
        self.change(self.of(file)?, |shared| {
            if !shared.can_reserve {
                return Err(io::ErrorKind::Unsupported.into());
            }
            let end = shared.files[file.number].bytes().len() as u64;
            let missing = len.saturating_sub(end);
            let room = shared.room();
            if missing > room {
                // ext4 goes as far as it comes, others give it up whole.
                if shared.rng.bool() {
                    shared.files[file.number].reserve((end + room) as usize);
                }
                return Err(Errno::NOSPC.into());
            }
            shared.files[file.number].reserve(len as usize);
            Ok(())
        })
    }

    fn truncate(&self, file: &SimFile, len: u64) -> io::Result<()> {
        assert!(file.can_write, "a file that was opened to be read is cut");
        self.change(self.of(file)?, |shared| {
            shared.files[file.number].truncate(len as usize);
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests;
