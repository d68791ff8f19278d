//! Bounds of every queue, table and buffer that are not the operator's to set, each with its reason.

/// Topics of one published event: more would be a list to keep on the publisher's side.
pub const EVENT_TOPICS_MAX: usize = 100;

/// Users one published event may name.
pub const EVENT_USERS_MAX: usize = 1000;

/// Bytes of a topic or selector: an 8 KiB URL must hold a few.
pub const TOPIC_BYTES_MAX: usize = 1024;

/// Bytes of a user name (`sub`) or `client_id`.
pub const NAME_BYTES_MAX: usize = 255;

/// Selectors of one subscriber: each costs one list membership.
pub const SELECTORS_MAX: usize = 256;

/// Selectors in one list of a token's grants.
pub const GRANTS_MAX: usize = 1000;

/// Bytes of a token: it must fit in a head beside the rest.
pub const TOKEN_BYTES_MAX: usize = 8192;

/// Bytes of an `event:` type.
pub const KIND_BYTES_MAX: usize = 255;

/// Bytes of one NDJSON body. Bounded since its answers come after its end, in order.
pub const NDJSON_BYTES_MAX: usize = 1 << 20;

/// Header fields of one request.
pub const HEADERS_MAX: usize = 64;

/// Node's timers take anything larger for 1 ms.
pub const RETRY_MS_MAX: u32 = 2_147_483_647;
