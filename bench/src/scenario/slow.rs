//! Readers that stall: what the others notice, and what memory a server spends on those who read nothing.
//!
//! Sockets take some hundred KiB before a server notices a stall. So events flow unmeasured until those who read nothing
//! have missed that much, or for as long as the effort allows; memory counts from the beginning of the stall.

use std::time::Duration;

use super::closed_loop::keep_outstanding;
use super::latency::add_latencies;
use super::stage::{Stage, plan};
use super::{Bench, Effort, Figures, Scenario, Stop};
use crate::figures::{Figure, Setting};
use crate::target::Target;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "slow",
    about: "--stalled percent of the readers stop reading: latency of the others, and growth of memory",
    defaults,
    run,
};

const OUTSTANDING_DEFAULT: u32 = 16;

/// Large, so that a stall is felt within seconds: 128 bytes would take a minute to fill the sockets.
const EVENT_BYTES: u32 = 4_096;

/// What a stalled reader's two sockets hold at least before its server has to hold the rest.
const SOCKETS_BYTES: u32 = 512 << 10;

/// Between two looks at whether enough was missed.
const STEP: Duration = Duration::from_millis(100);

fn defaults(_: &Effort) -> Setting {
    Setting {
        connections: 10_000,
        event_bytes: Some(EVENT_BYTES),
        outstanding: Some(OUTSTANDING_DEFAULT),
        stalled_percent: Some(10),
        ..Setting::default()
    }
}

fn run(target: &dyn Target, setting: &Setting, bench: &Bench) -> Result<Figures, Stop> {
    let outstanding = setting.outstanding.unwrap_or(OUTSTANDING_DEFAULT);
    let mut stage = Stage::open(target, &plan(setting, bench), bench)?;
    stage.connect(0..setting.connections)?;
    // Before anybody stalls: what the event loop itself needs at this load is no growth.
    keep_outstanding(&mut stage, outstanding, bench.effort.warm_up)?;
    stage.settle()?;
    let resident_before = stage.running().tree().resident_bytes()?;
    stage.running().tree().reset_resident_bytes_max()?;
    for subscriber in stalled(setting.connections, setting.stalled_percent.unwrap_or(0)) {
        stage.load.stall(subscriber);
    }
    let missed = stage.next() + SOCKETS_BYTES / setting.event_bytes.unwrap_or(EVENT_BYTES).max(1);
    let deadline = stage.load.now() + bench.effort.stall_max;
    while stage.next() < missed && stage.load.now() < deadline {
        keep_outstanding(&mut stage, outstanding, STEP)?;
    }
    stage.settle()?;
    stage.load.take_latencies();
    let spent = stage.measure(|stage| Ok(keep_outstanding(stage, outstanding, bench.effort.window)?))?;
    stage.settle()?;
    let resident_max = stage.running().tree().resident_bytes_max()?;
    let mut figures = Figures::new();
    add_latencies(&stage.load.take_latencies(), &mut figures);
    spent.add_deliveries(&mut figures);
    figures.insert(Figure::MemoryGrowth, resident_max.saturating_sub(resident_before) as f64);
    Ok(figures)
}

/// `percent` of `connections`, spread evenly: neighbours in a server's table are not to stall together.
fn stalled(connections: u32, percent: u32) -> impl Iterator<Item = u32> {
    let before = move |subscriber: u32| u64::from(subscriber) * u64::from(percent) / 100;
    (0..connections).filter(move |&subscriber| before(subscriber + 1) > before(subscriber))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_stall_as_the_setting_says_and_not_side_by_side() {
        for (connections, percent, expected) in
            [(10_000, 0, 0), (10_000, 5, 500), (1_000, 10, 100), (7, 100, 7), (10, 5, 0)]
        {
            let stalled: Vec<u32> = stalled(connections, percent).collect();
            assert_eq!(stalled.len(), expected, "{percent} % of {connections}");
            let nearest = stalled.windows(2).map(|pair| pair[1] - pair[0]).min();
            assert!(nearest.is_none_or(|apart| apart >= 100 / percent), "{percent}: {nearest:?}");
        }
    }
}
