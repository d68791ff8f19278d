//! A full disk stops publishers, with words, and nobody else; once there is room again they go on without a restart.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use corecast_tests::exchange;
use corecast_tests::hub::{Hub, HubBuilder};
use corecast_tests::numbers;
use corecast_tests::publish::Publisher;
use corecast_tests::stream::EventStream;
use corecast_tests::tmpfs::Tmpfs;
use corecast_tests::wait::{PATIENCE, eventually};
use serde_json::json;

/// Several segments of a log that may be much larger than the disk.
const DISK_BYTES: usize = 4 << 20;

fn builder(disk: &Tmpfs) -> HubBuilder {
    log_in(&disk.path().join("log"))
}

fn log_in(folder: &Path) -> HubBuilder {
    Hub::builder().log_in(folder).set("log.bytes", "16MiB").set("history.events", 32)
}

/// Publishes large events until one is refused; the numbers that were taken begin at `first` and end before what this
/// gives.
fn publish_until_refused(publisher: &mut Publisher, first: u32) -> u32 {
    for n in first.. {
        let event = json!({"topics": [numbers::TOPIC], "data": numbers::large(n, 4000)});
        let answer = publisher.try_publish(&event);
        if answer.status() == 200 {
            continue;
        }
        assert_eq!(answer.status(), 503, "{answer:?}");
        let retry_after = answer.head.field("retry-after").expect("a time to come again");
        assert!(retry_after.parse::<u32>().is_ok_and(|seconds| seconds > 0), "{retry_after}");
        assert!(answer.json()["message"].as_str().is_some_and(|m| !m.is_empty()), "{answer:?}");
        return n;
    }
    unreachable!("numbers end later than disks")
}

/// Reads large events `range`, and nothing else.
fn expect_large(stream: &mut EventStream, range: std::ops::Range<u32>) {
    for n in range {
        let event = stream.next_event();
        assert_eq!((event.kind.as_str(), numbers::of_large(&event.data)), ("message", n));
    }
}

#[test]
fn a_full_disk_refuses_publishers_serves_subscribers_and_ends_with_the_lack_of_room() {
    let disk = Tmpfs::mount(DISK_BYTES);
    let mut hub = builder(&disk).set("stream.heartbeat", "1s").start();
    let mut publisher = Publisher::connect(hub.addr());
    let mut live = EventStream::open(hub.addr(), &numbers::subscribe());
    (0..100).for_each(|n| drop(publisher.to_topic(numbers::TOPIC, &numbers::large(n, 4000))));
    disk.fill();
    let refused = publish_until_refused(&mut publisher, 100);
    hub.wait_for_log(&["ERROR", "No space left"]);
    assert_eq!(hub.metric_where("corecast_log_state", "full"), 1.0);
    expect_large(&mut live, 0..refused);

    // Whoever listens goes on: heartbeats, what was kept, ephemeral events, and the operator's pages.
    live.wait_for_comments(live.comments() + 2);
    let earliest = numbers::subscribe().last_event_id("earliest");
    let mut from_the_beginning = EventStream::open(hub.addr(), &earliest);
    expect_large(&mut from_the_beginning, 0..refused);
    for page in ["/healthz", "/readyz"] {
        let answer = exchange::get(hub.addr(), page);
        assert!([200, 503].contains(&answer.status()), "{answer:?}");
    }
    assert_eq!(exchange::get(hub.admin(), "/metrics").status(), 200);
    for _ in 0..20 {
        let refused_again = publish_until_refused(&mut publisher, refused);
        assert_eq!(refused_again, refused, "there is no room");
    }

    disk.make_room();
    let event = json!({"topics": [numbers::TOPIC], "data": numbers::large(refused, 4000)});
    eventually(PATIENCE, "publishing goes on without a restart", || {
        (publisher.try_publish(&event).status() == 200).then_some(())
    });
    assert_eq!(hub.metric_where("corecast_log_state", "ok"), 1.0);
    expect_large(&mut live, refused..refused + 1);
    (refused + 1..refused + 50)
        .for_each(|n| drop(publisher.to_topic(numbers::TOPIC, &numbers::large(n, 4000))));
    expect_large(&mut live, refused + 1..refused + 50);
    expect_large(&mut from_the_beginning, refused..refused + 50);

    hub.kill9();
    let hub = builder(&disk).start();
    expect_large(&mut EventStream::open(hub.addr(), &earliest), 0..refused + 50);
}

/// Room comes and goes at any moment, under publishers who note what was taken.
#[test]
fn nothing_acknowledged_is_lost_while_room_comes_and_goes() {
    const ROUNDS: u32 = 20;
    const PUBLISHERS: usize = 4;
    // Ten times what they publish in all rounds: it is the ballast that fills the disk, and never the log.
    let disk = Tmpfs::mount(64 << 20);
    let builder = builder(&disk).set("log.bytes", "64MiB");
    let mut hub = builder.clone().start();
    let mut live = EventStream::open(hub.addr(), &numbers::subscribe());
    let is_over = AtomicBool::new(false);
    let acknowledged: Vec<Vec<String>> = thread::scope(|scope| {
        let (addr, is_over) = (hub.addr(), &is_over);
        // Also when something is found wrong here: nobody would end the publishers then.
        let end = EndWithThis(is_over);
        let publish = move |index| publish_while(addr, index, is_over);
        let publishing: Vec<_> = (0..PUBLISHERS).map(|index| scope.spawn(move || publish(index))).collect();
        for _ in 0..ROUNDS {
            disk.fill();
            let refusals = hub.metric("corecast_log_failures_total");
            eventually(PATIENCE, "a publisher is refused", || {
                (hub.metric("corecast_log_failures_total") > refusals).then_some(())
            });
            disk.make_room();
            live.next_event();
        }
        drop(end);
        publishing.into_iter().map(|publisher| publisher.join().unwrap()).collect()
    });
    hub.kill9();
    let hub = builder.start();
    let mut stream = EventStream::open(hub.addr(), &numbers::subscribe().last_event_id("earliest"));
    Publisher::connect(hub.addr()).to_topic(numbers::TOPIC, "last");
    let kept: Vec<String> = std::iter::from_fn(|| {
        let event = stream.next_event();
        assert_eq!(event.kind, "message");
        (event.data != "last").then_some(event.data)
    })
    .collect();
    for (index, acknowledged) in acknowledged.iter().enumerate() {
        let of_this: Vec<&String> =
            kept.iter().filter(|data| data.starts_with(&format!("{index} "))).collect();
        assert!(!acknowledged.is_empty() && acknowledged.iter().eq(of_this), "publisher {index}");
    }
}

/// Says that it is over when it is dropped.
struct EndWithThis<'a>(&'a AtomicBool);

impl Drop for EndWithThis<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

/// Publishes until it is over, and gives what was acknowledged.
fn publish_while(addr: SocketAddr, index: usize, is_over: &AtomicBool) -> Vec<String> {
    let mut publisher = Publisher::connect(addr);
    let mut acknowledged = Vec::new();
    let mut number = 0;
    while !is_over.load(Ordering::Acquire) {
        let data = format!("{index} {number}");
        let answer = publisher.try_publish(&json!({"topics": [numbers::TOPIC], "data": data}));
        match answer.status() {
            200 => acknowledged.push(data),
            503 => {}
            status => panic!("{status}: {answer:?}"),
        }
        number += 1;
    }
    acknowledged
}
