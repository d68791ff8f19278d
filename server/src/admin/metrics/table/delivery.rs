//! From a shard to the sockets.

use super::total;
use crate::admin::metrics::metric::{Metric, Number, Source};

pub(super) const DELIVERY: &[Metric] = &[
    total(
        "corecast_events_total",
        "Events that reached the shards; each event counts once for every shard.",
        |shard| shard.counters.events,
    ),
    Metric {
        name: "corecast_deliveries_total",
        help: "Events handed to sockets, once for every stream.",
        source: Source::TotalOfShard(|shard| Number::Whole(shard.counters.deliveries)),
    },
    total("corecast_deliveries_from_history_total", "Deliveries that were fed from history.", |shard| {
        shard.counters.deliveries_from_history
    }),
    total(
        "corecast_pages_total",
        "Pages of old events from the file log that streams were fed from, once for each shard.",
        |shard| shard.counters.pages,
    ),
    Metric {
        name: "corecast_deliveries_dropped_total",
        help: "Events that a stream was not given though they were for it, by why.",
        source: Source::TotalByKind("why", |counters| {
            vec![("ephemeral", counters.ephemeral_missed), ("expired", counters.expired)]
        }),
    },
    Metric {
        name: "corecast_fanout_seconds",
        help: "From a publish until the last live stream of a shard has its event; once an event and shard.",
        source: Source::Latencies(|counters| &counters.fanout),
    },
    Metric {
        name: "corecast_inbox_events",
        help: "Events that wait for the shard to take them.",
        source: Source::InboxEvents,
    },
    total("corecast_sends_total", "Sends submitted.", |shard| shard.counters.sends),
    total("corecast_bytes_total", "Bytes that sockets took, heads and answers included.", |shard| {
        shard.counters.bytes
    }),
    total("corecast_short_sends_total", "Sends that the socket did not take whole.", |shard| {
        shard.counters.short_sends
    }),
    total("corecast_joined_bytes_total", "Bytes copied to join several events for one send.", |shard| {
        shard.counters.joined_bytes
    }),
    total("corecast_heartbeats_total", "Heartbeats sent.", |shard| shard.counters.heartbeats),
];
