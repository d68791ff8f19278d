//! What a log must have, and whether it has it: every acknowledged event, in order, to the last byte, and nothing else.
//!
//! It looks at the log from where a reader stands: `Catalog::locate`, the bytes of the file, `Run::decode`.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use corecast::log::Log;
use corecast::log::file::{Catalog, FileLogOptions, Located, Run};
use corecast_core::event::SharedEvent;
use corecast_core::frame::Framing;
use corecast_core::id::{EventId, Incarnation, Position};
use corecast_core::replay::Sought;
use corecast_core::time::UnixMillis;
use fastrand::Rng;

use super::events::{assert_same, record_bytes};
use crate::sim::disk::SimDisk;

/// Runs that a reader has been told of and comes back to later.
const OLD_RUNS_MAX: usize = 8;

/// Bytes that a segment or a restart may cost beside events.
const OVERHEAD_BYTES: u64 = 256;

/// See the module.
pub(super) struct Truth {
    options: FileLogOptions,
    /// Every event that was acknowledged, or was there after a restart: all positions from 1.
    kept: Vec<SharedEvent>,
    /// Batches that were refused or never answered since the start, or since one was acknowledged: one of them may
    /// be there after a restart, or the beginning of one.
    doubtful: Vec<Vec<SharedEvent>>,
    /// Nothing up to here is in the log any more.
    start: u64,
    /// Where segments begin, as the folder last had them.
    bases: Vec<u64>,
    old_runs: Vec<Run>,
    /// The newest position and the time at each append, successful or not.
    appends: Vec<(u64, UnixMillis)>,
    pub(super) restarts: u64,
    pub(super) recovered: u64,
    pub(super) let_go: u64,
}

impl Truth {
    pub(super) const fn new(options: FileLogOptions) -> Self {
        Self {
            options,
            kept: Vec::new(),
            doubtful: Vec::new(),
            start: 0,
            bases: Vec::new(),
            old_runs: Vec::new(),
            appends: Vec::new(),
            restarts: 0,
            recovered: 0,
            let_go: 0,
        }
    }

    /// The position of the last event.
    pub(super) fn newest(&self) -> Position {
        Position(self.kept.len() as u64)
    }

    /// An append begins.
    pub(super) fn on_append(&mut self, now: UnixMillis) {
        self.appends.push((self.newest().0, now));
    }

    /// A batch has been acknowledged. What was refused before can never come back: its place is taken.
    pub(super) fn acknowledge(&mut self, batch: &[SharedEvent]) {
        self.kept.extend(batch.iter().cloned());
        if !batch.is_empty() {
            self.doubtful.clear();
        }
    }

    /// A batch has been refused, or the hub was gone before it could say anything.
    pub(super) fn doubt(&mut self, batch: &[SharedEvent]) {
        self.doubtful.push(batch.to_vec());
    }

    /// What the log has after a restart: everything that was acknowledged, and perhaps the beginning of a batch behind.
    pub(super) fn on_restart(&mut self, catalog: &Catalog, disk: &SimDisk) {
        self.restarts += 1;
        let (newest, expected) = (catalog.newest(), self.newest());
        assert!(newest >= expected, "event {} was acknowledged, the log ends with {}", expected.0, newest.0);
        let behind: Vec<SharedEvent> = events_after(catalog, disk, expected);
        if !behind.is_empty() {
            let is_beginning = |batch: &&Vec<SharedEvent>| {
                batch.len() >= behind.len() && batch.iter().zip(&behind).all(|(a, b)| a.frame == b.frame)
            };
            let batch = self.doubtful.iter().find(is_beginning);
            let batch = batch.unwrap_or_else(|| {
                panic!(
                    "events that nobody handed in: {:?}; refused were {:?}",
                    behind.iter().map(told).collect::<Vec<_>>(),
                    self.doubtful
                        .iter()
                        .map(|batch| batch.iter().map(told).collect())
                        .collect::<Vec<Vec<_>>>()
                )
            });
            self.recovered += behind.len() as u64;
            self.kept.extend_from_slice(&batch[..behind.len()]);
        }
        self.doubtful.clear();
        // What retention took may be there again: the names of its files were not synced.
        self.start = self.start.min(catalog.start().0);
        self.bases = bases(disk);
    }

    /// Retention may have taken segments, if there was a reason.
    pub(super) fn on_retention(&mut self, catalog: &Catalog, disk: &SimDisk, now: UnixMillis) {
        let (start, before) = (catalog.start().0, std::mem::replace(&mut self.bases, bases(disk)));
        assert!(start >= self.start, "what was let go of up to {} is back from {start} on", self.start);
        let known = before.iter().chain(&self.bases);
        let ends: Vec<u64> = known.map(|base| base - 1).collect();
        assert!(
            start == self.start || ends.contains(&start),
            "retention took a part of a segment: up to {start}"
        );
        let mut from = self.start;
        while from < start {
            let upto = ends.iter().copied().filter(|&end| end > from).min().expect("start is one of them");
            assert!(self.may_let_go(from, upto, now), "events {from} to {upto} were let go of without need");
            self.let_go += 1;
            from = upto;
        }
        self.start = start;
    }

    /// Whether the limits want it: all that there is is too much, or all of it is too old. What is in a segment cannot be
    /// younger than what was to come behind it; if it says so, the clock was set back.
    fn may_let_go(&self, from: u64, upto: u64, now: UnixMillis) -> bool {
        let (segment, later) = self.kept[from as usize..].split_at((upto - from) as usize);
        let events: u64 = segment.iter().chain(later).map(|event| record_bytes(event).1).sum();
        let overhead = OVERHEAD_BYTES * (self.bases.len() as u64 + self.restarts + 2);
        let youngest = segment.iter().map(|event| event.sequenced.0).max().unwrap_or(0);
        let behind = self.appends.iter().filter(|(newest, _)| *newest >= upto);
        let youngest = behind.map(|(_, now)| now.0).min().unwrap_or(u64::MAX).min(youngest);
        let age = Duration::from_millis(now.0.saturating_sub(youngest));
        events + overhead > self.options.bytes || age > self.options.age
    }

    /// Everything that a reader and a publisher can see.
    pub(super) fn check(&mut self, log: &impl Log, catalog: &Catalog, disk: &SimDisk, rng: &mut Rng) {
        assert_eq!(log.newest(), self.newest(), "the newest event, as the sequencer is told");
        self.check_catalog(catalog, disk);
        self.check_places(catalog, disk, rng);
        self.check_ids(log);
        for _ in 0..4 {
            self.check_seek(log.incarnation(), catalog, rng);
        }
    }

    /// What can be read, even when the log itself is gone.
    pub(super) fn check_catalog(&self, catalog: &Catalog, disk: &SimDisk) {
        assert_eq!(catalog.newest(), self.newest(), "the newest event, as readers are told");
        let events = events_after(catalog, disk, Position(self.start));
        assert_eq!(events.len(), self.kept.len() - self.start as usize, "events behind {}", self.start);
        for (read, kept) in events.iter().zip(&self.kept[self.start as usize..]) {
            assert_same(read, kept);
        }
    }

    /// Every position has its page, also for a reader that comes back to one it was told of long ago.
    fn check_places(&mut self, catalog: &Catalog, disk: &SimDisk, rng: &mut Rng) {
        let at = Position(rng.u64(0..self.newest().0 + 3));
        match catalog.locate(at) {
            Located::Gone { upto } => {
                assert!(at.0 <= self.start, "event {} is not gone", at.0);
                assert_eq!(upto.0, self.start, "how far the log is gone");
            }
            Located::Beyond => assert!(at > self.newest(), "event {} is there", at.0),
            Located::Run(run) => {
                assert!(self.start < at.0 && run.after < at && at <= run.upto, "the run of event {}", at.0);
                if self.old_runs.len() == OLD_RUNS_MAX {
                    self.old_runs.swap_remove(rng.usize(..OLD_RUNS_MAX));
                }
                self.old_runs.push(run);
            }
        }
        let names = disk.present_names();
        self.old_runs.retain(|run| names.iter().any(|name| **name == *run.segment));
        for run in &self.old_runs {
            let read = read_run(run, disk);
            let kept = &self.kept[run.after.0 as usize..run.upto.0 as usize];
            assert_eq!(read.len(), kept.len(), "events of the run behind {}", run.after.0);
            read.iter().zip(kept).for_each(|(read, kept)| assert_same(read, kept));
        }
    }

    /// Ids and keys lead to their events, the latest for certain, what is gone never.
    fn check_ids(&self, log: &impl Log) {
        let mut room = self.options.ids;
        for event in self.kept.iter().rev() {
            let is_kept = event.position.0 > self.start;
            let entries = usize::from(event.publisher_id.is_some()) + usize::from(event.key.is_some());
            room = room.saturating_sub(entries);
            let found = [
                event.publisher_id.as_deref().map(|id| log.find(id)),
                event.key.as_ref().map(|key| log.find_key(key)),
            ];
            for found in found.into_iter().flatten() {
                let is_right = if is_kept { found == Some(event.position) } else { found.is_none() };
                let may_be_forgotten = room == 0 && found.is_none();
                assert!(
                    is_right || may_be_forgotten,
                    "an id of event {} leads to {found:?}",
                    event.position.0
                );
            }
        }
    }

    /// No id of what was refused leads anywhere.
    pub(super) fn check_refused(&self, log: &impl Log) {
        for event in self.doubtful.iter().flatten() {
            let by_id = event.publisher_id.as_deref().and_then(|id| log.find(id));
            let by_key = event.key.as_ref().and_then(|key| log.find_key(key));
            assert_eq!((by_id, by_key), (None, None), "an event that was refused is known");
        }
    }

    fn check_seek(&self, incarnation: Incarnation, catalog: &Catalog, rng: &mut Rng) {
        let (start, newest) = (Position(self.start), self.newest());
        let gone = if start == Position(0) { Sought::After(start) } else { Sought::Gap(start) };
        let at = Position(rng.u64(0..newest.0 + 3));
        let own = match at {
            at if at < start => Sought::Gap(start),
            at if at > newest => Sought::Unknown,
            at => Sought::After(at),
        };
        let other = Incarnation(incarnation.0 ^ 1);
        for (id, expected) in [
            ("earliest".to_owned(), gone),
            (EventId::kept(incarnation, at).to_string(), own),
            (EventId { ephemeral: Some(3), ..EventId::kept(incarnation, at) }.to_string(), own),
            (EventId::kept(other, at).to_string(), Sought::Gap(start)),
            ("nobody-has-this".to_owned(), Sought::Unknown),
        ] {
            assert_eq!(catalog.seek(&id), expected, "where a stream goes on behind {id}");
        }
        if let Some(event) = self.kept.last()
            && self.options.ids > 1
            && let Some(id) = &event.publisher_id
            && event.position > start
        {
            assert_eq!(catalog.seek(id), Sought::After(event.position), "where a stream goes on behind {id}");
        }
    }
}

/// An event in short.
fn told(event: &SharedEvent) -> String {
    let frame = String::from_utf8_lossy(event.frame.bytes(Framing::CloseDelimited)).into_owned();
    format!("{} {}", event.position.0, frame.chars().take(80).collect::<String>())
}

/// Where the segments in the folder begin, in order.
fn bases(disk: &SimDisk) -> Vec<u64> {
    let names = disk.present_names();
    names.iter().filter_map(|name| name.strip_suffix(".log")?.parse().ok()).collect()
}

/// All events behind a position, page by page.
fn events_after(catalog: &Catalog, disk: &SimDisk, after: Position) -> Vec<SharedEvent> {
    let mut events = Vec::new();
    let mut at = after.next();
    while let Located::Run(run) = catalog.locate(at) {
        assert!(run.after < at && at <= run.upto, "the run of event {} is {run:?}", at.0);
        let read = read_run(&run, disk);
        assert_eq!(read.len() as u64, run.upto.0 - run.after.0, "events of {run:?}");
        events.extend(read.into_iter().filter(|event| event.position >= at));
        at = run.upto.next();
    }
    assert_eq!(catalog.locate(at), Located::Beyond, "what comes behind the last page");
    events
}

fn read_run(run: &Run, disk: &SimDisk) -> Vec<SharedEvent> {
    let file = disk.contents(&run.segment);
    let bytes = Bytes::from(file).slice(run.offset as usize..run.offset as usize + run.len);
    let page = run.decode(bytes).unwrap_or_else(|damage| panic!("{run:?} cannot be read: {damage}"));
    assert_eq!((page.after, page.upto), (run.after, run.upto), "the page of {run:?}");
    Arc::clone(&page.events).to_vec()
}
