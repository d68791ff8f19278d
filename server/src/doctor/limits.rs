//! Limits of files and of locked memory, of the process and of the machine.
//!
//! The hub's connections are not descriptors, but slots of its rings' tables. `RLIMIT_NOFILE` bounds each table on its
//! own; `fs.file-max` counts every socket (io-uring.md, fact 6 and §8).

use corecast_ring::Nofile;

use super::View;
use super::machine::{Machine, Unread};
use super::report::{Finding, Place, Step, Verdict, sysctl};
use super::text::{grouped, limit, size};
use crate::driver::Choice;
use crate::figures::{TABLE_MAX, connections_in_slots, slots_for, slots_under};

/// Users do not hash evenly: a shard's table wants a fifth to spare.
const UNEVEN: (u64, u64) = (6, 5);

/// Queues of a ring of the hub's: 1,024 submissions of 64 B, 16,384 completions of 16 B, and a page. Measured on 6.18:
/// one more ring of an unprivileged user counts 81 pages.
const RING_BYTES: u64 = 324 << 10;

/// What systems give by default.
const MEMLOCK_USUAL: u64 = 8 << 20;

/// The bit of `CAP_IPC_LOCK` (`linux/capability.h`).
const CAP_IPC_LOCK: u64 = 1 << 14;

/// A million sockets several times over.
const FILE_MAX_LARGE: u64 = 4_000_000;

pub(super) fn read_nofile(machine: &Machine) -> Result<Nofile, Unread> {
    let [soft, hard] = read_limit(machine, "Max open files")?;
    Ok(Nofile { soft, hard })
}

/// The soft and the hard limit of `name`; `u64::MAX` is none (proc(5), `/proc/pid/limits`).
fn read_limit(machine: &Machine, name: &str) -> Result<[u64; 2], Unread> {
    let read = |text: &str| {
        let mut values = text.split_whitespace().map(|value| match value {
            "unlimited" => Some(u64::MAX),
            number => number.parse().ok(),
        });
        Some([values.next()??, values.next()??])
    };
    machine.field("proc/self/limits", name, read)
}

pub(super) fn nofile(view: &View<'_>) -> Result<Finding, Unread> {
    let Nofile { soft, hard } = view.nofile.clone()?;
    // The hub raises the soft limit by itself.
    let most = soft.max(hard).min(TABLE_MAX);
    let raised = if soft < hard { format!(", raised to {} by the hub", limit(hard)) } else { String::new() };
    if view.driver != Choice::Uring {
        return Ok(descriptors(view, soft.max(hard), &format!("{}{raised}", limit(soft))));
    }
    let (have, needed) = (most * view.shards, slots_for(view.wanted()));
    let found = format!("{}{raised}: {} × {} slots", limit(soft), grouped(view.shards), grouped(most));
    let is_uneven = view.shards > 1 && most < needed && have < needed * UNEVEN.0 / UNEVEN.1;
    let meaning = "Each shard's table has at most so many slots; users hash to shards, not quite evenly.";
    let finding = Finding::new(found, meaning)
        .bound(connections_in_slots(have), view.wanted())
        .at_least(Verdict::Warn, is_uneven);
    let raise = (most < TABLE_MAX).then(|| {
        [
            Step::new(Place::Unit, format!("LimitNOFILE={TABLE_MAX}")),
            Step::new(Place::Shell, format!("prlimit --pid $$ --nofile={TABLE_MAX}:{TABLE_MAX}")),
        ]
    });
    let shards = (needed * UNEVEN.0 / UNEVEN.1).div_ceil(most.max(1)).max(view.shards + 1);
    let spread = Step::new(Place::Config, format!("[hub] shards = {shards}"));
    Ok(finding.remedy(raise.into_iter().flatten()).remedy([spread]))
}

/// The limit of files where connections are descriptors.
fn descriptors(view: &View<'_>, most: u64, found: &str) -> Finding {
    let have = connections_in_slots(slots_under(most, view.shards, view.driver));
    let meaning = "The monoio driver takes a descriptor for each connection, in all shards together.";
    let needed = slots_for(view.wanted()).next_power_of_two().max(TABLE_MAX);
    let raise = (have < view.wanted()).then(|| {
        [
            Step::new(Place::Unit, format!("LimitNOFILE={needed}")),
            Step::new(Place::Shell, format!("prlimit --pid $$ --nofile={needed}:{needed}")),
        ]
    });
    Finding::new(found, meaning).bound(have, view.wanted()).remedy(raise.into_iter().flatten())
}

pub(super) fn nr_open(view: &View<'_>) -> Result<Finding, Unread> {
    let nr_open = view.machine.number("proc/sys/fs/nr_open")?;
    let given = view.nofile.as_ref().map_or(0, |nofile| nofile.hard);
    let most = nr_open.max(given);
    let meaning = "RLIMIT_NOFILE cannot be raised above it.";
    let have = connections_in_slots(slots_under(most, view.shards, view.driver));
    let finding = Finding::new(limit(nr_open), meaning).bound(have, view.wanted());
    let raise = (most < TABLE_MAX).then(|| sysctl("fs.nr_open", &TABLE_MAX.to_string()));
    Ok(finding.remedy(raise.into_iter().flatten()))
}

pub(super) fn file_max(view: &View<'_>) -> Result<Finding, Unread> {
    let [allocated, _, most] = view.machine.numbers("proc/sys/fs/file-nr")?;
    let found = format!("{}, {} in use", limit(most), grouped(allocated));
    let meaning = "All files of the machine; sockets count, in a ring's table or not.";
    let free = most.saturating_sub(allocated);
    let enough = allocated.saturating_add(slots_for(view.wanted()).saturating_mul(2));
    let value = enough.checked_next_power_of_two().unwrap_or(u64::MAX / 2).max(FILE_MAX_LARGE);
    Ok(Finding::new(found, meaning)
        .bound(connections_in_slots(free), view.wanted())
        .remedy(if value > most { sysctl("fs.file-max", &value.to_string()) } else { Vec::new() }))
}

pub(super) fn memlock(view: &View<'_>) -> Result<Finding, Unread> {
    let [soft, _] = read_limit(view.machine, "Max locked memory")?;
    let effective = |text: &str| u64::from_str_radix(text, 16).ok();
    let is_exempt = view.machine.field("proc/self/status", "CapEff:", effective)? & CAP_IPC_LOCK != 0;
    let given = if soft == u64::MAX { limit(soft) } else { size(soft) };
    let rings = size(view.shards * RING_BYTES);
    let found = if is_exempt {
        format!("{given}, not applied: CAP_IPC_LOCK")
    } else {
        format!("{given}, of which {} rings take {rings}", grouped(view.shards))
    };
    let meaning =
        "Since Linux 6.14 the queues of all rings of a user count against it, unless it has CAP_IPC_LOCK.";
    let is_short = !is_exempt && soft < view.shards * RING_BYTES;
    // Whether it fails is found out by doing, by the set-up: before 6.14 nothing counted.
    Ok(Finding::new(found, meaning).at_least(Verdict::Warn, is_short).remedy(if is_short {
        raise_memlock(view.shards)
    } else {
        Vec::new()
    }))
}

/// Room for the rings of so many shards twice: a hub that takes over from another has its rings beside the other's.
pub(super) fn raise_memlock(shards: u64) -> Vec<Step> {
    let bytes = (shards * RING_BYTES * 2).next_power_of_two().max(MEMLOCK_USUAL);
    vec![
        Step::new(Place::Unit, format!("LimitMEMLOCK={}M", bytes >> 20)),
        Step::new(Place::Shell, format!("prlimit --pid $$ --memlock={bytes}:{bytes}")),
    ]
}
