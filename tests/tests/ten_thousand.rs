//! Ten thousand streams at once: all receive, reload, are evicted and resume, each event exactly once.
//!
//! Not here: a judgement of speed. The figures are printed for whoever reads the log.

use std::time::{Duration, Instant};

use corecast_tests::hub::Hub;
use corecast_tests::publish::Publisher;
use corecast_tests::request::Subscribe;
use corecast_tests::swarm::{MemberId, Swarm};
use corecast_tests::token::Token;
use corecast_tests::wire::response::End;

const CONNECTIONS: usize = 10_000;
const EVENTS: u32 = 50;
const WITHIN: Duration = Duration::from_secs(120);

#[test]
fn ten_thousand_streams_are_served_at_once() {
    let hub = Hub::builder().set("limits.connections", CONNECTIONS + CONNECTIONS / 2).start();
    let tokens: Vec<String> = (0..CONNECTIONS).map(|n| Token::of(&format!("user-{n}")).sign()).collect();
    let request =
        |n: usize| Subscribe::with_token(&tokens[n]).topic("numbers").client_id(&format!("tab-{n}"));
    let mut publisher = Publisher::connect(hub.addr());
    let start = publisher.to_topic("numbers", "0");

    // All come.
    let memory_before = hub.resident_bytes();
    let begin = Instant::now();
    let mut swarm = Swarm::around(hub.addr(), 2);
    let members: Vec<MemberId> =
        (0..CONNECTIONS).map(|n| swarm.join(&request(n).last_event_id(&start))).collect();
    swarm.drive_until(WITHIN, "all streams open", |s| s.open() == CONNECTIONS);
    let connecting = begin.elapsed();
    hub.wait_for_connections(CONNECTIONS);
    let memory = hub.resident_bytes().saturating_sub(memory_before) / CONNECTIONS as u64;
    println!("{CONNECTIONS} authorized streams in {connecting:.0?}, {memory} bytes resident each");

    // All receive.
    let begin = Instant::now();
    let publishing = std::thread::spawn(move || {
        (1..=EVENTS).for_each(|n| drop(publisher.to_topic("numbers", &n.to_string())));
        publisher
    });
    swarm.drive_until(WITHIN, "all events", |s| s.events() == CONNECTIONS * EVENTS as usize);
    let rate = (CONNECTIONS * EVENTS as usize) as f64 / begin.elapsed().as_secs_f64();
    println!("{rate:.0} deliveries/s, checked one by one on the same machine");
    let mut publisher = publishing.join().unwrap();
    assert!(swarm.members().iter().all(|m| m.seen().iter().copied().eq(1..=EVENTS)));

    // All lose their connection, miss something and resume.
    members.iter().for_each(|&id| swarm.leave(id));
    (EVENTS + 1..=2 * EVENTS).for_each(|n| drop(publisher.to_topic("numbers", &n.to_string())));
    let begin = Instant::now();
    for (n, &id) in members.iter().enumerate() {
        let last = swarm.member(id).last_event_id().unwrap().to_owned();
        swarm.come_back(id, &request(n).last_event_id(&last));
    }
    swarm.drive_until(WITHIN, "all missed events", |s| s.events() == 2 * CONNECTIONS * EVENTS as usize);
    println!("{CONNECTIONS} came back and were given {EVENTS} missed events each in {:.0?}", begin.elapsed());
    assert!(swarm.members().iter().all(|m| m.seen().iter().copied().eq(1..=2 * EVENTS)));
    hub.wait_for_connections(CONNECTIONS);

    // Two thousand users open a second tab, which evicts the first.
    const SECOND_TABS: usize = 2000;
    let second: Vec<MemberId> = (0..SECOND_TABS)
        .map(|n| {
            swarm.join(&Subscribe::with_token(&tokens[n]).topic("numbers").client_id(&format!("second-{n}")))
        })
        .collect();
    let evicted = |s: &Swarm| members[..SECOND_TABS].iter().all(|&id| s.member(id).end() == Some(End::Clean));
    swarm.drive_until(WITHIN, "evictions", |s| evicted(s) && second.iter().all(|&id| s.member(id).is_open()));
    hub.wait_for_connections(CONNECTIONS);
    assert_eq!(swarm.open(), CONNECTIONS);
}
