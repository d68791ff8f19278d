//! Who comes back goes on exactly where it stopped, or is told in the stream what is missing.

use std::sync::atomic::{AtomicBool, Ordering};

use corecast_tests::hub::Hub;
use corecast_tests::publish::Publisher;
use corecast_tests::request::Subscribe;
use corecast_tests::stream::EventStream;
use corecast_tests::token::Token;
use serde_json::json;

fn publish_numbers(publisher: &mut Publisher, range: std::ops::Range<u32>) -> Vec<String> {
    range.map(|n| publisher.to_topic("numbers", &n.to_string())).collect()
}

#[test]
fn every_name_of_the_last_event_id_resumes() {
    let hub = Hub::start();
    let mut publisher = Publisher::connect(hub.addr());
    let ids = publish_numbers(&mut publisher, 0..10);
    let here = &ids[6];
    for request in [
        Subscribe::to("numbers").last_event_id(here),
        Subscribe::to("numbers").query("last_event_id", here),
        Subscribe::to("numbers").query("lastEventId", here),
        Subscribe::to("numbers").last_event_id(here).query("last_event_id", &ids[0]),
        Subscribe::to("numbers").query("last_event_id", &ids[0]).query("lastEventId", here),
        // `reqwest-eventsource` sends it empty: the same as absent.
        Subscribe::to("numbers").last_event_id("").query("last_event_id", here),
        Subscribe::to("numbers").last_event_id(here).http_1_0(),
    ] {
        let mut stream = EventStream::open(hub.addr(), &request);
        assert_eq!(stream.next_data(3), ["7", "8", "9"], "{request:?}");
    }
}

#[test]
fn without_a_last_event_id_a_stream_begins_now() {
    let hub = Hub::start();
    let mut publisher = Publisher::connect(hub.addr());
    publish_numbers(&mut publisher, 0..3);
    let mut new = EventStream::open(hub.addr(), &Subscribe::to("numbers"));
    let mut empty = EventStream::open(hub.addr(), &Subscribe::to("numbers").last_event_id(""));
    publish_numbers(&mut publisher, 3..4);
    assert_eq!(new.next_data(1), ["3"]);
    assert_eq!(empty.next_data(1), ["3"]);
}

#[test]
fn a_publishers_own_id_resumes() {
    let hub = Hub::start();
    let mut publisher = Publisher::connect(hub.addr());
    for n in 0..5 {
        publisher.publish(&json!({"topics": ["numbers"], "data": n.to_string(), "id": format!("order-{n}")}));
    }
    let mut stream = EventStream::open(hub.addr(), &Subscribe::to("numbers").last_event_id("order-2"));
    assert_eq!(stream.next_data(2), ["3", "4"]);
}

#[test]
fn one_id_resumes_any_mix_of_topics() {
    let hub = Hub::start();
    let mut publisher = Publisher::connect(hub.addr());
    let seen_elsewhere = publisher.to_topic("elsewhere", "seen");
    publisher.to_topic("a", "1");
    publisher.to_topic("unasked", "2");
    publisher.publish(&json!({"users": ["alice"], "data": "3"}));
    publisher.publish(&json!({"topics": ["b"], "data": "4", "private": true}));
    publisher.publish(&json!({"topics": ["c"], "data": "5", "private": true}));
    publisher.publish(&json!({"users": ["bob"], "data": "6"}));
    publisher.publish(&json!({"all": true, "data": "7"}));
    let token = Token::of("alice").subscribe("b").sign();
    let request =
        Subscribe::with_token(&token).topic("a").topic("b").topic("c").last_event_id(&seen_elsewhere);
    assert_eq!(EventStream::open(hub.addr(), &request).next_data(4), ["1", "3", "4", "7"]);
}

#[test]
fn an_id_of_another_log_or_of_nothing_is_told_as_a_gap() {
    let hub = Hub::start();
    let mut publisher = Publisher::connect(hub.addr());
    let foreign = Publisher::connect(Hub::start().addr()).to_topic("numbers", "of another hub");
    publish_numbers(&mut publisher, 0..3);
    let long = "x".repeat(128);
    let too_long = "x".repeat(129);
    for unknown in [foreign.as_str(), "never-seen", &long, &too_long, "with space", "grüße"] {
        for request in [
            Subscribe::to("numbers").last_event_id(unknown),
            Subscribe::to("numbers").query("last_event_id", unknown),
        ] {
            let mut stream = EventStream::open(hub.addr(), &request);
            let gap = stream.next_event();
            assert_eq!(gap.kind, "corecast.gap", "{unknown:?}");
            let told = gap.json();
            assert!(told.get("from").is_some() && told.get("to").is_some(), "{told}");
            // The gap's own id moves the client's cursor to where the stream goes on.
            let cursor = gap.id.expect("a gap has an id");
            assert_ne!(cursor, unknown);
            let moved = Subscribe::to("numbers").last_event_id(&cursor);
            publisher.to_topic("numbers", "next");
            let mut again = EventStream::open(hub.addr(), &moved);
            assert_ne!(again.next_event().kind, "corecast.gap", "{unknown:?}: the gap is told once");
        }
    }
}

#[test]
fn what_has_left_the_history_is_told_as_a_gap_and_the_rest_follows() {
    let hub = Hub::builder().set("history.events", 16).start();
    let mut publisher = Publisher::connect(hub.addr());
    let ids = publish_numbers(&mut publisher, 0..100);
    let mut stream = EventStream::open(hub.addr(), &Subscribe::to("numbers").last_event_id(&ids[3]));
    let gap = stream.next_event();
    assert_eq!(gap.kind, "corecast.gap");
    assert_eq!(gap.json()["from"], json!(ids[3]), "{gap:?}");
    let first: u32 = stream.next_event().data.parse().unwrap();
    assert!((80..100).contains(&first), "{first}: history keeps about the last 16");
    let rest: Vec<u32> = (first + 1..100).map(|_| stream.next_event().data.parse().unwrap()).collect();
    assert_eq!(rest, (first + 1..100).collect::<Vec<_>>());
}

#[test]
fn what_is_still_in_the_history_comes_without_a_gap() {
    let hub = Hub::builder().set("history.events", 64).start();
    let mut publisher = Publisher::connect(hub.addr());
    let ids = publish_numbers(&mut publisher, 0..200);
    let mut stream = EventStream::open(hub.addr(), &Subscribe::to("numbers").last_event_id(&ids[149]));
    assert_eq!(stream.next_data(50), (150..200).map(|n| n.to_string()).collect::<Vec<_>>());
}

#[test]
fn an_event_past_its_time_to_live_is_not_replayed() {
    let hub = Hub::start();
    let mut publisher = Publisher::connect(hub.addr());
    let before = publisher.to_topic("numbers", "before");
    publisher.publish(&json!({"topics": ["numbers"], "data": "short", "ttl": 1}));
    publisher.to_topic("numbers", "long");
    let request = Subscribe::to("numbers").last_event_id(&before);
    assert_eq!(EventStream::open(hub.addr(), &request).next_data(2), ["short", "long"]);
    corecast_tests::wait::eventually(corecast_tests::wait::PATIENCE, "the end of a second", || {
        let first = EventStream::open(hub.addr(), &request).next_event().data;
        (first == "long").then_some(())
    });
}

/// The seam between replay and live: while one publishes as fast as it can, others are cut off at every moment and
/// come back.
#[test]
fn nothing_is_lost_or_doubled_where_replay_meets_live() {
    const EVENTS: u32 = 3000;
    let hub = Hub::start();
    let start = Publisher::connect(hub.addr()).to_topic("numbers", "start");
    let published = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let (addr, start, published) = (hub.addr(), &start, &published);
        scope.spawn(move || {
            publish_numbers(&mut Publisher::connect(addr), 0..EVENTS);
            published.store(true, Ordering::Release);
        });
        for subscriber in 0..4 {
            scope.spawn(move || {
                let mut random = fastrand::Rng::with_seed(subscriber);
                let mut last = start.clone();
                let mut seen: Vec<u32> = Vec::new();
                let mut comings = 0;
                while seen.len() < EVENTS as usize {
                    let request = Subscribe::to("numbers").last_event_id(&last);
                    let mut stream = EventStream::open(addr, &request);
                    comings += 1;
                    let stay = random.usize(1..60).min(EVENTS as usize - seen.len());
                    seen.extend(stream.next_data(stay).iter().map(|d| d.parse::<u32>().unwrap()));
                    last = stream.last_event_id().unwrap().to_owned();
                }
                assert!(seen.iter().copied().eq(0..EVENTS), "subscriber {subscriber} saw {seen:?}");
                assert!(comings > 50, "{comings} connections are no test of the seam");
            });
        }
    });
    assert!(published.load(Ordering::Acquire));
}
