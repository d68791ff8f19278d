//! The file log on a disk in memory: what comes back, what is cut, what is an error.

mod disk;
mod failures;
mod format;
mod opening;
mod recovery;
mod repair;
mod retention;
mod round_trip;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use corecast_core::event::{Audience, Event, SequencedEvent, SharedEvent};
use corecast_core::frame::Frame;
use corecast_core::id::{EventId, Incarnation, Position};
use corecast_core::idempotency::EventKey;
use corecast_core::replay::Sought;
use corecast_core::time::{Instant, UnixMillis};

use self::disk::{Faults, MemoryDisk};
use super::*;

const HUB: Incarnation = Incarnation(0xabc);
const OTHER_HUB: Incarnation = Incarnation(0xdef);
const START: UnixMillis = UnixMillis(1_800_000_000_000);
const FIRST_SEGMENT: &str = "00000000000000000001.log";
const OPTIONS: FileLogOptions =
    FileLogOptions { bytes: 1 << 30, age: Duration::from_secs(86_400), ids: 1000 };

/// An event for `alice`, with nothing that it need not have.
fn plain(position: u64, data: &str) -> SharedEvent {
    sequenced(
        position,
        START,
        Event {
            audience: Audience::Users([Box::from("alice")].into()),
            data: data.into(),
            kind: None,
            id: None,
            retry_ms: None,
            private: false,
            ttl: None,
            ephemeral: false,
            shows_topics: false,
        },
        None,
    )
}

fn with_id(position: u64, id: &str, now: UnixMillis) -> SharedEvent {
    let mut key = [0; 16];
    key[..8].copy_from_slice(&position.to_le_bytes());
    sequenced(
        position,
        now,
        Event {
            audience: Audience::All,
            data: "x".into(),
            kind: None,
            id: Some(id.into()),
            retry_ms: None,
            private: false,
            ttl: None,
            ephemeral: false,
            shows_topics: false,
        },
        Some(EventKey(key)),
    )
}

/// As the sequencer does it.
fn sequenced(position: u64, now: UnixMillis, event: Event, key: Option<EventKey>) -> SharedEvent {
    let id = EventId::kept(HUB, Position(position));
    let wire_id = event.id.clone().unwrap_or_else(|| id.to_string().into());
    let frame = Frame::encode(&event, &wire_id);
    let expires = event.ttl.map(|ttl| UnixMillis(now.0 + ttl.as_millis() as u64));
    Arc::new(SequencedEvent {
        position: Position(position),
        id,
        publisher_id: event.id,
        key,
        audience: event.audience,
        private: event.private,
        expires,
        ephemeral: false,
        sequenced: now,
        published: Instant::ZERO,
        frame,
    })
}

fn open(disk: &MemoryDisk) -> (FileLog<MemoryDisk>, Recovered) {
    open_with(disk, OPTIONS, START)
}

fn open_with(
    disk: &MemoryDisk,
    options: FileLogOptions,
    now: UnixMillis,
) -> (FileLog<MemoryDisk>, Recovered) {
    FileLog::open(disk.clone(), options, HUB, now).unwrap_or_else(|error| panic!("{error}"))
}

fn open_error(disk: &MemoryDisk) -> OpenError {
    FileLog::open(disk.clone(), OPTIONS, OTHER_HUB, START).map(|_| ()).expect_err("the log was opened")
}

/// What the damage is that keeps the log from being opened.
fn damage_of(disk: &MemoryDisk) -> Damage {
    match open_error(disk) {
        OpenError::Damaged { damage, .. } => damage,
        other => panic!("{other}"),
    }
}

/// A log of batches of plain events, with so many events in each. Its file has no reserve, which would make copies slow.
fn log_of(disk: &MemoryDisk, batches: &[u64]) -> FileLog<MemoryDisk> {
    let (mut log, _) = open(disk);
    for batch in batches {
        let first = log.newest().0 + 1;
        let events: Vec<_> = (first..first + batch).map(|position| plain(position, "hello")).collect();
        log.append(&events, START).unwrap();
    }
    log.active.cut(&log.disk).unwrap();
    log
}

/// What a reader is shown after `after`, page by page.
fn read_page(log: &FileLog<MemoryDisk>, at: Position) -> Result<corecast_core::replay::Page, Position> {
    let run = match log.catalog().locate(at) {
        Located::Run(run) => run,
        Located::Gone { upto } => return Err(upto),
        Located::Beyond => panic!("{at:?} is beyond the newest"),
    };
    assert!(run.after < at && at <= run.upto);
    let file = log.disk.open_to_read(&run.segment).unwrap();
    let mut bytes = vec![0; run.len];
    assert_eq!(log.disk.read_at(&file, &mut bytes, run.offset).unwrap(), run.len);
    Ok(run.decode(Bytes::from(bytes)).unwrap())
}

/// All that the log has, and what of it is gone.
fn read_all(log: &FileLog<MemoryDisk>) -> (Vec<SharedEvent>, Vec<Position>) {
    let (mut events, mut gone) = (Vec::new(), Vec::new());
    let mut position = log.catalog().start();
    while position < log.newest() {
        match read_page(log, position.next()) {
            Ok(page) => {
                assert_eq!((page.after, page.upto), (position, page.events.last().unwrap().position));
                position = page.upto;
                events.extend(page.events.iter().cloned());
            }
            Err(upto) => {
                assert!(upto > position);
                gone.push(upto);
                position = upto;
            }
        }
    }
    (events, gone)
}

fn assert_same(found: &[SharedEvent], expected: &[SharedEvent]) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert_eq!(format!("{found:?}"), format!("{expected:?}"));
    }
}
