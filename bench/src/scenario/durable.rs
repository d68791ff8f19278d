//! Publishing that is answered once the event is safe on the disk: --publishers connections, each with one request under way.
//!
//! Nobody subscribes: this is what the log costs. The loop that only appends and syncs (`bare::device`) appends as much at a
//! time as publishers could ask for at once, so it is what they could reach if everybody always shared each sync.
//! Targets that keep events in memory run as well, to show the difference.

use std::time::Duration;

use super::closed_loop::keep_each_asking;
use super::latency::add_latencies;
use super::stage::{EVENT_BYTES_DEFAULT, Stage, plan};
use super::{Bench, Effort, Figures, Scenario, Stop};
use crate::bare::device::{append_and_sync, record};
use crate::figures::{Figure, Setting};
use crate::mark::{Mark, TO_ALL};
use crate::target::disk::Disk;
use crate::target::{Device, Plan, Target};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "durable",
    about: "Publishing that a disk has to take, by --publishers with one request each: answers a second, latency, syncs",
    defaults,
    run,
};

const PUBLISHERS_DEFAULT: u32 = 1;

fn defaults(_: &Effort) -> Setting {
    Setting {
        event_bytes: Some(EVENT_BYTES_DEFAULT),
        publishers: Some(PUBLISHERS_DEFAULT),
        ..Setting::default()
    }
}

fn run(target: &dyn Target, setting: &Setting, bench: &Bench) -> Result<Figures, Stop> {
    let publishers = setting.publishers.unwrap_or(PUBLISHERS_DEFAULT);
    match target.device() {
        Some(device) => Ok(on_device(&device, publishers, setting, bench)?),
        None => on_server(target, publishers, setting, bench),
    }
}

fn on_server(
    target: &dyn Target,
    publishers: u32,
    setting: &Setting,
    bench: &Bench,
) -> Result<Figures, Stop> {
    let mut stage = Stage::open(target, &Plan { publishers, ..plan(setting, bench) }, bench)?;
    let disk = stage.running().log_folder().map(Disk::of).transpose()?;
    let flushes = || disk.as_ref().and_then(Disk::flushes);
    keep_each_asking(&mut stage, bench.effort.warm_up)?;
    stage.wait_answered()?;
    stage.load.take_answer_times();
    let flushes_before = flushes();
    let spent = stage.measure(|stage| {
        keep_each_asking(stage, bench.effort.window)?;
        stage.wait_answered()
    })?;
    let flushes = flushes().zip(flushes_before).map(|(after, before)| after - before);
    let mut figures = Figures::new();
    figures.insert(Figure::RequestsPerSecond, spent.per_second(spent.published));
    figures.insert(Figure::CpuPerRequest, spent.server_micros_per(spent.published));
    spent.add_shares(&mut figures);
    add_latencies(&stage.load.take_answer_times(), &mut figures);
    if let Some(flushes) = flushes.filter(|&flushes| flushes > 0) {
        figures.insert(Figure::SyncsPerSecond, spent.per_second(flushes));
        figures.insert(Figure::RequestsPerSync, spent.published as f64 / flushes as f64);
    }
    Ok(figures)
}

/// Each publisher's event is in each append.
fn on_device(
    device: &Device<'_>,
    publishers: u32,
    setting: &Setting,
    bench: &Bench,
) -> anyhow::Result<Figures> {
    let mut data = Vec::new();
    let event_bytes = setting.event_bytes.unwrap_or(EVENT_BYTES_DEFAULT) as usize;
    Mark { stream: TO_ALL, number: 0, intended_ns: 0 }.write(event_bytes, &mut data);
    let bytes = record(&data).repeat(publishers as usize);
    let append = |duration: Duration| {
        append_and_sync(device.folder, device.ahead, &bytes, bench.server_core, duration)
    };
    append(bench.effort.warm_up)?;
    let appended = append(bench.effort.window)?;
    let seconds = appended.wall.as_secs_f64();
    let events = appended.syncs as f64 * f64::from(publishers);
    let mut figures = Figures::new();
    figures.insert(Figure::RequestsPerSecond, events / seconds);
    figures.insert(Figure::CpuPerRequest, appended.cpu.as_secs_f64() * 1e6 / events);
    figures.insert(Figure::CpuShare, appended.cpu.as_secs_f64() * 100.0 / seconds);
    add_latencies(&appended.times, &mut figures);
    figures.insert(Figure::SyncsPerSecond, appended.syncs as f64 / seconds);
    figures.insert(Figure::RequestsPerSync, f64::from(publishers));
    Ok(figures)
}
