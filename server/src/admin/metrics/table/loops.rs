//! The shards' loops and their rings.

use super::total;
use crate::admin::metrics::metric::{Metric, Number, Source};

pub(super) const LOOPS: &[Metric] = &[
    Metric {
        name: "corecast_turns_total",
        help: "Turns of the shard's loop.",
        source: Source::TotalOfShard(|shard| Number::Whole(shard.turns)),
    },
    Metric {
        name: "corecast_shard_cpu_seconds_total",
        help: "Time of the shard's thread on its core, in user and kernel mode.",
        source: Source::TotalOfShard(|shard| Number::Real(shard.cpu.as_secs_f64())),
    },
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
];
