//! What a disk can do to a log: an end that is missing is cut and said, and what was acknowledged and cannot be read is
//! never passed over in silence.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::thread;

use corecast_tests::hub::{Hub, HubBuilder};
use corecast_tests::log_files::{self, ALIGN, HEADER_LEN};
use corecast_tests::numbers;
use corecast_tests::publish::Publisher;
use corecast_tests::request::Subscribe;
use corecast_tests::stream::EventStream;
use corecast_tests::wait::PATIENCE;
use serde_json::json;
use tempfile::{TempDir, tempdir};

/// Threads that start hubs: each start waits for the disk most of its time.
const THREADS: usize = 4;

fn builder(folder: &Path) -> HubBuilder {
    Hub::builder().log_in(folder).set("history.events", 2).set("hub.shards", 1)
}

/// A log of one segment with the events 0, 1, 2, …, each from a batch of its own.
struct Sample {
    folder: TempDir,
    ids: Vec<String>,
    /// Where the record of each begins, and where the last ends. Padding is counted to the one before it.
    starts: Vec<usize>,
    /// Where each ends, without its padding.
    ends: Vec<usize>,
}

impl Sample {
    fn of(events: u32, is_stopped_well: bool) -> Self {
        let folder = tempdir().expect("a temporary folder");
        let mut hub = builder(folder.path()).start();
        let mut publisher = Publisher::connect(hub.addr());
        let (mut ids, mut starts, mut ends) = (Vec::new(), vec![HEADER_LEN], Vec::new());
        for number in 0..events {
            ids.push(publisher.to_topic(numbers::TOPIC, &number.to_string()));
            let end = log_files::used_bytes(&log_files::last_segment(folder.path())).len();
            ends.push(end);
            starts.push(end.next_multiple_of(ALIGN));
        }
        if is_stopped_well {
            hub.sigterm();
            assert_eq!(hub.wait_for_exit(PATIENCE).code(), Some(0));
        } else {
            hub.kill9();
        }
        Self { folder, ids, starts, ends }
    }

    fn segment(&self) -> PathBuf {
        log_files::last_segment(self.folder.path())
    }

    fn name(&self) -> String {
        let segment = self.segment();
        segment.file_name().expect("a segment has a name").to_string_lossy().into_owned()
    }

    /// A copy that may be damaged: its folder, and its segment.
    fn copy(&self) -> (TempDir, PathBuf) {
        let folder = tempdir().expect("a temporary folder");
        log_files::copy(self.folder.path(), folder.path());
        let segment = folder.path().join(self.name());
        (folder, segment)
    }
}

/// Runs `check` on all of `cases`, on several threads.
fn check_all<T: Copy + Sync>(cases: &[T], check: impl Fn(T) + Sync) {
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let check = &check;
            scope.spawn(move || cases.iter().skip(thread).step_by(THREADS).for_each(|&case| check(case)));
        }
    });
}

/// How the end of a file goes missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Missing {
    /// The file is shorter.
    Length,
    /// The bytes were never written.
    Bytes,
}

#[test]
fn a_log_that_lacks_any_of_its_last_bytes_starts_with_all_that_is_whole() {
    const EVENTS: u32 = 6;
    const LAST: usize = 2;
    let sample = Sample::of(EVENTS, false);
    let whole = log_files::used_bytes(&sample.segment());
    let kept = EVENTS as usize - LAST;
    let cases: Vec<(usize, Missing)> = (sample.starts[kept]..=whole.len())
        .flat_map(|cut| [(cut, Missing::Length), (cut, Missing::Bytes)])
        .collect();
    check_all(&cases, |(cut, missing)| {
        let (folder, segment) = sample.copy();
        let file = File::options().write(true).open(&segment).unwrap();
        let len = file.metadata().unwrap().len();
        file.set_len(cut as u64).unwrap();
        if missing == Missing::Bytes {
            file.set_len(len).unwrap();
        }
        let hub = builder(folder.path()).start();
        let earliest = numbers::subscribe().last_event_id("earliest");
        let mut stream = EventStream::open(hub.addr(), &earliest);
        Publisher::connect(hub.addr()).to_topic(numbers::TOPIC, "next");
        // What lacks only its padding may be taken for whole, or for cut.
        let is_whole = |end: &&usize| **end <= cut;
        let is_whole_and_padded =
            |end: &&usize| end.next_multiple_of(ALIGN) <= cut || missing == Missing::Bytes;
        let most = sample.ends.iter().filter(is_whole).count();
        let least = sample.ends.iter().filter(is_whole).filter(is_whole_and_padded).count();
        let mut seen = Vec::new();
        while seen.last().is_none_or(|last| last != "next") {
            let event = stream.next_event();
            assert_eq!(event.kind, "message", "cut at {cut}, {missing:?}");
            seen.push(event.data);
        }
        seen.pop();
        assert!((least..=most).contains(&seen.len()), "cut at {cut}, {missing:?}: {seen:?}");
        assert!(seen.iter().map(|n| n.parse::<usize>().unwrap()).eq(0..seen.len()), "{seen:?}");
        let rest = cut - sample.starts[seen.len()].min(cut);
        if rest > 0 && missing == Missing::Length && seen.len() == most {
            let said = hub.wait_for_log(&[&sample.name(), &sample.starts[seen.len()].to_string()]);
            assert!(said.contains("WARN"), "{said}");
        }
    });
}

/// What a hub says that refuses to start.
fn refusal(folder: &Path) -> String {
    let (status, said) = builder(folder).launch().refusal();
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(!said.contains("panicked"), "{said}");
    said
}

#[test]
fn an_acknowledged_event_that_cannot_be_read_stops_the_start_and_repair_tells_the_gap() {
    const EVENTS: u32 = 6;
    const DAMAGED: usize = 2;
    let sample = Sample::of(EVENTS, false);
    let cases: Vec<usize> = (sample.starts[DAMAGED]..sample.ends[DAMAGED]).collect();
    check_all(&cases, |offset| {
        let (folder, segment) = sample.copy();
        let bit = (offset * 7 % 8) as u8;
        log_files::flip(&segment, offset, bit);
        let said = refusal(folder.path());
        for word in [&sample.name(), &sample.starts[DAMAGED].to_string(), "corecast log verify", "log repair"]
        {
            assert!(said.contains(word), "byte {offset}, bit {bit}: {word:?} is missing in {said}");
        }
    });
    // Repaired, for a flip in each part of the record: the length, the checksums, the data.
    let record = sample.starts[DAMAGED];
    check_all(&[record, record + 4, record + 20, sample.ends[DAMAGED] - 5], |offset| {
        let (folder, segment) = sample.copy();
        log_files::flip(&segment, offset, 3);
        expect_repair(folder.path());
        let mut hub = builder(folder.path()).start();
        expect_gap(&hub, &sample, DAMAGED, EVENTS);
        hub.kill9();
        expect_gap(&builder(folder.path()).start(), &sample, DAMAGED, EVENTS + 1);
    });
}

/// Finds damage, repairs it, and finds none.
fn expect_repair(folder: &Path) {
    let verified = log_files::run("verify", folder, &[]);
    assert_eq!(verified.status.code(), Some(1), "{verified:?}");
    let refused = log_files::run("repair", folder, &[]);
    assert_eq!(refused.status.code(), Some(2), "repair asks first: {refused:?}");
    let repaired = log_files::run("repair", folder, &["--yes"]);
    assert_eq!(repaired.status.code(), Some(0), "{repaired:?}");
    let verified = log_files::run("verify", folder, &[]);
    assert_eq!(verified.status.code(), Some(0), "{verified:?}");
    let files = fs::read_dir(folder).expect("the log's folder");
    let kept = files.map(|entry| entry.expect("a readable folder").path());
    let is_damaged = |path: &PathBuf| path.extension().is_some_and(|e| e == "damaged");
    assert_eq!(kept.filter(is_damaged).count(), 1, "what was damaged is kept");
}

/// All events but one are replayed, with a gap in its place; and publishing goes on, up to event `events`.
fn expect_gap(hub: &Hub, sample: &Sample, lost: usize, events: u32) {
    let earliest = numbers::subscribe().last_event_id("earliest");
    let mut stream = EventStream::open(hub.addr(), &earliest);
    numbers::expect(&mut stream, 0..lost as u32);
    let gap = stream.next_event();
    assert_eq!(gap.kind, "corecast.gap", "{gap:?}");
    assert_eq!(gap.json(), json!({"from": sample.ids[lost - 1], "to": sample.ids[lost]}));
    numbers::expect(&mut stream, lost as u32 + 1..events);
    Publisher::connect(hub.addr()).to_topic(numbers::TOPIC, &events.to_string());
    numbers::expect(&mut stream, events..events + 1);
    // Who has seen the lost event, or stopped right at it, misses nothing.
    let behind = numbers::subscribe().last_event_id(&sample.ids[lost]);
    numbers::expect(&mut EventStream::open(hub.addr(), &behind), lost as u32 + 1..events + 1);
}

/// A hub that was stopped well has said so behind its last event, so that even that one cannot go unnoticed.
#[test]
fn after_a_clean_stop_damage_to_the_last_event_is_noticed_too() {
    let sample = Sample::of(3, true);
    let cases: Vec<usize> = (sample.starts[2]..sample.ends[2]).collect();
    check_all(&cases, |offset| {
        let (folder, segment) = sample.copy();
        log_files::flip(&segment, offset, 5);
        let said = refusal(folder.path());
        assert!(said.contains(&sample.name()) && said.contains(&sample.starts[2].to_string()), "{said}");
    });
}

#[test]
fn a_segment_with_a_damaged_header_stops_the_start_however_new_it_is() {
    let sample = Sample::of(2, false);
    let cases: Vec<usize> = (0..HEADER_LEN).collect();
    check_all(&cases, |offset| {
        let (folder, segment) = sample.copy();
        log_files::flip(&segment, offset, (offset % 8) as u8);
        let said = refusal(folder.path());
        assert!(said.contains(&sample.name()), "byte {offset}: {said}");
    });
}

/// A log of several segments of large events.
fn several_segments() -> TempDir {
    let folder = tempdir().expect("a temporary folder");
    let mut hub = builder(folder.path()).set("log.bytes", "1MiB").start();
    let mut publisher = Publisher::connect(hub.addr());
    (0..40).for_each(|n| drop(publisher.to_topic(numbers::TOPIC, &numbers::large(n, 8000))));
    hub.kill9();
    assert!(log_files::segments(folder.path()).len() > 3);
    folder
}

#[test]
fn a_segment_that_is_missing_or_short_in_the_middle_stops_the_start() {
    type Damage = fn(&Path);
    let damages: [(&str, Damage); 4] = [
        ("missing", |segment| fs::remove_file(segment).unwrap()),
        ("empty", |segment| fs::write(segment, "").unwrap()),
        ("cut", |segment| {
            let file = File::options().write(true).open(segment).unwrap();
            file.set_len(30_000).unwrap();
        }),
        ("cut behind its header", |segment| {
            let file = File::options().write(true).open(segment).unwrap();
            file.set_len(HEADER_LEN as u64).unwrap();
        }),
    ];
    for (what, damage) in damages {
        let folder = several_segments();
        let segments = log_files::segments(folder.path());
        damage(&segments[1]);
        let said = refusal(folder.path());
        assert!(said.contains("corecast log repair"), "{what}: {said}");
        let repaired = log_files::run("repair", folder.path(), &["--yes"]);
        assert_eq!(repaired.status.code(), Some(0), "{what}: {repaired:?}");
        let hub = builder(folder.path()).set("log.bytes", "1MiB").start();
        let earliest = Subscribe::to(numbers::TOPIC).last_event_id("earliest");
        let mut stream = EventStream::open(hub.addr(), &earliest);
        let (mut next, mut gaps) = (0, 0);
        while next < 40 {
            let event = stream.next_event();
            if event.kind == "corecast.gap" {
                gaps += 1;
                next = numbers::position_of(event.id.as_deref().unwrap()) as u32;
            } else {
                assert_eq!(numbers::of_large(&event.data), next, "{what}: no hole without a word");
                next += 1;
            }
        }
        assert_eq!(gaps, 1, "{what}");
    }
}

/// The hub does not read again what it has verified at its start, so this is found by whoever asks for it.
#[test]
fn damage_under_a_running_hub_is_told_as_a_gap_and_harms_nobody_else() {
    let folder = tempdir().unwrap();
    let mut hub = builder(folder.path()).start();
    numbers::publish(&mut Publisher::connect(hub.addr()), 0..5000);
    hub.kill9();
    // This one has read all of it and keeps nothing in memory.
    let hub = builder(folder.path()).start();
    let mut live = EventStream::open(hub.addr(), &numbers::subscribe());
    let segment = log_files::last_segment(folder.path());
    log_files::flip(&segment, log_files::used_bytes(&segment).len() / 2, 1);
    let earliest = numbers::subscribe().last_event_id("earliest");
    let mut stream = EventStream::open(hub.addr(), &earliest);
    let (mut next, mut missing) = (0, 0);
    while next < 5000 {
        let event = stream.next_event();
        if event.kind == "corecast.gap" {
            let to = numbers::position_of(event.json()["to"].as_str().unwrap()) as u32;
            missing += to - next;
            next = to;
        } else {
            assert_eq!(event.data, next.to_string(), "no hole without a word");
            next += 1;
        }
    }
    assert!((1..2500).contains(&missing), "{missing} events are told to be gone");
    hub.wait_for_log(&["ERROR", segment.file_name().unwrap().to_str().unwrap()]);
    numbers::publish(&mut Publisher::connect(hub.addr()), 5000..5001);
    numbers::expect(&mut live, 5000..5001);
    numbers::expect(&mut stream, 5000..5001);
}
