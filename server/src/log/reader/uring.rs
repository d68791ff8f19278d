//! The reader's way to read through io_uring: several runs at once, on one thread.
//!
//! tokio-uring has no maintainer any more, so this file is the only one that knows it, and asks little of it. Invariant:
//! every operation is awaited to its end, in a task that nobody aborts: a dropped one would leave its buffer to the kernel.

use std::cell::RefCell;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};
use tokio_uring::buf::BoundedBuf;
use tokio_uring::fs::File;

use super::files::Files;
use super::{READS_MAX, Reader};
use crate::log::file::Run;
use crate::log::replay::ReplayRequest;

/// How long the bytes of a removed segment may stay on the disk since it is open here.
const FORGET_INTERVAL: Duration = Duration::from_secs(5);

type OpenFiles = Rc<RefCell<Files<Rc<File>>>>;

/// See the module.
pub(super) struct Runtime {
    runtime: tokio_uring::Runtime,
}

impl Runtime {
    /// A runtime with a ring of its own.
    ///
    /// # Errors
    /// As io_uring_setup(2): it may be forbidden.
    pub(super) fn new() -> io::Result<Self> {
        let mut builder = tokio_uring::builder();
        // Each read is one entry, and there is one read for each run at a time.
        builder.entries(2 * READS_MAX as u32);
        tokio_uring::Runtime::new(&builder).map(|runtime| Self { runtime })
    }

    /// As `Reader::run`.
    pub(super) fn run(self, reader: Reader, requests: mpsc::Receiver<ReplayRequest>) {
        self.runtime.block_on(serve(reader, requests));
    }
}

async fn serve(mut reader: Reader, mut requests: mpsc::Receiver<ReplayRequest>) {
    let files = OpenFiles::default();
    let (done, mut reads) = mpsc::channel(READS_MAX);
    let mut forget = interval(FORGET_INTERVAL);
    forget.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut is_asked = true;
    while is_asked || !reader.is_idle() {
        while let Some(run) = reader.next_read() {
            let (files, folder, done) = (files.clone(), reader.folder.clone(), done.clone());
            tokio_uring::spawn(async move {
                let bytes = read(&files, folder, &run).await;
                // The other end is there for as long as a read is under way.
                let _ = done.send((run, bytes)).await;
            });
        }
        let has_files = !files.borrow().is_empty();
        tokio::select! {
            Some((run, bytes)) = reads.recv() => reader.on_read(&run, bytes),
            request = requests.recv(), if is_asked => match request {
                Some(request) => reader.on_request(request),
                None => is_asked = false,
            },
            _ = forget.tick(), if has_files => files.borrow_mut().forget(reader.catalog.start()),
        }
    }
}

/// What the file has of the run.
async fn read(files: &OpenFiles, folder: PathBuf, run: &Run) -> io::Result<Vec<u8>> {
    let file = open(files, &folder, run)?;
    let mut buf = vec![0; run.len];
    let mut filled = 0;
    while filled < run.len {
        let (read, rest) = file.read_at(buf.slice(filled..run.len), run.offset + filled as u64).await;
        buf = rest.into_inner();
        match read {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    buf.truncate(filled);
    Ok(buf)
}

/// The open file. To open one takes some microseconds, so it is not worth an operation.
fn open(files: &OpenFiles, folder: &Path, run: &Run) -> io::Result<Rc<File>> {
    if let Some(file) = files.borrow_mut().find(run) {
        return Ok(file);
    }
    let file = Rc::new(File::from_std(std::fs::File::open(folder.join(&*run.segment))?));
    files.borrow_mut().keep(run, Rc::clone(&file));
    Ok(file)
}
