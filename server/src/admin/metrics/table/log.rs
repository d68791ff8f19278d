//! The file log and its reader.

use super::{log_gauge, log_total};
use crate::admin::metrics::metric::{Metric, Number, Source};
use crate::admin::metrics::scrape::FileLogScrape;

pub(super) const LOG: &[Metric] = &[
    Metric {
        name: "corecast_log_state",
        help: "Whether the log keeps events: 1 for the state it is in, 0 for the others.",
        source: Source::LogState(|scrape| scrape.log.state),
    },
    log_total("corecast_log_appends_total", "Batches of events that the log has kept.", |scrape| {
        scrape.log.appends
    }),
    log_total("corecast_log_syncs_total", "Batches that the disk was asked to keep durably.", |scrape| {
        scrape.log.syncs
    }),
    log_total("corecast_log_written_bytes_total", "Bytes of the batches kept.", |scrape| {
        scrape.log.bytes_written
    }),
    Metric {
        name: "corecast_log_append_seconds",
        help: "How long a batch took to be written and synced, failed ones included.",
        source: Source::LogDurations(|scrape| &scrape.times),
    },
    Metric {
        name: "corecast_log_last_sync_time_seconds",
        help: "When the disk last kept a batch, in seconds since 1970; absent before the first.",
        source: Source::Gauge(|scrape| {
            let at = scrape.log?.log.last_sync.0;
            (at > 0).then_some(Number::Real(at as f64 / 1000.0))
        }),
    },
    Metric {
        name: "corecast_log_failures_total",
        help: "What failed, by kind.",
        source: Source::LogTotalByKind(|FileLogScrape { log, reader, .. }| {
            vec![
                ("no_space", log.failures_no_space),
                ("write", log.failures_write),
                ("sync", log.failures_sync),
                ("retention", log.failures_retention),
                ("read", reader.failures),
            ]
        }),
    },
    log_gauge("corecast_log_segments", "Segments in the folder.", |scrape| scrape.log.segments),
    log_gauge("corecast_log_bytes", "Bytes in the segments, without what is reserved ahead.", |scrape| {
        scrape.log.bytes
    }),
    log_gauge("corecast_log_oldest_position", "The position of the oldest event kept.", |scrape| {
        scrape.log.oldest.0
    }),
    log_gauge("corecast_log_newest_position", "The position of the newest event.", |scrape| {
        scrape.log.newest.0
    }),
    log_gauge("corecast_log_ids", "Publishers' ids and idempotency keys remembered.", |scrape| {
        scrape.log.ids
    }),
    log_total("corecast_log_seeks_total", "Times the log was asked where a stream goes on.", |scrape| {
        scrape.reader.seeks
    }),
    log_total("corecast_log_reads_total", "Pages of old events read from the disk.", |scrape| {
        scrape.reader.reads
    }),
    log_total("corecast_log_read_bytes_total", "Bytes of these.", |scrape| scrape.reader.bytes),
    log_total(
        "corecast_log_hits_total",
        "Pages that needed no read: they were in memory, or on their way for another shard.",
        |scrape| scrape.reader.hits,
    ),
    log_total("corecast_log_damaged_total", "Pages read that were damaged. Must stay 0.", |scrape| {
        scrape.reader.damaged
    }),
    Metric {
        name: "corecast_streams_waiting_for_log",
        help: "Streams of the shard that wait for the log: for where to go on, or for a page.",
        source: Source::OfShard(|shard| shard.streams_waiting_for_log.into()),
    },
];
