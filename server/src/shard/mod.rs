//! A shard: a pinned thread with its own listener, ring and engine. Nothing in it is shared; other threads reach it
//! through its inbox.
//!
//! Here is what every driver needs, whatever the sockets are made of. The loop itself is the driver's.

pub mod bell;
pub mod inbox;
pub mod stats;

use std::time::Duration;

use corecast_core::connection::ConnectionId;
use corecast_core::engine::Engine;
use corecast_core::engine::output::ShardId;
use corecast_core::id::Position;
use corecast_core::replay::{PageRead, Sought};
use corecast_core::settings::Settings;
use tokio::sync::mpsc;

use crate::clock::Clock;
use crate::log::replay::ReplayRequest;
use crate::sequencer::SequencerQueue;

use inbox::{Inbox, Mail};
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
    /// Where it asks for what its history no longer has, if the log can be read.
    pub replay: Option<mpsc::Sender<ReplayRequest>>,
    /// Where it shows what it counts.
    pub stats: Stats,
    /// Connections it accepts a second; 0 is no bound.
    pub accept_rate: u32,
    /// The window over which the streams of a stopping hub end.
    pub drain_over: Duration,
}

/// What a shard is told when the configuration has changed.
#[derive(Clone, Debug)]
pub struct ShardSettings {
    /// What its engine follows.
    pub engine: Settings,
    /// Connections it accepts a second; 0 is no bound.
    pub accept_rate: u32,
    /// The window over which the streams of a stopping hub end.
    pub drain_over: Duration,
    /// When the kernel gives up peers that connect from now on.
    pub user_timeout: Duration,
}

impl Shard {
    /// Asks the log where a stream goes on.
    pub fn seek(&self, connection: ConnectionId, last_event_id: Box<str>) {
        let request = ReplayRequest::Seek { shard: self.id, connection, last_event_id };
        self.ask(request, Mail::Sought { connection, sought: Sought::Unknown });
    }

    /// Asks the log for the page with the event at this position.
    pub fn read_page(&self, at: Position) {
        self.ask(ReplayRequest::Page { shard: self.id, at }, Mail::Page(PageRead::Failed { at }));
    }

    /// The queue has room for all that an engine asks. If its reader has ended, the shard answers itself, by mail since
    /// the engine must not be told in the middle of what it is asking for.
    fn ask(&self, request: ReplayRequest, otherwise: Mail) {
        let asked = self.replay.as_ref().is_some_and(|replay| replay.try_send(request).is_ok());
        if !asked && self.inbox.try_send(otherwise).is_err() {
            tracing::warn!(shard = self.id.0, "a stream waits for a log that is gone");
        }
    }

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
