//! Who comes back to a hub with a durable log gets everything since, however little of it memory still has.
//!
//! Not here: clocks that jump. No test can turn the machine's clock for one process; the simulator turns its own.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use corecast_tests::hub::{Hub, HubBuilder};
use corecast_tests::numbers;
use corecast_tests::publish::Publisher;
use corecast_tests::request::Subscribe;
use corecast_tests::stream::EventStream;
use corecast_tests::token::Token;
use corecast_tests::wait::{PATIENCE, eventually};
use serde_json::json;
use tempfile::tempdir;

/// Far less than what these tests publish.
const HISTORY_EVENTS: usize = 32;

/// Many times the history, and several pages of the log.
const EVENTS: u32 = 3000;

fn builder(folder: &Path) -> HubBuilder {
    Hub::builder().log_in(folder).set("history.events", HISTORY_EVENTS)
}

#[test]
fn every_way_to_say_where_one_was_goes_on_from_there_over_restarts_too() {
    let folder = tempdir().unwrap();
    let mut hub = builder(folder.path()).start();
    let ids = numbers::publish(&mut Publisher::connect(hub.addr()), 0..EVENTS);
    let check = |hub: &Hub| {
        let near = EVENTS - HISTORY_EVENTS as u32;
        for seen in [0, 1, 10, 777, 1000, near - 1, near, near + 1, EVENTS - 1] {
            let id = &ids[seen as usize];
            for request in
                [numbers::subscribe().last_event_id(id), numbers::subscribe().query("last_event_id", id)]
            {
                numbers::expect(&mut EventStream::open(hub.addr(), &request), seen + 1..EVENTS);
            }
        }
        for seen in [0, 10, 1230] {
            let request = numbers::subscribe().last_event_id(&numbers::own_id(seen));
            numbers::expect(&mut EventStream::open(hub.addr(), &request), seen + 1..EVENTS);
        }
        for earliest in [
            numbers::subscribe().last_event_id("earliest"),
            numbers::subscribe().query("last_event_id", "earliest"),
            numbers::subscribe().query("lastEventId", "earliest"),
            numbers::subscribe().last_event_id("earliest").http_1_0(),
        ] {
            numbers::expect(&mut EventStream::open(hub.addr(), &earliest), 0..EVENTS);
        }
    };
    check(&hub);
    assert!(hub.metric("corecast_log_reads_total") > 0.0, "memory cannot have had all of it");
    hub.kill9();
    let mut hub = builder(folder.path()).start();
    check(&hub);
    hub.sigterm();
    assert_eq!(hub.wait_for_exit(PATIENCE).code(), Some(0));
    check(&builder(folder.path()).start());
}

#[test]
fn a_stream_that_resumed_from_the_log_goes_on_live() {
    let folder = tempdir().unwrap();
    let hub = builder(folder.path()).start();
    let mut publisher = Publisher::connect(hub.addr());
    numbers::publish(&mut publisher, 0..EVENTS);
    let mut stream = EventStream::open(hub.addr(), &numbers::subscribe().last_event_id("earliest"));
    numbers::publish(&mut publisher, EVENTS..EVENTS + 100);
    numbers::expect(&mut stream, 0..EVENTS + 100);
    numbers::publish(&mut publisher, EVENTS + 100..EVENTS + 101);
    numbers::expect(&mut stream, EVENTS + 100..EVENTS + 101);
}

/// Where the log's pages meet memory, and memory meets live: while one publishes as fast as it can, others are cut off
/// at every moment, stay away for a while, and come back.
#[test]
fn nothing_is_lost_or_doubled_where_log_memory_and_live_meet() {
    let folder = tempdir().unwrap();
    let hub = builder(folder.path()).start();
    let start = Publisher::connect(hub.addr()).to_topic("numbers", "start");
    let all_published = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let (addr, start, all_published) = (hub.addr(), &start, &all_published);
        scope.spawn(move || {
            let mut publisher = Publisher::connect(addr);
            for n in (0..EVENTS).step_by(5) {
                numbers::publish(&mut publisher, n..n + 5);
            }
            all_published.store(true, Ordering::Release);
        });
        for subscriber in 0..4 {
            scope.spawn(move || {
                let mut random = fastrand::Rng::with_seed(subscriber);
                let mut last = start.clone();
                let mut next = 0;
                while next < EVENTS {
                    let mut stream = EventStream::open(addr, &numbers::subscribe().last_event_id(&last));
                    let stay = random.u32(1..200).min(EVENTS - next);
                    numbers::expect(&mut stream, next..next + stay);
                    next += stay;
                    last = stream.last_event_id().unwrap().to_owned();
                }
            });
        }
    });
    assert!(all_published.load(Ordering::Acquire));
}

#[test]
fn an_id_of_a_log_that_was_wiped_is_told_as_a_gap_and_all_that_is_kept_follows() {
    let folder = tempdir().unwrap();
    let mut hub = builder(folder.path()).start();
    let ids = numbers::publish(&mut Publisher::connect(hub.addr()), 0..100);
    hub.kill9();
    std::fs::remove_dir_all(folder.path()).unwrap();
    let hub = builder(folder.path()).start();
    numbers::publish(&mut Publisher::connect(hub.addr()), 0..EVENTS);
    let mut stream = EventStream::open(hub.addr(), &numbers::subscribe().last_event_id(&ids[7]));
    let gap = stream.next_event();
    assert_eq!((gap.kind.as_str(), &gap.json()["from"]), ("corecast.gap", &json!(ids[7])));
    assert_eq!(gap.json()["to"], json!(gap.id));
    numbers::expect(&mut stream, 0..EVENTS);
    // The id of the gap is a place in the new log.
    let again = numbers::subscribe().last_event_id(&gap.id.unwrap());
    numbers::expect(&mut EventStream::open(hub.addr(), &again), 0..EVENTS);
}

#[test]
fn an_id_that_nobody_knows_is_told_as_a_gap_and_goes_on_live() {
    let folder = tempdir().unwrap();
    let hub = builder(folder.path()).start();
    let mut publisher = Publisher::connect(hub.addr());
    numbers::publish(&mut publisher, 0..EVENTS);
    for unknown in ["never-seen", "with space", &"x".repeat(129)] {
        let mut stream = EventStream::open(hub.addr(), &numbers::subscribe().last_event_id(unknown));
        assert_eq!(stream.next_event().kind, "corecast.gap", "{unknown}");
        publisher.to_topic("numbers", "live");
        // A shard that has yet to hear of the last events has them behind the gap.
        while stream.next_event().data != "live" {}
    }
}

#[test]
fn what_is_past_its_time_to_live_and_what_is_ephemeral_is_not_replayed() {
    let folder = tempdir().unwrap();
    let mut hub = builder(folder.path()).start();
    let mut publisher = Publisher::connect(hub.addr());
    let mut live = EventStream::open(hub.addr(), &numbers::subscribe());
    publisher.publish(&json!({"topics": ["numbers"], "data": "short", "ttl": 1}));
    publisher.publish(&json!({"topics": ["numbers"], "data": "ephemeral", "ephemeral": true}));
    publisher.publish(&json!({"topics": ["numbers"], "data": "long", "ttl": 3600}));
    assert_eq!(live.next_data(3), ["short", "ephemeral", "long"]);
    let behind_ephemeral = numbers::subscribe().last_event_id(live.last_event_id().unwrap());
    numbers::publish(&mut publisher, 0..EVENTS);
    let earliest = numbers::subscribe().last_event_id("earliest");
    let check = |hub: &Hub| {
        eventually(PATIENCE, "the end of a second", || {
            let first = EventStream::open(hub.addr(), &earliest).next_event().data;
            assert!(first == "short" || first == "long", "{first}");
            (first == "long").then_some(())
        });
        let mut stream = EventStream::open(hub.addr(), &earliest);
        assert_eq!(stream.next_data(1), ["long"]);
        numbers::expect(&mut stream, 0..EVENTS);
        numbers::expect(&mut EventStream::open(hub.addr(), &behind_ephemeral), 0..EVENTS);
    };
    check(&hub);
    hub.kill9();
    check(&builder(folder.path()).start());
}

#[test]
fn who_may_see_an_event_is_kept_with_it() {
    let folder = tempdir().unwrap();
    let mut hub = builder(folder.path()).start();
    let mut publisher = Publisher::connect(hub.addr());
    let mut everybody: Vec<String> = (0..999).map(|n| format!("user-{n}")).collect();
    everybody.push("alice".to_owned());
    for event in [
        json!({"topics": ["a"], "data": "1"}),
        json!({"topics": ["unasked"], "data": "2"}),
        json!({"users": ["alice"], "data": "3"}),
        json!({"topics": ["b"], "data": "4", "private": true}),
        json!({"topics": ["c"], "data": "5", "private": true}),
        json!({"users": ["bob"], "data": "6", "type": "greeting"}),
        json!({"all": true, "data": "7"}),
        json!({"topics": ["unasked", "a"], "data": "8\nof two lines"}),
        json!({"users": everybody, "data": "9"}),
    ] {
        publisher.publish(&event);
    }
    numbers::publish(&mut publisher, 0..EVENTS);
    let alice = Token::of("alice").subscribe("b").sign();
    let bob = Token::of("bob").subscribe("{topic}").sign();
    let of =
        |token: &str| Subscribe::with_token(token).topic("a").topic("b").topic("c").last_event_id("earliest");
    let check = |hub: &Hub| {
        let seen_by = |token: &str, count| EventStream::open(hub.addr(), &of(token)).next_data(count);
        assert_eq!(seen_by(&alice, 6), ["1", "3", "4", "7", "8\nof two lines", "9"]);
        assert_eq!(seen_by(&bob, 6), ["1", "4", "5", "6", "7", "8\nof two lines"]);
        let anonymous = Subscribe::to("a").topic("b").last_event_id("earliest");
        assert_eq!(EventStream::open(hub.addr(), &anonymous).next_data(3), ["1", "7", "8\nof two lines"]);
    };
    check(&hub);
    hub.kill9();
    check(&builder(folder.path()).start());
}

const EVENT_BYTES: usize = 8_000;

#[test]
fn a_reader_that_falls_behind_memory_is_fed_from_the_log_and_loses_nothing() {
    const LARGE_EVENTS: u32 = 1000;
    let folder = tempdir().unwrap();
    let hub = builder(folder.path()).set("stream.dead_peer", "60s").start();
    let mut slow = EventStream::open_narrow(hub.addr(), &Subscribe::to("large"), 64 << 10);
    let mut quick = EventStream::open(hub.addr(), &Subscribe::to("large"));
    let mut publisher = Publisher::connect(hub.addr());
    for n in 0..LARGE_EVENTS {
        publisher.to_topic("large", &numbers::large(n, EVENT_BYTES));
        assert_eq!(numbers::of_large(&quick.next_event().data), n, "others are served meanwhile");
    }
    for n in 0..LARGE_EVENTS {
        assert_eq!(numbers::of_large(&slow.next_event().data), n);
    }
    publisher.to_topic("large", &numbers::large(LARGE_EVENTS, EVENT_BYTES));
    assert_eq!(numbers::of_large(&slow.next_event().data), LARGE_EVENTS, "it is live again");
}

/// The log is read in runs of about 64 KiB; one event can be as long.
#[test]
fn events_as_long_as_what_is_read_at_once_are_replayed_like_others() {
    let folder = tempdir().unwrap();
    let mut hub = builder(folder.path()).start();
    let mut publisher = Publisher::connect(hub.addr());
    let sizes: Vec<usize> =
        (0..120).map(|n| if n % 3 == 0 { 64_000 + n % 7 } else { n * n % 5000 }).collect();
    for (n, &size) in sizes.iter().enumerate() {
        publisher.to_topic("large", &numbers::large(n as u32, size));
    }
    let check = |hub: &Hub| {
        let mut stream = EventStream::open(hub.addr(), &Subscribe::to("large").last_event_id("earliest"));
        for (n, &size) in sizes.iter().enumerate() {
            assert_eq!(stream.next_event().data, numbers::large(n as u32, size));
        }
    };
    check(&hub);
    hub.kill9();
    check(&builder(folder.path()).start());
}
