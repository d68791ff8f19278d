//! What a metric is: a name, a type, what it means and where its value is read.
//!
//! Type and labels follow from the source, and the unit from the name, so that a row of the table cannot contradict
//! itself. Not here: the rows (`table`) and the text (`exposition`).

use corecast_core::close_reason::CloseReason;
use corecast_core::connection::Phase;
use corecast_core::counters::{Counters, DurationHistogram};
use corecast_core::latency::Latencies;
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Unit;

use super::scrape::{FileLogScrape, Scrape};
use crate::log::file::LogState;
use crate::log::timed::AppendTimesSnapshot;
use crate::shard::stats::Snapshot;

/// Values of a label, each with its count. Always the same ones.
pub(super) type Kinds = Vec<(&'static str, u64)>;

/// One row of the table.
pub(super) struct Metric {
    /// As in a query: with the unit and, for a counter, `_total`. A histogram adds `_bucket`, `_sum` and `_count`.
    pub(super) name: &'static str,
    /// One sentence.
    pub(super) help: &'static str,
    pub(super) source: Source,
}

/// Where a value is read, and so what it is.
pub(super) enum Source {
    /// A counter of the shards, added up.
    Total(fn(&Snapshot) -> u64),
    /// A counter of each shard.
    TotalOfShard(fn(&Snapshot) -> Number),
    /// A counter of the shards for each of these reasons.
    TotalByReason(&'static [CloseReason], fn(&Counters, CloseReason) -> u64),
    /// A counter of the shards for each value of this label.
    TotalByKind(&'static str, fn(&Counters) -> Kinds),
    /// A histogram of the shards for each reason a stream has ended for.
    DurationsByReason(fn(&Counters, CloseReason) -> &DurationHistogram),
    /// A histogram of the shards, which all count in the same buckets.
    Latencies(fn(&Counters) -> &Latencies),
    /// A state of each shard.
    OfShard(fn(&Snapshot) -> u64),
    /// A state of each shard for each phase of a connection, by `Phase::index`.
    OfShardByPhase(fn(&Snapshot) -> [u32; Phase::COUNT]),
    /// Events in the inbox of each shard.
    InboxEvents,
    /// Streams of the process, or of its users with the most.
    ActiveStreams,
    /// A counter of the process; `None` where it cannot be read.
    Counter(fn(&Scrape) -> Option<f64>),
    /// A counter of the process for each value of this label.
    CountByKind(&'static str, fn(&Scrape) -> Kinds),
    /// A state of the process; `None` where it cannot be read.
    Gauge(fn(&Scrape) -> Option<Number>),
    /// A counter of the file log; there is none for a memory log, nor any of the next four.
    LogTotal(fn(&FileLogScrape) -> u64),
    /// A counter of the file log for each kind of its failures.
    LogTotalByKind(fn(&FileLogScrape) -> Kinds),
    /// A state of the file log.
    LogGauge(fn(&FileLogScrape) -> u64),
    /// Which of the states of a file log it is in: 1 for that one, 0 for the others.
    LogState(fn(&FileLogScrape) -> LogState),
    /// How long appends took.
    LogDurations(fn(&FileLogScrape) -> &AppendTimesSnapshot),
    /// What this binary is.
    Info(fn(&Scrape) -> Vec<(&'static str, &str)>),
}

/// The value of a gauge, or of a counter that may be one of time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Number {
    Whole(u64),
    Real(f64),
}

impl From<u32> for Number {
    fn from(whole: u32) -> Self {
        Self::Whole(whole.into())
    }
}

impl From<usize> for Number {
    fn from(whole: usize) -> Self {
        Self::Whole(whole as u64)
    }
}

impl Metric {
    pub(super) fn metric_type(&self) -> MetricType {
        match self.source {
            Source::Total(_)
            | Source::TotalOfShard(_)
            | Source::TotalByReason(..)
            | Source::TotalByKind(..)
            | Source::CountByKind(..)
            | Source::Counter(_)
            | Source::LogTotal(_)
            | Source::LogTotalByKind(_) => MetricType::Counter,
            Source::DurationsByReason(_) | Source::Latencies(_) | Source::LogDurations(_) => {
                MetricType::Histogram
            }
            Source::OfShard(_)
            | Source::OfShardByPhase(_)
            | Source::InboxEvents
            | Source::ActiveStreams
            | Source::Gauge(_)
            | Source::LogGauge(_)
            | Source::LogState(_) => MetricType::Gauge,
            Source::Info(_) => MetricType::Info,
        }
    }

    /// The name without what the encoder adds to it again: the type's suffix and the unit.
    pub(super) fn stem_and_unit(&self) -> (&'static str, Option<Unit>) {
        let suffix = match self.metric_type() {
            MetricType::Counter => "_total",
            MetricType::Info => "_info",
            _ => "",
        };
        let family = self.name.strip_suffix(suffix).unwrap_or(self.name);
        if let Some(stem) = family.strip_suffix("_seconds") {
            (stem, Some(Unit::Seconds))
        } else if let Some(stem) = family.strip_suffix("_bytes") {
            (stem, Some(Unit::Bytes))
        } else {
            (family, None)
        }
    }
}
