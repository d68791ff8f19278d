//! A file system of a test's own, in memory and as small as the test wants it.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::mount::{run, unmount};

/// What takes the room that a test wants nobody to have.
const BALLAST: &str = "ballast";

/// See the module. It is unmounted with its handle.
#[derive(Debug)]
pub struct Tmpfs {
    folder: tempfile::TempDir,
}

impl Tmpfs {
    /// Mounts one of so many bytes.
    ///
    /// # Panics
    /// With the remedy, where the machine does not allow it.
    #[must_use]
    pub fn mount(bytes: usize) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let size = format!("size={bytes}");
        let path = folder.path().to_owned();
        run(Command::new("mount").args(["-t", "tmpfs", "-o", &size, "corecast-test"]).arg(path));
        Self { folder }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Takes all the room that is left, to the last page.
    ///
    /// # Panics
    /// If something else than a full file system ends it.
    pub fn fill(&self) {
        let fill = || -> io::Result<()> {
            let mut ballast = File::options().create(true).append(true).open(self.ballast())?;
            loop {
                ballast.write_all(&[b'x'; 4096])?;
            }
        };
        let error = fill().expect_err("only an error ends it");
        assert_eq!(error.kind(), io::ErrorKind::StorageFull, "{error}");
    }

    /// Gives that room back.
    ///
    /// # Panics
    /// If none was taken.
    pub fn make_room(&self) {
        fs::remove_file(self.ballast()).expect("the ballast was taken");
    }

    fn ballast(&self) -> PathBuf {
        self.path().join(BALLAST)
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        unmount(self.path());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_one_takes_nothing_until_there_is_room_again() {
        let tmpfs = Tmpfs::mount(1 << 20);
        let file = tmpfs.path().join("file");
        tmpfs.fill();
        let error = fs::write(&file, "x").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        tmpfs.make_room();
        fs::write(&file, "x").unwrap();
    }
}
