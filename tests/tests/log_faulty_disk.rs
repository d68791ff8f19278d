//! A disk that refuses, fails or takes its time is a matter between the log and its publishers: subscribers go on.
//!
//! The faults are injected into the system calls of the real binary (strace). Not here: what a crash leaves of a write
//! that failed; the simulator's disk tries everything that could be left.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use corecast_tests::hub::{Hub, HubBuilder};
use corecast_tests::numbers;
use corecast_tests::publish::Publisher;
use corecast_tests::stream::EventStream;
use corecast_tests::wait::{PATIENCE, eventually};
use serde_json::{Value, json};
use tempfile::tempdir;

fn builder(folder: &Path) -> HubBuilder {
    Hub::builder().log_in(folder).set("history.events", 32).set("stream.heartbeat", "1s")
}

fn event(data: &str) -> Value {
    json!({"topics": [numbers::TOPIC], "data": data})
}

/// Publishes numbers until one is refused, and gives that one.
fn publish_until_refused(publisher: &mut Publisher) -> u32 {
    for number in 0.. {
        let answer = publisher.try_publish(&event(&number.to_string()));
        if answer.status() == 200 {
            continue;
        }
        assert_eq!(answer.status(), 503, "{answer:?}");
        assert!(answer.head.field("retry-after").is_some(), "{answer:?}");
        return number;
    }
    unreachable!("the fault comes before the numbers end")
}

#[test]
fn after_a_failed_sync_or_write_nothing_is_taken_until_a_restart_and_all_that_was_is_there() {
    // The first syncs are those of the start.
    for fault in ["fdatasync:error=EIO:when=12", "pwrite64:error=EIO:when=12"] {
        let folder = tempdir().unwrap();
        let mut hub = builder(folder.path()).fault(fault).start();
        let mut live = EventStream::open(hub.addr(), &numbers::subscribe());
        let mut publisher = Publisher::connect(hub.addr());
        let refused = publish_until_refused(&mut publisher);
        assert!(refused > 3, "{fault}: event {refused} was refused");
        numbers::expect(&mut live, 0..refused);
        // The fault was a single one. But what the kernel has dropped it does not tell twice.
        for _ in 0..5 {
            assert_eq!(publisher.try_publish(&event("refused")).status(), 503, "{fault}");
        }
        assert_eq!(hub.metric_where("corecast_log_state", "failed"), 1.0, "{fault}");
        hub.wait_for_log(&["ERROR", "os error 5"]);

        let earliest = numbers::subscribe().last_event_id("earliest");
        let mut resumed = EventStream::open(hub.addr(), &earliest);
        numbers::expect(&mut resumed, 0..refused);
        // No other event has been shown to anybody.
        live.wait_for_comments(live.comments() + 2);
        hub.sigterm();
        assert_eq!(live.next_event().kind, "corecast.drain", "{fault}");
        hub.wait_for_exit(PATIENCE);

        let hub = builder(folder.path()).start();
        let mut resumed = EventStream::open(hub.addr(), &earliest);
        numbers::publish(&mut Publisher::connect(hub.addr()), refused..refused + 10);
        numbers::expect(&mut resumed, 0..refused + 10);
    }
}

/// What the disk is said to have no room for, for a while.
#[test]
fn after_a_write_without_room_the_next_one_is_taken() {
    for fault in ["fallocate:error=ENOSPC:when=1..8", "pwrite64:error=ENOSPC:when=12..20"] {
        let folder = tempdir().unwrap();
        let mut hub = builder(folder.path()).fault(fault).start();
        let mut live = EventStream::open(hub.addr(), &numbers::subscribe());
        let mut publisher = Publisher::connect(hub.addr());
        let (mut taken, mut refusals) = (0, 0);
        while taken < 100 {
            match publisher.try_publish(&event(&taken.to_string())).status() {
                200 => taken += 1,
                503 => refusals += 1,
                status => panic!("{fault}: {status}"),
            }
        }
        assert!(refusals > 0, "{fault}: nothing was refused");
        numbers::expect(&mut live, 0..taken);
        hub.kill9();
        let hub = builder(folder.path()).start();
        let earliest = numbers::subscribe().last_event_id("earliest");
        numbers::expect(&mut EventStream::open(hub.addr(), &earliest), 0..taken);
    }
}

#[test]
fn a_slow_disk_is_shared_by_publishers_and_felt_by_nobody_else() {
    const PUBLISHERS: u32 = 60;
    const SYNC: Duration = Duration::from_millis(200);
    let folder = tempdir().unwrap();
    let fault = format!("fdatasync:delay_enter={}:when=5+", SYNC.as_micros());
    let hub = builder(folder.path()).fault(&fault).start();
    let mut live = EventStream::open(hub.addr(), &numbers::subscribe());
    let mut publisher = Publisher::connect(hub.addr());
    (0..5).for_each(|_| drop(publisher.to_topic("elsewhere", "until syncs are slow")));
    let syncs_before = hub.metric("corecast_log_syncs_total");
    let begin = Instant::now();
    thread::scope(|scope| {
        let addr = hub.addr();
        for n in 0..PUBLISHERS {
            scope.spawn(move || Publisher::connect(addr).to_topic(numbers::TOPIC, &n.to_string()));
        }
    });
    let took = begin.elapsed();
    let syncs = hub.metric("corecast_log_syncs_total") - syncs_before;
    println!("{PUBLISHERS} publishers were answered in {took:.1?}, after {syncs} syncs of {SYNC:?}");
    assert!(took >= SYNC, "an answer came before its sync");
    assert!(syncs < f64::from(PUBLISHERS) / 4.0, "{syncs} syncs for {PUBLISHERS} publishers");
    let mut seen: Vec<u32> = live.next_data(60).iter().map(|data| data.parse().unwrap()).collect();
    seen.sort_unstable();
    assert!(seen.into_iter().eq(0..PUBLISHERS));

    // While the log waits for its disk, others connect and are answered at once, and resume from it.
    thread::scope(|scope| {
        let addr = hub.addr();
        let publishing = scope.spawn(move || Publisher::connect(addr).to_topic("elsewhere", "slow"));
        let opening = Instant::now();
        let request = numbers::subscribe().last_event_id("earliest");
        let mut stream = EventStream::open(hub.addr(), &request);
        stream.next_data(60);
        assert!(opening.elapsed() < SYNC * 5, "a subscriber waited {:?}", opening.elapsed());
        publishing.join().unwrap();
    });
    eventually(PATIENCE, "the last sync is counted", || {
        (hub.metric("corecast_log_syncs_total") > syncs_before + syncs).then_some(())
    });
}
