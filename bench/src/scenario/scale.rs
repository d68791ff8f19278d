//! More and more connections in one process: what each holds, how fast they come, what silence and deliveries cost then.
//!
//! Connections come in steps, and before each the kernel is asked how much memory is left: a machine that would swap, or
//! kill somebody, measures nothing. It stops there and says so.

use std::time::Duration;

use super::hold::{Memory, beat};
use super::load_end::load_end_bytes;
use super::stage::{EVENT_BYTES_DEFAULT, Stage, plan};
use super::{Bench, Effort, Figures, Scenario, Stop, require};
use crate::figures::{Figure, Setting};
use crate::machine::memory_available_bytes;
use crate::target::{Need, Plan, Target};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "scale",
    about: "Very many --connections in one process: connects a second, memory, idle CPU, CPU per delivery",
    defaults,
    run,
};

/// Connected at once; also how many requests are held at a time.
const STEP: u32 = 10_000;

/// Left to the machine.
const RESERVE_BYTES: u64 = 2 << 30;

/// Both ends in the kernel, the server's own, and the load's: more than any target needs.
const STEP_BYTES: u64 = STEP as u64 * 16 * 1024;

fn defaults(_: &Effort) -> Setting {
    Setting { connections: 100_000, event_bytes: Some(EVENT_BYTES_DEFAULT), ..Setting::default() }
}

fn run(target: &dyn Target, setting: &Setting, bench: &Bench) -> Result<Figures, Stop> {
    require(target, Need::Connections(setting.connections))?;
    let load_end = load_end_bytes(bench)?;
    let plan = Plan {
        workers: workers(
            setting.connections,
            corecast_ring::raise_nofile().map_err(anyhow::Error::from)?.soft,
        ),
        authorized: target.unable(Need::Authorization).is_none(),
        heartbeat_seconds: Effort::HEARTBEAT_SECONDS,
        ..plan(setting, bench)
    };
    let mut stage = Stage::open(target, &plan, bench)?;
    let before = Memory::now(&stage)?;
    let mut figures = Figures::new();
    connect_in_steps(&mut stage, setting.connections, &mut figures)?;
    Memory::now(&stage)?.add_since(&before, setting.connections, load_end, &mut figures);
    // A quick run has no time for two periods, and shorter ones would be another load.
    let has_heartbeats = target.unable(Need::Heartbeats).is_none();
    if has_heartbeats
        && bench.effort.heartbeat_seconds == Effort::HEARTBEAT_SECONDS
        && let Some(idle) = beat(&mut stage, Effort::HEARTBEAT_SECONDS, setting.connections)?
    {
        figures.insert(Figure::CpuShare, idle.percent(idle.server));
    }
    whole_events(&mut stage, Duration::ZERO)?;
    let spent = stage.measure(|stage| whole_events(stage, bench.effort.window))?;
    figures.insert(Figure::DeliveriesPerSecond, spent.per_second(spent.deliveries));
    figures.insert(Figure::CpuPerDelivery, spent.server_micros_per(spent.deliveries));
    Ok(figures)
}

fn connect_in_steps(stage: &mut Stage, connections: u32, figures: &mut Figures) -> Result<(), Stop> {
    let (mut wall, mut server) = (Duration::ZERO, Duration::ZERO);
    for first in (0..connections).step_by(STEP as usize) {
        let available = memory_available_bytes()?;
        if available < RESERVE_BYTES + STEP_BYTES {
            return Err(Stop::Unable(format!(
                "this machine has memory for {first} connections: {} MiB are left, of which 2048 are kept",
                available >> 20
            )));
        }
        let spent = stage.connect(first..connections.min(first.saturating_add(STEP)))?;
        wall += spent.wall;
        server += spent.server;
    }
    figures.insert(Figure::ConnectsPerSecond, f64::from(connections) / wall.as_secs_f64());
    figures.insert(Figure::CpuPerConnect, server.as_secs_f64() * 1e6 / f64::from(connections));
    Ok(())
}

/// Events to everybody, one after another, for at least `window`; each is delivered to all before this returns.
fn whole_events(stage: &mut Stage, window: Duration) -> Result<(), Stop> {
    let begin = stage.load.now();
    loop {
        stage.publish_now();
        stage.settle()?;
        if stage.load.now() - begin >= window {
            return Ok(());
        }
    }
}

/// Threads that are needed where the table of each is bounded by `nofile`. Connections fall to them by chance, so each has
/// a fifth to spare, for that, for its own files, and for what a target allows beyond the plan.
fn workers(connections: u32, nofile: u64) -> u32 {
    let each = (nofile.saturating_mul(4) / 5).max(1);
    u32::try_from(u64::from(connections).div_ceil(each)).unwrap_or(u32::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_as_many_workers_as_their_tables_need() {
        for (connections, nofile, expected) in [
            (1_000, 20_000, 1),
            (16_000, 20_000, 1),
            (16_001, 20_000, 2),
            (1_000_000, 20_000, 63),
            (1_000_000, 1_048_576, 2),
            (1_000_000, u64::MAX, 1),
        ] {
            assert_eq!(workers(connections, nofile), expected, "{connections} with tables of {nofile}");
        }
    }
}
