//! Requests: connections, tokens, streams opened, moved and resumed.

use corecast_core::limits::TOKENS_CACHED;

use super::total;
use crate::admin::metrics::metric::{Metric, Number, Source};

pub(super) const REQUESTS: &[Metric] = &[
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
    total(
        "corecast_token_cache_hits_total",
        "Tokens that had been checked before, so that their signature was not checked again.",
        |shard| shard.tokens.hits,
    ),
    total("corecast_token_cache_misses_total", "Tokens whose signature had to be checked.", |shard| {
        shard.tokens.misses
    }),
    Metric {
        name: "corecast_token_cache_tokens",
        help: "Good tokens that are remembered.",
        source: Source::Gauge(|scrape| Some(Number::Whole(scrape.sum(|shard| shard.tokens_cached as u64)))),
    },
    Metric {
        name: "corecast_token_cache_tokens_max",
        help: "Tokens that can be remembered.",
        source: Source::Gauge(|scrape| Some((scrape.shards.len() * TOKENS_CACHED).into())),
    },
    total("corecast_streams_opened_total", "Streams opened.", |shard| shard.counters.streams_opened),
    total("corecast_moves_total", "Connections handed to the home shard of their user.", |shard| {
        shard.counters.moves
    }),
    total("corecast_moves_refused_total", "Moves refused since the home shard had no room.", |shard| {
        shard.counters.moves_refused
    }),
    total("corecast_resumes_total", "Streams that asked to resume.", |shard| shard.counters.resumes),
    total("corecast_gaps_total", "Streams that were told of a gap.", |shard| shard.counters.gaps),
];
