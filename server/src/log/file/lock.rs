//! One process at a time: the file `lock` in the folder, locked for as long as the log is open.
//!
//! The kernel unlocks it when the process ends, however it ends, so a lock that is left over holds up nobody. The
//! process's id is in it for the message alone.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// The file's name.
pub(super) const NAME: &str = "lock";

/// A folder that no other process has open as a log.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

/// Why a folder cannot be locked.
#[derive(Debug)]
pub(super) enum LockError {
    /// Another process has it: which, if it says so.
    InUse(Option<u32>),
    Io(io::Error),
}

impl Lock {
    pub(super) fn take(folder: &Path) -> Result<Self, LockError> {
        let mut options = OpenOptions::new();
        let options = options.read(true).write(true).create(true).truncate(false).mode(0o640);
        let mut file = options.open(folder.join(NAME)).map_err(LockError::Io)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(LockError::InUse(holder(&mut file))),
            Err(TryLockError::Error(error)) => return Err(LockError::Io(error)),
        }
        // Without room for the id the lock holds all the same.
        let _ = file.set_len(0).and_then(|()| file.write_all(format!("{}\n", std::process::id()).as_bytes()));
        Ok(Self { _file: file })
    }
}

fn holder(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.take(20).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}
