//! What the hub does at one moment, as the dashboard shows it: totals since start, and what there is now.
//!
//! Not here: rates; whoever reads two samples has them.

use std::collections::BTreeMap;
use std::time::SystemTime;

use corecast_core::close_reason::CloseReason;
use corecast_core::counters::Counters;
use corecast_core::engine::inspect::Owner;
use corecast_core::latency::{Latencies, Quantiles};
use serde::Serialize;
use utoipa::ToSchema;

use super::AdminState;
use super::metrics::resident_bytes;
use super::moment::moment;
use crate::control::Stage;
use crate::log::file::LogState;
use crate::log::timed::{APPEND_BOUNDS_MICROS, AppendTimesSnapshot};
use crate::shard::stats::{Snapshot, Stats};

/// The hub at one moment.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Sample {
    /// When.
    #[schema(format = DateTime)]
    at: Option<String>,
    uptime_seconds: f64,
    state: HubState,
    version: &'static str,
    /// Whether limits are only counted and not enforced.
    dry_run: bool,
    /// Open streams.
    streams: u32,
    /// The limit of open streams.
    streams_max: u32,
    /// Connections in any state.
    connections: u64,
    /// Users with a stream.
    users: u64,
    totals: Totals,
    /// Connections that have ended, by reason.
    closes: BTreeMap<&'static str, u64>,
    /// What has been refused, by reason.
    refusals: BTreeMap<&'static str, u64>,
    /// What would have been refused if limits were enforced, by reason.
    would: BTreeMap<&'static str, u64>,
    /// From publish to last send, of the events since the sample before; null if there were none.
    latency: Option<Latency>,
    shards: Vec<ShardSample>,
    slow: Slow,
    history: History,
    /// Publishes that wait.
    sequencer_queue: usize,
    /// A file log; null for a memory log.
    log: Option<FileLog>,
    memory: Memory,
    /// Who has most streams, at most ten.
    top_users: Vec<TopUser>,
    /// What most streams subscribe to, at most ten.
    top_topics: Vec<TopTopic>,
    /// How old the two lists are.
    survey_age_seconds: Option<f64>,
    /// How far the stop is; null while there is none.
    drain: Option<Drain>,
}

/// What a hub is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum HubState {
    /// Takes connections.
    Running,
    /// Takes no more, and ends those it has.
    Draining,
}

impl HubState {
    pub(super) fn of(hub: &AdminState) -> Self {
        if hub.drain.is_draining() { Self::Draining } else { Self::Running }
    }
}

/// Counted since start.
#[derive(Debug, Default, Serialize, ToSchema)]
struct Totals {
    deliveries: u64,
    bytes: u64,
    published: u64,
    accepted: u64,
    streams_opened: u64,
    heartbeats: u64,
    short_sends: u64,
    gaps: u64,
    resumes: u64,
    dead_peers: u64,
}

#[derive(Debug, Serialize, ToSchema)]
struct Latency {
    p50_ms: f64,
    p90_ms: f64,
    p99_ms: f64,
    max_ms: f64,
    count: u64,
}

#[derive(Debug, Serialize, ToSchema)]
struct ShardSample {
    shard: usize,
    streams: u32,
    connections: u32,
    /// Streams that are fed from history or the log.
    behind: u32,
    deliveries: u64,
    bytes: u64,
    turns: u64,
    history_events: usize,
}

#[derive(Debug, Serialize, ToSchema)]
struct Slow {
    /// Streams that are fed from history or the log.
    behind: u64,
    /// Of these, those that wait for an answer of the log.
    waiting_for_log: u64,
    /// Events that the slowest has yet to get.
    most_lag_events: u64,
}

#[derive(Debug, Serialize, ToSchema)]
struct History {
    events: usize,
    bytes: usize,
}

#[derive(Debug, Serialize, ToSchema)]
struct FileLog {
    #[schema(example = "file")]
    kind: &'static str,
    /// `ok`, `full` or `failed`.
    state: &'static str,
    bytes: u64,
    segments: u64,
    /// 99 % of the appends since the sample before took at most this; null if there were none.
    append_p99_ms: Option<f64>,
    /// When the disk last kept something.
    #[schema(format = DateTime)]
    last_sync: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
struct Memory {
    resident_bytes: Option<u64>,
}

#[derive(Debug, Serialize, ToSchema)]
struct TopUser {
    /// The user's name, or the client's id.
    user: Box<str>,
    anonymous: bool,
    connections: u32,
}

#[derive(Debug, Serialize, ToSchema)]
struct TopTopic {
    selector: Box<str>,
    subscribers: u32,
}

#[derive(Debug, Serialize, ToSchema)]
struct Drain {
    /// Streams that are still open.
    left: u32,
    /// Streams when it began.
    of: u32,
    /// Over which time they are ended.
    over_seconds: f64,
}

/// The part of samples that is about what came since the one before.
#[derive(Debug, Default)]
pub(super) struct Before {
    appends: Option<AppendTimesSnapshot>,
    fanout: Option<Latencies>,
}

impl Sample {
    /// The hub now, and since `before`, which becomes now.
    pub(super) fn take(hub: &AdminState, before: &mut Before) -> Self {
        let shards: Vec<Snapshot> = hub.shards.iter().map(Stats::last).collect();
        let sum = |read: fn(&Snapshot) -> u64| shards.iter().map(read).sum::<u64>();
        let streams = hub.census.streams();
        let survey = hub.survey.latest();
        let limits = &hub.config.now().config.limits;
        Self {
            at: moment(SystemTime::now()),
            uptime_seconds: hub.started.elapsed().unwrap_or_default().as_secs_f64(),
            state: HubState::of(hub),
            version: hub.version,
            dry_run: limits.dry_run,
            streams,
            streams_max: limits.connections,
            connections: sum(|shard| u64::from(shard.connections)),
            users: sum(|shard| shard.users as u64),
            totals: totals(&shards),
            closes: closes(&shards),
            refusals: refusals(&shards),
            would: would(&shards),
            latency: Latency::of(&shards, before),
            slow: Slow {
                behind: sum(|shard| u64::from(shard.streams_behind)),
                waiting_for_log: sum(|shard| u64::from(shard.streams_waiting_for_log)),
                most_lag_events: shards.iter().map(|shard| shard.lag_max).max().unwrap_or(0),
            },
            // Shards share the events: the one that has most has all.
            history: History {
                events: shards.iter().map(|shard| shard.history_events).max().unwrap_or(0),
                bytes: shards.iter().map(|shard| shard.history_bytes).max().unwrap_or(0),
            },
            shards: shards.iter().enumerate().map(ShardSample::of).collect(),
            sequencer_queue: hub.sequencer.len(),
            log: FileLog::of(hub, before),
            memory: Memory { resident_bytes: resident_bytes() },
            top_users: survey
                .iter()
                .flat_map(|survey| survey.owners.iter().take(10).map(TopUser::of))
                .collect(),
            top_topics: survey.iter().flat_map(|survey| survey.selectors.iter().map(TopTopic::of)).collect(),
            survey_age_seconds: survey.as_ref().map(|survey| survey.age().as_secs_f64()),
            drain: Drain::of(hub, streams),
        }
    }
}

fn totals(shards: &[Snapshot]) -> Totals {
    let mut totals = Totals::default();
    for counters in shards.iter().map(|shard| &shard.counters) {
        totals.deliveries += counters.deliveries;
        totals.bytes += counters.bytes;
        totals.published += counters.published;
        totals.accepted += counters.accepted;
        totals.streams_opened += counters.streams_opened;
        totals.heartbeats += counters.heartbeats;
        totals.short_sends += counters.short_sends;
        totals.gaps += counters.gaps;
        totals.resumes += counters.resumes;
        totals.dead_peers += counters.closes[CloseReason::DeadPeer.index()];
    }
    totals
}

fn closes(shards: &[Snapshot]) -> BTreeMap<&'static str, u64> {
    CloseReason::ALL.into_iter().map(|reason| (reason.label(), closed(shards, reason))).collect()
}

fn closed(shards: &[Snapshot], reason: CloseReason) -> u64 {
    shards.iter().map(|shard| shard.counters.closes[reason.index()]).sum()
}

fn refusals(shards: &[Snapshot]) -> BTreeMap<&'static str, u64> {
    let mut refusals = by_limit(shards, |counters, reason| counters.refusals[reason]);
    let sum = |read: fn(&Snapshot) -> u64| shards.iter().map(read).sum::<u64>();
    refusals.insert("token", sum(|shard| shard.counters.tokens_rejected));
    refusals.insert("publish", sum(|shard| shard.counters.publishes_refused));
    refusals
}

fn would(shards: &[Snapshot]) -> BTreeMap<&'static str, u64> {
    let mut would = by_limit(shards, |counters, reason| counters.would_refuse[reason]);
    let evict = shards.iter().map(|shard| shard.counters.would_evict).sum();
    would.insert(CloseReason::Evicted.label(), evict);
    would
}

/// What was counted for each limit.
fn by_limit(shards: &[Snapshot], read: impl Fn(&Counters, usize) -> u64) -> BTreeMap<&'static str, u64> {
    let limits = [CloseReason::ConnectionLimit, CloseReason::UserLimit, CloseReason::AddressLimit];
    let sum = |reason: CloseReason| shards.iter().map(|shard| read(&shard.counters, reason.index())).sum();
    limits.into_iter().map(|reason| (reason.label(), sum(reason))).collect()
}

impl Latency {
    fn of(shards: &[Snapshot], before: &mut Before) -> Option<Self> {
        let mut fanout = Latencies::default();
        shards.iter().for_each(|shard| fanout.merge(&shard.counters.fanout));
        // Of a first sample nothing is known about the second before it.
        let last = before.fanout.replace(fanout.clone())?;
        let Quantiles { count, p50, p90, p99, max } = Quantiles::between(&last, &fanout)?;
        let [p50_ms, p90_ms, p99_ms, max_ms] = [p50, p90, p99, max].map(|it| it.as_secs_f64() * 1e3);
        Some(Self { p50_ms, p90_ms, p99_ms, max_ms, count })
    }
}

impl ShardSample {
    fn of((shard, snapshot): (usize, &Snapshot)) -> Self {
        Self {
            shard,
            streams: snapshot.streams,
            connections: snapshot.connections,
            behind: snapshot.streams_behind,
            deliveries: snapshot.counters.deliveries,
            bytes: snapshot.counters.bytes,
            turns: snapshot.turns,
            history_events: snapshot.history_events,
        }
    }
}

impl Drain {
    fn of(hub: &AdminState, left: u32) -> Option<Self> {
        let (of, over) = match hub.drain.stage() {
            Stage::Running => return None,
            // All that there are will be ended.
            Stage::LettingGo => (left, hub.drain_over()),
            Stage::EndingStreams { of, over } => (of, over),
        };
        // One may have come while it began.
        Some(Self { left, of: of.max(left), over_seconds: over.as_secs_f64() })
    }
}

impl FileLog {
    fn of(hub: &AdminState, before: &mut Before) -> Option<Self> {
        let view = hub.log.as_ref()?;
        let (log, appends) = (view.log.snapshot(), view.times.snapshot());
        let last = before.appends.replace(appends).unwrap_or_default();
        let state = match log.state {
            LogState::Ok => "ok",
            LogState::Full => "full",
            LogState::Failed => "failed",
        };
        let synced = std::time::UNIX_EPOCH + std::time::Duration::from_millis(log.last_sync.0);
        Some(Self {
            kind: "file",
            state,
            bytes: log.bytes,
            segments: log.segments,
            append_p99_ms: append_p99_ms(&last, &appends),
            last_sync: (log.last_sync.0 > 0).then(|| moment(synced)).flatten(),
        })
    }
}

/// The upper bound of the bucket with the 99th of a hundred; beyond the last bound there is none, so that is shown.
fn append_p99_ms(old: &AppendTimesSnapshot, new: &AppendTimesSnapshot) -> Option<f64> {
    let counts: Vec<u64> =
        new.buckets.iter().zip(old.buckets).map(|(new, old)| new.saturating_sub(old)).collect();
    let all: u64 = counts.iter().sum();
    let mut left = (all * 99).div_ceil(100);
    let bucket = counts.iter().position(|&count| {
        left = left.saturating_sub(count);
        left == 0
    })?;
    let bound = APPEND_BOUNDS_MICROS.get(bucket).or(APPEND_BOUNDS_MICROS.last())?;
    (all > 0).then_some(*bound as f64 / 1000.0)
}

impl TopUser {
    fn of(row: &corecast_core::engine::inspect::OwnerRow) -> Self {
        let (user, anonymous) = match &row.owner {
            Owner::User(name) => (name, false),
            Owner::Anonymous(client_id) => (client_id, true),
        };
        Self { user: user.clone(), anonymous, connections: row.connections }
    }
}

impl TopTopic {
    fn of(row: &corecast_core::engine::inspect::SelectorRow) -> Self {
        Self { selector: row.selector.clone(), subscribers: row.subscribers }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_99th_append_is_of_those_between_two_samples() {
        let of = |counts: &[(usize, u64)]| {
            let mut times = AppendTimesSnapshot::default();
            counts.iter().for_each(|&(bucket, count)| times.buckets[bucket] = count);
            times
        };
        let old = of(&[(11, 1000)]);
        assert_eq!(append_p99_ms(&old, &old), None);
        assert_eq!(append_p99_ms(&old, &of(&[(0, 99), (3, 1), (11, 1000)])), Some(0.05));
        assert_eq!(append_p99_ms(&old, &of(&[(0, 98), (3, 2), (11, 1000)])), Some(0.5));
        assert_eq!(append_p99_ms(&old, &of(&[(11, 1000), (12, 1)])), Some(1000.0));
    }
}
