//! Limits: what they are, and whom they met.

use corecast_core::close_reason::CloseReason;

use super::total;
use crate::admin::metrics::metric::{Metric, Number, Source};

/// Why a stream can be refused.
const REFUSALS: [CloseReason; 4] =
    [CloseReason::ConnectionLimit, CloseReason::UserLimit, CloseReason::AddressLimit, CloseReason::Drain];

/// The same without what is no limit.
const LIMITS_MET: [CloseReason; 3] =
    [CloseReason::ConnectionLimit, CloseReason::UserLimit, CloseReason::AddressLimit];

/// Why a stream can have to go for a newer one.
const EVICTIONS: [CloseReason; 2] = [CloseReason::Evicted, CloseReason::Replaced];

pub(super) const LIMITS: &[Metric] = &[
    Metric {
        name: "corecast_limits_connections",
        help: "limits.connections: streams the process may have.",
        source: Source::Gauge(|scrape| Some(scrape.limits.connections.into())),
    },
    Metric {
        name: "corecast_limits_per_user",
        help: "limits.per_user: streams a user may have; 0 is no limit.",
        source: Source::Gauge(|scrape| Some(scrape.limits.per_user.into())),
    },
    Metric {
        name: "corecast_limits_per_ip",
        help: "limits.per_ip: streams of one address; 0 is no limit.",
        source: Source::Gauge(|scrape| Some(scrape.limits.per_ip.into())),
    },
    Metric {
        name: "corecast_limits_event_bytes",
        help: "limits.event_bytes: the longest event.",
        source: Source::Gauge(|scrape| Some(scrape.limits.event_bytes.into())),
    },
    Metric {
        name: "corecast_limits_head_bytes",
        help: "limits.head_bytes: the longest head of a request.",
        source: Source::Gauge(|scrape| Some(scrape.limits.head_bytes.into())),
    },
    Metric {
        name: "corecast_limits_head_timeout_seconds",
        help: "limits.head_timeout: how long a head, and again a body, may take.",
        source: Source::Gauge(|scrape| Some(Number::Real(scrape.limits.head_timeout.as_secs_f64()))),
    },
    Metric {
        name: "corecast_limits_accept_rate",
        help: "limits.accept_rate: connections accepted a second, over all shards; 0 is no bound.",
        source: Source::Gauge(|scrape| Some(Number::Whole(scrape.accept_rate))),
    },
    Metric {
        name: "corecast_limits_dry_run",
        help: "limits.dry_run: 1 while limits are only counted, and not enforced.",
        source: Source::Gauge(|scrape| Some(u32::from(scrape.limits.dry_run).into())),
    },
    Metric {
        name: "corecast_refusals_total",
        help: "Streams refused, by reason.",
        source: Source::TotalByReason(&REFUSALS, |counters, reason| counters.refusals[reason.index()]),
    },
    Metric {
        name: "corecast_evictions_total",
        help: "Streams ended for a newer one, by reason.",
        source: Source::TotalByReason(&EVICTIONS, |counters, reason| counters.evictions[reason.index()]),
    },
    total(
        "corecast_evicted_returns_total",
        "Evicted clients that came back and were answered 204.",
        |shard| shard.counters.evicted_returns,
    ),
    Metric {
        name: "corecast_would_refuse_total",
        help: "Streams a limit would have refused if limits were enforced, by reason.",
        source: Source::TotalByReason(&LIMITS_MET, |counters, reason| counters.would_refuse[reason.index()]),
    },
    total(
        "corecast_would_evict_total",
        "Streams that would have been evicted if limits were enforced.",
        |shard| shard.counters.would_evict,
    ),
];
