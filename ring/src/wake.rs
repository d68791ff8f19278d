//! Wakes a ring's thread out of its wait, from any thread.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use rustix::event::EventfdFlags;

use crate::Errno;

/// A bell for one ring: [`crate::Ring::watch_wake`] listens to it, everyone who has a clone can ring it.
///
/// A wake is never lost: one that comes before the wait, or before the watch, ends the next wait. Several may be
/// reported as one. Each costs a system call, so a sender asks first whether the other side sleeps.
#[derive(Clone, Debug)]
pub struct Wake(Arc<OwnedFd>);

impl Wake {
    /// A bell that nobody listens to yet.
    ///
    /// # Errors
    ///
    /// `EMFILE`, `ENFILE` if there is no file descriptor left, `ENOMEM`.
    pub fn new() -> io::Result<Self> {
        Ok(Self(Arc::new(rustix::event::eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?)))
    }

    /// Wakes the ring that watches.
    pub fn wake(&self) {
        // The counter is never read, only its writes are watched. It would refuse (EAGAIN) after 2^64 - 2 wakes.
        match rustix::io::retry_on_intr(|| rustix::io::write(&*self.0, &1_u64.to_ne_bytes())) {
            Ok(_) | Err(Errno::AGAIN) => {}
            Err(errno) => unreachable!("a write of 8 bytes to an open eventfd failed: {errno}"),
        }
    }
}

impl AsFd for Wake {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
