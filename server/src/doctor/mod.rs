//! `corecast doctor`: what this machine lets a hub hold, check by check, and what would raise it.
//!
//! Invariants: every check ends in a row, whatever the files of the kernel contain; what cannot be found out is a
//! warning. Nothing of the machine is changed: the one file that is written, in the folder of a file log, has lost its
//! name before it has content.
//! Not here: whether the configuration holds (`corecast config check`).

mod machine;
mod report;

mod ring;
mod limits;
mod network;
mod memory;
mod cpu;
mod cgroup;
mod log_folder;
mod mounts;
mod text;
pub(crate) use text::grouped;

#[cfg(test)]
mod tests;

use std::path::PathBuf;

pub use machine::Machine;
pub use report::{Ceiling, Check, Place, Report, Step, Verdict};
pub use ring::{Cause, Miss, Probe, Refusal, Tested, probe};

use corecast_ring::Nofile;

use crate::config::{Config, Driver, LogKind};
use crate::driver::Choice;
use crate::figures;
use machine::Unread;
use report::Finding;

/// What a hub wants of the machine.
#[derive(Clone, Debug)]
pub struct Plan {
    /// `limits.connections`
    pub connections: u32,
    /// `hub.shards`; `None` is one for each usable core.
    pub shards: Option<u32>,
    /// `hub.driver`
    pub driver: Driver,
    /// `history.bytes`
    pub history_bytes: u64,
    /// The folder of a file log.
    pub log: Option<LogPlan>,
}

/// What a file log wants.
#[derive(Clone, Debug)]
pub struct LogPlan {
    /// `log.path`
    pub path: PathBuf,
    /// `log.bytes`
    pub bytes: u64,
}

impl Plan {
    /// What a hub with this configuration wants.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        let log = &config.log;
        let is_in_memory = log.kind == LogKind::Memory;
        Self {
            connections: config.limits.connections,
            shards: config.hub.shards,
            driver: config.hub.driver,
            history_bytes: config.history.bytes,
            log: (!is_in_memory).then(|| LogPlan { path: log.path.clone(), bytes: log.bytes }),
        }
    }
}

/// What every check can look at.
struct View<'a> {
    machine: &'a Machine,
    plan: &'a Plan,
    /// How many shards there will be.
    shards: u64,
    /// What this process was given.
    nofile: Result<Nofile, Unread>,
    /// What the rings did.
    probe: Probe,
    /// What would drive the sockets.
    driver: Choice,
}

impl View<'_> {
    /// `limits.connections`
    fn wanted(&self) -> u64 {
        u64::from(self.plan.connections)
    }

    /// Whether there is no hub without io_uring.
    fn needs_ring(&self) -> bool {
        self.plan.driver == Driver::Uring
    }
}

/// A check that looks at files.
struct Subject {
    /// Stable, for scripts.
    name: &'static str,
    title: &'static str,
    look: fn(&View<'_>) -> Result<Finding, Unread>,
    /// What it means if the file is not there, where that is in order.
    absent: Option<&'static str>,
}

/// Before the rows of the ring.
const KERNEL: Subject =
    Subject { name: "kernel", title: "kernel version", look: ring::kernel_version, absent: None };

/// After them, in this order.
const SUBJECTS: [Subject; 16] = [
    Subject {
        name: "io_uring_disabled",
        title: "kernel.io_uring_disabled",
        look: ring::disabled,
        absent: Some("no such setting (before Linux 6.6): cannot be forbidden by it"),
    },
    Subject { name: "seccomp", title: "seccomp", look: ring::seccomp, absent: None },
    Subject { name: "nofile", title: "RLIMIT_NOFILE", look: limits::nofile, absent: None },
    Subject { name: "nr_open", title: "fs.nr_open", look: limits::nr_open, absent: None },
    Subject { name: "file_max", title: "fs.file-max", look: limits::file_max, absent: None },
    Subject { name: "memlock", title: "RLIMIT_MEMLOCK", look: limits::memlock, absent: None },
    Subject { name: "memory", title: "memory", look: memory::machine, absent: None },
    Subject {
        name: "cgroup_memory",
        title: "cgroup memory",
        look: memory::cgroup,
        absent: Some("no cgroups"),
    },
    Subject { name: "cpus", title: "CPUs", look: cpu::cores, absent: None },
    Subject { name: "cgroup_cpu", title: "cgroup CPU quota", look: cpu::quota, absent: Some("no cgroups") },
    Subject {
        name: "clock_source",
        title: "clock source",
        look: cpu::clock_source,
        absent: Some("not shown here"),
    },
    Subject { name: "somaxconn", title: "net.core.somaxconn", look: network::somaxconn, absent: None },
    Subject {
        name: "tcp_max_syn_backlog",
        title: "net.ipv4.tcp_max_syn_backlog",
        look: network::syn_backlog,
        absent: None,
    },
    Subject {
        name: "tcp_mem",
        title: "net.ipv4.tcp_mem",
        look: network::tcp_mem,
        absent: Some("not shown in this network namespace"),
    },
    Subject {
        name: "ip_local_port_range",
        title: "net.ipv4.ip_local_port_range",
        look: network::port_range,
        absent: None,
    },
    Subject {
        name: "conntrack",
        title: "connection tracking",
        look: network::conntrack,
        absent: Some("not loaded"),
    },
];

/// Checks `machine` for what `plan` wants. `probe` tries the rings, given how many there should be, and how many slots
/// the table of each should have.
pub fn examine(plan: &Plan, machine: &Machine, probe: impl FnOnce(u32, u32) -> Probe) -> Report {
    let shards = plan.shards.or_else(|| cpu::usable(machine).ok()).unwrap_or(1).max(1);
    // Read before the probe raises it as the hub does: what is shown is what the process was given.
    let nofile = limits::read_nofile(machine);
    let wanted = figures::slots_for(u64::from(plan.connections)).min(figures::TABLE_MAX);
    let probe = probe(shards, wanted as u32);
    let driver = ring::driver(plan.driver, &probe);
    let view = View { machine, plan, shards: u64::from(shards), nofile, probe, driver };

    let mut checks = vec![KERNEL.check(&view)];
    checks.extend(ring::checks(&view));
    checks.extend(SUBJECTS.iter().map(|subject| subject.check(&view)));
    if let Some(log) = &plan.log {
        checks.extend(log_folder::checks(log, machine));
    }
    Report::new(plan.connections, shards, checks)
}

impl Subject {
    fn check(&self, view: &View<'_>) -> Check {
        let finding = (self.look)(view).unwrap_or_else(|unread| match (&unread, self.absent) {
            (Unread::Missing(_), Some(absent)) => Finding::new(absent, "It sets no bound."),
            _ => Finding::new(unread.to_string(), "It cannot be said what this allows.")
                .at_least(Verdict::Warn, true),
        });
        Check::named(self.name, self.title, finding)
    }
}
