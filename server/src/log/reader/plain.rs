//! The reader's way to read where it can have no ring: pread(2), one run after the other.
//!
//! Slower when many resume at once, and never wrong. Files are opened for each read: without a timer nobody would
//! notice that a segment has been removed.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use tokio::sync::mpsc;

use super::Reader;
use crate::log::file::Run;
use crate::log::replay::ReplayRequest;

/// As `Reader::run`.
pub(super) fn run(mut reader: Reader, mut requests: mpsc::Receiver<ReplayRequest>) {
    while let Some(request) = requests.blocking_recv() {
        reader.on_request(request);
        while let Some(run) = reader.next_read() {
            let bytes = read(&reader, &run);
            reader.on_read(&run, bytes);
        }
    }
}

fn read(reader: &Reader, run: &Run) -> io::Result<Vec<u8>> {
    let file = File::open(reader.folder.join(&*run.segment))?;
    let mut buf = vec![0; run.len];
    let mut filled = 0;
    while filled < run.len {
        match file.read_at(&mut buf[filled..], run.offset + filled as u64) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    buf.truncate(filled);
    Ok(buf)
}
