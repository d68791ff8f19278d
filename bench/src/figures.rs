//! What a run yields: figures with their units, by scenario, target and setting, as they are kept in JSON.
//!
//! Not here: how a figure is measured (`scenario`), and how it is shown (`report`).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Everything that one invocation measured.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Results {
    pub machine: Machine,
    /// The command that made it, to be repeated by the reader.
    pub command: String,
    /// UTC, RFC 3339, to the minute.
    pub begun: String,
    /// Version by name of target.
    pub versions: BTreeMap<String, String>,
    /// The file system that targets had their files on, as in `ext4`; empty in results from before it was asked for.
    #[serde(default)]
    pub file_system: String,
    pub measurements: Vec<Measurement>,
}

/// What it was measured on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    pub cpu: String,
    pub cores: usize,
    pub memory_bytes: u64,
    pub kernel: String,
}

/// One scenario with one setting on one target.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Measurement {
    pub scenario: String,
    pub target: String,
    pub setting: Setting,
    /// The command that repeats just this.
    pub command: String,
    pub outcome: Outcome,
}

/// The numbers that a scenario was given. Absent where they mean nothing to it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Setting {
    pub connections: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_bytes: Option<u32>,
    /// Events published and not yet delivered to all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outstanding: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub events_per_second: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stalled_percent: Option<u32>,
    /// Connections that publish, each with one request under way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub publishers: Option<u32>,
    /// Events that were published while a subscriber was away, at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missed_events: Option<u32>,
    /// How publishers write (`single`, `pipelined`, `ndjson`), or subscribers return.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
}

/// How it went.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Every event came once and in order. One value per run for each figure.
    Measured(BTreeMap<Figure, Vec<f64>>),
    /// The target has no such feature; why.
    Unable(String),
    /// Something went wrong, and there is no number.
    Failed(String),
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Figure {
    DeliveriesPerSecond,
    EventsPerSecond,
    /// CPU time of the target's process tree, user and system.
    CpuPerDelivery,
    /// Of one core.
    CpuShare,
    /// The same of the load itself: near 100 %, rates are a figure of the load and not of the target.
    LoadCpuShare,
    LatencyP50,
    LatencyP90,
    LatencyP99,
    LatencyP999,
    LatencyP9999,
    LatencyMax,
    /// From the intended time of an event until its last subscriber has it: median over events.
    LastByteP50,
    LastByteP99,
    /// Of the same deliveries before anything else happened.
    LatencyBeforeP50,
    LatencyBeforeP99,
    ConnectsPerSecond,
    CpuPerConnect,
    /// Resident set of the process tree, beyond that before the first connection.
    OwnMemoryPerConnection,
    /// Slab, sockets and page tables of the target's end.
    KernelMemoryPerConnection,
    /// Resident set of the process tree at its highest, beyond that before the load.
    MemoryGrowth,
    /// Until everybody is back, has all that was missed, and receives live.
    TimeToComplete,
    RequestsPerSecond,
    CpuPerRequest,
    /// Times that the disk was told to flush its cache.
    SyncsPerSecond,
    /// Publishing requests answered for each of these.
    RequestsPerSync,
    /// Bytes that came from the disk and not from the page cache.
    DiskBytesRead,
}

/// In what a figure is counted, as stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    PerSecond,
    Micros,
    Millis,
    Bytes,
    Percent,
    Count,
}

impl Figure {
    #[must_use]
    pub fn unit(self) -> Unit {
        match self {
            Self::DeliveriesPerSecond
            | Self::EventsPerSecond
            | Self::ConnectsPerSecond
            | Self::RequestsPerSecond
            | Self::SyncsPerSecond => Unit::PerSecond,
            Self::CpuPerDelivery | Self::CpuPerConnect | Self::CpuPerRequest => Unit::Micros,
            Self::CpuShare | Self::LoadCpuShare => Unit::Percent,
            Self::LatencyP50
            | Self::LatencyP90
            | Self::LatencyP99
            | Self::LatencyP999
            | Self::LatencyP9999
            | Self::LatencyMax
            | Self::LastByteP50
            | Self::LastByteP99
            | Self::LatencyBeforeP50
            | Self::LatencyBeforeP99
            | Self::TimeToComplete => Unit::Millis,
            Self::OwnMemoryPerConnection
            | Self::KernelMemoryPerConnection
            | Self::MemoryGrowth
            | Self::DiskBytesRead => Unit::Bytes,
            Self::RequestsPerSync => Unit::Count,
        }
    }

    /// Whether a larger value is the better one.
    #[must_use]
    pub fn larger_is_better(self) -> bool {
        matches!(self.unit(), Unit::PerSecond | Unit::Count)
    }
}

/// The middle value; of two middle ones the mean. `None` of none.
#[must_use]
pub fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let (lower, upper) = (sorted.get(sorted.len().checked_sub(1)? / 2)?, sorted.get(sorted.len() / 2)?);
    Some((lower + upper) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_of_the_sorted_values() {
        for (values, expected) in [
            (vec![], None),
            (vec![3.0], Some(3.0)),
            (vec![9.0, 1.0, 2.0], Some(2.0)),
            (vec![4.0, 1.0], Some(2.5)),
        ] {
            assert_eq!(median(&values), expected, "{values:?}");
        }
    }
}
