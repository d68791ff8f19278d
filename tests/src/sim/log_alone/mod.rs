//! The file log alone, on a disk that crashes and fails: what it has acknowledged it has for good.
//!
//! A plan runs a log through appends, ends of every kind, faults and jumps of the clock. The same plan can be told to
//! crash at any one operation of the disk, so that a short run can be crashed at every one of them.
//! Not here: the hub around the log (`world`).

mod events;
mod truth;

use std::sync::Arc;
use std::time::Duration;

use corecast::log::Log;
use corecast::log::file::{Catalog, FileLog, FileLogOptions, LogState};
use corecast_core::event::SharedEvent;
use corecast_core::id::{Incarnation, Position};
use corecast_core::time::UnixMillis;
use fastrand::Rng;

use self::events::Events;
use self::truth::Truth;
use super::disk::{Crash, DiskFaults, SimDisk};

/// What to run.
#[derive(Clone, Debug)]
pub struct LogPlan {
    /// Everything random comes from it.
    pub seed: u64,
    /// Appends and other things that happen.
    pub steps: u32,
    /// Whether anything goes wrong besides.
    pub has_faults: bool,
    /// The operation of the disk in which the power fails.
    pub crash_at: Option<u64>,
    /// Whether the disk says that it has synced what it will sync only later.
    pub lies: bool,
}

/// What a run that found nothing has seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogReport {
    /// Operations of the disk that changed something.
    pub operations: u64,
    /// Events that were acknowledged.
    pub acknowledged: u64,
    /// Events that were refused.
    pub refused: u64,
    /// Times that the log was opened again.
    pub restarts: u64,
    /// Events that were never acknowledged and were there after a restart.
    pub recovered: u64,
    /// Segments that retention took.
    pub let_go: u64,
    /// Appends that found the disk full.
    pub full: u64,
    /// Logs that would keep nothing more.
    pub failed: u64,
    /// Starts that did not succeed at once.
    pub failed_starts: u64,
}

impl LogReport {
    /// Adds what another run has seen.
    pub const fn add(&mut self, other: &Self) {
        self.operations += other.operations;
        self.acknowledged += other.acknowledged;
        self.refused += other.refused;
        self.restarts += other.restarts;
        self.recovered += other.recovered;
        self.let_go += other.let_go;
        self.full += other.full;
        self.failed += other.failed;
        self.failed_starts += other.failed_starts;
    }
}

impl LogPlan {
    /// A run in which only the log ends, now and then.
    #[must_use]
    pub const fn new(seed: u64, steps: u32) -> Self {
        Self { seed, steps, has_faults: false, crash_at: None, lies: false }
    }

    /// Runs it.
    ///
    /// # Panics
    /// At the first thing that should not be.
    #[must_use]
    pub fn run(&self) -> LogReport {
        let mut run = LogRun::new(self);
        for _ in 0..self.steps {
            run.step();
        }
        run.disk.set_faults(DiskFaults::default());
        run.disk.set_capacity(None);
        run.disk.crash_at(None);
        run.restart(Crash::Power);
        run.append();
        assert_eq!(
            run.log().stats().snapshot().state,
            LogState::Ok,
            "a log on a disk that is well keeps events"
        );
        run.report()
    }
}

struct LogRun {
    has_faults: bool,
    rng: Rng,
    events: Events,
    disk: SimDisk,
    options: FileLogOptions,
    /// Only while it is being opened is there none.
    log: Option<FileLog<SimDisk>>,
    catalog: Option<Arc<Catalog>>,
    incarnation: Incarnation,
    now: UnixMillis,
    truth: Truth,
    report: LogReport,
    batch_max: usize,
}

impl LogRun {
    fn new(plan: &LogPlan) -> Self {
        let mut rng = Rng::with_seed(plan.seed);
        let disk = SimDisk::new(rng.u64(..));
        disk.crash_at(plan.crash_at);
        if plan.lies {
            disk.lie();
        }
        let options = FileLogOptions {
            bytes: [1 << 16, 1 << 18, 1 << 21][rng.usize(..3)],
            age: Duration::from_secs([4, 60, 1 << 20][rng.usize(..3)]),
            ids: [0, 3, 20, 100_000][rng.usize(..4)],
        };
        let bytes_max = [100, 2_000, 20_000, 90_000][rng.usize(..4)];
        let events = Events::new(Rng::with_seed(rng.u64(..)), bytes_max);
        let batch_max = [1, 3, 12][rng.usize(..3)];
        let mut run = Self {
            has_faults: plan.has_faults,
            rng,
            events,
            disk,
            truth: Truth::new(options),
            options,
            log: None,
            catalog: None,
            incarnation: Incarnation(0),
            now: UnixMillis(1_767_225_600_000),
            report: LogReport::default(),
            batch_max,
        };
        run.open();
        run
    }

    fn log(&self) -> &FileLog<SimDisk> {
        self.log.as_ref().expect("the log is open between two steps")
    }

    fn step(&mut self) {
        match self.rng.u8(..24) {
            0 => self.close(),
            1 => self.restart(Crash::Process),
            2 => self.restart(Crash::Power),
            3 => self.jump(),
            4..=6 if self.has_faults => self.change_faults(),
            // The operator has read the log.
            7 if self.log().stats().snapshot().state == LogState::Failed => self.restart(Crash::Process),
            _ => self.append(),
        }
        if self.disk.has_crashed() {
            self.restart(Crash::Power);
        }
    }

    fn append(&mut self) {
        self.now.0 += self.rng.u64(0..2_000);
        let count = if self.rng.u8(..16) == 0 { 0 } else { self.rng.usize(1..=self.batch_max) };
        let mut at = self.truth.newest();
        let batch: Vec<SharedEvent> = (0..count)
            .map(|_| {
                at = at.next();
                self.events.draw(self.incarnation, at, self.now)
            })
            .collect();
        self.truth.on_append(self.now);
        let was = self.log().stats().snapshot().state;
        let appended = self.log.as_mut().expect("the log is open between two steps").append(&batch, self.now);
        let is = self.log().stats().snapshot().state;
        assert!(was != LogState::Failed || appended.is_err(), "a log that has failed keeps an event");
        match appended {
            Ok(()) => {
                self.truth.acknowledge(&batch);
                self.report.acknowledged += batch.len() as u64;
            }
            Err(_) => {
                let can_fail = self.has_faults || self.disk.has_crashed();
                assert!(can_fail, "a disk that is well, and the log keeps nothing: {appended:?}");
                assert_ne!(is, LogState::Ok, "an append failed, and the log is well");
                self.truth.doubt(&batch);
                self.report.refused += batch.len() as u64;
                self.report.full += u64::from(is == LogState::Full);
                self.report.failed += u64::from(is == LogState::Failed && was != LogState::Failed);
                self.truth.check_refused(self.log());
            }
        }
        let catalog = self.catalog();
        self.truth.on_retention(&catalog, &self.disk, self.now);
        self.check_sizes();
        self.check();
    }

    /// What is over the limits is gone, if it could be removed.
    fn check_sizes(&self) {
        let stats = self.log().stats().snapshot();
        let is_over = stats.segments > 1 && stats.bytes > self.options.bytes;
        let could_remove = stats.state == LogState::Ok && stats.failures_retention == 0;
        assert!(!is_over || !could_remove, "{stats:?}, allowed are {} bytes", self.options.bytes);
        let newest = self.truth.newest();
        assert_eq!(stats.newest, newest, "the newest event, as the metrics have it");
        assert_eq!(stats.oldest, self.catalog().start().next(), "the oldest event, as the metrics have it");
    }

    fn check(&mut self) {
        let (log, catalog) = (self.log.as_ref().expect("the log is open between two steps"), self.catalog());
        self.truth.check(log, &catalog, &self.disk, &mut self.rng);
    }

    fn catalog(&self) -> Arc<Catalog> {
        self.catalog.clone().expect("the log was opened")
    }

    fn jump(&mut self) {
        let by = self.rng.u64(0..200_000);
        self.now.0 = if self.rng.bool() { self.now.0 + by } else { self.now.0 - by };
    }

    fn change_faults(&mut self) {
        let rng = &mut self.rng;
        let mut rate = |rate: f64| if rng.u8(..3) == 0 { rate } else { 0.0 };
        let faults = DiskFaults {
            short_write: rate(0.3),
            write: rate(0.02),
            sync: rate(0.05),
            read: 0.0,
            short_read: rate(0.3),
            folder: rate(0.2),
            slow: 0.0,
        };
        self.disk.set_faults(faults);
        let room = [0, 10, 700, 100_000][self.rng.usize(..4)];
        self.disk.set_capacity((self.rng.u8(..3) == 0).then(|| self.disk.bytes() + room));
    }

    /// Ends in good order and starts again.
    fn close(&mut self) {
        if let Some(log) = self.log.take() {
            let closed = log.close();
            assert!(closed.is_ok() || self.has_faults || self.disk.has_crashed(), "{closed:?}");
        }
        self.open();
    }

    /// Ends in no order and starts again.
    fn restart(&mut self, how: Crash) {
        self.disk.crash(how);
        if let Some(catalog) = &self.catalog
            && how == Crash::Process
        {
            // Whoever was being shown events had seen only what is kept for good.
            self.truth.check_catalog(catalog, &self.disk);
        }
        self.log = None;
        self.open();
    }

    /// Starts, if need be again and again: whatever happened, a log that was only crashed can be opened.
    fn open(&mut self) {
        for attempt in 0.. {
            self.disk = self.disk.restart();
            let fresh = Incarnation(self.rng.u64(..));
            match FileLog::open(self.disk.clone(), self.options, fresh, self.now) {
                Ok((log, _)) => return self.on_opened(log),
                Err(error) => {
                    let can_fail = self.has_faults || self.disk.has_crashed();
                    assert!(can_fail && attempt < 20, "the log cannot be opened: {error}");
                    self.report.failed_starts += 1;
                    if attempt > 2 {
                        self.disk.set_faults(DiskFaults::default());
                        self.disk.set_capacity(None);
                    }
                    self.disk.crash(Crash::Power);
                }
            }
        }
    }

    fn on_opened(&mut self, log: FileLog<SimDisk>) {
        let catalog = log.catalog();
        self.report.restarts += 1;
        if self.truth.newest() > Position(0) {
            assert_eq!(log.incarnation(), self.incarnation, "a log that has events stays the log it was");
        }
        self.incarnation = log.incarnation();
        self.truth.on_restart(&catalog, &self.disk);
        self.truth.on_retention(&catalog, &self.disk, self.now);
        self.catalog = Some(catalog);
        self.log = Some(log);
        if !self.disk.has_crashed() {
            self.check();
        }
    }

    fn report(mut self) -> LogReport {
        self.report.operations = self.disk.operations();
        self.report.recovered = self.truth.recovered;
        self.report.let_go = self.truth.let_go;
        self.report
    }
}
