//! A hub with a durable log that is stopped well leaves nothing but its events; one whose folder is taken away says so.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use corecast_tests::exchange::Client;
use corecast_tests::hub::{Hub, HubBuilder};
use corecast_tests::log_files;
use corecast_tests::numbers;
use corecast_tests::publish::{Publisher, request};
use corecast_tests::stream::EventStream;
use corecast_tests::token::Token;
use corecast_tests::wait::{PATIENCE, eventually};
use corecast_tests::wire::response::End;
use serde_json::json;
use tempfile::tempdir;

const WITHIN: Duration = Duration::from_secs(30);

fn builder(folder: &Path) -> HubBuilder {
    Hub::builder().log_in(folder).set("history.events", 32)
}

fn stop(mut hub: Hub) {
    hub.sigterm();
    assert_eq!(hub.wait_for_exit(WITHIN).code(), Some(0));
}

fn expect_all(hub: &Hub, events: u32) {
    let earliest = numbers::subscribe().last_event_id("earliest");
    numbers::expect(&mut EventStream::open(hub.addr(), &earliest), 0..events);
}

#[test]
fn a_clean_stop_cuts_the_reserve_and_the_next_start_goes_on() {
    let folder = tempdir().unwrap();
    for life in 0..4 {
        let hub = builder(folder.path()).start();
        let mut publisher = Publisher::connect(hub.addr());
        expect_all(&hub, life * 100);
        numbers::publish(&mut publisher, life * 100..(life + 1) * 100);
        expect_all(&hub, (life + 1) * 100);
        stop(hub);
        let segment = log_files::last_segment(folder.path());
        let len = fs::metadata(&segment).unwrap().len();
        let reserve = len - log_files::used_bytes(&segment).len() as u64;
        assert!(reserve < log_files::ALIGN as u64, "{reserve} bytes of nothing at the end");
    }
    let (status, said) =
        (log_files::run("verify", folder.path(), &[]), "a log that was stopped well is well");
    assert_eq!(status.status.code(), Some(0), "{said}: {status:?}");
}

#[test]
fn a_hub_that_nobody_published_to_can_be_stopped_and_started_any_number_of_times() {
    let folder = tempdir().unwrap();
    (0..3).for_each(|_| stop(builder(folder.path()).start()));
    (0..3).for_each(|_| builder(folder.path()).start().kill9());
    let hub = builder(folder.path()).start();
    Publisher::connect(hub.addr()).to_topic(numbers::TOPIC, "0");
    expect_all(&hub, 1);
}

/// Publishers are busy when the hub is told to go: what they were told is there, is there.
#[test]
fn what_was_acknowledged_while_the_hub_was_stopping_is_kept() {
    const PUBLISHERS: usize = 8;
    let folder = tempdir().unwrap();
    let mut hub = builder(folder.path()).start();
    let addr = hub.addr();
    let token = Token::publisher().sign();
    let publish = |index: usize| {
        let mut client = Client::connect(addr);
        let mut acknowledged = Vec::new();
        for number in 0.. {
            let data = format!("{index} {number}");
            let body = json!({"topics": [numbers::TOPIC], "data": data}).to_string();
            let bytes = request("/publish", &token, "application/json", body.as_bytes());
            match client.try_exchange(&bytes) {
                Some(answer) if answer.status() == 200 => acknowledged.push(data),
                Some(answer) => assert_eq!(answer.status(), 503, "{answer:?}"),
                None => break,
            }
        }
        acknowledged
    };
    let acknowledged: Vec<Vec<String>> = thread::scope(|scope| {
        let publish = &publish;
        let publishing: Vec<_> = (0..PUBLISHERS).map(|index| scope.spawn(move || publish(index))).collect();
        let mut live = EventStream::open(addr, &numbers::subscribe());
        live.next_data(500);
        hub.sigterm();
        publishing.into_iter().map(|publisher| publisher.join().unwrap()).collect()
    });
    assert_eq!(hub.wait_for_exit(WITHIN).code(), Some(0));
    let hub = builder(folder.path()).start();
    let mut stream = EventStream::open(hub.addr(), &numbers::subscribe().last_event_id("earliest"));
    Publisher::connect(hub.addr()).to_topic(numbers::TOPIC, "last");
    let all: Vec<String> =
        std::iter::from_fn(|| Some(stream.next_event().data).filter(|data| data != "last")).collect();
    for (index, acknowledged) in acknowledged.iter().enumerate() {
        let kept: Vec<&String> = all.iter().filter(|data| data.starts_with(&format!("{index} "))).collect();
        // The last may have been kept without its publisher having been told.
        assert!(kept.len() - acknowledged.len() <= 1, "publisher {index}");
        assert!(acknowledged.iter().eq(kept.into_iter().take(acknowledged.len())), "publisher {index}");
    }
}

/// Streams far behind memory are sent away in the middle of their replay, and go on there when the hub is back.
#[test]
fn who_was_being_fed_from_the_log_goes_on_behind_the_restart() {
    const EVENTS: u32 = 2000;
    const STREAMS: usize = 8;
    let folder = tempdir().unwrap();
    let mut hub = builder(folder.path()).start();
    let mut publisher = Publisher::connect(hub.addr());
    (0..EVENTS).for_each(|n| drop(publisher.to_topic(numbers::TOPIC, &numbers::large(n, 8000))));
    let earliest = numbers::subscribe().last_event_id("earliest");
    let mut streams: Vec<_> =
        (0..STREAMS).map(|_| EventStream::open_narrow(hub.addr(), &earliest, 32 << 10)).collect();
    hub.sigterm();
    // Nobody reads: the hub does not wait for them for ever.
    assert_eq!(hub.wait_for_exit(WITHIN).code(), Some(0));
    let mut seen_up_to = Vec::new();
    for stream in &mut streams {
        let mut next = 0;
        while let Some(event) = stream.next_event_or_end() {
            if event.kind != "corecast.drain" {
                assert_eq!(numbers::of_large(&event.data), next);
                next += 1;
            }
        }
        assert_ne!(stream.end(), End::Clean, "a clean end says: do not come back");
        let id = stream.last_event_id().unwrap_or("earliest").to_owned();
        seen_up_to.push((next, id));
    }
    assert!(seen_up_to.iter().all(|(next, _)| *next < EVENTS), "buffers had everything");
    let hub = builder(folder.path()).start();
    for (next, id) in seen_up_to {
        let request = numbers::subscribe().last_event_id(&id);
        let mut stream = EventStream::open(hub.addr(), &request);
        (next..EVENTS).for_each(|n| assert_eq!(numbers::of_large(&stream.next_event().data), n));
    }
}

#[test]
fn a_folder_that_is_deleted_under_the_hub_stops_publishing_and_is_named() {
    let parent = tempdir().unwrap();
    let folder = parent.path().join("log");
    let hub = builder(&folder).set("stream.heartbeat", "1s").start();
    let mut publisher = Publisher::connect(hub.addr());
    let ids = numbers::publish(&mut publisher, 0..100);
    let mut live = EventStream::open(hub.addr(), &numbers::subscribe());
    fs::remove_dir_all(&folder).unwrap();
    let event = json!({"topics": [numbers::TOPIC], "data": "refused"});
    for _ in 0..3 {
        let answer = publisher.try_publish(&event);
        assert_eq!(answer.status(), 503, "{answer:?}");
        assert!(answer.head.field("retry-after").is_some(), "{answer:?}");
    }
    hub.wait_for_log(&["ERROR", folder.to_str().unwrap(), "deleted"]);
    // Subscribers stay, and what memory has is still served.
    live.wait_for_comments(live.comments() + 2);
    let resuming = numbers::subscribe().last_event_id(&ids[80]);
    numbers::expect(&mut EventStream::open(hub.addr(), &resuming), 81..100);
    // A new start begins anew, which clients are told.
    drop(hub);
    let hub = builder(&folder).start();
    eventually(PATIENCE, "publishing works again", || {
        (Publisher::connect(hub.addr()).try_publish(&event).status() == 200).then_some(())
    });
}
