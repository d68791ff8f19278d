//! The log keeps its bounds in bytes and in age, and whoever comes back too late is told exactly what is gone.

use std::path::Path;
use std::time::Duration;

use corecast_tests::hub::{Hub, HubBuilder};
use corecast_tests::numbers;
use corecast_tests::publish::Publisher;
use corecast_tests::request::Subscribe;
use corecast_tests::stream::EventStream;
use corecast_tests::wait::eventually;
use serde_json::json;
use tempfile::tempdir;

const EVENT_BYTES: usize = 8_000;

fn builder(folder: &Path) -> HubBuilder {
    Hub::builder().log_in(folder).set("history.events", 32)
}

/// The smallest log there is: sixteen segments of 64 KiB.
const SMALL_LOG: (&str, u64) = ("1MiB", 1 << 20);

const SEGMENT_BYTES: u64 = 64 << 10;

#[test]
fn what_retention_took_is_told_as_a_gap_and_all_the_rest_follows() {
    const LARGE_EVENTS: u32 = 400;
    let folder = tempdir().unwrap();
    let mut hub = builder(folder.path()).set("log.bytes", SMALL_LOG.0).start();
    let mut publisher = Publisher::connect(hub.addr());
    let ids: Vec<String> =
        (0..LARGE_EVENTS).map(|n| publisher.to_topic("large", &numbers::large(n, EVENT_BYTES))).collect();
    let taken = used_bytes(folder.path());
    assert!(taken <= SMALL_LOG.1 + SEGMENT_BYTES, "{taken} bytes are in use");
    let check = |hub: &Hub| {
        let mut first_kept = None;
        for id in [ids[3].as_str(), ids[100].as_str(), "earliest"] {
            let mut stream = EventStream::open(hub.addr(), &Subscribe::to("large").last_event_id(id));
            let gap = stream.next_event();
            assert_eq!((gap.kind.as_str(), &gap.json()["from"]), ("corecast.gap", &json!(id)));
            let to = gap.json()["to"].as_str().unwrap().to_owned();
            assert_eq!(Some(&to), gap.id.as_ref());
            let first = stream.next_event();
            assert_eq!(
                numbers::position_of(first.id.as_deref().unwrap()),
                numbers::position_of(&to) + 1,
                "nothing is skipped"
            );
            let first = numbers::of_large(&first.data);
            assert_eq!(ids[first as usize - 1], to, "the gap ends at the last event that is gone");
            for n in first + 1..LARGE_EVENTS {
                assert_eq!(numbers::of_large(&stream.next_event().data), n);
            }
            assert_eq!(*first_kept.get_or_insert(first), first);
        }
        let first = first_kept.unwrap();
        let kept_bytes = u64::from(LARGE_EVENTS - first) * EVENT_BYTES as u64;
        assert!(kept_bytes > SMALL_LOG.1 / 2, "only {kept_bytes} bytes are kept");
        let request = Subscribe::to("large").last_event_id(&ids[first as usize]);
        assert_eq!(numbers::of_large(&EventStream::open(hub.addr(), &request).next_event().data), first + 1);
    };
    check(&hub);
    hub.kill9();
    check(&builder(folder.path()).set("log.bytes", SMALL_LOG.0).start());
}

/// Bytes of all files, as `ls` shows them.
fn used_bytes(folder: &Path) -> u64 {
    let files = std::fs::read_dir(folder).expect("the log's folder");
    files.map(|file| file.and_then(|file| file.metadata()).expect("a file of the log").len()).sum()
}

#[test]
fn what_is_older_than_the_logs_age_goes_and_is_told_as_a_gap() {
    let folder = tempdir().unwrap();
    let hub = builder(folder.path()).set("log.age", "2s").set("history.age", "1s").start();
    let mut publisher = Publisher::connect(hub.addr());
    let first = publisher.to_topic("numbers", "first");
    publisher.to_topic("numbers", "second");
    let request = numbers::subscribe().last_event_id(&first);
    assert_eq!(EventStream::open(hub.addr(), &request).next_data(1), ["second"]);
    // Age is looked at when something is appended.
    eventually(Duration::from_secs(10), "the second event is too old", || {
        publisher.to_topic("numbers", "later");
        let mut stream = EventStream::open(hub.addr(), &request);
        let event = stream.next_event();
        assert!(["corecast.gap", "message"].contains(&event.kind.as_str()), "{event:?}");
        (event.kind == "corecast.gap").then(|| assert_eq!(stream.next_data(1), ["later"]))
    });
}

#[test]
fn a_slow_reader_that_retention_overtakes_is_told_what_it_missed() {
    const LARGE_EVENTS: u32 = 2000;
    let folder = tempdir().unwrap();
    let hub = builder(folder.path()).set("log.bytes", SMALL_LOG.0).set("stream.dead_peer", "60s").start();
    let mut slow = EventStream::open_narrow(hub.addr(), &Subscribe::to("large"), 64 << 10);
    let mut publisher = Publisher::connect(hub.addr());
    (0..LARGE_EVENTS).for_each(|n| drop(publisher.to_topic("large", &numbers::large(n, EVENT_BYTES))));
    let (mut next, mut gaps) = (0, 0);
    while next < LARGE_EVENTS {
        let event = slow.next_event();
        if event.kind == "corecast.gap" {
            let told = event.json();
            assert_eq!(numbers::position_of(told["from"].as_str().unwrap()), u64::from(next), "{told}");
            next = numbers::position_of(told["to"].as_str().unwrap()) as u32;
            gaps += 1;
        } else {
            assert_eq!(numbers::of_large(&event.data), next, "no hole without a word");
            next += 1;
        }
    }
    assert!(gaps > 0, "retention overtook nobody");
}

/// Publishers' ids are remembered in memory, so only so many of them. The hub's own ids need no memory.
#[test]
fn a_publishers_id_that_was_forgotten_is_told_as_a_gap_and_the_hubs_own_ids_never_are() {
    const EVENTS: u32 = 1000;
    let folder = tempdir().unwrap();
    let mut hub = builder(folder.path()).set("log.ids", 10).start();
    let ids = numbers::publish(&mut Publisher::connect(hub.addr()), 0..EVENTS);
    let check = |hub: &Hub| {
        let after = |id: &str| EventStream::open(hub.addr(), &numbers::subscribe().last_event_id(id));
        assert_eq!(after(&numbers::own_id(10)).next_event().kind, "corecast.gap");
        numbers::expect(&mut after(&numbers::own_id(EVENTS - 10)), EVENTS - 9..EVENTS);
        numbers::expect(&mut after(&numbers::own_id(EVENTS - 50)), EVENTS - 49..EVENTS);
        numbers::expect(&mut after(&ids[11]), 12..EVENTS);
    };
    check(&hub);
    hub.kill9();
    check(&builder(folder.path()).set("log.ids", 10).start());
}
