//! A reader that stalls costs nobody anything, is given up in time, and loses nothing.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use corecast_tests::hub::Hub;
use corecast_tests::publish::Publisher;
use corecast_tests::request::Subscribe;
use corecast_tests::stream::{EventStream, connect_narrow};
use corecast_tests::wait::{PATIENCE, eventually};
use serde_json::json;

const EVENT_BYTES: usize = 8_000;

/// Far more than socket buffers take: a few megabytes at most by default.
const EVENTS: usize = 1000;

fn event(number: usize) -> serde_json::Value {
    json!({"topics": ["large"], "data": format!("{number} {}", "x".repeat(EVENT_BYTES))})
}

fn number(data: &str) -> usize {
    let word = data.split(' ').next().expect("a split has a first part");
    word.parse().unwrap_or_else(|e| panic!("{word:?}: {e}"))
}

/// Some events fit, so that a stalled reader has seen a few.
const BUFFER_BYTES: usize = 64 << 10;

#[test]
fn a_stalled_reader_is_given_up_and_resumes_without_loss() {
    let hub = Hub::builder().set("stream.heartbeat", "1s").set("stream.dead_peer", "3s").start();
    let mut stalled = EventStream::open_narrow(hub.addr(), &Subscribe::to("large"), BUFFER_BYTES);
    let mut others: Vec<_> = (0..5).map(|_| EventStream::open(hub.addr(), &Subscribe::to("large"))).collect();
    hub.wait_for_connections(6);

    let mut publisher = Publisher::connect(hub.addr());
    for n in 0..EVENTS {
        publisher.publish(&event(n));
        for other in &mut others {
            assert_eq!(number(&other.next_event().data), n, "those who read are served at once");
        }
    }
    let stopped = Instant::now();
    eventually(Duration::from_secs(10), "the stalled reader is given up", || {
        (hub.metric("sse_active_connections") == 5.0).then_some(())
    });
    println!("given up {:.1?} after the last event", stopped.elapsed());

    // What had reached the client before is whole events, in order; the rest comes on resuming.
    let mut seen = 0;
    while let Some(event) = stalled.next_event_or_end() {
        assert_eq!(number(&event.data), seen);
        seen += 1;
    }
    assert!(seen > 0 && seen < EVENTS, "{seen} events fit into the buffers: it was no stalled reader");
    let last = stalled.last_event_id().unwrap().to_owned();
    let mut back = EventStream::open(hub.addr(), &Subscribe::to("large").last_event_id(&last));
    for n in seen..EVENTS {
        assert_eq!(number(&back.next_event().data), n);
    }
}

#[test]
fn a_reader_that_catches_up_in_time_stays_and_misses_nothing() {
    let hub = Hub::builder().set("stream.dead_peer", "60s").start();
    let mut slow = EventStream::open_narrow(hub.addr(), &Subscribe::to("large"), BUFFER_BYTES);
    let mut publisher = Publisher::connect(hub.addr());
    (0..EVENTS).for_each(|n| drop(publisher.publish(&event(n))));
    for n in 0..EVENTS {
        assert_eq!(number(&slow.next_event().data), n);
    }
    publisher.publish(&event(EVENTS));
    assert_eq!(number(&slow.next_event().data), EVENTS, "it is live again");
}

#[test]
fn one_who_falls_off_the_history_is_told_of_the_gap_when_it_resumes() {
    let hub = Hub::builder().set("history.events", 32).set("stream.dead_peer", "60s").start();
    let mut slow = EventStream::open_narrow(hub.addr(), &Subscribe::to("large"), BUFFER_BYTES);
    let mut publisher = Publisher::connect(hub.addr());
    (0..EVENTS).for_each(|n| drop(publisher.publish(&event(n))));
    let mut next = 0;
    while let Some(event) = slow.next_event_or_end() {
        if event.kind == "corecast.gap" {
            // Told in the stream itself, it goes on behind the gap.
            return;
        }
        assert_eq!(number(&event.data), next, "no hole without a word");
        next += 1;
    }
    let last = slow.last_event_id().unwrap().to_owned();
    let mut back = EventStream::open(hub.addr(), &Subscribe::to("large").last_event_id(&last));
    assert_eq!(back.next_event().kind, "corecast.gap");
    let first = number(&back.next_event().data);
    assert!(first > next && first < EVENTS, "{first}");
}

/// Requests whose answers are more than the sockets of both ends hold.
const REQUESTS: usize = 100;

/// A client with little room that has said all it has to say.
fn half_closed(hub: &Hub) -> TcpStream {
    let mut socket = connect_narrow(hub.addr(), 4096);
    let requests = "GET /client-worker.js HTTP/1.1\r\nHost: hub\r\n\r\n".repeat(REQUESTS);
    socket.write_all(requests.as_bytes()).expect("the hub reads as far as that");
    socket.shutdown(Shutdown::Write).expect("a connected socket");
    eventually(PATIENCE, "it waits for room", || {
        (hub.metric_where("corecast_connections", "answering") == 1.0).then_some(())
    });
    socket
}

#[test]
fn one_who_has_said_all_and_reads_no_answer_costs_nothing_and_is_given_up() {
    /// What a hub at rest does in some seconds, many times over; one that looks again and again takes them in a moment.
    const TURNS_MAX: f64 = 5000.0;
    let hub = Hub::builder().set("stream.heartbeat", "1s").set("stream.dead_peer", "3s").start();
    let turns = hub.metric("corecast_turns_total");
    let _silent = half_closed(&hub);
    eventually(PATIENCE, "it is given up", || (hub.metric("corecast_connections") == 0.0).then_some(()));
    let turns = hub.metric("corecast_turns_total") - turns;
    assert!(turns < TURNS_MAX, "{turns} turns for a client that does nothing");
}

#[test]
fn one_who_has_said_all_gets_every_answer_once_it_reads() {
    let hub = Hub::start();
    let mut answers = String::new();
    half_closed(&hub).read_to_string(&mut answers).expect("answers, and then the end");
    assert_eq!(answers.matches("HTTP/1.1 200 ").count(), REQUESTS);
}
