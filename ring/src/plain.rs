//! Whether a plain ring can wait: what a host needs that polls with io_uring and asks nothing else of it.

use std::io;
use std::os::fd::AsRawFd;

use io_uring::{IoUring, opcode, types};
use rustix::event::{EventfdFlags, eventfd};

/// Sets `rings` rings of so many `entries` up at the same time, without any flag, polls with the last something that is
/// readable, and looks for the answer. Takes about a millisecond for each ring.
///
/// # Errors
///
/// What one of the three system calls answered: `EPERM`, `EACCES` or `ENOSYS` where they are refused, `ENOMEM` where
/// their memory is not to be had. `ENODATA` if there was no answer, or no ring was asked for.
pub fn selftest_poll(rings: u32, entries: u32) -> io::Result<()> {
    let mut rings: Vec<IoUring> = (0..rings).map(|_| IoUring::new(entries)).collect::<io::Result<_>>()?;
    let Some(ring) = rings.last_mut() else { return Err(rustix::io::Errno::NODATA.into()) };
    let readable = eventfd(1, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
    let poll =
        opcode::PollAdd::new(types::Fd(readable.as_raw_fd()), rustix::event::PollFlags::IN.bits().into());
    // SAFETY: a poll lends no memory; the descriptor it names is open until this function returns, and after that the
    // kernel holds the file itself.
    unsafe { ring.submission().push(&poll.build()) }.map_err(io::Error::other)?;
    ring.submit()?;
    let answer = ring.completion().next().map(|cqe| cqe.result());
    match answer {
        Some(result) if result < 0 => Err(io::Error::from_raw_os_error(-result)),
        Some(_) => Ok(()),
        None => Err(rustix::io::Errno::NODATA.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_ring_polls_here() {
        selftest_poll(2, 64).unwrap();
    }

    #[test]
    fn what_cannot_be_had_is_an_error() {
        assert!(selftest_poll(1, u32::MAX).is_err());
        assert!(selftest_poll(0, 2).is_err());
    }
}
