//! Segments that are open for reading.
//!
//! Invariant: a segment that retention has removed is let go of, or its bytes would stay on the disk.
//! Not here: reading.

use std::sync::Arc;

use corecast_core::id::Position;

use crate::log::file::Run;

/// Segments open at the same time. Resumers of one moment want neighbouring ones; another costs one open(2).
const FILES_MAX: usize = 16;

/// See the module. `F` is a file as the host of the reader has it; a read under way has a share of its own.
#[derive(Debug)]
pub(super) struct Files<F> {
    /// The one used last is at the back.
    open: Vec<Open<F>>,
}

#[derive(Debug)]
struct Open<F> {
    segment: Arc<str>,
    /// A position in it: the segment is gone when this is.
    position: Position,
    file: F,
}

impl<F> Default for Files<F> {
    fn default() -> Self {
        Self { open: Vec::new() }
    }
}

impl<F: Clone> Files<F> {
    /// The file of this run, if it is open.
    pub(super) fn find(&mut self, run: &Run) -> Option<F> {
        let index = self.open.iter().position(|open| open.segment == run.segment)?;
        let open = self.open.remove(index);
        let file = open.file.clone();
        self.open.push(open);
        Some(file)
    }

    /// Keeps the file of this run open.
    pub(super) fn keep(&mut self, run: &Run, file: F) {
        if self.open.len() >= FILES_MAX {
            self.open.remove(0);
        }
        self.open.push(Open { segment: run.segment.clone(), position: run.upto, file });
    }

    /// Lets go of the segments of a log that has nothing up to `start` any more.
    pub(super) fn forget(&mut self, start: Position) {
        self.open.retain(|open| open.position > start);
    }

    /// Whether none is open.
    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }
}
