//! From a publish to the history.

use super::total;
use crate::admin::metrics::metric::{Metric, Source};
use crate::sequencer::REQUESTS_MAX;

pub(super) const PUBLISHING: &[Metric] = &[
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
        name: "corecast_sequencer_queue_max",
        help: "Publishes that can wait; beyond it they are answered 503.",
        source: Source::Gauge(|_| Some(REQUESTS_MAX.into())),
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
    Metric {
        name: "corecast_history_limit_events",
        help: "history.events: events that a history may hold.",
        source: Source::Gauge(|scrape| Some(scrape.history.events.into())),
    },
    Metric {
        name: "corecast_history_limit_bytes",
        help: "history.bytes: bytes of frames that a history may hold.",
        source: Source::Gauge(|scrape| Some(scrape.history.bytes.into())),
    },
];
