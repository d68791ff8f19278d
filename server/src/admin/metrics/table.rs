//! Every metric there is, in the order of `docs/metrics.md`.
//!
//! Not here: how a row becomes text (`exposition`).

use super::metric::{Metric, Number, Source};
use super::scrape::FileLogScrape;
use crate::shard::stats::Snapshot;

/// The table. Names that begin with `sse_` are those the hub's first users asked for.
pub(super) const METRICS: &[Metric] = &[
    // Connections and streams.
    Metric {
        name: "sse_active_connections",
        help: "Streams open now, in the whole process.",
        source: Source::Gauge(|scrape| Some(scrape.streams.into())),
    },
    Metric {
        name: "sse_connection_duration_seconds",
        help: "How long streams lived, by the reason they ended for; only reasons that have occurred.",
        source: Source::DurationsByReason(|counters, reason| &counters.durations[reason.index()]),
    },
    Metric {
        name: "corecast_connections_max",
        help: "Streams the process may have: limits.connections.",
        source: Source::Gauge(|scrape| Some(scrape.connections_max.into())),
    },
    Metric {
        name: "corecast_users",
        help: "Users with a stream.",
        source: Source::Gauge(|scrape| Some(Number::Whole(scrape.sum(|shard| shard.users as u64)))),
    },
    Metric {
        name: "corecast_connections",
        help: "Connections of the shard in any state, streams among them.",
        source: Source::OfShard(|shard| shard.connections.into()),
    },
    Metric {
        name: "corecast_streams",
        help: "Streams of the shard.",
        source: Source::OfShard(|shard| shard.streams.into()),
    },
    Metric {
        name: "corecast_streams_behind",
        help: "Streams of the shard that are fed from history: slow consumers, and those that resume.",
        source: Source::OfShard(|shard| shard.streams_behind.into()),
    },
    Metric {
        name: "corecast_closes_total",
        help: "Connections that ended, by reason.",
        source: Source::TotalByReason(|counters, reason| counters.closes[reason.index()]),
    },
    // Requests.
    total("corecast_accepted_total", "Connections accepted.", |shard| shard.counters.accepted),
    total("corecast_requests_total", "Complete request heads.", |shard| shard.counters.requests),
    total("corecast_requests_rejected_total", "Requests answered 4xx for what they said.", |shard| {
        shard.counters.requests_rejected
    }),
    total(
        "corecast_intake_refused_total",
        "Requests refused since the request buffers were full.",
        |shard| shard.counters.intake_refused,
    ),
    total("corecast_tokens_rejected_total", "Tokens refused.", |shard| shard.counters.tokens_rejected),
    total("corecast_streams_opened_total", "Streams opened.", |shard| shard.counters.streams_opened),
    total(
        "corecast_evicted_returns_total",
        "Evicted clients that came back and were answered 204.",
        |shard| shard.counters.evicted_returns,
    ),
    total("corecast_moves_total", "Connections handed to the home shard of their user.", |shard| {
        shard.counters.moves
    }),
    total("corecast_moves_refused_total", "Moves refused since the home shard had no room.", |shard| {
        shard.counters.moves_refused
    }),
    total("corecast_resumes_total", "Streams that asked to resume.", |shard| shard.counters.resumes),
    total("corecast_gaps_total", "Streams that were told of a gap.", |shard| shard.counters.gaps),
    // Publishing.
    total("corecast_published_total", "Events acknowledged to their publishers.", |shard| {
        shard.counters.published
    }),
    total("corecast_publishes_refused_total", "Publishes answered 503.", |shard| {
        shard.counters.publishes_refused
    }),
    Metric {
        name: "corecast_sequencer_queue",
        help: "Publishes that wait for the sequencer.",
        source: Source::Gauge(|scrape| Some(scrape.sequencer_queue.into())),
    },
    Metric {
        name: "corecast_history_events",
        help: "Events in the history of the shard that holds the most.",
        source: Source::Gauge(|scrape| Some(scrape.most(|shard| shard.history_events).into())),
    },
    Metric {
        name: "corecast_history_bytes",
        help: "Bytes of frames in the history of the shard that holds the most. All shards share the frames.",
        source: Source::Gauge(|scrape| Some(scrape.most(|shard| shard.history_bytes).into())),
    },
    // The file log.
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
            [
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
    // Delivery.
    total(
        "corecast_events_total",
        "Events that reached the shards; each event counts once for every shard.",
        |shard| shard.counters.events,
    ),
    total("corecast_deliveries_total", "Events handed to sockets, once for every stream.", |shard| {
        shard.counters.deliveries
    }),
    total("corecast_deliveries_from_history_total", "Deliveries that were fed from history.", |shard| {
        shard.counters.deliveries_from_history
    }),
    total(
        "corecast_pages_total",
        "Pages of old events from the file log that streams were fed from, once for each shard.",
        |shard| shard.counters.pages,
    ),
    total("corecast_ephemeral_missed_total", "Ephemeral events that slow consumers missed.", |shard| {
        shard.counters.ephemeral_missed
    }),
    total("corecast_sends_total", "Sends submitted.", |shard| shard.counters.sends),
    total("corecast_bytes_total", "Bytes submitted in sends.", |shard| shard.counters.bytes),
    total("corecast_short_sends_total", "Sends that the socket did not take whole.", |shard| {
        shard.counters.short_sends
    }),
    total("corecast_joined_bytes_total", "Bytes copied to join several events for one send.", |shard| {
        shard.counters.joined_bytes
    }),
    total("corecast_heartbeats_total", "Heartbeats sent.", |shard| shard.counters.heartbeats),
    // The loops and their rings.
    total("corecast_turns_total", "Turns of the shards' loops.", |shard| shard.turns),
    total(
        "corecast_stale_inputs_total",
        "Inputs for connections that had ended: expected, dropped.",
        |shard| shard.counters.stale_inputs,
    ),
    total("corecast_ring_enters_total", "Calls of io_uring_enter.", |shard| shard.ring.enters),
    total("corecast_ring_sqes_total", "SQEs the kernel has taken.", |shard| shard.ring.sqes),
    total("corecast_ring_cqes_total", "CQEs taken from the kernel.", |shard| shard.ring.cqes),
    total(
        "corecast_ring_enter_retries_total",
        "Enters repeated since the kernel had no room for them.",
        |shard| shard.ring.enter_retries,
    ),
    total("corecast_ring_cancel_misses_total", "Cancels that found nothing, or came too late.", |shard| {
        shard.ring.cancel_misses
    }),
    total(
        "corecast_ring_reset_misses_total",
        "Closes within an event that were no resets, since the kernel is older than 6.7.",
        |shard| shard.ring.reset_misses,
    ),
    total(
        "corecast_ring_cq_backlogs_total",
        "Times CQEs did not fit into their queue. Must stay 0.",
        |shard| shard.ring.cq_backlogs,
    ),
    total("corecast_ring_cqes_dropped_total", "CQEs the kernel could not keep. Must stay 0.", |shard| {
        shard.ring.cqes_dropped
    }),
    total("corecast_ring_sqes_dropped_total", "SQEs the kernel could not read. Must stay 0.", |shard| {
        shard.ring.sqes_dropped
    }),
    total("corecast_ring_close_misses_total", "Closes of a slot that held nothing. Must stay 0.", |shard| {
        shard.ring.close_misses
    }),
    total(
        "corecast_ring_cqes_stale_total",
        "CQEs that belong to no operation of the ring. Must stay 0.",
        |shard| shard.ring.cqes_stale,
    ),
    // The process.
    Metric {
        name: "corecast_build_info",
        help: "Always 1; the label is the version of this binary.",
        source: Source::Version(|scrape| scrape.version),
    },
    Metric {
        name: "process_start_time_seconds",
        help: "When the process began, in seconds since 1970.",
        source: Source::Gauge(|scrape| scrape.started_secs().map(Number::Real)),
    },
    Metric {
        name: "process_cpu_seconds_total",
        help: "Time on all cores, in user and kernel mode.",
        source: Source::Counter(|scrape| Some(scrape.process.cpu?.as_secs_f64())),
    },
    Metric {
        name: "process_resident_memory_bytes",
        help: "Resident memory, without what the kernel holds for sockets.",
        source: Source::Gauge(|scrape| Some(Number::Whole(scrape.process.memory?.resident_bytes))),
    },
    Metric {
        name: "process_virtual_memory_bytes",
        help: "Virtual memory.",
        source: Source::Gauge(|scrape| Some(Number::Whole(scrape.process.memory?.virtual_bytes))),
    },
    Metric {
        name: "process_open_fds",
        help: "Descriptors open; from Linux 6.2 on. Sockets in a ring's own table are not among them.",
        source: Source::Gauge(|scrape| scrape.process.fds_open.map(Number::Whole)),
    },
    Metric {
        name: "process_max_fds",
        help: "Descriptors the process may open, if there is such a limit.",
        source: Source::Gauge(|scrape| scrape.process.fds_max.map(Number::Whole)),
    },
];

const fn total(name: &'static str, help: &'static str, read: fn(&Snapshot) -> u64) -> Metric {
    Metric { name, help, source: Source::Total(read) }
}

const fn log_total(name: &'static str, help: &'static str, read: fn(&FileLogScrape) -> u64) -> Metric {
    Metric { name, help, source: Source::LogTotal(read) }
}

const fn log_gauge(name: &'static str, help: &'static str, read: fn(&FileLogScrape) -> u64) -> Metric {
    Metric { name, help, source: Source::LogGauge(read) }
}
