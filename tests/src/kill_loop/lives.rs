//! The lives of the hub: started on the same folder, loaded, and ended at a random moment.

use std::fmt;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Plan;
use super::whereabouts::Whereabouts;
use crate::crash_disk::CrashDisk;
use crate::hub::{Hub, HubBuilder};
use crate::log_files;
use crate::wait::let_pass;

/// Acknowledged events in one life, at most: enough to write much more than fits in memory's history, and little
/// enough that hundreds of lives can be replayed.
const EVENTS_MAX: u64 = 600;

/// History in memory, in events: most of what is missed in one life must come from the log.
const HISTORY_EVENTS: u64 = 64;

/// Kibibytes the log may have for each life: twice what lives publish on average, since nothing may be retired here,
/// and little enough that segments, a sixteenth of it, are left for new ones now and then.
const LOG_KIB_PER_LIFE: u64 = 400;

/// Room for lives that end otherwise.
const LIVES_BESIDES: u32 = 8;

/// Room on a disk for the file system's own, and for what is reserved ahead.
const DISK_BYTES_BESIDES: u64 = 32 << 20;

/// A life is ended at most so much later than its load would have it: not always right behind an answer.
const KILL_MOMENT_MAX: Duration = Duration::from_millis(3);

/// A drain lasts longer than this: publishes are finished and streams end in steps of 20 ms.
const DRAIN_MOMENT_MAX: Duration = Duration::from_millis(30);

/// The start is killed at any moment up to its longest time so far, and of a very slow one up to this.
const START_MOMENT_MAX: Duration = Duration::from_millis(400);

/// A drain with everybody connected.
const DRAIN_WITHIN: Duration = Duration::from_secs(30);

/// Which log the hub has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogKind {
    /// In a folder that outlives it.
    File,
    /// In a folder on a disk whose power is lost with every kill.
    FileLosingPower,
    /// In its memory.
    Memory,
}

/// How lives end, but for the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ends {
    /// Most by `kill -9`, anywhere.
    Killed,
    /// In a drain, after a new process has taken over.
    TakenOver,
    /// In a drain, before a new process is started with the same socket.
    Restarted,
}

/// How a life ends that has begun.
#[derive(Clone, Copy, Debug)]
enum End {
    Killed,
    KilledInItsDrain,
    Stopped,
}

/// The lives so far.
#[derive(Debug)]
pub struct Lives {
    builder: HubBuilder,
    ends: Ends,
    /// The hub that lives, where one life goes over into the next.
    hub: Option<Hub>,
    handed_on: u32,
    disk: Option<CrashDisk>,
    log_folder: Option<PathBuf>,
    folder: Option<tempfile::TempDir>,
    kept: Option<PathBuf>,
    random: fastrand::Rng,
    start_longest: Duration,
    killed: u32,
    killed_in_start: u32,
    killed_in_drain: u32,
    stopped: u32,
}

impl Lives {
    /// None yet.
    pub(super) fn new(plan: &Plan) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let builder = Hub::builder().set("history.events", HISTORY_EVENTS).set("drain.over", "0s");
        let log_kib = LOG_KIB_PER_LIFE * u64::from(plan.kills + LIVES_BESIDES);
        let disk = (plan.log == LogKind::FileLosingPower)
            .then(|| CrashDisk::mount((log_kib << 10) + DISK_BYTES_BESIDES));
        let log_folder = match plan.log {
            LogKind::Memory => None,
            LogKind::File => Some(folder.path().to_owned()),
            LogKind::FileLosingPower => disk.as_ref().map(|disk| disk.path().join("log")),
        };
        let builder = match &log_folder {
            None => builder,
            Some(folder) => builder.log_in(folder).set("log.bytes", format!("{log_kib}KiB")),
        };
        let builder = match plan.ends {
            Ends::Killed | Ends::TakenOver => builder,
            Ends::Restarted => {
                let socket = TcpListener::bind("127.0.0.1:0").expect("a port on loopback");
                builder.socket("hub", &Arc::new(socket.into()))
            }
        };
        Self {
            builder,
            ends: plan.ends,
            hub: None,
            handed_on: 0,
            disk,
            log_folder,
            folder: Some(folder),
            kept: None,
            random: fastrand::Rng::with_seed(plan.seed),
            start_longest: Duration::from_millis(50),
            killed: 0,
            killed_in_start: 0,
            killed_in_drain: 0,
            stopped: 0,
        }
    }

    /// How often it has been killed.
    pub(super) fn kills(&self) -> u32 {
        self.killed + self.killed_in_start + self.killed_in_drain + self.handed_on
    }

    /// Starts the hub once and ends it.
    pub(super) fn live_one(&mut self, whereabouts: &Whereabouts) {
        if self.ends != Ends::Killed {
            return self.hand_on(whereabouts);
        }
        match self.random.u32(0..100) {
            0..15 => self.die_in_start(),
            15..25 => self.live(whereabouts, End::KilledInItsDrain),
            25..30 => self.live(whereabouts, End::Stopped),
            _ => self.live(whereabouts, End::Killed),
        }
        self.lose_power();
    }

    /// Ends a life so that nobody notices but by a stream that has to be resumed.
    fn hand_on(&mut self, whereabouts: &Whereabouts) {
        let mut hub = self.hub.take().unwrap_or_else(|| self.start(whereabouts));
        whereabouts.wait_for_acknowledged(self.random.u64(1..EVENTS_MAX));
        let_pass(self.random_moment(KILL_MOMENT_MAX));
        if self.ends == Ends::TakenOver {
            hub.take_over();
        } else {
            stop(hub);
            hub = self.start(whereabouts);
        }
        self.hub = Some(hub);
        self.handed_on += 1;
    }

    fn die_in_start(&mut self) {
        let launch = self.builder.clone().launch();
        let_pass(self.random_moment(self.start_longest));
        launch.kill9();
        self.killed_in_start += 1;
    }

    fn live(&mut self, whereabouts: &Whereabouts, end: End) {
        let mut hub = self.start(whereabouts);
        whereabouts.wait_for_acknowledged(self.random.u64(0..EVENTS_MAX));
        let_pass(self.random_moment(KILL_MOMENT_MAX));
        whereabouts.hub_goes();
        match end {
            End::Killed => {
                hub.kill9();
                self.killed += 1;
            }
            End::KilledInItsDrain => {
                hub.sigterm();
                let_pass(self.random_moment(DRAIN_MOMENT_MAX));
                hub.kill9();
                self.killed_in_drain += 1;
            }
            End::Stopped => {
                stop(hub);
                self.stopped += 1;
            }
        }
    }

    fn lose_power(&mut self) {
        if let Some(disk) = &mut self.disk {
            disk.lose_power();
        }
    }

    /// Starts the hub for the last time.
    pub(super) fn live_last(&mut self, whereabouts: &Whereabouts) -> Hub {
        self.hub.take().unwrap_or_else(|| self.start(whereabouts))
    }

    /// Stops it for good. What it has gone through has left nothing wrong in its log.
    pub(super) fn end(&self, hub: Hub) {
        stop(hub);
        if let Some(folder) = &self.log_folder {
            let verified = log_files::run("verify", folder, &[]);
            assert_eq!(verified.status.code(), Some(0), "{verified:?}");
        }
    }

    fn start(&mut self, whereabouts: &Whereabouts) -> Hub {
        let begin = Instant::now();
        let hub = self.builder.clone().start();
        self.start_longest = self.start_longest.max(begin.elapsed()).min(START_MOMENT_MAX);
        whereabouts.hub_is_at(hub.addr());
        hub
    }

    fn random_moment(&mut self, max: Duration) -> Duration {
        Duration::from_micros(self.random.u64(0..=max.as_micros() as u64))
    }

    /// Leaves the log where it is, for whoever wants to know.
    pub(super) fn keep_folder(&mut self) {
        let Some(folder) = self.folder.take() else { return };
        if let (Some(log), Some(_)) = (&self.log_folder, &self.disk) {
            log_files::copy(log, folder.path());
        }
        self.kept = Some(folder.keep());
    }

    /// Where the log was left.
    #[must_use]
    pub fn kept_folder(&self) -> Option<&Path> {
        self.kept.as_deref()
    }
}

fn stop(mut hub: Hub) {
    hub.sigterm();
    hub.wait_until_gone(DRAIN_WITHIN);
    assert_eq!(
        hub.wait_for_exit(DRAIN_WITHIN).code(),
        Some(0),
        "a clean stop of the process that was started"
    );
}

impl fmt::Display for Lives {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { killed_in_start, killed_in_drain, stopped, handed_on, .. } = self;
        if self.ends != Ends::Killed {
            return write!(f, "{handed_on} times {:?}", self.ends);
        }
        write!(
            f,
            "kills = {} ({killed_in_start} in the start, {killed_in_drain} in the drain), clean stops = {stopped}",
            self.kills()
        )
    }
}
