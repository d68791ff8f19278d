//! A reload: file and environment are read anew, and what can change while the hub runs does.
//!
//! Invariant: all or nothing. A configuration with a fault changes nothing, and what is wrong with it is said in the log
//! and to whoever asked. What needs a restart stays as it is, and that is said too.
//! Here too: keys that come and go by themselves, since they and a reload must not cross each other.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

use super::keyring::{Fresh, KeyChanges, Keyring, shown_path};
use super::{StartError, listeners, log, threads};
use crate::census::SharedCensus;
use crate::clock;
use crate::config::keys::{KeyError, fetch_key_set};
use crate::config::problem::{Fault, Origin};
use crate::config::schema::{Reload, SETTINGS, Setting};
use crate::config::{Config, InForce, Loaded, Problem, Problems, Secret, Source};
use crate::control::{Change, ControlStats, DrainProgress, ReloadReply, ReloadReport};
use crate::logging;
use crate::sequencer::SequencerQueue;
use crate::shard::ShardSettings;
use crate::shard::inbox::{Inbox, Mail};
use crate::systemd::Service;

/// How often a key set is fetched again: issuers publish a new key hours before they sign with it.
const REFRESH_INTERVAL: Duration = Duration::from_secs(300);

/// Requests for a reload that wait for the one that is under way.
const REQUESTS_MAX: usize = 4;

/// What a reload is about: where the configuration is from, and all that follows it.
pub(super) struct Parts {
    pub(super) source: Source,
    pub(super) in_force: InForce,
    pub(super) keyring: Keyring,
    /// What the admin listener asks for until it is started anew.
    pub(super) admin_token: Option<Secret>,
    pub(super) inboxes: Vec<Inbox>,
    pub(super) census: SharedCensus,
    pub(super) sequencer: SequencerQueue,
    /// Where it is said what became of reloads.
    pub(super) control: ControlStats,
    /// Whom systemd hears of a reload from.
    pub(super) service: Service,
    /// Whether the hub stops: then nothing is read any more.
    pub(super) drain: DrainProgress,
    /// Whether another process takes over: it has read the configuration already.
    pub(super) takeover: Arc<AtomicBool>,
}

/// All that a reload has read.
struct ReadAgain {
    loaded: Loaded,
    keys: Fresh,
    admin_token: Option<Secret>,
}

/// Which files have other content than what is in force, whether or not their settings are the same.
#[derive(Clone, Copy, Debug, Default)]
struct ChangedFiles {
    secret: bool,
    public: bool,
    admin_token: bool,
}

/// See the module.
pub(super) struct Reloader {
    parts: Parts,
    /// What tables were made for: `limits.connections` of the start.
    connections_max: u32,
    hangups: Signal,
    refreshed: Instant,
}

impl Reloader {
    /// Watches for `SIGHUP` from now on. Must be called within the runtime.
    pub(super) fn new(parts: Parts) -> Result<Self, StartError> {
        let hangups = signal(SignalKind::hangup()).map_err(StartError::Runtime)?;
        let connections_max = parts.in_force.now().config.limits.connections;
        Ok(Self { parts, connections_max, hangups, refreshed: Instant::now() })
    }

    /// Works beside everything else. Where to ask for a reload; a refused request means that enough wait already.
    pub(super) fn spawn(self) -> mpsc::Sender<ReloadReply> {
        let (sender, requests) = mpsc::channel(REQUESTS_MAX);
        tokio::spawn(self.run(requests));
        sender
    }

    async fn run(mut self, mut requests: mpsc::Receiver<ReloadReply>) {
        loop {
            let refresh = self.parts.keyring.key_set().map(|_| self.refreshed + REFRESH_INTERVAL);
            tokio::select! {
                // However many came while one was obeyed, they are one: it reads what is there now.
                Some(()) = self.hangups.recv() => drop(self.reload("SIGHUP").await),
                Some(reply) = requests.recv() => {
                    if let Some(report) = self.reload("admin").await {
                        // Who asked may have gone; the hub has followed all the same.
                        let _ = reply.send(report);
                    }
                }
                () = until(self.parts.keyring.next_retirement()) => self.retire_keys(),
                () = until(refresh) => self.refresh_key_set().await,
            }
        }
    }

    /// What came of it; nothing if the hub stops, or is about to be taken over.
    async fn reload(&mut self, cause: &'static str) -> Option<Result<ReloadReport, Problems>> {
        if self.parts.drain.is_draining() {
            tracing::warn!(cause, "the hub stops: the configuration is not read again");
            return None;
        }
        if self.parts.takeover.load(Ordering::SeqCst) {
            tracing::warn!(cause, "a takeover is under way: the configuration is not read again");
            return None;
        }
        self.parts.service.reloading();
        let report = self.read_and_follow(cause).await;
        self.parts.service.ready();
        Some(report)
    }

    async fn read_and_follow(&mut self, cause: &'static str) -> Result<ReloadReport, Problems> {
        tracing::info!(cause, "reading the configuration again");
        let report = match read(self.parts.source.clone(), self.parts.keyring.key_set()).await {
            Ok(fresh) => Ok(self.apply(fresh)),
            Err(problems) => Err(problems),
        };
        self.parts.control.note_reload(report.is_ok(), clock::unix_now());
        match &report {
            Ok(report) => say(report),
            Err(Problems(problems)) => {
                for problem in problems {
                    tracing::error!(%problem, "the new configuration is not applied, all of the old one stays");
                }
            }
        }
        report
    }

    fn apply(&mut self, ReadAgain { mut loaded, keys, admin_token }: ReadAgain) -> ReloadReport {
        let old = self.parts.in_force.now();
        for warning in &loaded.warnings {
            tracing::warn!("{warning}");
        }
        let KeyChanges { secret, public, key_set: _ } = self.parts.keyring.changes(&keys);
        let files = ChangedFiles { secret, public, admin_token: self.parts.admin_token != admin_token };
        let report = compare(&old, &mut loaded, files, self.connections_max);
        self.parts.keyring.replace(keys, loaded.config.auth.key_overlap, Instant::now());
        self.follow(&loaded.config);
        self.parts.in_force.replace(loaded);
        report
    }

    /// Tells everybody. What is the same as before is told too: it costs nothing, and is right after a failure, and after an
    /// operator has set another level of messages meanwhile.
    fn follow(&self, new: &Config) {
        let Parts { inboxes, census, sequencer, .. } = &self.parts;
        census.set_limits(new.limits.connections, new.limits.per_ip);
        sequencer.set_retention(log::retention(new));
        let settings = shard_settings(new, inboxes.len() as u32);
        threads::send_to_all(inboxes, || Mail::Settings(Box::new(settings.clone())));
        self.send_keys();
        if let Err(error) = logging::set_level(&new.logging.level) {
            tracing::warn!(%error, "logging.level cannot be changed");
        }
    }

    fn send_keys(&self) {
        let keys = self.parts.keyring.keys();
        threads::send_to_all(&self.parts.inboxes, || Mail::Keys(Box::new(keys.clone())));
    }

    fn retire_keys(&mut self) {
        self.parts.keyring.retire(Instant::now());
        self.send_keys();
        tracing::info!("the overlap is over: tokens of keys that were replaced are refused");
    }

    /// While the key set cannot be had, the old keys stay in force.
    async fn refresh_key_set(&mut self) {
        self.refreshed = Instant::now();
        let Some((url, _)) = self.parts.keyring.key_set() else { return };
        let asked = url.clone();
        match tokio::task::spawn_blocking(move || fetch_key_set(&asked)).await {
            Ok(Ok(json)) => match self.parts.keyring.replace_key_set(json) {
                Ok(()) => self.send_keys(),
                Err(error) => tracing::warn!(url, %error, "the key set is of no use, the old keys stay"),
            },
            Ok(Err(error)) => tracing::warn!(%error, "the key set could not be fetched, the old keys stay"),
            Err(error) => tracing::error!(%error, "fetching the key set was cut short"),
        }
    }
}

/// What shards are told of a configuration.
pub(super) fn shard_settings(config: &Config, shards: u32) -> ShardSettings {
    ShardSettings {
        engine: config.settings(),
        accept_rate: config.accept_rate_of_shard(shards),
        drain_over: config.drain.over,
        user_timeout: listeners::user_timeout(&config.stream),
    }
}

/// Waits until then; for ever if there is nothing to wait for.
async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}

/// Reads everything, away from the control thread: a file may be on a slow disk, and a key set far away.
async fn read(source: Source, key_set: Option<(String, Vec<u8>)>) -> Result<ReadAgain, Problems> {
    let read = move || {
        let loaded = source.load()?;
        let of_fault = |fault| Problems(vec![Problem { origin: Origin::Default, fault }]);
        let keys = Fresh::read_again(&loaded.config, key_set).map_err(of_fault)?;
        let admin_token = loaded.config.admin_token().map_err(|cause| {
            let value = shown_path(loaded.config.admin.token_file.as_deref());
            of_fault(Fault::Key { name: "admin.token_file", value, cause })
        })?;
        Ok(ReadAgain { loaded, keys, admin_token })
    };
    tokio::task::spawn_blocking(read).await.unwrap_or_else(|_| {
        let fault = Fault::Key {
            name: "auth",
            value: String::new(),
            cause: KeyError::Unreadable(std::io::Error::other("reading was cut short")),
        };
        Err(Problems(vec![Problem { origin: Origin::Default, fault }]))
    })
}

/// What changes from `old` to `new`. What cannot change is put back into `new`.
fn compare(old: &Loaded, new: &mut Loaded, files: ChangedFiles, connections_max: u32) -> ReloadReport {
    let content: BTreeMap<_, _> = [
        ("auth.hmac_key_file", files.secret),
        ("auth.public_key_file", files.public),
        ("admin.token_file", files.admin_token),
    ]
    .into();
    let mut report = ReloadReport::default();
    for (row, setting) in SETTINGS.iter().enumerate() {
        let name = setting.name();
        let is_same = setting.is_same(&old.config, &new.config);
        let has_content = content.get(&*name).is_some_and(|&changed| changed) && shows(setting, &new.config);
        if is_same && !has_content {
            continue;
        }
        let mut change =
            Change { setting: name, from: shown(setting, &old.config), to: shown(setting, &new.config) };
        if is_same {
            change.to.push_str(" with other content");
        }
        if can_apply(setting, &new.config, connections_max) {
            report.applied.push(change);
        } else {
            report.needs_restart.push(change);
            setting.copy(&old.config, &mut new.config);
            new.origins[row] = old.origins[row].clone();
        }
    }
    report
}

fn can_apply(setting: &Setting, new: &Config, connections_max: u32) -> bool {
    // Tables have no room for more.
    let fits = (setting.section, setting.key) != ("limits", "connections")
        || new.limits.connections <= connections_max;
    setting.reload == Reload::Applies && fits
}

fn shows(setting: &Setting, config: &Config) -> bool {
    setting.read(&mut config.clone()).is_some()
}

fn shown(setting: &Setting, config: &Config) -> String {
    setting.read(&mut config.clone()).unwrap_or_else(|| "not set".to_owned())
}

/// Says what came of a reload.
fn say(ReloadReport { applied, needs_restart }: &ReloadReport) {
    for Change { setting, from, to } in applied {
        tracing::info!(setting, from, to, "changed");
    }
    for Change { setting, from, to } in needs_restart {
        tracing::warn!(setting, from, to, "needs a restart, the old value stays until then");
    }
    if applied.is_empty() && needs_restart.is_empty() {
        tracing::info!("the configuration is as it was");
    } else {
        let (applied, waiting) = (applied.len(), needs_restart.len());
        tracing::info!(applied, waiting, "the new configuration is in force");
    }
}

#[cfg(test)]
mod tests;
