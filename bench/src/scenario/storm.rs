//! Everybody comes back at once: all connections drop, events are published while nobody listens, and all return with the
//! id of the last event they saw.
//!
//! It is over when every subscriber is live and has had each missed event once and in order. Modes: `resume` as above;
//! `live` for servers without history: nothing is published meanwhile.

use super::stage::{EVENT_BYTES_DEFAULT, Stage, plan};
use super::{Bench, Effort, Figures, Scenario, Stop, require};
use crate::figures::{Figure, Setting};
use crate::target::{Need, Plan, Target};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "storm",
    about: "All connections drop and come back at once, --mode resume (with what they missed) or live: time until complete",
    defaults,
    run,
};

/// Events that everybody sees before the drop.
const SEEN_EVENTS: u32 = 8;

/// Events published while nobody listens.
const MISSED_EVENTS: u32 = 50;

/// All receive the same events, so the ids that one subscriber parses are those of all.
const WITNESS: u32 = 0;

fn defaults(_: &Effort) -> Setting {
    Setting {
        connections: 10_000,
        event_bytes: Some(EVENT_BYTES_DEFAULT),
        mode: Some("resume".to_owned()),
        ..Setting::default()
    }
}

fn run(target: &dyn Target, setting: &Setting, bench: &Bench) -> Result<Figures, Stop> {
    let resumes = resumes(setting)?;
    if resumes {
        require(target, Need::Resume)?;
    }
    let authorized = target.unable(Need::Authorization).is_none();
    let mut stage = Stage::open(target, &Plan { authorized, ..plan(setting, bench) }, bench)?;
    stage.load.remember_ids(WITNESS);
    stage.connect(0..setting.connections)?;
    for _ in 0..SEEN_EVENTS {
        stage.publish_now();
    }
    stage.settle()?;
    let seen = stage.next();
    let last_event_id = if resumes { Some(stage.cursor(WITNESS)?) } else { None };
    for subscriber in 0..setting.connections {
        stage.load.drop_subscriber(subscriber);
    }
    for _ in 0..if resumes { MISSED_EVENTS } else { 0 } {
        stage.publish_now();
    }
    stage.wait_answered()?;
    let spent = stage.connect_again(0..setting.connections, last_event_id.as_deref(), seen)?;
    // Whoever is complete is to receive live, too.
    stage.publish_now();
    stage.settle()?;
    let mut figures = Figures::new();
    figures.insert(Figure::TimeToComplete, spent.wall.as_secs_f64() * 1e3);
    figures.insert(Figure::CpuPerConnect, spent.server_micros_per(u64::from(setting.connections)));
    spent.add_shares(&mut figures);
    Ok(figures)
}

fn resumes(setting: &Setting) -> Result<bool, Stop> {
    match setting.mode.as_deref() {
        None | Some("resume") => Ok(true),
        Some("live") => Ok(false),
        Some(other) => Err(Stop::Failed(format!("mode = {other} is not known; there are resume and live"))),
    }
}
