//! The disk below a folder: its file system, how often it was told to flush, and how to have it read again.
//!
//! Flushes are counted by the kernel for the whole disk (Documentation/block/stat.rst), whoever asks, so the machine has to be
//! quiet. Each sync of a log on a disk with a write cache of its own is one. Not here: who writes what.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use rustix::fs::{Advice, fadvise, major, minor};

/// The field of `stat` that counts flushes, from 0.
const FLUSHES_FIELD: usize = 15;

/// See the module.
#[derive(Debug)]
pub struct Disk {
    /// As in `ext4`.
    pub file_system: String,
    /// Of the whole disk; none if the folder is not on one, as on a tmpfs.
    stat: Option<PathBuf>,
}

impl Disk {
    /// That of `folder`.
    ///
    /// # Errors
    /// If the folder is not there.
    pub fn of(folder: &Path) -> anyhow::Result<Self> {
        let device = fs::metadata(folder).with_context(|| folder.display().to_string())?.dev();
        let number = format!("{}:{}", major(device), minor(device));
        let mounts = fs::read_to_string("/proc/self/mountinfo").context("/proc/self/mountinfo")?;
        let file_system = file_system(&mounts, &number).unwrap_or("unknown").to_owned();
        Ok(Self { file_system, stat: stat_of(&number) })
    }

    /// How often it was told to flush its cache since the machine was started, if anybody counts.
    #[must_use]
    pub fn flushes(&self) -> Option<u64> {
        flushes(&fs::read_to_string(self.stat.as_ref()?).ok()?)
    }
}

/// Lets the kernel forget what it has of the files in `folder`, so that they are read from the disk. What is not written
/// back yet stays.
///
/// # Errors
/// If a file cannot be opened.
pub fn forget(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            forget(&entry.path())?;
        } else if entry.file_type()?.is_file() {
            let file = File::open(entry.path())?;
            file.sync_data()?;
            fadvise(&file, 0, None, Advice::DontNeed)?;
        }
    }
    Ok(())
}

/// Flushes are not counted for partitions, only for the disk that they are on.
fn stat_of(number: &str) -> Option<PathBuf> {
    let device = fs::canonicalize(format!("/sys/dev/block/{number}")).ok()?;
    let disk = if device.join("partition").exists() { device.parent()?.to_owned() } else { device };
    Some(disk.join("stat")).filter(|stat| stat.exists())
}

fn flushes(stat: &str) -> Option<u64> {
    stat.split_ascii_whitespace().nth(FLUSHES_FIELD)?.parse().ok()
}

/// The type of what is mounted from the device `number`: the word behind the dash (proc_pid_mountinfo(5)).
fn file_system<'a>(mounts: &'a str, number: &str) -> Option<&'a str> {
    let line = mounts.lines().find(|line| line.split(' ').nth(2) == Some(number))?;
    line.split_once(" - ")?.1.split(' ').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_systems_and_flushes_are_read_as_the_kernel_writes_them() {
        let mounts = "22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/root rw\n\
            25 22 0:23 / /tmp rw,nosuid shared:3 - tmpfs tmpfs rw\n";
        for (number, expected) in [("254:0", Some("ext4")), ("0:23", Some("tmpfs")), ("8:1", None)] {
            assert_eq!(file_system(mounts, number), expected);
        }
        let stat = " 70 28 42 16 54 36 26 14 0 59 18 49 102 21 8 23139 5179\n";
        assert_eq!(flushes(stat), Some(23_139));
        assert_eq!(flushes("1 2 3"), None);
    }

    #[test]
    fn files_can_be_forgotten_and_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let below = folder.path().join("below");
        fs::create_dir(&below).unwrap();
        fs::write(below.join("file"), "text").unwrap();
        forget(folder.path()).unwrap();
        assert_eq!(fs::read_to_string(below.join("file")).unwrap(), "text");
        assert!(!Disk::of(folder.path()).unwrap().file_system.is_empty());
        assert!(forget(Path::new("/no/such")).is_err());
    }
}
