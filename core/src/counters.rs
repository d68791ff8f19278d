//! What a shard counts: plain integers, added to where things happen.
//!
//! Not here: their names on the metrics page, or how they get there without disturbing the shard (the host's work).

use std::time::Duration;

use crate::close_reason::CloseReason;
use crate::latency::Latencies;

/// Upper bounds of the buckets of stream durations, in seconds: a refresh, a glance, a session, a working day.
pub const DURATION_BOUNDS_SECS: [u64; 10] = [1, 5, 15, 60, 300, 900, 3600, 14_400, 43_200, 86_400];

/// Everything one engine counts. All are totals since start unless the name says otherwise.
#[derive(Clone, Debug, Default)]
pub struct Counters {
    /// Connections accepted.
    pub accepted: u64,
    /// Complete request heads.
    pub requests: u64,
    /// Requests answered with a 4xx because of what they said.
    pub requests_rejected: u64,
    /// Tokens refused.
    pub tokens_rejected: u64,
    /// Streams opened.
    pub streams_opened: u64,
    /// Streams handed to their home shard.
    pub moves: u64,
    /// Moves refused since the other shard's inbox or table was full.
    pub moves_refused: u64,
    /// Returning evicted clients answered 204.
    pub evicted_returns: u64,
    /// Streams that asked to resume.
    pub resumes: u64,
    /// Streams that were told of a gap.
    pub gaps: u64,
    /// Events that reached this shard.
    pub events: u64,
    /// Events handed to sockets, once per connection.
    pub deliveries: u64,
    /// Of these, fed from history.
    pub deliveries_from_history: u64,
    /// Pages of the log that streams were fed from.
    pub pages: u64,
    /// Ephemeral events that a slow consumer missed.
    pub ephemeral_missed: u64,
    /// Old events that a stream was not fed, since their time to live was over.
    pub expired: u64,
    /// Sends submitted.
    pub sends: u64,
    /// Bytes that sockets took.
    pub bytes: u64,
    /// Sends that the socket did not take whole.
    pub short_sends: u64,
    /// Bytes copied to join events for a send. Single events are never copied.
    pub joined_bytes: u64,
    /// Heartbeats sent.
    pub heartbeats: u64,
    /// Events taken by the sequencer for publishers of this shard.
    pub published: u64,
    /// Publishes answered 503.
    pub publishes_refused: u64,
    /// Inputs for a connection that is no more: expected, dropped.
    pub stale_inputs: u64,
    /// Requests refused since all request buffers together were at their bound.
    pub intake_refused: u64,
    /// Streams that a limit would have refused, by what it would have been told, while limits are not enforced.
    pub would_refuse: [u64; CloseReason::COUNT],
    /// Streams that would have gone for a newer one of their user, while limits are not enforced.
    pub would_evict: u64,
    /// Connections that ended, by reason.
    pub closes: [u64; CloseReason::COUNT],
    /// Streams that ended, by reason and duration.
    pub durations: [DurationHistogram; CloseReason::COUNT],
    /// Streams refused, by reason.
    pub refusals: [u64; CloseReason::COUNT],
    /// Streams ended for a newer one, by reason.
    pub evictions: [u64; CloseReason::COUNT],
    /// From the publish until the last live stream here that an event is for was sent it, or had gone: once an event.
    pub fanout: Latencies,
}

impl Counters {
    /// Counts the end of a stream that lived for `duration`.
    pub(crate) fn stream_ended(&mut self, reason: CloseReason, duration: Duration) {
        self.durations[reason.index()].add(duration);
    }
}

/// A histogram of durations with the bounds `DURATION_BOUNDS_SECS`.
#[derive(Clone, Debug, Default)]
pub struct DurationHistogram {
    /// Not cumulative; the last is everything above the last bound.
    pub buckets: [u64; DURATION_BOUNDS_SECS.len() + 1],
    /// Sum of all durations in milliseconds.
    pub sum_ms: u64,
}

impl DurationHistogram {
    fn add(&mut self, duration: Duration) {
        let bucket = DURATION_BOUNDS_SECS.partition_point(|&bound| Duration::from_secs(bound) < duration);
        self.buckets[bucket] += 1;
        self.sum_ms += u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    }
}
