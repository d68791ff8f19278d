//! Cores, the CPU time that the control group gives, and the clock.

use super::View;
use super::cgroup;
use super::machine::{Machine, Unread, plain};
use super::report::{Finding, Place, Step, Verdict};
use super::text::grouped;

/// As many as the kernel's sets of cores have in the hub (`corecast_ring::cores`).
const CORES_MAX: u64 = 1024;

/// Clocks that are read by a system call or over a bus: a microsecond, where others take nanoseconds.
const SLOW_CLOCKS: [&str; 7] =
    ["hpet", "acpi_pm", "pit", "jiffies", "refined-jiffies", "xen", "hyperv_clocksource_msr"];

const CLOCKS: &str = "sys/devices/system/clocksource/clocksource0";

/// How many cores this process may use.
pub(super) fn usable(machine: &Machine) -> Result<u32, Unread> {
    machine.field("proc/self/status", "Cpus_allowed_list:", count)
}

/// The length of a list of cores, such as `0-3,8`.
fn count(list: &str) -> Option<u32> {
    let mut sum = 0_u64;
    for part in list.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (first.trim().parse::<u64>().ok()?, last.trim().parse::<u64>().ok()?);
        sum = sum.saturating_add(last.checked_sub(first)?.saturating_add(1));
    }
    u32::try_from(sum.min(CORES_MAX)).ok()
}

pub(super) fn cores(view: &View<'_>) -> Result<Finding, Unread> {
    let cores = u64::from(usable(view.machine)?);
    let pinned = if view.shards > cores { "not pinned" } else { "each on its own" };
    let found = format!("{} usable, {} shards {pinned}", grouped(cores), grouped(view.shards));
    Ok(Finding::new(found, "A shard is a thread; more shards than cores share them, and are not pinned."))
}

pub(super) fn quota(view: &View<'_>) -> Result<Finding, Unread> {
    let meaning =
        "A hub that has used up its share stands still until the next period, some 100 ms, with all streams.";
    let Some(millicores) = cgroup::millicores(view.machine)? else {
        return Ok(Finding::new("no quota", meaning));
    };
    let cores = usable(view.machine).map_or(view.shards, u64::from);
    let busy = view.shards.min(cores);
    let found = format!("{}.{:02} cores", millicores / 1000, millicores % 1000 / 10);
    Ok(Finding::new(found, meaning).at_least(Verdict::Warn, millicores < busy * 1000).remedy([
        Step::new(Place::Unit, format!("CPUQuota={}%", busy * 100)),
        Step::new(Place::Config, format!("[hub] shards = {}", (millicores / 1000).max(1))),
    ]))
}

pub(super) fn clock_source(view: &View<'_>) -> Result<Finding, Unread> {
    let text = view.machine.text(format!("{CLOCKS}/current_clocksource"))?;
    let current = text.trim();
    let available = view.machine.text(format!("{CLOCKS}/available_clocksource")).unwrap_or_default();
    let better = available.split_whitespace().find(|name| !SLOW_CLOCKS.contains(name));
    let step = match better.filter(|name| name.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c)))
    {
        Some(name) => Step::new(Place::Shell, format!("echo {name} > /{CLOCKS}/current_clocksource")),
        None => Step::new(Place::Boot, "clocksource=tsc"),
    };
    let is_slow = current.is_empty() || SLOW_CLOCKS.contains(&current);
    Ok(Finding::new(
        if current.is_empty() { "empty".to_owned() } else { plain(current) },
        "The time is read in every turn of a shard's loop; a slow clock takes a microsecond each.",
    )
    .at_least(Verdict::Warn, is_slow)
    .remedy(is_slow.then_some(step)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_cores_are_counted() {
        for (list, expected) in [
            ("0", Some(1)),
            ("0-1", Some(2)),
            ("0-3,8,10-11", Some(7)),
            ("0-4294967295", Some(1024)),
            ("0-18446744073709551615,0-18446744073709551615", Some(1024)),
            ("", None),
            ("3-0", None),
            ("0,", None),
            ("a-b", None),
        ] {
            assert_eq!(count(list), expected, "{list}");
        }
    }
}
