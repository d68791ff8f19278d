//! Ten thousand streams come back at once, from far behind memory: all get everything, in little memory, while others
//! stay live.
//!
//! Not here: a judgement of speed. The figures are printed for whoever reads the log.

use std::time::{Duration, Instant};

use corecast_tests::hub::Hub;
use corecast_tests::numbers;
use corecast_tests::publish::Publisher;
use corecast_tests::swarm::{MemberId, Swarm};
use tempfile::tempdir;

const RESUMING: usize = 10_000;
const LIVE: usize = 200;

/// What the log has when they come, of which memory has nearly nothing.
const LOGGED: u32 = 500;
const HISTORY_EVENTS: usize = 16;

/// What is published while they are fed.
const PUBLISHED: u32 = 50;

const WITHIN: Duration = Duration::from_secs(120);

/// Streams, and pages under way. All that is replayed would be ten times as much.
const BYTES_EACH_MAX: u64 = 4096;

#[test]
fn ten_thousand_come_back_from_far_behind_while_others_stay_live() {
    let folder = tempdir().unwrap();
    let builder = Hub::builder().log_in(folder.path()).set("history.events", HISTORY_EVENTS);
    let hub = builder.set("limits.connections", RESUMING + 2 * LIVE).start();
    let mut publisher = Publisher::connect(hub.addr());
    let start = publisher.to_topic("elsewhere", "start");
    numbers::publish(&mut publisher, 0..LOGGED);

    let mut swarm = Swarm::around(hub.addr(), 2);
    let live: Vec<MemberId> = (0..LIVE).map(|_| swarm.join(&numbers::subscribe())).collect();
    swarm.drive_until(WITHIN, "live streams", |s| s.open() == LIVE);
    hub.wait_for_connections(LIVE);

    let memory_before = hub.resident_bytes();
    let begin = Instant::now();
    let request = numbers::subscribe().last_event_id(&start);
    let resuming: Vec<MemberId> = (0..RESUMING).map(|_| swarm.join(&request)).collect();
    let publishing = std::thread::spawn(move || {
        for n in LOGGED..LOGGED + PUBLISHED {
            numbers::publish(&mut publisher, n..n + 1);
        }
    });
    let all = RESUMING * (LOGGED + PUBLISHED) as usize + LIVE * PUBLISHED as usize;
    let mut most = memory_before;
    for percent in 1..=100 {
        swarm.drive_until(WITHIN, "all events", |s| s.events() >= all * percent / 100);
        most = most.max(hub.resident_bytes());
    }
    publishing.join().unwrap();
    let rate = all as f64 / begin.elapsed().as_secs_f64();
    let memory = most.saturating_sub(memory_before);
    println!("{RESUMING} were given {LOGGED} events of the log in {:.1?}", begin.elapsed());
    println!("{rate:.0} deliveries/s, checked one by one on the same machine; {memory} bytes resident more");

    let numbers_of = |id: &MemberId| swarm.member(*id).seen().iter().copied();
    assert!(resuming.iter().all(|id| numbers_of(id).eq(0..LOGGED + PUBLISHED)));
    assert!(live.iter().all(|id| numbers_of(id).eq(LOGGED..LOGGED + PUBLISHED)));
    assert!(swarm.members().iter().all(|m| m.control().is_empty() && m.is_open()));
    assert!(memory <= RESUMING as u64 * BYTES_EACH_MAX, "{memory} bytes more");
}
