//! Bounds of every queue, table and buffer that are not the operator's to set, each with its reason.

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

/// Verified tokens remembered by one shard, each 48 B and its claims: about 350 B in all with a user and a few grants, so
/// 3 MiB a shard. The most that fits in a token is 1,000 templates, about 150 KiB, but only an issuer can make those.
pub const TOKENS_CACHED: usize = 8192;

/// Refused tokens remembered by one shard, each 48 B. Apart from the good ones, so that a flood of forged tokens
/// cannot displace those.
pub const REFUSALS_CACHED: usize = 1024;

/// Bytes of an `event:` type.
pub const KIND_BYTES_MAX: usize = 255;

/// Bytes of one NDJSON body. Bounded since its answers come after its end, in order.
pub const NDJSON_BYTES_MAX: usize = 1 << 20;

/// Header fields of one request.
pub const HEADERS_MAX: usize = 64;

/// Node's timers take anything larger for 1 ms.
pub const RETRY_MS_MAX: u32 = 2_147_483_647;
