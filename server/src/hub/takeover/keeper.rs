//! The process between a hub and the one that takes over from it: it starts that, ends as that ends, and is gone once that serves.
//!
//! systemd looks after a main process properly only if that is its own child. Told of another (`MAINPID=`), version 252 does
//! not wait for it at a stop: it kills it, and every stream is cut. An orphan is adopted by systemd, so the process that takes
//! over has to be one when it says that it is the main process; only then, since until then the old hub must be able to end it.
//!
//! Invariant: while the keeper lives, its end is the end of its child.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::{ExitStatusExt, parent_id};
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, set_parent_process_death_signal};

/// Tells a process that its parent is its keeper. One underscore, so that it is no setting.
const VARIABLE: &str = "CORECAST_TAKEOVER_KEEPER";

/// A killed process is gone in less, unless the machine stands still.
const END_PATIENCE: Duration = Duration::from_secs(5);
const END_RETRY: Duration = Duration::from_millis(1);

/// The keeper of this process.
#[derive(Debug)]
pub(super) struct Keeper {
    pid: u32,
}

impl Keeper {
    /// The keeper of this process, if it has one: the two end together from now on, until [`Keeper::leave`].
    pub(super) fn find() -> io::Result<Option<Self>> {
        let pid = std::env::var(VARIABLE).ok().and_then(|pid| pid.parse::<u32>().ok());
        let Some(pid) = pid.filter(|&pid| pid == parent_id()) else { return Ok(None) };
        set_parent_process_death_signal(Some(Signal::KILL))?;
        // It may have ended before it was asked for.
        if parent_id() != pid {
            return Err(io::ErrorKind::NotFound.into());
        }
        Ok(Some(Self { pid }))
    }

    /// Is the keeper: starts this command once more, with all that this process was given, and ends as that ends.
    pub(super) fn be() -> io::Result<i32> {
        let path = OsStr::from_bytes(rustix::param::linux_execfn().to_bytes());
        let mut command = Command::new(path);
        command.args(std::env::args_os().skip(1)).env(VARIABLE, std::process::id().to_string());
        let status = command.status()?;
        // As a shell says it.
        Ok(status.code().or(status.signal().map(|signal| 128 + signal)).unwrap_or(1))
    }

    /// Ends the keeper, which makes this process an orphan, and waits until it is one.
    pub(super) fn leave(self) -> io::Result<()> {
        set_parent_process_death_signal(None)?;
        let begun = Instant::now();
        while parent_id() == self.pid {
            if begun.elapsed() > END_PATIENCE {
                return Err(io::ErrorKind::TimedOut.into());
            }
            // Its own parent has not waited for it yet, so the id is not another's; while it is our parent it lives.
            if let Some(pid) = i32::try_from(self.pid).ok().and_then(Pid::from_raw) {
                kill_process(pid, Signal::KILL)?;
            }
            std::thread::park_timeout(END_RETRY);
        }
        Ok(())
    }
}
