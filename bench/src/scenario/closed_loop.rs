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
    let begin = stage.load.now();
    let mut complete = stage.load.delivered_to_all();
    let mut progressed = begin;
    loop {
        let now = stage.load.now();
        if now - begin >= duration {
            return Ok(());
        }
        if stage.load.delivered_to_all() != complete {
            complete = stage.load.delivered_to_all();
            progressed = now;
        }
        if now - progressed > PATIENCE {
            return Err(stage.too_late("the next event delivered to all", PATIENCE));
        }
        while stage.outstanding() < outstanding {
            let now_ns = stage.load.now_ns();
            stage.publish(now_ns);
        }
        stage.load.turn((begin + duration).saturating_duration_since(now).min(Duration::from_millis(100)))?;
    }
}

/// Keeps up to `unanswered` requests without an answer for `duration`; `send` makes one more.
pub(super) fn keep_unanswered(
    stage: &mut Stage,
    unanswered: u32,
    duration: Duration,
    mut send: impl FnMut(&mut Stage),
) -> Result<(), Fault> {
    let begin = stage.load.now();
    let mut answered = stage.load.totals().published;
    let mut progressed = begin;
    loop {
        let now = stage.load.now();
        if now - begin >= duration {
            return Ok(());
        }
        if stage.load.totals().published != answered {
            answered = stage.load.totals().published;
            progressed = now;
        }
        if now - progressed > PATIENCE {
            return Err(stage.too_late("the next answer to a publishing request", PATIENCE));
        }
        while stage.unanswered() < unanswered {
            send(stage);
        }
        stage.load.turn((begin + duration).saturating_duration_since(now).min(Duration::from_millis(100)))?;
    }
}
