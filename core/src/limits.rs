//! Bounds of every queue, table and buffer that are not the operator's to set, each with its reason.

use std::time::Duration;

/// Topics of one published event: more would be a list to keep on the publisher's side.
pub const EVENT_TOPICS_MAX: usize = 100;

/// Users one published event may name.
pub const EVENT_USERS_MAX: usize = 1000;

/// Bytes of a topic or selector: an 8 KiB URL must hold a few.
pub const TOPIC_BYTES_MAX: usize = 1024;

/// Bytes of a user name (`sub`) or `client_id`.
pub const NAME_BYTES_MAX: usize = 255;

/// Variables in one template: matching costs at most this many passes over a topic, about 0.1 ms at the bound.
pub const SELECTOR_VARIABLES_MAX: usize = 32;

/// How many positions an id may be beyond a shard's newest and still be believed. Shards get each event within one turn
/// of their loops, so a client that changes shards is at most an inbox ahead; what is further is not this log's.
pub const RESUME_AHEAD_MAX: u64 = 1 << 16;

/// Streams of one shard that ask the log at the same time where they go on. Each costs the log one look into a table;
/// more of them wait in the shard.
pub const SEEKS_MAX: usize = 64;

/// Selectors of one subscriber: each costs one list membership.
pub const SELECTORS_MAX: usize = 256;

/// Selectors in one list of a token's grants.
pub const GRANTS_MAX: usize = 1000;

/// Bytes of a token: it must fit in a head beside the rest.
pub const TOKEN_BYTES_MAX: usize = 8192;

/// Bytes of a JWK set. 100 keys with their certificate chains fit.
pub const JWK_SET_BYTES_MAX: usize = 512 * 1024;

/// Keys a verifier holds, old and new together: large issuers publish about ten.
pub const KEYS_MAX: usize = 100;

/// Keys tried for one token. One check takes up to 100 µs, so a forged token costs at most 2 ms.
pub const KEY_TRIES_MAX: usize = 16;

/// Verified tokens remembered by one shard, each 22 B: 176 KiB a shard, taken at the start.
pub const TOKENS_CACHED: usize = 8192;

/// Refused tokens remembered by one shard, each 17 B. Apart from the good ones, so that a flood of forged tokens
/// cannot displace those.
pub const REFUSALS_CACHED: usize = 1024;

/// Bytes of the words that an operator ends a stream with.
pub const DISCONNECT_REASON_BYTES_MAX: usize = 200;

/// Bytes of an `event:` type.
pub const KIND_BYTES_MAX: usize = 255;

/// Bytes of an `Idempotency-Key`, without quotes. Only its digest is kept: this bounds the header alone.
pub const IDEMPOTENCY_KEY_BYTES_MAX: usize = 255;

/// Bytes of one NDJSON body. Bounded since its answers come after its end, in order.
pub const NDJSON_BYTES_MAX: usize = 1 << 20;

/// Header fields of one request.
pub const HEADERS_MAX: usize = 64;

/// Node's timers take anything larger for 1 ms.
pub const RETRY_MS_MAX: u32 = 2_147_483_647;

/// Name-value pairs of one query: every user of a `text/plain` publish, and the other names.
pub const QUERY_PAIRS_MAX: usize = EVENT_USERS_MAX + 24;

/// Bytes of one chunk's size line, extensions included. Nobody sends extensions; they only hide things.
pub const CHUNK_LINE_BYTES_MAX: usize = 256;

/// Bytes of all chunk extensions of one body, and of its trailer fields. All are read and discarded.
pub const CHUNK_EXTRA_BYTES_MAX: usize = 4096;

/// Bytes that a JSON publish body may have beyond `event_bytes`: escapes, topics, users, white space.
pub const JSON_EXTRA_BYTES_MAX: usize = 1 << 20;

/// Events in one NDJSON body: each is an answer to keep until all are there.
pub const NDJSON_EVENTS_MAX: usize = 10_000;

/// Seconds of an event's `ttl`: 136 years, and no sum with it can overflow.
pub const TTL_SECONDS_MAX: u64 = u32::MAX as u64;

/// Bytes of padding that old XHR transports need before they show the first event (`padding=true`).
pub const PADDING_BYTES: usize = 2048;

/// Events that one look at its limits takes off a history: some 100 µs. More are left for the next turn.
pub const HISTORY_TRIM_MAX: usize = 1024;

const _: () = assert!(QUERY_PAIRS_MAX > SELECTORS_MAX && QUERY_PAIRS_MAX > EVENT_TOPICS_MAX);

/// Bytes that all incomplete requests of one shard may hold together: a herd of half-sent posts must not be the end.
pub const INTAKE_BYTES_MAX: usize = 64 << 20;

/// Evicted clients that one shard remembers, to answer them 204 when they come back too early. 24 B each.
pub const EVICTIONS_MAX: usize = 16_384;

/// How long a hub that is about to drain waits for the next request of connections that had one lately, or have just
/// come: a publisher at work sends its next within it, also from another continent.
pub const LAST_REQUESTS_PATIENCE: Duration = Duration::from_millis(500);
