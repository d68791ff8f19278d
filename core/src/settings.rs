//! What an operator can set about an engine, already checked: the host's configuration is mapped to this.

use std::time::Duration;

use ipnet::IpNet;

/// Which of a user's connections goes when there is one too many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PerUserPolicy {
    /// The newest wins; the oldest is told and ends for good.
    #[default]
    EvictOldest,
    /// Who is there stays; the newest is refused.
    RejectNewest,
}

/// `[limits]`
#[derive(Clone, Debug)]
pub struct LimitSettings {
    /// Streams in the whole process.
    pub connections: u32,
    /// Streams of one user; 0 is no limit.
    pub per_user: u32,
    /// What happens at `per_user`.
    pub per_user_policy: PerUserPolicy,
    /// Streams of one peer address; 0 is no limit.
    pub per_ip: u32,
    /// The encoded block of an event, in bytes.
    pub event_bytes: u32,
    /// A request head, in bytes.
    pub head_bytes: u32,
    /// From the first moment of a request until its head (and again its body) is complete.
    pub head_timeout: Duration,
    /// Whether limits on streams are only counted and not enforced.
    pub dry_run: bool,
}

/// `[stream]`
#[derive(Clone, Debug)]
pub struct StreamSettings {
    /// Longest silence on a stream before a comment is sent; `None` is off.
    pub heartbeat: Option<Duration>,
    /// Base of the reconnection time; every client gets its own, uniform in `[retry, 2 × retry]` and later in a crowd.
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

/// `[history]`, for each shard. Events are shared between shards, so the memory is that of one.
#[derive(Clone, Debug)]
pub struct HistorySettings {
    /// Most events kept.
    pub events: usize,
    /// Most bytes of frames kept.
    pub bytes: usize,
    /// How long an event is kept.
    pub age: Duration,
}

/// `[cors]`
#[derive(Clone, Debug, Default)]
pub struct CorsSettings {
    /// Origins that may read answers, each as the browser sends it; `*` is any.
    pub origins: Vec<Box<str>>,
}

/// Everything an engine is told about its behaviour, at start and again whenever it is to change.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `[limits]`
    pub limits: LimitSettings,
    /// `[stream]`
    pub stream: StreamSettings,
    /// `[history]`
    pub history: HistorySettings,
    /// `[cors]`
    pub cors: CorsSettings,
    /// Whether a stream may be opened without a token.
    pub anonymous: bool,
    /// Peers that are believed when they say whom a request comes from.
    pub trusted_proxies: Vec<IpNet>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            limits: LimitSettings {
                connections: 10_000,
                per_user: 1,
                per_user_policy: PerUserPolicy::EvictOldest,
                per_ip: 0,
                event_bytes: 65_536,
                head_bytes: 16_384,
                head_timeout: Duration::from_secs(10),
                dry_run: false,
            },
            stream: StreamSettings {
                heartbeat: Some(Duration::from_secs(15)),
                retry: Duration::from_secs(3),
                idle_timeout: Some(Duration::from_secs(300)),
                dead_peer: Duration::from_secs(30),
                max_age: None,
                topics: false,
            },
            history: HistorySettings { events: 65_536, bytes: 64 << 20, age: Duration::from_secs(3600) },
            cors: CorsSettings::default(),
            anonymous: false,
            trusted_proxies: Vec::new(),
        }
    }
}
