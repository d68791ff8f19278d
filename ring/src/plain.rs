//! Whether a plain ring can wait: what a host needs that polls with io_uring and asks nothing else of it.

use std::io;
use std::os::fd::AsRawFd;

use io_uring::{IoUring, opcode, types};
use rustix::event::{EventfdFlags, eventfd};

/// Sets a ring up without any flag, polls something that is readable, and looks for the answer. Takes less than a
/// millisecond.
///
/// # Errors
///
/// What one of the three system calls answered: `EPERM`, `EACCES` or `ENOSYS` where they are refused. `ENODATA` if they
/// are not and there was no answer.
pub fn selftest_poll() -> io::Result<()> {
    let mut ring = IoUring::new(2)?;
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
        selftest_poll().unwrap();
    }
}
