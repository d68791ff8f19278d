//! What a run is about: the settings of its hub, and who comes to it.

use std::fmt;
use std::time::Duration;

use corecast::log::file::FileLogOptions;
use corecast_core::settings::{
    CorsSettings, HistorySettings, LimitSettings, PerUserPolicy, Settings, StreamSettings,
};
use fastrand::Rng;

use super::chance::{Chance, Draw};

/// Which log a hub has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogKind {
    /// Gone with the hub.
    Memory,
    /// On a disk that outlives the hub.
    File,
}

impl LogKind {
    /// The kind of this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Memory, Self::File].into_iter().find(|kind| kind.to_string() == name)
    }
}

impl fmt::Display for LogKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Memory => "memory",
            Self::File => "file",
        })
    }
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Scene {
    /// Of every engine.
    pub settings: Settings,
    /// How many shards.
    pub shards: u16,
    /// Slots of each shard.
    pub slots: u32,
    /// Events that an inbox holds.
    pub events_max: usize,
    /// Requests that the sequencer's queue holds.
    pub requests_max: usize,
    /// Subscribers.
    pub tabs: usize,
    /// Different users among them.
    pub users: usize,
    /// Publishers.
    pub publishers: usize,
    /// Clients with odd requests.
    pub probers: usize,
    /// Longest pause of a publisher.
    pub publish_pause: Duration,
    /// Bytes of the largest data.
    pub data_bytes_max: usize,
    /// How long tokens are good.
    pub token_ttl: Duration,
    /// What a file log keeps; `None` is a log in memory.
    pub file: Option<FileLogOptions>,
}

impl Scene {
    /// The scene of a seed.
    #[must_use]
    pub fn draw(chance: &mut Chance, log: LogKind) -> Self {
        let mut scene = Self::draw_in_memory(chance);
        if log == LogKind::File {
            let rng = chance.draw(Draw::Log);
            scene.file = Some(file(rng));
            // Most who come back then have more to read than the shards remember.
            if rng.u8(..4) > 0 {
                scene.settings.history.events = 10;
            }
        }
        scene
    }

    /// Settings that the operator may change to. Who may come without a token stays: tabs do not ask anew.
    #[must_use]
    pub(super) fn other_settings(&self, rng: &mut Rng) -> Settings {
        let (old, new) = (self.settings.clone(), settings(rng, self.tabs));
        let mut limits = if rng.bool() { new.limits } else { old.limits };
        limits.dry_run = rng.u8(..3) == 0;
        Settings {
            limits,
            stream: if rng.bool() { new.stream } else { old.stream },
            history: if rng.bool() { new.history } else { old.history },
            ..old
        }
    }

    fn draw_in_memory(chance: &mut Chance) -> Self {
        let rng = chance.draw(Draw::Scene);
        // A crowd fills turns and queues, a handful meets more of the rare paths.
        let tabs = if rng.u8(..8) == 0 { rng.usize(150..400) } else { rng.usize(2..30) };
        let shards = rng.u16(1..=4);
        let roomy = rng.u8(..4) > 0;
        let slots = if roomy { tabs as u32 * 3 + 20 } else { rng.u32(8..40) };
        let data_bytes_max = [40, 400, 4000, 30_000][rng.usize(..4)];
        Self {
            settings: settings(rng, tabs),
            shards,
            slots,
            events_max: [2, 16, 256][rng.usize(..3)],
            requests_max: [2, 16, 256][rng.usize(..3)],
            tabs,
            users: rng.usize(1..=tabs),
            publishers: rng.usize(1..5),
            probers: rng.usize(0..3),
            publish_pause: Duration::from_millis([3, 40, 400, 5000][rng.usize(..4)]),
            data_bytes_max,
            token_ttl: Duration::from_secs([20, 100, 86_400, 86_400][rng.usize(..4)]),
            file: None,
        }
    }
}

fn file(rng: &mut Rng) -> FileLogOptions {
    FileLogOptions {
        bytes: [1 << 16, 1 << 19, 1 << 30, 1 << 30][rng.usize(..4)],
        age: Duration::from_secs([20, 3600, 604_800, 604_800][rng.usize(..4)]),
        ids: [3, 100_000, 100_000][rng.usize(..3)],
    }
}

fn settings(rng: &mut Rng, tabs: usize) -> Settings {
    let seconds = |rng: &mut Rng, min: u64, max: u64| Duration::from_millis(rng.u64(min * 1000..max * 1000));
    let mostly = |rng: &mut Rng, value: Duration| (rng.u8(..4) > 0).then_some(value);
    let heartbeat = seconds(rng, 1, 15);
    let idle_timeout = seconds(rng, 20, 300);
    let max_age = seconds(rng, 5, 120);
    Settings {
        limits: LimitSettings {
            connections: if rng.u8(..4) == 0 { rng.u32(1..=tabs as u32) } else { 10_000 },
            per_user: rng.u32(..4),
            per_user_policy: if rng.u8(..4) == 0 {
                PerUserPolicy::RejectNewest
            } else {
                PerUserPolicy::EvictOldest
            },
            per_ip: if rng.u8(..6) == 0 { rng.u32(1..5) } else { 0 },
            event_bytes: 65_536,
            head_bytes: 4096,
            head_timeout: seconds(rng, 1, 10),
            dry_run: false,
        },
        stream: StreamSettings {
            heartbeat: mostly(rng, heartbeat),
            retry: Duration::from_millis(rng.u64(50..3000)),
            idle_timeout: mostly(rng, idle_timeout),
            dead_peer: seconds(rng, 2, 30),
            max_age: if rng.u8(..4) == 0 { Some(max_age) } else { None },
            topics: false,
        },
        history: HistorySettings {
            events: [10, 100, 2000, 100_000][rng.usize(..4)],
            bytes: [5_000, 200_000, 64 << 20, 64 << 20][rng.usize(..4)],
            age: Duration::from_secs([5, 60, 3600, 3600][rng.usize(..4)]),
        },
        cors: CorsSettings { origins: vec!["https://app.example".into()] },
        anonymous: rng.bool(),
        trusted_proxies: Vec::new(),
    }
}
