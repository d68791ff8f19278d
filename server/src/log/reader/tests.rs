//! The reader over real segments, with a ring and without.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use corecast_core::connection::ConnectionId;
use corecast_core::engine::output::{PublishRequest, PublisherId};
use corecast_core::event::{Audience, Event};
use corecast_core::id::{EventId, Incarnation};
use corecast_core::replay::Sought;
use corecast_core::time::{self, UnixMillis};
use corecast_ring::Wake;
use tempfile::TempDir;

use super::*;
use crate::log::file::{FileLog, FileLogOptions, Folder};
use crate::log::replay;
use crate::sequencer::Writer;

const LOG: Incarnation = Incarnation(0xc0de);

/// Longer than any read takes, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

const DATA_BYTES: usize = 1000;

/// A log of its own folder.
struct Log {
    folder: TempDir,
    writer: Writer<FileLog<Folder>>,
}

impl Log {
    /// With events of a kilobyte at the positions up to `events`.
    fn of(events: u64, bytes: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = FileLogOptions { bytes, age: Duration::from_secs(3600), ids: 100 };
        let disk = Folder::open(folder.path()).unwrap();
        let (log, _) = FileLog::open(disk, options, LOG, UnixMillis(1)).unwrap();
        let mut log = Self { folder, writer: Writer::new(log) };
        log.publish(events);
        log
    }

    fn publish(&mut self, events: u64) {
        let event = |n: u64| Event {
            audience: Audience::All,
            data: format!("{n:0DATA_BYTES$}").into(),
            kind: None,
            id: None,
            retry_ms: None,
            private: false,
            ttl: None,
            ephemeral: false,
            shows_topics: false,
        };
        let from = PublisherId { shard: ShardId(0), connection: connection(0) };
        for n in 0..events {
            let request = PublishRequest {
                from,
                key: None,
                published: time::Instant::ZERO,
                events: vec![Ok(event(n))],
            };
            let written = self.writer.write(vec![Box::new(request)], UnixMillis(1));
            assert!(written.error.is_none());
        }
    }

    fn catalog(&self) -> Arc<Catalog> {
        self.writer.log().catalog()
    }

    fn run_with(&self, at: u64) -> Run {
        match self.catalog().locate(Position(at)) {
            Located::Run(run) => run,
            other => panic!("{at}: {other:?}"),
        }
    }
}

fn connection(index: u32) -> ConnectionId {
    ConnectionId { index, generation: 0 }
}

/// A reader on its thread, and the shards it answers.
struct Running {
    ask: Option<mpsc::Sender<ReplayRequest>>,
    inboxes: Vec<Inbox>,
    stats: Arc<ReaderStats>,
    thread: Option<JoinHandle<()>>,
}

type Way = fn(Reader, mpsc::Receiver<ReplayRequest>);

/// With a ring, and without.
const WAYS: [Way; 2] = [Reader::run, plain::run];

impl Running {
    fn start(way: Way, log: &Log, shards: usize) -> Self {
        let inboxes: Vec<Inbox> = (0..shards).map(|_| Inbox::new(Wake::new().unwrap())).collect();
        let stats = Arc::<ReaderStats>::default();
        let reader = Reader::new(log.catalog(), log.folder.path().to_owned(), inboxes.clone(), stats.clone());
        let (ask, requests) = replay::channel(shards);
        let thread = std::thread::spawn(move || way(reader, requests));
        Self { ask: Some(ask), inboxes, stats, thread: Some(thread) }
    }

    fn ask(&self, request: ReplayRequest) {
        self.ask.as_ref().unwrap().try_send(request).unwrap();
    }

    fn next_mail(&self, shard: u16) -> Mail {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if let Some(mail) = self.inboxes[usize::from(shard)].next_mail() {
                return mail;
            }
            std::thread::yield_now();
        }
        panic!("no answer to shard {shard}");
    }

    fn ask_page(&self, shard: u16, at: u64) {
        self.ask(ReplayRequest::Page { shard: ShardId(shard), at: Position(at) });
    }

    fn next_page(&self, shard: u16) -> PageRead {
        match self.next_mail(shard) {
            Mail::Page(read) => read,
            _ => panic!("another letter than a page"),
        }
    }

    fn page(&self, at: u64) -> PageRead {
        self.ask_page(0, at);
        self.next_page(0)
    }

    /// The positions of the page with this one.
    fn positions(&self, at: u64) -> Vec<u64> {
        match self.page(at) {
            PageRead::Page(page) => {
                assert!(page.after < Position(at) && Position(at) <= page.upto);
                page.events.iter().map(|event| event.position.0).collect()
            }
            other => panic!("{at}: {other:?}"),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.ask.take());
        let ended = self.thread.take().map(JoinHandle::join);
        assert!(std::thread::panicking() || matches!(ended, Some(Ok(()))), "the reader ends by itself");
    }
}

fn overwrite(folder: &Path, run: &Run, at: u64) {
    let file = OpenOptions::new().write(true).open(folder.join(&*run.segment)).unwrap();
    file.write_all_at(b"rust", run.offset + at).unwrap();
}

#[test]
fn pages_follow_each_other_through_the_whole_log() {
    const EVENTS: u64 = 1000;
    let log = Log::of(EVENTS, 16 << 20);
    for way in WAYS {
        let reader = Running::start(way, &log, 1);
        let mut seen = Vec::new();
        while seen.len() < EVENTS as usize {
            seen.extend(reader.positions(seen.len() as u64 + 1));
        }
        assert_eq!(seen, (1..=EVENTS).collect::<Vec<_>>());
        let stats = reader.stats.snapshot();
        assert!(stats.reads > 1 && stats.bytes > EVENTS * DATA_BYTES as u64, "{stats:?}");
        assert_eq!((stats.hits, stats.damaged, stats.failures), (0, 0, 0));
    }
}

#[test]
fn shards_that_ask_the_same_share_one_read() {
    let log = Log::of(100, 16 << 20);
    for way in WAYS {
        let reader = Running::start(way, &log, 16);
        (0..16).for_each(|shard| reader.ask_page(shard, 1));
        for shard in 0..16 {
            assert!(matches!(reader.next_page(shard), PageRead::Page(page) if page.after == Position(0)));
        }
        let stats = reader.stats.snapshot();
        assert_eq!((stats.reads, stats.hits), (1, 15));
    }
}

#[test]
fn more_runs_than_are_read_at_once_are_all_read() {
    let log = Log::of(2000, 16 << 20);
    for way in WAYS {
        let reader = Running::start(way, &log, 4 * READS_MAX);
        let at = |shard: u16| u64::from(shard) * 60 + 1;
        (0..4 * READS_MAX as u16).for_each(|shard| reader.ask_page(shard, at(shard)));
        for shard in 0..4 * READS_MAX as u16 {
            let PageRead::Page(page) = reader.next_page(shard) else { panic!("{shard}") };
            assert!(page.after < Position(at(shard)) && Position(at(shard)) <= page.upto);
        }
    }
}

#[test]
fn a_run_that_has_grown_is_read_again() {
    let mut log = Log::of(10, 16 << 20);
    let catalog_of = |log: &Log| log.run_with(1).upto.0;
    for way in WAYS {
        let reader = Running::start(way, &log, 1);
        let before = catalog_of(&log);
        assert_eq!(reader.positions(1), (1..=before).collect::<Vec<_>>());
        log.publish(10);
        assert_eq!(reader.positions(before + 1), (1..=before + 10).collect::<Vec<_>>());
    }
}

#[test]
fn the_log_says_where_a_stream_goes_on() {
    let log = Log::of(10, 16 << 20);
    for way in WAYS {
        let reader = Running::start(way, &log, 1);
        let seek = |id: &str| {
            let last_event_id = id.into();
            reader.ask(ReplayRequest::Seek { shard: ShardId(0), connection: connection(7), last_event_id });
            match reader.next_mail(0) {
                Mail::Sought { connection: to, sought } if to == connection(7) => sought,
                _ => panic!("another letter than an answer"),
            }
        };
        let own = EventId::kept(LOG, Position(4)).to_string();
        assert_eq!(seek(&own), Sought::After(Position(4)));
        assert_eq!(seek("nobody-s"), Sought::Unknown);
        assert_eq!(reader.stats.snapshot().seeks, 2);
    }
}

#[test]
fn what_retention_took_is_gone_and_what_is_not_there_yet_fails() {
    let log = Log::of(2000, 1 << 20);
    let start = log.catalog().start();
    assert!(start > Position(100), "{start:?}");
    for way in WAYS {
        let reader = Running::start(way, &log, 1);
        assert!(matches!(reader.page(1), PageRead::Gone { upto } if upto == start));
        assert!(matches!(reader.page(2001), PageRead::Failed { at: Position(2001) }));
        assert_eq!(reader.positions(start.0 + 1)[0], start.0 + 1);
    }
}

#[test]
fn what_is_sound_before_damage_is_read_and_the_rest_of_its_run_is_gone() {
    let log = Log::of(1000, 16 << 20);
    let run = log.run_with(100);
    overwrite(log.folder.path(), &run, run.len as u64 / 2);
    for way in WAYS {
        let reader = Running::start(way, &log, 1);
        let first = run.after.0 + 1;
        let sound = reader.positions(first);
        let last = *sound.last().unwrap();
        assert_eq!(sound, (first..=last).collect::<Vec<_>>());
        assert!(last < run.upto.0 && last > first, "{first}..={last} of a run up to {:?}", run.upto);
        for reads in 2..=3 {
            assert!(matches!(reader.page(last + 1), PageRead::Gone { upto } if upto == run.upto));
            assert_eq!(reader.stats.snapshot().damaged, reads);
        }
        assert_eq!(reader.positions(run.upto.0 + 1)[0], run.upto.0 + 1);
    }
}

#[test]
fn a_segment_that_was_cut_short_is_damage_and_one_that_is_missing_a_failure() {
    let log = Log::of(1000, 16 << 20);
    let run = log.run_with(1000);
    let path = log.folder.path().join(&*run.segment);
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..run.offset as usize + 10]).unwrap();
    for way in WAYS {
        let reader = Running::start(way, &log, 1);
        assert!(matches!(reader.page(1000), PageRead::Gone { upto } if upto == run.upto));
    }
    fs::remove_file(&path).unwrap();
    for way in WAYS {
        let reader = Running::start(way, &log, 1);
        assert!(matches!(reader.page(1000), PageRead::Failed { at: Position(1000) }));
        assert_eq!(reader.stats.snapshot().failures, 1);
        fs::write(&path, &whole).unwrap();
        assert_eq!(reader.positions(1000).last(), Some(&1000), "it is read as soon as it can be");
        fs::remove_file(&path).unwrap();
    }
}

#[test]
fn removed_segments_do_not_stay_open() {
    let log = Log::of(2000, 16 << 20);
    let [first, last] = [1, 2000].map(|at| log.run_with(at));
    assert_ne!(first.segment, last.segment);
    let mut files = files::Files::default();
    files.keep(&first, "first");
    files.keep(&last, "last");
    files.forget(Position(1999));
    assert_eq!((files.find(&first), files.find(&last)), (None, Some("last")));
    files.forget(Position(2000));
    assert!(files.is_empty());
}
