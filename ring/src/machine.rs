//! What a ring's thread asks of the machine: its core, its limit of open files, exact timers.

use std::io;
use std::num::NonZeroU64;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity, set_current_timer_slack};

use crate::Errno;

/// The limit of open files (`RLIMIT_NOFILE`). It bounds each ring's table, not their sum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nofile {
    /// What counts. `u64::MAX` is no limit.
    pub soft: u64,
    /// How far the soft limit can be raised without privileges. `u64::MAX` is no limit.
    pub hard: u64,
}

/// The limit as it is.
pub(crate) fn nofile() -> Nofile {
    let limit = getrlimit(Resource::Nofile);
    Nofile { soft: limit.current.unwrap_or(u64::MAX), hard: limit.maximum.unwrap_or(u64::MAX) }
}

/// Raises the soft limit of open files to the hard one, for the process, and says what it is then.
///
/// # Errors
///
/// The kernel's, which does not refuse this to anyone; a sandbox might.
pub fn raise_nofile() -> io::Result<Nofile> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })?;
    Ok(nofile())
}

/// The cores this thread may run on, as the kernel numbers them.
///
/// # Errors
///
/// `EINVAL` on a machine with more than 1,024 cores.
pub fn cores() -> io::Result<Vec<usize>> {
    let set = sched_getaffinity(None)?;
    Ok((0..CpuSet::MAX_CPU).filter(|&core| set.is_set(core)).collect())
}

/// Keeps this thread on `core`, one of [`cores`].
///
/// # Errors
///
/// `EINVAL` if there is no such core or the process may not use it.
pub fn pin_to_core(core: usize) -> io::Result<()> {
    if core >= CpuSet::MAX_CPU {
        return Err(Errno::INVAL.into());
    }
    let mut set = CpuSet::new();
    set.set(core);
    Ok(sched_setaffinity(None, &set)?)
}

/// How late this thread's timers may be, in nanoseconds. The kernel's default of 50 µs is for saving power; a ring's
/// thread wants 1.
///
/// # Errors
///
/// Only from a sandbox that forbids `prctl`.
pub fn set_timer_slack(slack_ns: NonZeroU64) -> io::Result<()> {
    Ok(set_current_timer_slack(Some(slack_ns))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_is_raised_to_the_hard_one() {
        let raised = raise_nofile().unwrap();
        assert_eq!(raised.soft, raised.hard);
        assert_eq!(nofile(), raised);
    }

    #[test]
    fn a_pinned_thread_has_one_core() {
        let first = cores().unwrap()[0];
        let pinned = std::thread::spawn(move || pin_to_core(first).and_then(|()| cores()));
        assert_eq!(pinned.join().unwrap().unwrap(), [first]);
    }

    #[test]
    fn a_core_that_is_not_there_is_an_error() {
        for core in [CpuSet::MAX_CPU - 1, CpuSet::MAX_CPU, usize::MAX] {
            assert!(pin_to_core(core).is_err(), "{core}");
        }
    }

    #[test]
    fn the_timer_slack_is_set_for_this_thread() {
        let slack = std::thread::spawn(|| {
            set_timer_slack(NonZeroU64::MIN).unwrap();
            rustix::thread::current_timer_slack().unwrap()
        });
        assert_eq!(slack.join().unwrap(), 1);
    }
}
