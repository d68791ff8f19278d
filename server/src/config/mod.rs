//! What the operator can set: one TOML file, overridden by the environment, overridden by flags.
//!
//! Invariants: every setting is one row of [`schema::SETTINGS`], from which reading, checking, `config check` and
//! `config defaults` follow. A [`Config`] that [`load()`] returned has every value in its range and no impossible
//! pair. Whatever is not understood is an error, and all errors are reported at once.
//! Not here: what the values do. The engine gets [`Config::settings`].

mod env;
mod file;
mod in_force;
pub mod keys;
pub mod load;
pub mod problem;
mod rights;
mod rules;
pub mod schema;
pub mod secret;
pub mod show;
pub mod units;
mod value;

#[cfg(test)]
mod tests;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use corecast_core::settings::{
    CorsSettings, HistorySettings, LimitSettings, PerUserPolicy, Settings, StreamSettings,
};
use ipnet::IpNet;

pub use in_force::InForce;
pub use load::{Loaded, Override, Purpose, Source, Sources, load};
pub use problem::{Problem, Problems, Warning};
pub use secret::Secret;

/// Connections that one shard accepts a second if nothing else is said: half of what it was measured to accept when it
/// does nothing else, so that the other half is for the streams it has.
pub const ACCEPT_RATE_AUTO: u32 = 20_000;

/// Every setting, by section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// `[hub]`
    pub hub: HubConfig,
    /// `[admin]`
    pub admin: AdminConfig,
    /// `[auth]`
    pub auth: AuthConfig,
    /// `[limits]`
    pub limits: LimitsConfig,
    /// `[stream]`
    pub stream: StreamConfig,
    /// `[history]`
    pub history: HistoryConfig,
    /// `[log]`
    pub log: LogConfig,
    /// `[cors]`
    pub cors: CorsConfig,
    /// `[metrics]`
    pub metrics: MetricsConfig,
    /// `[drain]`
    pub drain: DrainConfig,
    /// `[logging]`
    pub logging: LoggingConfig,
}

/// `[hub]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HubConfig {
    /// Where subscribers and publishers connect.
    pub listen: SocketAddr,
    /// Number of shards; `None` is one for each usable core.
    pub shards: Option<u32>,
    /// What hosts the engines on real sockets.
    pub driver: Driver,
    /// Peers that are believed when they say whom a request comes from.
    pub trusted_proxies: Vec<IpNet>,
}

/// `hub.driver`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Driver {
    /// The best one that this kernel allows.
    #[default]
    Auto,
    /// io_uring, or no start at all.
    Uring,
    /// monoio, with io_uring or epoll.
    Monoio,
}

/// `[admin]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdminConfig {
    /// Where metrics and the admin API are.
    pub listen: SocketAddr,
    /// What everybody there must show, at least [`keys::HMAC_KEY_BYTES_MIN`] bytes.
    pub token: Option<Secret>,
    /// A file with it.
    pub token_file: Option<PathBuf>,
}

/// `[auth]`. At most one key of each sort: a shared secret, and public keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuthConfig {
    /// The shared secret itself, at least [`keys::HMAC_KEY_BYTES_MIN`] bytes.
    pub hmac_key: Option<Secret>,
    /// A file with the shared secret.
    pub hmac_key_file: Option<PathBuf>,
    /// A PEM file with a public key.
    pub public_key_file: Option<PathBuf>,
    /// Where a JSON Web Key Set is; `https`, or `http` on a loopback address.
    pub jwks_url: Option<String>,
    /// How long tokens of the old keys are still good after keys have changed.
    pub key_overlap: Duration,
    /// Whether a stream may be opened without a token.
    pub anonymous: bool,
}

/// `[limits]`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LimitsConfig {
    /// Streams in the whole process.
    pub connections: u32,
    /// Streams of one user; 0 is no limit.
    pub per_user: u32,
    /// What happens at `per_user`.
    pub per_user_policy: PerUserPolicy,
    /// Streams of one peer address; 0 is no limit.
    pub per_ip: u32,
    /// Connections accepted a second over all shards, 0 for no bound; `None` is [`ACCEPT_RATE_AUTO`] for each shard.
    pub accept_rate: Option<u32>,
    /// Whether limits on streams are only counted and not enforced.
    pub dry_run: bool,
    /// The encoded block of an event, in bytes.
    pub event_bytes: u32,
    /// A request head, in bytes.
    pub head_bytes: u32,
    /// From the first moment of a request until its head (and again its body) is complete.
    pub head_timeout: Duration,
}

/// `[stream]`; `None` is `"off"`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamConfig {
    /// Longest silence on a stream before a comment is sent.
    pub heartbeat: Option<Duration>,
    /// Base of the reconnection time.
    pub retry: Duration,
    /// A connection on which nothing moved for so long is closed.
    pub idle_timeout: Option<Duration>,
    /// A peer that takes nothing for so long is closed.
    pub dead_peer: Duration,
    /// A stream ends after 80–100 % of this and comes back.
    pub max_age: Option<Duration>,
    /// Whether frames say which topics their events were published to.
    pub topics: bool,
}

/// `[history]`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HistoryConfig {
    /// Most events kept.
    pub events: u32,
    /// Most bytes of frames kept.
    pub bytes: u64,
    /// How long an event is kept.
    pub age: Duration,
}

/// `[log]`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogConfig {
    /// What the log is made of.
    pub kind: LogKind,
    /// The folder of a file log.
    pub path: PathBuf,
    /// Most bytes of a file log.
    pub bytes: u64,
    /// How long a file log keeps an event.
    pub age: Duration,
    /// Most publishers' ids and idempotency keys that a file log remembers.
    pub ids: u32,
}

/// `log.kind`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogKind {
    /// Gone with the process.
    #[default]
    Memory,
    /// In a folder: what is acknowledged survives the process and the machine's power.
    File,
}

/// `[cors]`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CorsConfig {
    /// Origins that may read answers, each as the browser sends it; `*` is any.
    pub origins: Vec<Box<str>>,
}

/// `[metrics]`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MetricsConfig {
    /// Users that are shown by name, those with the most streams.
    pub top_users: u32,
}

/// `[drain]`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DrainConfig {
    /// The window over which streams are ended and asked to come back.
    pub over: Duration,
}

/// `[logging]`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoggingConfig {
    /// How a line looks.
    pub format: LogFormat,
    /// Directives as [`crate::logging`] takes them: `info`, or `warn,corecast=debug`.
    pub level: String,
}

/// `logging.format`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

impl Config {
    /// What an engine is told.
    #[must_use]
    pub fn settings(&self) -> Settings {
        Settings {
            limits: self.limit_settings(),
            stream: StreamSettings {
                heartbeat: self.stream.heartbeat,
                retry: self.stream.retry,
                idle_timeout: self.stream.idle_timeout,
                dead_peer: self.stream.dead_peer,
                max_age: self.stream.max_age,
                topics: self.stream.topics,
            },
            history: self.history_settings(),
            cors: CorsSettings { origins: self.cors.origins.clone() },
            anonymous: self.auth.anonymous,
            trusted_proxies: self.hub.trusted_proxies.clone(),
        }
    }

    /// What an engine is told about limits.
    #[must_use]
    pub fn limit_settings(&self) -> LimitSettings {
        let limits = &self.limits;
        LimitSettings {
            connections: limits.connections,
            per_user: limits.per_user,
            per_user_policy: limits.per_user_policy,
            per_ip: limits.per_ip,
            event_bytes: limits.event_bytes,
            head_bytes: limits.head_bytes,
            head_timeout: limits.head_timeout,
            dry_run: limits.dry_run,
        }
    }

    /// What an engine is told about its history.
    #[must_use]
    pub fn history_settings(&self) -> HistorySettings {
        HistorySettings {
            events: usize::try_from(self.history.events).unwrap_or(usize::MAX),
            bytes: usize::try_from(self.history.bytes).unwrap_or(usize::MAX),
            age: self.history.age,
        }
    }

    /// Connections that each of so many shards accepts a second; 0 is no bound.
    #[must_use]
    pub fn accept_rate_of_shard(&self, shards: u32) -> u32 {
        self.limits.accept_rate.map_or(ACCEPT_RATE_AUTO, |rate| rate.div_ceil(shards.max(1)))
    }

    /// What the first layer is written into. Not a valid configuration: the defaults are in the schema.
    fn blank() -> Self {
        let nowhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
        Self {
            hub: HubConfig {
                listen: nowhere,
                shards: None,
                driver: Driver::default(),
                trusted_proxies: Vec::new(),
            },
            admin: AdminConfig { listen: nowhere, token: None, token_file: None },
            auth: AuthConfig::default(),
            limits: LimitsConfig::default(),
            stream: StreamConfig::default(),
            history: HistoryConfig::default(),
            log: LogConfig::default(),
            cors: CorsConfig::default(),
            metrics: MetricsConfig::default(),
            drain: DrainConfig::default(),
            logging: LoggingConfig::default(),
        }
    }
}
