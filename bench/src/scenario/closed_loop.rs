//! A fixed number of events under way: the next is published as soon as one has reached everybody.
//!
//! Not here: events at a fixed rate (`open_loop`).

use std::time::Duration;

use super::stage::Stage;
use crate::load::Fault;

/// The longest time in which no event becomes complete.
const PATIENCE: Duration = Duration::from_secs(20);

/// Keeps `outstanding` events to all under way for `duration`.
pub(super) fn keep_outstanding(stage: &mut Stage, outstanding: u32, duration: Duration) -> Result<(), Fault> {
    let delivered = |stage: &Stage| stage.load.delivered_to_all().into();
    keep_full(stage, duration, "the next event delivered to all", delivered, |stage| {
        while stage.outstanding() < outstanding {
            stage.publish_now();
        }
    })
}

/// Keeps up to `unanswered` requests without an answer for `duration`; `send` makes one more.
pub(super) fn keep_unanswered(
    stage: &mut Stage,
    unanswered: u32,
    duration: Duration,
    mut send: impl FnMut(&mut Stage),
) -> Result<(), Fault> {
    let answered = |stage: &Stage| stage.load.totals().published;
    keep_full(stage, duration, "the next answer to a publishing request", answered, |stage| {
        while stage.unanswered() < unanswered {
            send(stage);
        }
    })
}

/// Keeps one request of each publisher without an answer for `duration`.
pub(super) fn keep_each_asking(stage: &mut Stage, duration: Duration) -> Result<(), Fault> {
    let answered = |stage: &Stage| stage.load.totals().published;
    keep_full(stage, duration, "the next answer to a publishing request", answered, |stage| {
        for publisher in 0..stage.publishers() {
            if stage.unanswered_of(publisher) == 0 {
                stage.publish_by(publisher);
            }
        }
    })
}

/// Lets the load work for `duration`, and has `fill` make up for what is done. Each `next` has to come in time: then
/// `done` says something else than before.
fn keep_full(
    stage: &mut Stage,
    duration: Duration,
    next: &str,
    done: impl Fn(&Stage) -> u64,
    mut fill: impl FnMut(&mut Stage),
) -> Result<(), Fault> {
    let begin = stage.load.now();
    let mut done_before = done(stage);
    let mut progressed = begin;
    loop {
        let now = stage.load.now();
        if now - begin >= duration {
            return Ok(());
        }
        if done(stage) != done_before {
            done_before = done(stage);
            progressed = now;
        }
        if now - progressed > PATIENCE {
            return Err(stage.too_late(next, PATIENCE));
        }
        fill(stage);
        stage.load.turn((begin + duration).saturating_duration_since(now).min(Duration::from_millis(100)))?;
    }
}
