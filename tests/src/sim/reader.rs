//! A model of the thread that reads the log for shards: the real catalog and the real decoding, over the simulated
//! disk, and every answer after a while.
//!
//! Invariant: every question of a shard that is still there is answered; a shard has few under way.
//! Not here: reading one run once for several shards, and keeping pages.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use corecast::log::file::disk::Disk;
use corecast::log::file::{Catalog, Located, Run};
use corecast_core::connection::ConnectionId;
use corecast_core::event::SharedEvent;
use corecast_core::id::Position;
use corecast_core::limits::SEEKS_MAX;
use corecast_core::replay::{Page, PageRead, Sought};

use super::chance::{Draw, Fault};
use super::disk::{DiskFaults, SimDisk};
use super::network::{Action, Network};

/// What a shard asks.
#[derive(Debug)]
pub(super) enum Question {
    /// Where the stream of this connection goes on, whose client has seen this.
    Seek(ConnectionId, Box<str>),
    /// The page with this position.
    Page(Position),
}

/// What a shard is told.
#[derive(Debug)]
pub(super) enum Answer {
    /// Where this stream goes on whose client has seen this.
    Sought(ConnectionId, Box<str>, Sought),
    /// The page it asked for.
    Page(PageRead),
}

/// See the module.
pub(super) struct Reader {
    catalog: Arc<Catalog>,
    disk: SimDisk,
    asked: BTreeMap<u64, Asked>,
    /// Never one of another reader's: what is on the agenda may be left over from that.
    next: u64,
}

struct Asked {
    shard: usize,
    question: Question,
    /// Where a page was found, once that has been looked up.
    run: Option<Run>,
}

impl Reader {
    /// A reader whose questions are numbered from `first` on.
    #[must_use]
    pub(super) const fn new(catalog: Arc<Catalog>, disk: SimDisk, first: u64) -> Self {
        Self { catalog, disk, asked: BTreeMap::new(), next: first }
    }

    /// The number of the next question.
    #[must_use]
    pub(super) const fn next(&self) -> u64 {
        self.next
    }

    /// A shard asks.
    pub(super) fn ask(&mut self, shard: usize, question: Question, net: &mut Network) {
        let of_shard = self.asked.values().filter(|asked| asked.shard == shard);
        let (pages, seeks): (Vec<_>, Vec<_>) =
            of_shard.partition(|asked| matches!(asked.question, Question::Page(_)));
        match &question {
            Question::Page(_) => {
                assert!(pages.is_empty(), "shard {shard} asks for two pages at the same time")
            }
            Question::Seek(..) => assert!(seeks.len() < SEEKS_MAX, "shard {shard} asks too much"),
        }
        self.asked.insert(self.next, Asked { shard, question, run: None });
        self.go_on_later(self.next, net);
        self.next += 1;
    }

    fn go_on_later(&self, number: u64, net: &mut Network) {
        let delay = net.chance.time(Draw::Log, Duration::from_micros(20), Duration::from_millis(3));
        let delay = if net.chance.strikes(Fault::SlowDisk) { delay * 100 } else { delay };
        net.after(delay, Action::ReadLog(number));
    }

    /// Goes on with a question; the answer, and for whom, if that was the last step.
    pub(super) fn go_on(&mut self, number: u64, net: &mut Network) -> Option<(usize, Answer)> {
        let asked = self.asked.get_mut(&number)?;
        let answer = match &asked.question {
            Question::Seek(id, last_event_id) => {
                Answer::Sought(*id, last_event_id.clone(), self.catalog.seek(last_event_id))
            }
            Question::Page(at) => match asked.run.take() {
                Some(run) => Answer::Page(read(&run, *at, &self.catalog, &self.disk, net)),
                None => match self.catalog.locate(*at) {
                    Located::Run(run) => {
                        assert!(run.after < *at && *at <= run.upto, "the run of {at:?} is {run:?}");
                        asked.run = Some(run);
                        self.go_on_later(number, net);
                        return None;
                    }
                    Located::Gone { upto } => Answer::Page(PageRead::Gone { upto }),
                    Located::Beyond => panic!("an engine asks for {at:?}, which is yet to come"),
                },
            },
        };
        let asked = self.asked.remove(&number)?;
        Some((asked.shard, answer))
    }
}

fn read(run: &Run, at: Position, catalog: &Catalog, disk: &SimDisk, net: &mut Network) -> PageRead {
    let fails = net.chance.strikes(Fault::ReadFailure);
    disk.set_faults(DiskFaults {
        read: f64::from(u8::from(fails)),
        short_read: 0.1,
        ..DiskFaults::default()
    });
    let bytes = read_run(run, disk);
    disk.set_faults(DiskFaults::default());
    match bytes {
        Ok(bytes) => match run.decode(bytes) {
            Ok(page) => PageRead::Page(page),
            Err(damage) => panic!("{run:?} cannot be read: {damage}"),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let is_gone = matches!(catalog.locate(run.upto), Located::Gone { .. });
            assert!(is_gone, "the segment of {run:?} is not there, and the catalog does not know");
            PageRead::Gone { upto: run.upto }
        }
        Err(_) => {
            assert!(fails, "{run:?} cannot be read from a disk that is well");
            PageRead::Failed { at }
        }
    }
}

fn read_run(run: &Run, disk: &SimDisk) -> io::Result<Bytes> {
    let file = disk.open_to_read(&run.segment)?;
    let mut bytes = vec![0; run.len];
    let mut have = 0;
    while have < bytes.len() {
        match disk.read_at(&file, &mut bytes[have..], run.offset + have as u64)? {
            0 => break,
            read => have += read,
        }
    }
    bytes.truncate(have);
    Ok(bytes.into())
}

/// Everything that a log has, as its reader would show it.
pub(super) fn read_all(catalog: &Catalog, disk: &SimDisk) -> Vec<SharedEvent> {
    let mut events: Vec<SharedEvent> = Vec::new();
    let mut at = catalog.start().next();
    while let Located::Run(run) = catalog.locate(at) {
        let page: Page = read_run(&run, disk)
            .map(|bytes| {
                run.decode(bytes).unwrap_or_else(|damage| panic!("{run:?} cannot be read: {damage}"))
            })
            .unwrap_or_else(|error| panic!("{run:?} cannot be read: {error}"));
        events.extend(page.events.iter().filter(|event| event.position >= at).cloned());
        at = run.upto.next();
    }
    events
}
