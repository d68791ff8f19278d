//! What happened in a run: its hash, to compare runs, and its last lines, to read after a failure.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt;
use std::rc::Rc;

use corecast_core::time::Instant;

/// Lines that are kept for reading.
const LINES_MAX: usize = 1000;

/// See the module. Clones are the same trace: it outlives a run that panics.
#[derive(Clone, Debug, Default)]
pub(super) struct Trace {
    shared: Rc<RefCell<Shared>>,
}

#[derive(Debug, Default)]
struct Shared {
    hash: u64,
    step: u64,
    now: Instant,
    lines: VecDeque<String>,
}

impl Trace {
    /// A new step begins.
    pub(super) fn step(&self, now: Instant) {
        let mut shared = self.shared.borrow_mut();
        shared.step += 1;
        shared.now = now;
    }

    /// Notes what happens.
    pub(super) fn note(&self, what: fmt::Arguments<'_>) {
        let mut shared = self.shared.borrow_mut();
        let line = format!("{:>7} {:>12} µs  {what}", shared.step, shared.now.as_nanos() / 1000);
        shared.hash = fnv(shared.hash, line.as_bytes());
        if shared.lines.len() == LINES_MAX {
            shared.lines.pop_front();
        }
        shared.lines.push_back(line);
    }

    /// Notes bytes on the wire.
    pub(super) fn bytes(&self, bytes: &[u8]) {
        let mut shared = self.shared.borrow_mut();
        shared.hash = fnv(shared.hash, bytes);
    }

    /// How many steps there were.
    #[must_use]
    pub(super) fn steps(&self) -> u64 {
        self.shared.borrow().step
    }

    /// Of everything noted so far.
    #[must_use]
    pub(super) fn hash(&self) -> u64 {
        self.shared.borrow().hash
    }

    /// The last lines.
    #[must_use]
    pub(super) fn tail(&self) -> Vec<String> {
        self.shared.borrow().lines.iter().cloned().collect()
    }
}

/// FNV-1a: two runs are told apart by it, nobody attacks it.
fn fnv(hash: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(hash ^ 0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
