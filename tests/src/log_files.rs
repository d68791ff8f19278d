//! A log's folder as files: what a test may do to them that no hub would.
//!
//! Not here: the format. What a record is, is found out by watching the file grow from one event to the next.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::binary;

/// Records begin at multiples of this.
pub const ALIGN: usize = 8;

/// Bytes of a segment before its first record.
pub const HEADER_LEN: usize = 64;

/// The segments in `folder`, oldest first.
///
/// # Panics
/// If the folder cannot be read.
#[must_use]
pub fn segments(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let paths = entries.map(|entry| entry.expect("a readable folder").path());
    let mut segments: Vec<PathBuf> =
        paths.filter(|path| path.extension().is_some_and(|e| e == "log")).collect();
    segments.sort();
    segments
}

/// The segment that is written.
///
/// # Panics
/// If there is none.
#[must_use]
pub fn last_segment(folder: &Path) -> PathBuf {
    segments(folder).pop().unwrap_or_else(|| panic!("no segment in {}", folder.display()))
}

/// A segment's bytes without the zeros at its end, which are room reserved ahead.
///
/// # Panics
/// If it cannot be read.
#[must_use]
pub fn used_bytes(segment: &Path) -> Vec<u8> {
    let mut bytes = fs::read(segment).unwrap_or_else(|e| panic!("{}: {e}", segment.display()));
    let used = bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
    bytes.truncate(used);
    bytes
}

/// Changes one bit of a file in place, as a bad disk does.
///
/// # Panics
/// If it cannot be written.
pub fn flip(path: &Path, offset: usize, bit: u8) {
    let flip = || -> io::Result<()> {
        let file = File::options().read(true).write(true).open(path)?;
        let mut byte = [0];
        file.read_exact_at(&mut byte, offset as u64)?;
        file.write_all_at(&[byte[0] ^ 1 << bit], offset as u64)
    };
    flip().unwrap_or_else(|e| panic!("{}: {e}", path.display()));
}

/// Copies a log, without what is no segment.
///
/// # Panics
/// If that cannot be done.
pub fn copy(from: &Path, to: &Path) {
    for segment in segments(from) {
        let name = segment.file_name().expect("a segment has a name");
        fs::copy(&segment, to.join(name)).unwrap_or_else(|e| panic!("{}: {e}", segment.display()));
    }
}

/// Runs `corecast log COMMAND --path FOLDER`, with more arguments.
///
/// # Panics
/// If it cannot be run.
#[must_use]
pub fn run(command: &str, folder: &Path, arguments: &[&str]) -> Output {
    let mut words = Command::new("timeout");
    words.arg("20").arg(binary::corecast()).args(["log", command, "--path"]).arg(folder).args(arguments);
    words.env_remove("CORECAST_BIN").output().expect("every machine has timeout(1)")
}
