//! Everybody comes back at once after a long time: what they missed is not in memory any more, and has to be read from the log.
//!
//! A log of [`LOG_EVENTS`] is filled while nobody listens, and the kernel made to forget what it has cached of it. Then
//! --connections return with cursors up to --missed events back, beside [`LIVE`] subscribers who were never away, while
//! events are published at a fixed rate. It is over when everybody who came back has all that was published before. Figures
//! of latency are those of the subscribers who were there, in the return and before it. Modes: `together` all come back to
//! the same place, `apart` to [`PLACES`] of them. A target without a log has all of it in memory.

use std::time::Duration;

use super::latency::add_latencies;
use super::open_loop::{Pace, events_in, keep_pace};
use super::publish::BATCH_EVENTS;
use super::stage::{EVENT_BYTES_DEFAULT, Spent, Stage, plan};
use super::{Bench, Effort, Figures, Scenario, Stop, require};
use crate::figures::{Figure, Setting};
use crate::load::Load;
use crate::target::disk::forget;
use crate::target::{Need, Plan, Subscriber, Target};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "resume",
    about: "--connections come back at once with cursors up to --missed events back, beyond memory, --mode together or apart",
    defaults,
    run,
};

/// Events in the log when all come back.
const LOG_EVENTS: u32 = 100_000;

/// Events that a hub with a log keeps in memory beside it: fewer than anybody missed.
const HISTORY_EVENTS: u32 = 1_000;

const MISSED_DEFAULT: u32 = 3_000;

/// Subscribers who stay, with the lowest numbers.
const LIVE: u32 = 100;

/// Events a second while all come back, and before.
const RATE: f64 = 20.0;

/// Places to come back to in the mode `apart`.
const PLACES: u32 = 16;

/// Requests under way while the log is filled.
const FILLING: u32 = 16;

/// All receive the same events, so the ids that one subscriber parses are those of all.
const WITNESS: u32 = 0;

/// Longer than anybody would wait for a page to come back to life.
const PATIENCE: Duration = Duration::from_secs(60);

/// Streams have to last for the filling, the time before, and most of the return.
const LASTING_SECONDS: u32 = 45;

fn defaults(_: &Effort) -> Setting {
    Setting {
        connections: 10_000,
        event_bytes: Some(EVENT_BYTES_DEFAULT),
        missed_events: Some(MISSED_DEFAULT),
        mode: Some("together".to_owned()),
        ..Setting::default()
    }
}

/// A place to come back to.
struct Place {
    cursor: String,
    /// The event that comes next.
    next: u32,
}

fn run(target: &dyn Target, setting: &Setting, bench: &Bench) -> Result<Figures, Stop> {
    let places = places(setting)?;
    let missed = setting.missed_events.unwrap_or(MISSED_DEFAULT).clamp(HISTORY_EVENTS + PLACES, LOG_EVENTS);
    require(target, Need::Streams)?;
    require(target, Need::Resume)?;
    require(target, Need::Lasting(LASTING_SECONDS))?;
    let plan = Plan {
        connections: setting.connections + LIVE,
        authorized: target.unable(Need::Authorization).is_none(),
        history_events: HISTORY_EVENTS,
        // What is published at the rate comes on top.
        log_events: LOG_EVENTS + LOG_EVENTS / 10,
        ..plan(setting, bench)
    };
    let mut stage = Stage::open(target, &plan, bench)?;
    let batch = if target.unable(Need::Batches).is_none() { BATCH_EVENTS } else { 1 };
    let places = fill_log(&mut stage, missed, places, batch)?;
    if let Some(folder) = stage.running().log_folder() {
        forget(folder).map_err(anyhow::Error::from)?;
    }
    stage.connect(0..LIVE)?;
    stage.load.time_only(LIVE);
    let mut figures = Figures::new();
    before(&mut stage, &bench.effort, &mut figures)?;
    let tree = stage.running().tree();
    let (resident_before, read_before) = (tree.resident_bytes()?, tree.disk_bytes_read()?);
    tree.reset_resident_bytes_max()?;
    let spent = come_back(&mut stage, setting.connections, &places)?;
    let tree = stage.running().tree();
    let growth = tree.resident_bytes_max()?.saturating_sub(resident_before);
    figures.insert(Figure::MemoryGrowth, growth as f64);
    figures.insert(Figure::DiskBytesRead, tree.disk_bytes_read()?.saturating_sub(read_before) as f64);
    figures.insert(Figure::TimeToComplete, spent.wall.as_secs_f64() * 1e3);
    spent.add_deliveries(&mut figures);
    add_latencies(&stage.load.take_latencies(), &mut figures);
    // Whoever is complete is to receive live, too.
    stage.publish_now();
    stage.settle()?;
    Ok(figures)
}

fn places(setting: &Setting) -> Result<u32, Stop> {
    match setting.mode.as_deref() {
        None | Some("together") => Ok(1),
        Some("apart") => Ok(PLACES),
        Some(other) => {
            Err(Stop::Failed(format!("mode = {other} is not known; there are together and apart")))
        }
    }
}

/// Publishes [`LOG_EVENTS`]; returns places, the first `missed` events before the end, and none within what is in memory.
fn fill_log(stage: &mut Stage, missed: u32, places: u32, batch: u32) -> Result<Vec<Place>, Stop> {
    publish_many(stage, LOG_EVENTS - missed, batch)?;
    stage.load.remember_ids(WITNESS);
    stage.connect(WITNESS..WITNESS + 1)?;
    let mut found = Vec::new();
    for place in 0..places {
        if place > 0 {
            publish_many(stage, (missed - HISTORY_EVENTS) / places, batch)?;
        }
        stage.publish_now();
        stage.settle()?;
        found.push(Place { cursor: stage.cursor(WITNESS)?, next: stage.next() });
    }
    stage.load.drop_subscriber(WITNESS);
    let rest = LOG_EVENTS.saturating_sub(stage.next());
    publish_many(stage, rest, batch)?;
    Ok(found)
}

/// Publishes `count` events, `batch` in a request, and waits until all are answered.
fn publish_many(stage: &mut Stage, count: u32, batch: u32) -> Result<(), Stop> {
    let end = stage.next() + count;
    while stage.next() < end {
        if stage.unanswered() >= FILLING {
            stage.wait_unanswered_below(FILLING)?;
        }
        match batch.min(end - stage.next()) {
            1 => stage.publish_now(),
            several => {
                let now_ns = stage.load.now_ns();
                let marks = stage.next_marks(several, now_ns);
                stage.publish_batch(&marks);
            }
        }
    }
    stage.wait_answered()
}

/// How soon those who stay have events while nobody comes back.
fn before(stage: &mut Stage, effort: &Effort, figures: &mut Figures) -> Result<(), Stop> {
    keep_pace(stage, RATE, events_in(effort.warm_up, RATE, 1), Stage::publish)?;
    stage.settle()?;
    stage.load.take_latencies();
    keep_pace(stage, RATE, events_in(effort.window, RATE, effort.events_min), Stage::publish)?;
    stage.settle()?;
    let mut all = Figures::new();
    add_latencies(&stage.load.take_latencies(), &mut all);
    for (figure, before) in
        [(Figure::LatencyP50, Figure::LatencyBeforeP50), (Figure::LatencyP99, Figure::LatencyBeforeP99)]
    {
        figures.extend(all.get(&figure).map(|&millis| (before, millis)));
    }
    Ok(())
}

/// Lets `connections` come back to `places` in turn, until all have what was published before they did.
fn come_back(stage: &mut Stage, connections: u32, places: &[Place]) -> Result<Spent, Stop> {
    let total = stage.next();
    // Signing tokens is not what is measured.
    let requests: Vec<(u32, Vec<u8>, u32)> = (LIVE..LIVE + connections)
        .zip(places.iter().cycle())
        .map(|(user, place)| {
            let subscriber = Subscriber { user, last_event_id: Some(&place.cursor) };
            (user, stage.running().subscribe_request(&subscriber), place.next)
        })
        .collect();
    let live = stage.load.totals().live + connections;
    let is_complete = |load: &Load| load.totals().live >= live && load.delivered_to_all() >= total;
    stage.measure(|stage| {
        for (subscriber, request, next) in requests {
            stage.load.connect(subscriber, request, next);
        }
        let begin = stage.load.now();
        let mut pace = Pace::new(stage.load.now_ns(), RATE, u32::MAX);
        while !is_complete(&stage.load) {
            if stage.load.now() - begin > PATIENCE {
                return Err(stage.too_late("everybody back with all that they missed", PATIENCE).into());
            }
            let now_ns = stage.load.now_ns();
            while let Some(intended_ns) = pace.take_due(now_ns) {
                stage.publish(intended_ns);
            }
            let next_ns = pace.next_ns().unwrap_or(now_ns);
            stage.load.turn(Duration::from_nanos(next_ns.saturating_sub(stage.load.now_ns())))?;
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_known_by_their_names_and_others_are_refused() {
        for (mode, expected) in [("together", Some(1)), ("apart", Some(PLACES)), ("resume", None)] {
            let setting = Setting { mode: Some(mode.to_owned()), ..Setting::default() };
            assert_eq!(places(&setting).ok(), expected, "{mode}");
        }
    }
}
