//! What the file log needs of a folder: so little that a simulated disk can stand in for a real one.
//!
//! Names are plain file names within the one folder. Nothing here is durable before its `sync_*` has returned `Ok`,
//! and a `sync_*` that failed once must be believed for good: the kernel may have dropped what it could not write
//! (fsync(2), "Errors").

use std::io;
use std::path::Path;

/// A folder of files.
pub trait Disk: Send {
    /// An open file.
    type File: Send;

    /// Where the folder is, for messages alone.
    fn path(&self) -> &Path {
        Path::new("")
    }

    /// The names in the folder, in any order.
    ///
    /// # Errors
    /// As readdir(3).
    fn names(&self) -> io::Result<Vec<String>>;

    /// Makes a file that must not exist yet, and opens it to read and write.
    ///
    /// # Errors
    /// As open(2) with `O_CREAT | O_EXCL`.
    fn create(&self, name: &str) -> io::Result<Self::File>;

    /// Opens a file that exists, to read and write.
    ///
    /// # Errors
    /// As open(2).
    fn open(&self, name: &str) -> io::Result<Self::File>;

    /// Opens a file that exists, only to read.
    ///
    /// # Errors
    /// As open(2).
    fn open_to_read(&self, name: &str) -> io::Result<Self::File>;

    /// Removes a file. Whoever has it open can go on reading it.
    ///
    /// # Errors
    /// As unlink(2).
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Gives a file another name, in place of whatever has that name.
    ///
    /// # Errors
    /// As rename(2).
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Makes what was created, renamed and removed durable.
    ///
    /// # Errors
    /// As fsync(2) of the folder.
    fn sync_folder(&self) -> io::Result<()>;

    /// Bytes of a file.
    ///
    /// # Errors
    /// As fstat(2).
    fn len(&self, file: &Self::File) -> io::Result<u64>;

    /// Whether the folder still has the file: it may have been deleted under us.
    ///
    /// # Errors
    /// As fstat(2).
    fn is_linked(&self, file: &Self::File) -> io::Result<bool>;

    /// Reads up to `buf.len()` bytes; 0 is the end of the file.
    ///
    /// # Errors
    /// As pread(2).
    fn read_at(&self, file: &Self::File, buf: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Writes some of `bytes`; how many.
    ///
    /// # Errors
    /// As pwrite(2).
    fn write_at(&self, file: &Self::File, bytes: &[u8], offset: u64) -> io::Result<usize>;

    /// Makes what was written durable, and the length that is needed to read it.
    ///
    /// # Errors
    /// As fdatasync(2).
    fn sync_data(&self, file: &Self::File) -> io::Result<()>;

    /// Reserves room so that the file has `len` bytes, the new ones zero. Writes within it then neither change the
    /// file's length, which spares `sync_data` a journal entry, nor find the disk full.
    ///
    /// # Errors
    /// As fallocate(2). `Unsupported` where the file system has no such thing: then the file grows as it is written.
    fn reserve(&self, file: &Self::File, len: u64) -> io::Result<()>;

    /// Cuts the file to `len` bytes.
    ///
    /// # Errors
    /// As ftruncate(2).
    fn truncate(&self, file: &Self::File, len: u64) -> io::Result<()>;
}
