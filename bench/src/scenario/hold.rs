//! Idle connections: how fast they come, what each holds in memory, and what it costs to keep them alive.
//!
//! Own memory is the growth of the resident set of the target's processes. Kernel memory is the growth of what the kernel
//! holds on the whole machine, less the load's own end of each connection (`load_end`). Both are measured before the first
//! event. CPU is that of heartbeats alone, over two periods of them; where a quick run shortens the period, the share is
//! scaled to what it would be at 15 seconds, and the setting says so.

use std::time::Duration;

use super::load_end::{load_end_bytes, settled};
use super::stage::{Spent, Stage, plan};
use super::{Bench, Effort, Figures, Scenario, Stop};
use crate::figures::{Figure, Setting};
use crate::target::{Need, Plan, Target};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "hold",
    about: "Idle connections: connects a second, memory of each, own and kernel, and CPU of heartbeats",
    defaults,
    run,
};

/// Periods of heartbeats that are measured: one could miss those that come late.
const PERIODS: u32 = 2;

fn defaults(effort: &Effort) -> Setting {
    let scaled = effort.heartbeat_seconds != Effort::HEARTBEAT_SECONDS;
    let mode = scaled.then(|| format!("heartbeats every {} s, scaled", effort.heartbeat_seconds));
    Setting { connections: 10_000, mode, ..Setting::default() }
}

fn run(target: &dyn Target, setting: &Setting, bench: &Bench) -> Result<Figures, Stop> {
    let load_end = load_end_bytes(bench)?;
    let heartbeat_seconds = bench.effort.heartbeat_seconds;
    let plan = Plan {
        authorized: target.unable(Need::Authorization).is_none(),
        heartbeat_seconds,
        ..plan(setting, bench)
    };
    let mut stage = Stage::open(target, &plan, bench)?;
    let before = Memory::now(&stage)?;
    let connected = stage.connect(0..setting.connections)?;
    let mut figures = Figures::new();
    add_connects(&connected, setting.connections, &mut figures);
    Memory::now(&stage)?.add_since(&before, setting.connections, load_end, &mut figures);
    if target.unable(Need::Heartbeats).is_none()
        && let Some(spent) = beat(&mut stage, heartbeat_seconds, setting.connections)?
    {
        let scale = f64::from(heartbeat_seconds) / f64::from(Effort::HEARTBEAT_SECONDS);
        figures.insert(Figure::CpuShare, spent.percent(spent.server) * scale);
    }
    Ok(figures)
}

/// How fast they came, and what each cost.
pub(super) fn add_connects(connected: &Spent, connections: u32, figures: &mut Figures) {
    figures.insert(Figure::ConnectsPerSecond, connected.per_second(connections.into()));
    figures.insert(Figure::CpuPerConnect, connected.server_micros_per(connections.into()));
}

/// What [`PERIODS`] of silence take. `None` if not everybody heard something although periods were shortened: some servers
/// have their own. At the usual period that is a fault, since a server that keeps silent is not frugal.
pub(super) fn beat(
    stage: &mut Stage,
    heartbeat_seconds: u32,
    connections: u32,
) -> Result<Option<Spent>, Stop> {
    let duration = Duration::from_secs((PERIODS * heartbeat_seconds).into());
    let bytes_before = stage.load.totals().bytes;
    let spent = stage.measure(|stage| Ok(stage.idle(duration)?))?;
    // The shortest heartbeat is `:` and an end of line.
    if stage.load.totals().bytes - bytes_before >= 2 * u64::from(connections) {
        Ok(Some(spent))
    } else if heartbeat_seconds < Effort::HEARTBEAT_SECONDS {
        Ok(None)
    } else {
        Err(stage.too_late("heartbeats on all streams", duration).into())
    }
}

/// What a target holds at one moment, and the kernel for everybody.
pub(super) struct Memory {
    own_bytes: u64,
    kernel_bytes: u64,
}

impl Memory {
    pub(super) fn now(stage: &Stage) -> Result<Self, Stop> {
        Ok(Self { own_bytes: stage.running().tree().resident_bytes()?, kernel_bytes: settled()? })
    }

    /// What each of `connections` added since `before`, with `load_end` bytes of kernel memory for the load's end of it.
    pub(super) fn add_since(&self, before: &Self, connections: u32, load_end: f64, figures: &mut Figures) {
        let each = |after: u64, before: u64| (after as f64 - before as f64) / f64::from(connections);
        figures.insert(Figure::OwnMemoryPerConnection, each(self.own_bytes, before.own_bytes));
        let kernel = each(self.kernel_bytes, before.kernel_bytes) - load_end;
        figures.insert(Figure::KernelMemoryPerConnection, kernel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_shared_out_and_the_end_of_the_load_taken_off() {
        let before = Memory { own_bytes: 1_000, kernel_bytes: 50_000 };
        let after = Memory { own_bytes: 3_000, kernel_bytes: 130_000 };
        let mut figures = Figures::new();
        after.add_since(&before, 10, 3_500.0, &mut figures);
        let expected =
            [(Figure::OwnMemoryPerConnection, 200.0), (Figure::KernelMemoryPerConnection, 4_500.0)];
        assert_eq!(figures, Figures::from(expected));
    }
}
