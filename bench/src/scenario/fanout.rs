//! Events to everybody, as fast as they arrive: so many are under way at a time.
//!
//! With one under way each delivery is a send of its own, and the figure is what a send costs; with more a server may join
//! what has queued up for a connection. CPU per delivery is the fair figure: where the load's own CPU is near 100 %,
//! deliveries per second are a figure of the load.

use super::closed_loop::keep_outstanding;
use super::stage::{EVENT_BYTES_DEFAULT, Stage, plan};
use super::{Bench, Effort, Figures, Scenario, Stop};
use crate::figures::Setting;
use crate::target::Target;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "fanout",
    about: "Events to everybody, --outstanding of them under way at a time: deliveries a second and what each costs",
    defaults,
    run,
};

pub(super) fn defaults(_: &Effort) -> Setting {
    Setting {
        connections: 10_000,
        event_bytes: Some(EVENT_BYTES_DEFAULT),
        outstanding: Some(1),
        ..Setting::default()
    }
}

pub(super) fn run(target: &dyn Target, setting: &Setting, bench: &Bench) -> Result<Figures, Stop> {
    let outstanding = setting.outstanding.unwrap_or(1);
    let mut stage = Stage::open(target, &plan(setting, bench), bench)?;
    stage.connect(0..setting.connections)?;
    keep_outstanding(&mut stage, outstanding, bench.effort.warm_up)?;
    let spent = stage.measure(|stage| Ok(keep_outstanding(stage, outstanding, bench.effort.window)?))?;
    stage.settle()?;
    let mut figures = Figures::new();
    spent.add_deliveries(&mut figures);
    Ok(figures)
}
