//! The disk of a hub with a file log: what outlives the hub, and what goes wrong with it.

use std::time::Duration;

use corecast::log::file::{FileLog, FileLogOptions};
use corecast_core::id::Incarnation;

use super::chance::{Chance, Draw, Fault};
use super::disk::{Crash, DiskFaults, SimDisk};
use super::kept::SimLog;
use super::network::{Action, Network};
use super::oracle::Oracle;
use super::plant::Plant;
use super::reader::read_all;

/// Bytes of a segment's header: a file with nothing else has no event.
const HEADER_BYTES: usize = 64;

/// See the module.
pub(super) struct Storage {
    disk: SimDisk,
    options: FileLogOptions,
    plant: Plant,
    planted: bool,
    /// Whether the log was closed in good order.
    was_closed: bool,
}

impl Storage {
    /// An empty disk.
    #[must_use]
    pub(super) fn new(options: FileLogOptions, plant: Plant, net: &mut Network) -> Self {
        Self { disk: new_disk(plant, &mut net.chance), options, plant, planted: false, was_closed: true }
    }

    /// The disk.
    #[must_use]
    pub(super) const fn disk(&self) -> &SimDisk {
        &self.disk
    }

    /// Opens the log, and says what is in it; nothing if it has to be tried again.
    pub(super) fn open(
        &mut self,
        fresh: Incarnation,
        net: &mut Network,
        oracle: &mut Oracle,
    ) -> Option<FileLog<SimDisk>> {
        if net.chance.strikes(Fault::Wipe) {
            net.trace.note(format_args!("the folder of the log is emptied"));
            self.disk = new_disk(self.plant, &mut net.chance);
        }
        self.disk = self.disk.restart();
        self.forget_last_event();
        self.may_lose_power(10, net);
        let opened = FileLog::open(self.disk.clone(), self.options, fresh, net.unix);
        let (is_full, has_crashed) = (self.disk.is_full(), self.disk.has_crashed());
        let _ = self.disk.take_elapsed();
        match opened {
            Ok((log, recovered)) if !has_crashed => {
                let cut = recovered.cut.map_or(0, |cut| cut.bytes);
                net.trace.note(format_args!("the log has {} events, cut {cut} bytes", recovered.events));
                let catalog = log.catalog();
                oracle.on_start(catalog.incarnation().0);
                let events = read_all(&catalog, &self.disk);
                assert_eq!(
                    self.start(),
                    catalog.start().0,
                    "where the log begins, by its folder and by itself"
                );
                oracle.on_opened(catalog.start().0, &events);
                self.was_closed = false;
                Some(log)
            }
            Ok(_) => {
                self.disk.crash(Crash::Power);
                None
            }
            Err(error) => {
                net.trace.note(format_args!("the log is not opened: {error}"));
                assert!(is_full || has_crashed, "the hub cannot start: {error}");
                self.disk.crash(Crash::Power);
                None
            }
        }
    }

    /// The hub is gone.
    pub(super) fn crash(&self, how: Crash) {
        if !self.disk.has_crashed() {
            self.disk.crash(how);
        }
    }

    /// The hub ends in good order.
    pub(super) fn close(&mut self, log: SimLog) {
        let has_failed = log.has_failed();
        let closed = log.close();
        let can_fail = has_failed || self.disk.has_crashed() || self.disk.is_full();
        assert!(closed.is_ok() || can_fail, "the log cannot be closed: {closed:?}");
        self.was_closed = closed.is_ok() && !has_failed;
        self.crash(Crash::Process);
    }

    /// What may go wrong while a batch is written.
    pub(super) fn before_write(&self, net: &mut Network) {
        self.may_lose_power(1, net);
        let mut rate = |fault, rate| if net.chance.strikes(fault) { rate } else { 0.0 };
        self.disk.set_faults(DiskFaults {
            short_write: rate(Fault::ShortWrite, 0.5),
            sync: rate(Fault::SyncFailure, 1.0),
            slow: rate(Fault::SlowDisk, 1.0),
            ..DiskFaults::default()
        });
    }

    /// How long it took to write the batch.
    #[must_use]
    pub(super) fn after_write(&self) -> Duration {
        self.disk.set_faults(DiskFaults::default());
        self.disk.take_elapsed()
    }

    /// The power fails within the next operations: `factor` times as often as it does for a batch.
    fn may_lose_power(&self, factor: u32, net: &mut Network) {
        if (0..factor).any(|_| net.chance.strikes(Fault::TornWrite)) {
            let operation = self.disk.operations() + net.chance.of(Fault::TornWrite).u64(1..4);
            self.disk.crash_at(Some(operation));
        }
    }

    /// Whether the power has failed.
    #[must_use]
    pub(super) fn has_crashed(&self) -> bool {
        self.disk.has_crashed()
    }

    /// Nothing up to this position is in the folder.
    #[must_use]
    pub(super) fn start(&self) -> u64 {
        let names = self.disk.present_names();
        let mut bases = names.iter().filter_map(|name| name.strip_suffix(".log")?.parse::<u64>().ok());
        bases.next().map_or(0, |base| base - 1)
    }

    /// No room but for some bytes, for a while.
    pub(super) fn fill(&self, net: &mut Network) {
        let rng = net.chance.of(Fault::FullDisk);
        let room = [0, 20, 1000, 50_000][rng.usize(..4)];
        self.disk.set_capacity(Some(self.disk.bytes() + room));
        net.trace.note(format_args!("the disk has room for {room} bytes"));
        let length = net.chance.length(Fault::FullDisk, Duration::from_millis(10), Duration::from_secs(20));
        net.after(length, Action::FreeDisk);
    }

    /// The disk is well from here on.
    pub(super) fn heal(&self) {
        self.disk.set_capacity(None);
        self.disk.crash_at(None);
    }

    /// Planted: the end of the last record is lost.
    fn forget_last_event(&mut self) {
        if self.plant != Plant::ForgetLastEvent || self.planted || self.was_closed {
            return;
        }
        let names = self.disk.present_names();
        let Some(name) = names.iter().rfind(|name| name.ends_with(".log")) else { return };
        self.disk.tamper(name, |bytes| {
            let end = bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
            if end > HEADER_BYTES {
                bytes[end - 4..end].fill(0);
                self.planted = true;
            }
        });
    }
}

fn new_disk(plant: Plant, chance: &mut Chance) -> SimDisk {
    let disk = SimDisk::new(chance.draw(Draw::Log).u64(..));
    if plant == Plant::AcknowledgeBeforeSync {
        disk.lie();
    }
    disk
}
