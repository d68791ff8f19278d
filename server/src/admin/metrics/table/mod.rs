//! Every metric there is, in the order of `docs/metrics.md`: a file for each of its sections.
//!
//! Not here: how a row becomes text (`exposition`).

mod streams;

mod limits;
mod requests;

mod publishing;

mod log;

mod delivery;

mod hub;
mod loops;
mod process;

use super::metric::{Metric, Source};
use super::scrape::FileLogScrape;
use crate::shard::stats::Snapshot;

/// The table. Names that begin with `sse_` are those the hub's first users asked for.
const SECTIONS: [&[Metric]; 9] = [
    streams::STREAMS,
    limits::LIMITS,
    requests::REQUESTS,
    publishing::PUBLISHING,
    log::LOG,
    delivery::DELIVERY,
    hub::HUB,
    loops::LOOPS,
    process::PROCESS,
];

/// Every row, in order.
pub(super) fn metrics() -> impl Iterator<Item = &'static Metric> {
    SECTIONS.into_iter().flatten()
}

const fn total(name: &'static str, help: &'static str, read: fn(&Snapshot) -> u64) -> Metric {
    Metric { name, help, source: Source::Total(read) }
}

const fn log_total(name: &'static str, help: &'static str, read: fn(&FileLogScrape) -> u64) -> Metric {
    Metric { name, help, source: Source::LogTotal(read) }
}

const fn log_gauge(name: &'static str, help: &'static str, read: fn(&FileLogScrape) -> u64) -> Metric {
    Metric { name, help, source: Source::LogGauge(read) }
}
