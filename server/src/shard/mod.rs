//! A shard: a pinned thread with its own listener, ring and engine. Nothing in it is shared; other threads reach it
//! through its inbox.
//!
//! Here is what every driver needs, whatever the sockets are made of. The loop itself is the driver's.

pub mod bell;
pub mod inbox;
pub mod stats;

use std::time::Duration;

use corecast_core::engine::Engine;
use corecast_core::engine::output::ShardId;

use crate::clock::Clock;
use crate::sequencer::SequencerQueue;

use inbox::Inbox;
use stats::Stats;

/// Events taken into one turn: a window's worth. More would only wait in the engine.
const EVENTS_A_TURN: usize = 64;

/// What a shard is made of, beside its sockets.
pub struct Shard {
    /// Which one it is.
    pub id: ShardId,
    /// Its rules.
    pub engine: Engine,
    /// The clocks of the process.
    pub clock: Clock,
    /// How others reach it.
    pub inbox: Inbox,
    /// How it reaches the others, itself included; by `ShardId`.
    pub peers: Vec<Inbox>,
    /// Where it hands in what is published.
    pub sequencer: SequencerQueue,
    /// Where it shows what it counts.
    pub stats: Stats,
    /// The window over which clients of a stopping hub are asked to come back.
    pub drain_over: Duration,
}

impl Shard {
    /// Gives the engine the events that have arrived, as many as it wants.
    pub fn take_events(&mut self) {
        for _ in 0..EVENTS_A_TURN {
            if !self.engine.wants_event() {
                return;
            }
            let Some(event) = self.inbox.next_event() else { return };
            self.engine.handle_event(event);
        }
    }
}
