//! The control groups that this process is in, and the tightest limit on the way from its own to the root.
//!
//! Both hierarchies are read: the unified one (`cgroup-v2.rst`) and, where it is still in use, the older one of each
//! controller. In a container the path may name groups that cannot be seen; those are skipped.

use std::path::{Component, Path, PathBuf};

use super::machine::{Machine, Unread};

/// Deeper nesting is nonsense, and would be read in vain.
const DEPTH_MAX: usize = 32;

/// The older hierarchy says "none" by a number near 2^63, rounded down to pages.
const NO_LIMIT: u64 = 1 << 60;

/// What a group may have, and what it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Group {
    /// Bytes.
    pub(super) limit: u64,
    /// Bytes, without what the kernel can take back at once.
    pub(super) used: u64,
}

/// The group with the least memory left, if any has a limit.
pub(super) fn memory(machine: &Machine) -> Result<Option<Group>, Unread> {
    let mut groups = Vec::new();
    for Membership { folders, is_unified } in memberships(machine, "memory")? {
        let (limit, used, cache) = if is_unified {
            ("memory.max", "memory.current", "inactive_file ")
        } else {
            ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file ")
        };
        groups.extend(folders.iter().filter_map(|folder| {
            // "max" is no number: no limit.
            let limit = machine.number(folder.join(limit)).ok().filter(|&limit| limit < NO_LIMIT)?;
            let used = machine.number(folder.join(used)).unwrap_or(0);
            let stat = machine.text(folder.join("memory.stat")).unwrap_or_default();
            let cache = stat.lines().find_map(|line| line.strip_prefix(cache)?.trim().parse::<u64>().ok());
            Some(Group { limit, used: used.saturating_sub(cache.unwrap_or(0)) })
        }));
    }
    Ok(groups.into_iter().min_by_key(|group| group.limit.saturating_sub(group.used)))
}

/// The least CPU time of all groups, in thousandths of a core, if any has a limit.
pub(super) fn millicores(machine: &Machine) -> Result<Option<u64>, Unread> {
    let mut quotas = Vec::new();
    for Membership { folders, is_unified } in memberships(machine, "cpu")? {
        quotas.extend(folders.iter().filter_map(|folder| {
            let [quota, period] = if is_unified {
                machine.numbers(folder.join("cpu.max")).ok()?
            } else {
                // A quota of -1 is none.
                let number = |name| machine.number(folder.join(name)).ok();
                [number("cpu.cfs_quota_us")?, number("cpu.cfs_period_us")?]
            };
            quota.checked_mul(1000)?.checked_div(period)
        }));
    }
    Ok(quotas.into_iter().min())
}

/// A hierarchy that the process is in.
struct Membership {
    /// Its group's folder, and those above it.
    folders: Vec<PathBuf>,
    is_unified: bool,
}

/// Where this process is, in the unified hierarchy and in that of `controller` (cgroups(7), `/proc/pid/cgroup`).
fn memberships(machine: &Machine, controller: &str) -> Result<Vec<Membership>, Unread> {
    let text = machine.text("proc/self/cgroup")?;
    let found = text.lines().filter_map(|line| {
        let (_, rest) = line.split_once(':')?;
        let (controllers, path) = rest.split_once(':')?;
        let is_unified = controllers.is_empty();
        if !is_unified && controllers.split(',').all(|name| name != controller) {
            return None;
        }
        let base = Path::new("sys/fs/cgroup");
        let base = if is_unified { base.to_owned() } else { base.join(controller) };
        Some(Membership { folders: folders(&base, Path::new(path)), is_unified })
    });
    // A machine has one hierarchy of a name; whatever else is in the file is not believed.
    Ok(found.take(2).collect())
}

/// `base` and every folder from there to `path`. A path out of the own namespace (`/../x`) cannot be followed.
fn folders(base: &Path, path: &Path) -> Vec<PathBuf> {
    let mut folders = vec![base.to_owned()];
    let names = path.components().filter(|part| matches!(part, Component::Normal(_)));
    for name in names.take(DEPTH_MAX) {
        let next = folders.last().map_or_else(|| base.join(name), |folder| folder.join(name));
        folders.push(next);
    }
    folders
}
