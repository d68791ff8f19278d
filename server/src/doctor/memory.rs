//! Memory: what is free on the machine, and what the control group leaves of it.
//!
//! An idle connection's memory is mostly the kernel's, and counts in the group all the same.

use super::View;
use super::cgroup::{self, Group};
use super::figures::{SLOW_READER_BYTES, connections_in_memory, fixed_bytes, idle_bytes, slow_readers};
use super::machine::Unread;
use super::report::{Finding, Place, Step, Verdict};
use super::text::size;

const MEMINFO: &str = "proc/meminfo";

pub(super) fn machine(view: &View<'_>) -> Result<Finding, Unread> {
    let kib = |text: &str| text.strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024);
    let free = view.machine.field(MEMINFO, "MemAvailable:", kib)?;
    let found = format!("{} free, {} needed when idle", size(free), size(needed(view)));
    let add = Step::new(Place::Hand, "add memory, or lower limits.connections or history.bytes");
    Ok(judge(view, found, free).remedy([add]))
}

pub(super) fn cgroup(view: &View<'_>) -> Result<Finding, Unread> {
    let Some(Group { limit, used }) = cgroup::memory(view.machine)? else {
        return Ok(Finding::new(
            "no limit",
            "What the hub's control group may have, kernel memory included.",
        ));
    };
    let free = limit.saturating_sub(used);
    let found = format!("{} free of {}, {} needed when idle", size(free), size(limit), size(needed(view)));
    // Twice what the hub needs in a bad moment, and what others in the group have.
    let mib = (in_a_bad_moment(view).saturating_mul(2).saturating_add(used) >> 20) + 1;
    Ok(judge(view, found, free).remedy([
        Step::new(Place::Unit, format!("MemoryMax={mib}M")),
        Step::new(
            Place::Hand,
            format!("in a container: --memory={mib}m, or resources.limits.memory: {mib}Mi"),
        ),
    ]))
}

fn judge(view: &View<'_>, found: String, free: u64) -> Finding {
    let meaning = "About 4.4 KB for an idle connection, the kernel's part included, besides history and shards; 64 KiB \
                   for a slow one.";
    let for_connections = free.saturating_sub(fixed(view));
    Finding::new(found, meaning)
        .bound(connections_in_memory(for_connections), view.wanted())
        .at_least(Verdict::Warn, free < in_a_bad_moment(view))
}

fn fixed(view: &View<'_>) -> u64 {
    fixed_bytes(view.shards, view.plan.history_bytes)
}

fn needed(view: &View<'_>) -> u64 {
    fixed(view).saturating_add(idle_bytes(view.wanted()))
}

fn in_a_bad_moment(view: &View<'_>) -> u64 {
    needed(view).saturating_add(slow_readers(view.wanted()) * SLOW_READER_BYTES)
}
