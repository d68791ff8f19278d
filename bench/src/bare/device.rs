//! The limit of a disk: one thread that appends records to a file, syncs after each append, and does nothing else.
//!
//! What a log could do at most that answers nobody before a sync. Not here: which records, and how many in one append
//! (`scenario::durable`).

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use hdrhistogram::Histogram;
use rustix::fs::{FallocateFlags, fallocate};
use rustix::time::{ClockId, clock_gettime};

use super::Frames;

/// What the file is made of before it is written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ahead {
    /// It grows with each append, so that each sync has to make its new length durable, too.
    Nothing,
    /// Its room is reserved in steps, as the hub's log does it.
    Reserved,
}

/// What is reserved at once.
const STEP_BYTES: u64 = 16 << 20;

/// What the hub's log adds to the frame of an event to all (`docs/log-format.md`), and what records are aligned to.
const RECORD_HEAD_BYTES: usize = 56;
const RECORD_ALIGN: usize = 8;

/// Whatever takes longer is recorded as that: an hour.
const TIME_MAX_NS: u64 = 3_600_000_000_000;

/// What was reached.
#[derive(Debug)]
pub struct Appended {
    pub wall: Duration,
    /// CPU time of the thread.
    pub cpu: Duration,
    pub syncs: u64,
    /// Of each append with its sync, in nanoseconds.
    pub times: Histogram<u64>,
}

/// A record of the hub's log for an event with `data`: as long as the hub's.
#[must_use]
pub fn record(data: &[u8]) -> Bytes {
    let frame = Frames::new().encode(data, &mut Vec::new());
    let mut record = vec![b'r'; RECORD_HEAD_BYTES];
    record.extend_from_slice(&frame);
    record.resize(record.len().next_multiple_of(RECORD_ALIGN), 0);
    record.into()
}

/// Appends `bytes` again and again to a new file in `folder` for `duration`, on `core`, with a sync after each.
///
/// # Errors
/// If the file cannot be made, written or synced, or the core not be used.
pub fn append_and_sync(
    folder: &Path,
    ahead: Ahead,
    bytes: &[u8],
    core: usize,
    duration: Duration,
) -> io::Result<Appended> {
    let file = tempfile::tempfile_in(folder)?;
    // A thread of its own: the caller's stays on the core where it is.
    thread::scope(|scope| {
        let appender = scope.spawn(|| {
            corecast_ring::pin_to_core(core)?;
            Appender { file: &file, ahead, at: 0, reserved: 0 }.run(bytes, duration)
        });
        appender.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

struct Appender<'a> {
    file: &'a File,
    ahead: Ahead,
    at: u64,
    reserved: u64,
}

impl Appender<'_> {
    fn run(mut self, bytes: &[u8], duration: Duration) -> io::Result<Appended> {
        let mut times = Histogram::new_with_bounds(1, TIME_MAX_NS, 3).map_err(io::Error::other)?;
        let (begin, cpu_before) = (Instant::now(), thread_cpu());
        let mut last = begin;
        while last - begin < duration {
            self.append(bytes)?;
            let now = Instant::now();
            times.saturating_record((now - last).as_nanos() as u64);
            last = now;
        }
        Ok(Appended { wall: last - begin, cpu: thread_cpu() - cpu_before, syncs: times.len(), times })
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let end = self.at + bytes.len() as u64;
        if self.ahead == Ahead::Reserved && end > self.reserved {
            self.reserved = end + STEP_BYTES;
            fallocate(self.file, FallocateFlags::empty(), 0, self.reserved)?;
        }
        self.file.write_all_at(bytes, self.at)?;
        self.at = end;
        self.file.sync_data()
    }
}

fn thread_cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_longer_than_its_event_and_aligned() {
        let record = record(&[b'x'; 128]);
        assert!(record.len().is_multiple_of(RECORD_ALIGN) && (128 + 56..320).contains(&record.len()));
    }

    #[test]
    fn every_append_is_synced_and_timed() {
        let folder = tempfile::tempdir().unwrap();
        let core = corecast_ring::cores().unwrap()[0];
        for ahead in [Ahead::Nothing, Ahead::Reserved] {
            let appended =
                append_and_sync(folder.path(), ahead, b"12345678", core, Duration::from_millis(20)).unwrap();
            assert!(appended.syncs > 0 && appended.times.len() == appended.syncs, "{appended:?}");
            assert!(appended.wall >= Duration::from_millis(20));
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "the files are gone");
    }
}
