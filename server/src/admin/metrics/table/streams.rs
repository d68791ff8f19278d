//! Connections and streams: how many, how long, how far behind, and why they ended.

use corecast_core::close_reason::CloseReason;

use crate::admin::metrics::metric::{Metric, Number, Source};

pub(super) const STREAMS: &[Metric] = &[
    Metric {
        name: "sse_active_connections",
        help: "Streams open now, in the whole process; by user with metrics.top_users.",
        source: Source::ActiveStreams,
    },
    Metric {
        name: "sse_connection_duration_seconds",
        help: "How long streams lived, by the reason they ended for; only reasons that have occurred.",
        source: Source::DurationsByReason(|counters, reason| &counters.durations[reason.index()]),
    },
    Metric {
        name: "corecast_users",
        help: "Users with a stream.",
        source: Source::Gauge(|scrape| Some(Number::Whole(scrape.sum(|shard| shard.users as u64)))),
    },
    Metric {
        name: "corecast_connections",
        help: "Connections of the shard, by where in its life each is; streams are those that are streaming.",
        source: Source::OfShardByPhase(|shard| shard.phases),
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
        name: "corecast_lag_events_max",
        help: "Events of the log that the shard's stream furthest behind has yet to be sent, or to be asked for.",
        source: Source::OfShard(|shard| shard.lag_max),
    },
    Metric {
        name: "corecast_closes_total",
        help: "Connections that ended, by reason.",
        source: Source::TotalByReason(&CloseReason::ALL, |counters, reason| counters.closes[reason.index()]),
    },
];
