//! The real disk: a folder of the file system, which this process alone has open as a log.
//!
//! Not here: what the files mean.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{AtFlags, FallocateFlags, StatxFlags, fallocate, statx};
use rustix::io::Errno;

use super::disk::Disk;
use super::error::OpenError;
use super::lock::{Lock, LockError};

/// Of the folder itself.
const MAKE: &str = "make";

/// See the module.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    /// The folder itself: what is synced to make names durable.
    handle: File,
    /// Present unless the folder was opened only to look.
    _lock: Option<Lock>,
    /// Where bytes are counted that are read from it.
    read: Option<Arc<AtomicU64>>,
}

impl Folder {
    /// Opens the folder for a log, and makes it if only it is missing. No other process can open it like this until
    /// this one has dropped it or ended.
    ///
    /// # Errors
    /// What stands in the way, and what would help.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        make(path)?;
        let handle = open_folder(path)?;
        let lock = Lock::take(path).map_err(|error| match error {
            LockError::InUse(holder) => OpenError::InUse { path: path.to_owned(), holder },
            LockError::Io(source) => explain(path, "write to", source),
        })?;
        Ok(Self { path: path.to_owned(), handle, _lock: Some(lock), read: None })
    }

    /// Opens a folder that exists, only to read, whoever else has it open.
    ///
    /// # Errors
    /// What stands in the way, and what would help.
    pub fn open_to_look(path: &Path) -> Result<Self, OpenError> {
        Ok(Self { path: path.to_owned(), handle: open_folder(path)?, _lock: None, read: None })
    }

    /// Counts what is read from it, to show how far a start has come.
    #[must_use]
    pub fn counting(mut self, read: Arc<AtomicU64>) -> Self {
        self.read = Some(read);
        self
    }

    /// Bytes of all its files, as far as that can be found out.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let Ok(entries) = fs::read_dir(&self.path) else { return 0 };
        entries.flatten().filter_map(|entry| entry.metadata().ok()).map(|file| file.len()).sum()
    }

    fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

impl Disk for Folder {
    type File = File;

    fn path(&self) -> &Path {
        &self.path
    }

    fn names(&self) -> io::Result<Vec<String>> {
        let entries = fs::read_dir(&self.path)?;
        entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
    }

    fn create(&self, name: &str) -> io::Result<File> {
        OpenOptions::new().read(true).write(true).create_new(true).mode(0o640).open(self.join(name))
    }

    fn open(&self, name: &str) -> io::Result<File> {
        OpenOptions::new().read(true).write(true).open(self.join(name))
    }

    fn open_to_read(&self, name: &str) -> io::Result<File> {
        File::open(self.join(name))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.join(name))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.join(from), self.join(to))
    }

    fn sync_folder(&self) -> io::Result<()> {
        self.handle.sync_all()
    }

    fn len(&self, file: &File) -> io::Result<u64> {
        Ok(file.metadata()?.len())
    }

    fn is_linked(&self, file: &File) -> io::Result<bool> {
        // Not fstat(2): whoever asks for times makes the next write store a new one, and the sync behind it write the
        // inode as well (multigrain timestamps, Linux 6.13). Asked at each append, that is a third of all syncs.
        let stat = statx(file, c"", AtFlags::EMPTY_PATH, StatxFlags::NLINK)?;
        Ok(stat.stx_nlink > 0)
    }

    fn read_at(&self, file: &File, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let read = FileExt::read_at(file, buf, offset)?;
        if let Some(count) = &self.read {
            count.fetch_add(read as u64, Ordering::Relaxed);
        }
        Ok(read)
    }

    fn write_at(&self, file: &File, bytes: &[u8], offset: u64) -> io::Result<usize> {
        FileExt::write_at(file, bytes, offset)
    }

    fn sync_data(&self, file: &File) -> io::Result<()> {
        file.sync_data()
    }

    fn reserve(&self, file: &File, len: u64) -> io::Result<()> {
        loop {
            match fallocate(file, FallocateFlags::empty(), 0, len) {
                Ok(()) => return Ok(()),
                Err(Errno::INTR) => {}
                // ENOSYS is what old or sandboxed kernels say to the call itself.
                Err(Errno::OPNOTSUPP | Errno::NOSYS) => return Err(io::ErrorKind::Unsupported.into()),
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn truncate(&self, file: &File, len: u64) -> io::Result<()> {
        file.set_len(len)
    }
}

/// Makes the folder durably if the one it is in exists.
fn make(path: &Path) -> Result<(), OpenError> {
    match DirBuilder::new().mode(0o750).create(path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
        Err(error) => return Err(explain(path, MAKE, error)),
    }
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(parent).and_then(|parent| parent.sync_all()).map_err(|error| explain(parent, "sync", error))
}

fn open_folder(path: &Path) -> Result<File, OpenError> {
    let metadata = fs::metadata(path).map_err(|error| explain(path, "open", error))?;
    if !metadata.is_dir() {
        return Err(OpenError::NotAFolder { path: path.to_owned() });
    }
    File::open(path).map_err(|error| explain(path, "read", error))
}

/// What an error of the file system means for whoever starts a hub.
pub(super) fn explain(path: &Path, what: &'static str, source: io::Error) -> OpenError {
    let path = path.to_owned();
    match source.kind() {
        io::ErrorKind::NotFound => OpenError::Missing { path },
        io::ErrorKind::NotADirectory => OpenError::NotAFolder { path },
        io::ErrorKind::ReadOnlyFilesystem => OpenError::ReadOnly { path },
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => OpenError::NoSpace { path, source },
        io::ErrorKind::PermissionDenied => {
            let uid = rustix::process::geteuid().as_raw();
            if what == MAKE {
                return OpenError::Unmade { path, uid };
            }
            // What cannot be made or looked at is a matter of the folder it is in.
            let nearest = path.ancestors().find_map(|path| Some((path, fs::metadata(path).ok()?)));
            match nearest.map(|(path, metadata)| (path.to_owned(), metadata.uid())) {
                Some((path, owner)) => OpenError::Permission { path, what, uid, owner },
                None => OpenError::Io { path, what, source },
            }
        }
        _ => OpenError::Io { path, what, source },
    }
}
