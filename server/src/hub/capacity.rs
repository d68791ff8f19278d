//! How many connections this machine and these limits allow, found before anything is started.

use std::path::Path;

use corecast_ring::{Nofile, cores, raise_nofile};

use super::StartError;
use super::listeners::Listeners;
use crate::config::Config;
use crate::driver::{Choice, Chosen, Reason};
use crate::figures::{TABLE_MAX, connections_in_memory, idle_bytes, slots_for, slots_under};

/// How many shards there are, and where.
#[derive(Debug)]
pub(super) struct Cores {
    pub(super) shards: u32,
    /// The cores to pin them to; empty if there are more shards than cores.
    pin: Vec<usize>,
}

impl Cores {
    pub(super) fn find(config: &Config) -> Self {
        let mut pin = cores().unwrap_or_default();
        let shards = config.hub.shards.unwrap_or(pin.len().max(1) as u32);
        if shards as usize > pin.len() {
            pin.clear();
        }
        Self { shards, pin }
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct Capacity {
    /// How many shards there are.
    pub(super) shards: u32,
    /// The cores to pin them to; empty if there are more shards than cores.
    pub(super) cores: Vec<usize>,
    /// Slots of each shard's table.
    pub(super) slots: u32,
    nofile: Nofile,
    /// What `RLIMIT_NOFILE` allows all shards together.
    ceiling: u64,
    available_bytes: u64,
}

impl Capacity {
    pub(super) fn find(config: &Config, cores: Cores, driver: Choice) -> Result<Self, StartError> {
        let Cores { shards, pin: cores } = cores;
        let nofile = match raise_nofile() {
            Ok(nofile) => nofile,
            Err(error) => {
                tracing::warn!(%error, "the limit of open files cannot be raised");
                Nofile { soft: 1024, hard: 1024 }
            }
        };
        let slots = slots_of_a_shard(config.limits.connections, shards, nofile, driver)?;
        let ceiling = slots_under(nofile.soft, shards.into(), driver);
        let available_bytes = available_memory()?;
        check_memory(config.limits.connections, available_bytes)?;
        Ok(Self { shards, cores, slots, nofile, ceiling, available_bytes })
    }

    /// Says once at start what is in force, and what bounds it.
    pub(super) fn report(&self, config: &Config, listeners: &Listeners, driver: &Chosen) {
        let limits = &config.limits;
        let Chosen { choice, reason } = driver;
        match reason {
            Reason::Fallback(_) => {
                tracing::warn!(driver = choice.name(), waits_with = choice.waits_with(), %reason, "driver");
            }
            Reason::Configured | Reason::Works => {
                tracing::info!(driver = choice.name(), waits_with = choice.waits_with(), %reason, "driver");
            }
        }
        tracing::info!(
            driver = choice.name(),
            shards = self.shards,
            pinned = !self.cores.is_empty(),
            connections = limits.connections,
            per_user = limits.per_user,
            per_user_policy = ?limits.per_user_policy,
            per_ip = limits.per_ip,
            slots_per_shard = self.slots,
            ceiling_by_descriptors = self.ceiling,
            ceiling_by_memory = connections_in_memory(self.available_bytes),
            memory_at_limit_mib = idle_bytes(u64::from(limits.connections)) >> 20,
            nofile_soft = self.nofile.soft,
            nofile_hard = self.nofile.hard,
            "limits in force"
        );
        warn_of_queue(listeners);
    }
}

fn slots_of_a_shard(
    connections: u32,
    shards: u32,
    nofile: Nofile,
    driver: Choice,
) -> Result<u32, StartError> {
    let needed = slots_for(u64::from(connections));
    let have = slots_under(nofile.soft, shards.into(), driver);
    let most = match driver {
        Choice::Uring => nofile.soft.min(TABLE_MAX),
        Choice::Monoio(_) => have,
    };
    if have < needed {
        return Err(match driver {
            Choice::Uring => {
                let enough = needed.div_ceil(most);
                StartError::Descriptors { connections, needed, shards, slots: most, have, enough }
            }
            Choice::Monoio(_) => StartError::DescriptorsWithoutRing { connections, needed, have },
        });
    }
    // Users do not hash evenly, and a slot that is never taken costs 8 bytes, of the kernel: each shard may have all.
    Ok(needed.min(most) as u32)
}

fn check_memory(connections: u32, available_bytes: u64) -> Result<(), StartError> {
    let needed = idle_bytes(u64::from(connections));
    if needed > available_bytes {
        let (needed_mib, available_mib) = (needed >> 20, available_bytes >> 20);
        return Err(StartError::Memory { connections, needed_mib, available_mib });
    }
    Ok(())
}

/// `MemAvailable` of `/proc/meminfo`: what can be had without swapping (proc(5)).
fn available_memory() -> Result<u64, StartError> {
    let path = Path::new("/proc/meminfo");
    let text = std::fs::read_to_string(path)
        .map_err(|source| StartError::Kernel { path: path.to_owned(), source })?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok());
    // A kernel without the line is older than any with io_uring; then only the kernel bounds us.
    Ok(kib.map_or(u64::MAX, |kib| kib * 1024))
}

/// A returning herd waits in the listeners' queues, which `somaxconn` bounds.
fn warn_of_queue(listeners: &Listeners) {
    let path = "/proc/sys/net/core/somaxconn";
    let queue = std::fs::read_to_string(path).ok().and_then(|text| text.trim().parse::<u32>().ok());
    if let Some(queue) = queue.filter(|&queue| queue < listeners.backlog()) {
        tracing::warn!(
            somaxconn = queue,
            "a herd that comes back at once may find the queue of connections full; set net.core.somaxconn = 65535"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::driver::monoio::Waiter;

    #[test]
    fn more_shards_carry_more_connections_under_the_same_limit_of_files() {
        let nofile = Nofile { soft: 20_000, hard: 20_000 };
        let slots = |connections, shards| slots_of_a_shard(connections, shards, nofile, Choice::Uring);
        assert_eq!(slots(30_000, 2).unwrap(), 20_000);
        assert!(slots(10_000, 1).unwrap() > 10_000);
        let error = slots(30_000, 1).unwrap_err();
        assert!(matches!(error, StartError::Descriptors { enough: 2, .. }), "{error}");
    }

    #[test]
    fn without_rings_the_limit_of_files_bounds_all_shards_together() {
        let nofile = Nofile { soft: 20_000, hard: 20_000 };
        for shards in [1, 2, 16] {
            let slots =
                |connections| slots_of_a_shard(connections, shards, nofile, Choice::Monoio(Waiter::Epoll));
            assert!(slots(10_000).unwrap() > 10_000);
            let error = slots(30_000).unwrap_err();
            assert!(matches!(error, StartError::DescriptorsWithoutRing { have: 19_744, .. }), "{error}");
        }
    }

    #[test]
    fn connections_that_do_not_fit_into_memory_are_refused_at_start() {
        assert!(check_memory(1_000_000, 5 << 30).is_ok());
        assert!(matches!(check_memory(2_000_000, 5 << 30), Err(StartError::Memory { .. })));
    }
}
