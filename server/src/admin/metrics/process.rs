//! What the kernel knows of this process, under the names that dashboards know already.
//!
//! Not here: memory that the kernel holds for the process's sockets; it counts towards no process.

use std::fs;
use std::time::Duration;

use rustix::param::page_size;
use rustix::process::{Resource, getrlimit};
use rustix::time::{ClockId, clock_gettime};

/// The process at one moment. `None` is what this kernel does not tell.
#[derive(Clone, Copy, Debug)]
pub(super) struct Process {
    /// On all cores, in user and kernel mode.
    pub(super) cpu: Option<Duration>,
    pub(super) memory: Option<Memory>,
    pub(super) fds_open: Option<u64>,
    pub(super) fds_max: Option<u64>,
}

/// In bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Memory {
    pub(super) virtual_bytes: u64,
    pub(super) resident_bytes: u64,
}

impl Process {
    pub(super) fn read() -> Self {
        let statm = fs::read_to_string("/proc/self/statm").ok();
        Self {
            cpu: clock_gettime(ClockId::ProcessCPUTime).try_into().ok(),
            memory: statm.and_then(|statm| Memory::parse(&statm, page_size() as u64)),
            fds_open: fds_open(),
            fds_max: getrlimit(Resource::Nofile).current,
        }
    }
}

impl Memory {
    /// Of `/proc/self/statm`: numbers of pages, first the virtual, then the resident ones (proc_pid_statm(5)).
    pub(super) fn parse(statm: &str, page_bytes: u64) -> Option<Self> {
        let mut pages = statm.split_ascii_whitespace().map(|field| field.parse::<u64>().ok());
        let mut next_bytes = || pages.next()??.checked_mul(page_bytes);
        Some(Self { virtual_bytes: next_bytes()?, resident_bytes: next_bytes()? })
    }
}

/// The size of this directory is the number of open descriptors since Linux 6.2; before, it was 0 (proc_pid_fd(5)).
/// Listing it instead would take milliseconds where a driver holds a descriptor for each connection.
fn fds_open() -> Option<u64> {
    fs::metadata("/proc/self/fd").ok().map(|directory| directory.len()).filter(|&len| len > 0)
}
