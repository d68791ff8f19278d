//! What shards ask of a log that can be read: where a stream goes on, and pages of old events.
//!
//! Invariant: every request is answered; a shard's by mail. A shard has few requests under way
//! (`corecast_core::limits`), so the queue has room for all of them.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use corecast_core::connection::ConnectionId;
use corecast_core::engine::output::ShardId;
use corecast_core::id::Position;
use corecast_core::limits::SEEKS_MAX;
use tokio::sync::mpsc;

/// What a shard asks.
#[derive(Debug)]
pub enum ReplayRequest {
    /// Where the stream of `connection` goes on; answered by `Mail::Sought`.
    Seek {
        /// Who asks.
        shard: ShardId,
        /// For which connection.
        connection: ConnectionId,
        /// What its client has seen last.
        last_event_id: Box<str>,
    },
    /// The page with the event at `at`; answered by `Mail::Page`.
    Page {
        /// Who asks.
        shard: ShardId,
        /// The position that must be in it.
        at: Position,
    },
    /// A sign of life, asked for by the control thread: set to true.
    Turn(Arc<AtomicBool>),
}

/// Requests that one shard can have under way: a page, and its seeks.
const REQUESTS_OF_SHARD: usize = 1 + SEEKS_MAX;

/// Signs of life that are asked for at the same time: the next follows the one before.
const TURNS: usize = 1;

/// The queue of so many shards.
#[must_use]
pub fn channel(shards: usize) -> (mpsc::Sender<ReplayRequest>, mpsc::Receiver<ReplayRequest>) {
    mpsc::channel(shards * REQUESTS_OF_SHARD + TURNS)
}
