//! The table of settings: names, defaults, ranges and meanings, in one place.
//!
//! Invariant: a row's default is a value that the row itself accepts, and every pair of `section.key` is unique
//! (both tested). Rows of a section stand together.
//! Not here: rules about two settings at once (`rules.rs`).

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use corecast_core::limits::TOKEN_BYTES_MAX;
use corecast_core::settings::PerUserPolicy;
use ipnet::IpNet;

use super::{Config, Driver, LogFormat, LogKind, Secret};

/// Where in a [`Config`] a row's value goes.
pub(super) type Field<T> = fn(&mut Config) -> &mut T;

/// One setting.
#[derive(Debug)]
pub struct Setting {
    /// The TOML table it is in.
    pub section: &'static str,
    /// Its key in that table.
    pub key: &'static str,
    /// A TOML literal; `None` is unset.
    pub default: Option<&'static str>,
    /// What it does, in one or two sentences.
    pub doc: &'static str,
    /// Whether it can change while the hub runs.
    pub reload: Reload,
    /// Which values it takes, and where they go.
    pub(super) kind: Kind,
}

/// What a reload does with a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reload {
    /// Its new value is in force from then on.
    Applies,
    /// Its new value waits for the next start, and the reload says so.
    NeedsRestart,
}

/// The values a setting takes. Ranges include both ends.
#[derive(Debug)]
pub(super) enum Kind {
    Count { min: u32, max: u32, field: Field<u32> },
    CountOrAuto { min: u32, max: u32, field: Field<Option<u32>> },
    Bytes { min: u64, max: u64, field: Field<u64> },
    BytesShort { min: u32, max: u32, field: Field<u32> },
    Duration { min: Duration, max: Duration, field: Field<Duration> },
    DurationOrOff { min: Duration, max: Duration, field: Field<Option<Duration>> },
    Switch { field: Field<bool> },
    Choice(Choice),
    Address { field: Field<SocketAddr> },
    Path { field: Field<PathBuf> },
    OptionalPath { field: Field<Option<PathBuf>> },
    Secret { field: Field<Option<Secret>> },
    KeySetUrl { field: Field<Option<String>> },
    Origins { field: Field<Vec<Box<str>>> },
    Networks { field: Field<Vec<IpNet>> },
    LogLevel { field: Field<String> },
}

/// A closed list of names.
#[derive(Debug)]
pub(super) struct Choice {
    /// Names that can be chosen.
    pub(super) names: &'static [&'static str],
    /// Writes the value with this index in `names`.
    pub(super) choose: fn(&mut Config, usize),
    /// The index in `names` of what is chosen.
    pub(super) chosen: fn(&Config) -> Option<usize>,
}

/// A `Choice` whose names stand beside the values of an enum; the parallel lists cannot get out of step.
macro_rules! choice {
    ($section:ident . $key:ident, { $($name:literal => $value:expr),+ }) => {
        Kind::Choice(Choice {
            names: &[$($name),+],
            choose: |config, index| {
                if let Some(value) = [$($value),+].into_iter().nth(index) {
                    config.$section.$key = value;
                }
            },
            chosen: |config| [$($value),+].into_iter().position(|value| value == config.$section.$key),
        })
    };
}

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

const fn days(days: u64) -> Duration {
    Duration::from_secs(days * 86_400)
}

/// Enough for every machine that exists; a typo of two digits too many is caught.
const SHARDS_MAX: u32 = 1024;
/// At 4.4 KB for a connection, the kernel's part included, this is 70 GiB: beyond it lies a typo.
const CONNECTIONS_MAX: u32 = 1 << 24;
/// More than any machine accepts.
const ACCEPT_RATE_MAX: u32 = 10_000_000;
/// Beyond it lies what Prometheus is not for.
const TOP_USERS_MAX: u32 = 1000;
const KIB: u64 = 1 << 10;
const GIB: u64 = 1 << 30;

/// Every setting, in the order in which they are shown.
pub static SETTINGS: &[Setting] = &[
    Setting {
        section: "hub",
        key: "listen",
        default: Some("\"0.0.0.0:8080\""),
        doc: "Where subscribers and publishers connect.",
        reload: Reload::NeedsRestart,
        kind: Kind::Address { field: |c| &mut c.hub.listen },
    },
    Setting {
        section: "hub",
        key: "shards",
        default: Some("\"auto\""),
        doc: "Threads that hold connections; \"auto\" is one for each core that the process may use.",
        reload: Reload::NeedsRestart,
        kind: Kind::CountOrAuto { min: 1, max: SHARDS_MAX, field: |c| &mut c.hub.shards },
    },
    Setting {
        section: "hub",
        key: "driver",
        default: Some("\"auto\""),
        doc: "What drives the sockets. \"auto\" tries at start whether io_uring does what it needs, and takes monoio where it \
              does not; \"uring\" refuses to start there; \"monoio\" is slower and runs everywhere.",
        reload: Reload::NeedsRestart,
        kind: choice!(hub.driver, {
            "auto" => Driver::Auto,
            "uring" => Driver::Uring,
            "monoio" => Driver::Monoio
        }),
    },
    Setting {
        section: "hub",
        key: "trusted_proxies",
        default: Some("[]"),
        doc: "Addresses and networks of proxies that are believed when they name the client, in X-Forwarded-For or Forwarded; \
              per_ip counts that client then. The proxy must drop what the client itself has written there.",
        reload: Reload::Applies,
        kind: Kind::Networks { field: |c| &mut c.hub.trusted_proxies },
    },
    Setting {
        section: "admin",
        key: "listen",
        default: Some("\"127.0.0.1:9180\""),
        doc: "Where metrics and the admin API are. Keep it away from the public network.",
        reload: Reload::NeedsRestart,
        kind: Kind::Address { field: |c| &mut c.admin.listen },
    },
    Setting {
        section: "admin",
        key: "token",
        default: None,
        doc: "What operators and their tools show as \"Authorization: Bearer ...\". Needed where admin.listen is not on \
              loopback. Prefer token_file: this file is easier to leak.",
        reload: Reload::NeedsRestart,
        kind: Kind::Secret { field: |c| &mut c.admin.token },
    },
    Setting {
        section: "admin",
        key: "token_file",
        default: None,
        doc: "File with that token; one line end at its end is dropped.",
        reload: Reload::NeedsRestart,
        kind: Kind::OptionalPath { field: |c| &mut c.admin.token_file },
    },
    Setting {
        section: "auth",
        key: "hmac_key",
        default: None,
        doc: "Shared secret of HS256/384/512 tokens. Prefer hmac_key_file: this file is easier to leak.",
        reload: Reload::Applies,
        kind: Kind::Secret { field: |c| &mut c.auth.hmac_key },
    },
    Setting {
        section: "auth",
        key: "hmac_key_file",
        default: None,
        doc: "File with the shared secret; one line end at its end is dropped.",
        reload: Reload::Applies,
        kind: Kind::OptionalPath { field: |c| &mut c.auth.hmac_key_file },
    },
    Setting {
        section: "auth",
        key: "public_key_file",
        default: None,
        doc: "PEM file with the public key of RS256, PS256, ES256/384 or EdDSA tokens.",
        reload: Reload::Applies,
        kind: Kind::OptionalPath { field: |c| &mut c.auth.public_key_file },
    },
    Setting {
        section: "auth",
        key: "jwks_url",
        default: None,
        doc: "Where the JSON Web Key Set of the token issuer is; fetched at start and again from time to time.",
        reload: Reload::Applies,
        kind: Kind::KeySetUrl { field: |c| &mut c.auth.jwks_url },
    },
    Setting {
        section: "auth",
        key: "key_overlap",
        default: Some("\"10m\""),
        doc: "How long tokens of the old keys are still good after a reload that changes keys.",
        reload: Reload::Applies,
        kind: Kind::Duration { min: secs(0), max: days(7), field: |c| &mut c.auth.key_overlap },
    },
    Setting {
        section: "auth",
        key: "anonymous",
        default: Some("false"),
        doc: "Whether a stream may be opened without a token. It sees public events only.",
        reload: Reload::Applies,
        kind: Kind::Switch { field: |c| &mut c.auth.anonymous },
    },
    Setting {
        section: "limits",
        key: "connections",
        default: Some("10000"),
        doc: "Streams in the whole process. A reload can lower it, and raise it again up to what the hub was started with.",
        reload: Reload::Applies,
        kind: Kind::Count { min: 1, max: CONNECTIONS_MAX, field: |c| &mut c.limits.connections },
    },
    Setting {
        section: "limits",
        key: "per_user",
        default: Some("1"),
        doc: "Streams of one user; 0 is no limit.",
        reload: Reload::Applies,
        kind: Kind::Count { min: 0, max: 65_535, field: |c| &mut c.limits.per_user },
    },
    Setting {
        section: "limits",
        key: "per_user_policy",
        default: Some("\"evict_oldest\""),
        doc: "What happens at per_user: the oldest stream ends for good, or the newest is refused.",
        reload: Reload::Applies,
        kind: choice!(limits.per_user_policy, {
            "evict_oldest" => PerUserPolicy::EvictOldest,
            "reject_newest" => PerUserPolicy::RejectNewest
        }),
    },
    Setting {
        section: "limits",
        key: "per_ip",
        default: Some("0"),
        doc: "Streams of one peer address; 0 is no limit. Behind a proxy all clients share one address.",
        reload: Reload::Applies,
        kind: Kind::Count { min: 0, max: CONNECTIONS_MAX, field: |c| &mut c.limits.per_ip },
    },
    Setting {
        section: "limits",
        key: "accept_rate",
        default: Some("\"auto\""),
        doc: "Connections accepted a second, in bursts of half of them; others wait in the kernel's queue, and streams go \
              on. \"auto\" is 20000 for each shard, 0 is no bound.",
        reload: Reload::Applies,
        kind: Kind::CountOrAuto { min: 0, max: ACCEPT_RATE_MAX, field: |c| &mut c.limits.accept_rate },
    },
    Setting {
        section: "limits",
        key: "dry_run",
        default: Some("false"),
        doc: "Whether connections, per_user and per_ip are only counted: nobody is refused or evicted, and the metrics tell \
              who would have been. A tab that returns under its client_id takes its own place all the same. Each \
              shard's tables are made for limits.connections and some more: where they are full, connections wait all the same.",
        reload: Reload::Applies,
        kind: Kind::Switch { field: |c| &mut c.limits.dry_run },
    },
    Setting {
        section: "limits",
        key: "event_bytes",
        default: Some("65536"),
        doc: "The encoded block of one event. Some clients break above 64KiB.",
        reload: Reload::Applies,
        kind: Kind::BytesShort { min: 1024, max: 16 << 20, field: |c| &mut c.limits.event_bytes },
    },
    Setting {
        section: "limits",
        key: "head_bytes",
        default: Some("16384"),
        doc: "The head of one request: its line, its header fields, with cookies and token.",
        reload: Reload::Applies,
        // A head that cannot hold the longest token would refuse what the token limits allow.
        kind: Kind::BytesShort {
            min: TOKEN_BYTES_MAX as u32,
            max: 256 << 10,
            field: |c| &mut c.limits.head_bytes,
        },
    },
    Setting {
        section: "limits",
        key: "head_timeout",
        default: Some("\"10s\""),
        doc: "How long a request's head, and again its body, may take to arrive.",
        reload: Reload::Applies,
        kind: Kind::Duration { min: secs(1), max: secs(300), field: |c| &mut c.limits.head_timeout },
    },
    Setting {
        section: "stream",
        key: "heartbeat",
        default: Some("\"15s\""),
        doc: "Longest silence on a stream before a comment is sent. Proxies cut silent streams after 30s to 60s.",
        reload: Reload::Applies,
        kind: Kind::DurationOrOff { min: millis(100), max: secs(3600), field: |c| &mut c.stream.heartbeat },
    },
    Setting {
        section: "stream",
        key: "retry",
        default: Some("\"3s\""),
        doc: "Base of the reconnection time; each client gets its own between this and twice this, and later in a crowd.",
        reload: Reload::Applies,
        kind: Kind::Duration { min: millis(100), max: days(1), field: |c| &mut c.stream.retry },
    },
    Setting {
        section: "stream",
        key: "idle_timeout",
        default: Some("\"300s\""),
        doc: "A connection on which nothing moved for so long, not even a heartbeat, is closed.",
        reload: Reload::Applies,
        kind: Kind::DurationOrOff { min: secs(1), max: days(1), field: |c| &mut c.stream.idle_timeout },
    },
    Setting {
        section: "stream",
        key: "dead_peer",
        default: Some("\"30s\""),
        doc: "A peer that acknowledges nothing for so long is closed, and its slot is free.",
        reload: Reload::Applies,
        kind: Kind::Duration { min: secs(1), max: secs(3600), field: |c| &mut c.stream.dead_peer },
    },
    Setting {
        section: "stream",
        key: "max_age",
        default: Some("\"off\""),
        doc: "A stream ends after 80 to 100 % of this and comes back, so that load moves between hubs.",
        reload: Reload::Applies,
        kind: Kind::DurationOrOff { min: secs(1), max: days(30), field: |c| &mut c.stream.max_age },
    },
    Setting {
        section: "stream",
        key: "topics",
        default: Some("false"),
        doc: "Whether an event says on the stream which topics it was published to, so that @corecast/client gives each tab \
              only what that tab asked for. Whoever gets a public event sees all its topics; a private one tells its topic \
              only if it has a single one. Events published before a change stay as they are.",
        reload: Reload::Applies,
        kind: Kind::Switch { field: |c| &mut c.stream.topics },
    },
    Setting {
        section: "history",
        key: "events",
        default: Some("65536"),
        doc: "Most events kept for replay.",
        reload: Reload::Applies,
        kind: Kind::Count { min: 1, max: 1 << 26, field: |c| &mut c.history.events },
    },
    Setting {
        section: "history",
        key: "bytes",
        default: Some("\"64MiB\""),
        doc: "Most bytes of events kept for replay. Shards share them: this is the memory of one history.",
        reload: Reload::Applies,
        kind: Kind::Bytes { min: 64 * KIB, max: 1024 * GIB, field: |c| &mut c.history.bytes },
    },
    Setting {
        section: "history",
        key: "age",
        default: Some("\"1h\""),
        doc: "How long an event is kept for replay.",
        reload: Reload::Applies,
        kind: Kind::Duration { min: secs(1), max: days(365), field: |c| &mut c.history.age },
    },
    Setting {
        section: "log",
        key: "kind",
        default: Some("\"memory\""),
        doc: "Where acknowledged events are. A memory log is gone with the process; with \"file\" an acknowledged event \
              is on the disk, and survives a crash and a power cut.",
        reload: Reload::NeedsRestart,
        kind: choice!(log.kind, { "memory" => LogKind::Memory, "file" => LogKind::File }),
    },
    Setting {
        section: "log",
        key: "path",
        default: Some("\"/var/lib/corecast\""),
        doc: "Folder of a file log, for it alone; made if only it is missing. No effect on a memory log.",
        reload: Reload::NeedsRestart,
        kind: Kind::Path { field: |c| &mut c.log.path },
    },
    Setting {
        section: "log",
        key: "bytes",
        default: Some("\"1GiB\""),
        doc: "Most bytes of a file log: beyond it the oldest sixteenth goes. No effect on a memory log.",
        reload: Reload::Applies,
        kind: Kind::Bytes { min: 1024 * KIB, max: 16 * 1024 * GIB, field: |c| &mut c.log.bytes },
    },
    Setting {
        section: "log",
        key: "age",
        default: Some("\"7d\""),
        doc: "How long a file log keeps an event. No effect on a memory log.",
        reload: Reload::Applies,
        kind: Kind::Duration { min: secs(1), max: days(3650), field: |c| &mut c.log.age },
    },
    Setting {
        section: "log",
        key: "ids",
        default: Some("4194304"),
        doc: "Most publishers' ids and idempotency keys that a file log remembers, about 40 bytes of memory each; the \
              oldest are forgotten first. No effect on a memory log, which remembers those of its events.",
        reload: Reload::Applies,
        kind: Kind::Count { min: 0, max: 1 << 30, field: |c| &mut c.log.ids },
    },
    Setting {
        section: "cors",
        key: "origins",
        default: Some("[]"),
        doc: "Pages of other origins that may subscribe and publish; \"*\" is any.",
        reload: Reload::Applies,
        kind: Kind::Origins { field: |c| &mut c.cors.origins },
    },
    Setting {
        section: "metrics",
        key: "top_users",
        default: Some("0"),
        doc: "Users that the metrics show by name, those with the most streams: each is a series that Prometheus keeps.",
        reload: Reload::Applies,
        kind: Kind::Count { min: 0, max: TOP_USERS_MAX, field: |c| &mut c.metrics.top_users },
    },
    Setting {
        section: "drain",
        key: "over",
        default: Some("\"30s\""),
        doc: "At a stop: the window over which streams end, at an even pace and at least 100 a second in each shard; if they \
              are few, they are asked to come back over the rest of it.",
        reload: Reload::Applies,
        kind: Kind::Duration { min: secs(0), max: secs(600), field: |c| &mut c.drain.over },
    },
    Setting {
        section: "logging",
        key: "format",
        default: Some("\"text\""),
        doc: "How the hub's own messages on standard error look; \"json\" is one object a line.",
        reload: Reload::NeedsRestart,
        kind: choice!(logging.format, { "text" => LogFormat::Text, "json" => LogFormat::Json }),
    },
    Setting {
        section: "logging",
        key: "level",
        default: Some("\"info\""),
        doc: "Which of these messages are written, as in RUST_LOG: \"warn\", or \"info,corecast::shard=debug\".",
        reload: Reload::Applies,
        kind: Kind::LogLevel { field: |c| &mut c.logging.level },
    },
];

impl Setting {
    /// `section.key`
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}.{}", self.section, self.key)
    }

    /// The environment variable that overrides it.
    #[must_use]
    pub fn env_name(&self) -> String {
        format!("CORECAST_{}__{}", self.section.to_uppercase(), self.key.to_uppercase())
    }

    /// Whether `a` and `b` have the same value of it. Secrets are compared and not shown.
    #[must_use]
    pub fn is_same(&self, a: &Config, b: &Config) -> bool {
        let (mut a, mut b) = (a.clone(), b.clone());
        match &self.kind {
            Kind::Secret { field } => field(&mut a) == field(&mut b),
            _ => self.read(&mut a) == self.read(&mut b),
        }
    }

    /// Whether its value must not be shown.
    #[must_use]
    pub fn is_secret(&self) -> bool {
        matches!(self.kind, Kind::Secret { .. })
    }
}

/// The setting with this section and key.
#[must_use]
pub fn find(section: &str, key: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.section == section && setting.key == key)
}

/// The names of the sections, each once, in the order of the table.
pub fn sections() -> impl Iterator<Item = &'static str> {
    let rows = SETTINGS.iter().enumerate();
    rows.filter(|&(i, row)| i == 0 || SETTINGS[i - 1].section != row.section).map(|(_, row)| row.section)
}
