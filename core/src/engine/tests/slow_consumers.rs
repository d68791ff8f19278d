//! Readers that are slower than their events: fed from history, in order, until they have caught up or it has gone on
//! without them.

use std::time::Duration;

use super::Harness;
use super::harness::{event, event_for_all};
use crate::close_reason::CloseReason;
use crate::event::Event;

#[test]
fn a_stalled_reader_costs_a_cursor_and_catches_up_in_order() {
    let mut hub = Harness::new();
    let (slow, fast) = (hub.subscribe("topic=a"), hub.subscribe("topic=a"));
    hub.set_room(slow, 100);
    let data: Vec<String> = (0..500).map(|n| n.to_string()).collect();
    for data in &data {
        hub.publish(event("a", data));
        hub.publish(event("b", "for others"));
    }
    assert_eq!(hub.data(fast), data, "nobody waits for the slow one");
    assert_eq!(hub.engine().streams_behind(), 1);
    assert_eq!(hub.engine().outgoing.len(), 1, "all that is kept for it is the rest of one frame");
    hub.unstall(slow);
    assert_eq!(hub.data(slow), data);
    assert_eq!(hub.engine().streams_behind(), 0);
    assert!(hub.counters().deliveries_from_history >= 490);
}

#[test]
fn a_reader_that_keeps_stalling_misses_nothing() {
    let mut hub = Harness::new();
    let slow = hub.subscribe("topic=a");
    let mut random = fastrand::Rng::with_seed(3);
    let mut data = Vec::new();
    for n in 0..300 {
        hub.set_room(slow, random.usize(0..300));
        let text = format!("{n} {}", "x".repeat(random.usize(0..200)));
        hub.publish(event("a", &text));
        data.push(text);
    }
    hub.unstall(slow);
    assert_eq!(hub.data(slow), data);
    assert_eq!(hub.counters().deliveries, 300);
}

#[test]
fn whoever_falls_off_the_history_is_closed() {
    let mut hub = Harness::with(|settings| settings.history.events = 10);
    let slow = hub.subscribe("topic=a");
    hub.stall(slow);
    for n in 0..10 {
        hub.publish(event("a", &n.to_string()));
    }
    assert!(!hub.is_closed(slow), "all it has yet to read is still there");
    hub.publish(event("a", "one too many"));
    assert!(hub.is_closed(slow));
    assert_eq!(hub.counters().closes[CloseReason::SlowConsumer.index()], 1);
    assert_eq!(hub.counters().durations[CloseReason::SlowConsumer.index()].buckets[0], 1);
    assert_eq!((hub.engine().streams(), hub.streams_counted(), hub.engine().streams_behind()), (0, 0, 0));
}

#[test]
fn history_that_grows_too_old_is_lost_to_slow_readers_too() {
    let mut hub = Harness::with(|settings| {
        settings.history.age = Duration::from_secs(10);
        settings.stream.dead_peer = Duration::from_secs(3600);
    });
    let slow = hub.subscribe("topic=a");
    hub.stall(slow);
    hub.publish(event("a", "x"));
    hub.advance_secs(10);
    assert!(!hub.is_closed(slow));
    hub.advance_secs(1);
    hub.publish(event("b", "for others"));
    assert!(hub.is_closed(slow));
    assert_eq!(hub.counters().closes[CloseReason::SlowConsumer.index()], 1);
}

#[test]
fn a_reader_closed_for_slowness_resumes_with_a_gap() {
    let mut hub = Harness::with(|settings| settings.history.events = 10);
    let slow = hub.subscribe("topic=a");
    let first = hub.publish(event("a", "0"));
    hub.stall(slow);
    let mut ids: Vec<String> = (1..30).map(|n| hub.publish(event("a", &n.to_string()))).collect();
    assert!(hub.is_closed(slow));
    let again = hub.subscribe(&format!("topic=a&last_event_id={first}"));
    let seen = hub.seen(again);
    assert_eq!(seen.events[0].kind, "corecast.gap");
    assert_eq!(seen.events.len(), 1 + 10);
    assert_eq!(seen.last_id(), ids.pop().unwrap());
}

#[test]
fn it_becomes_live_at_the_exact_seam() {
    // Events arrive in every turn while a stream is fed: between the look at history and the next, and in it.
    let mut hub = Harness::new();
    let slow = hub.subscribe("topic=a");
    hub.stall(slow);
    let mut expected: Vec<String> = (0..100).map(|n| format!("{n} {}", "x".repeat(500))).collect();
    expected.iter().for_each(|data| drop(hub.publish(event("a", data))));
    hub.set_room(slow, usize::MAX);
    for n in 100..140 {
        hub.sequence(event("a", &n.to_string()));
        hub.turn(0);
        expected.push(n.to_string());
    }
    hub.run_until_idle();
    assert_eq!(hub.data(slow), expected);
    assert_eq!(hub.counters().deliveries, expected.len() as u64);
    assert!(hub.counters().deliveries_from_history < expected.len() as u64, "the last ones came live");
    let largest = hub.sends(slow).iter().map(|send| send.taken).max().unwrap();
    assert!((8 * 1024..=16 * 1024).contains(&largest), "{largest}: fed in pieces that a socket takes");
}

#[test]
fn ephemeral_events_pass_a_slow_reader_by() {
    let mut hub = Harness::new();
    let slow = hub.subscribe("topic=a&topic=b");
    hub.set_room(slow, 5);
    hub.publish(event("a", "cut"));
    let ephemeral = |event| Event { ephemeral: true, ..event };
    hub.publish(ephemeral(event("a", "missed")));
    hub.publish(ephemeral(event_for_all("missed")));
    hub.publish(event("a", "kept"));
    hub.unstall(slow);
    assert_eq!(hub.data(slow), ["cut", "kept"]);
    assert_eq!(hub.counters().ephemeral_missed, 2);
}

#[test]
fn a_long_history_of_other_topics_is_passed_over() {
    let mut hub = Harness::new();
    hub.checks = false;
    hub.publish(event("a", "first"));
    for _ in 0..10_000 {
        hub.sequence(event("b", "x"));
    }
    hub.publish(event("a", "last"));
    let client = hub.subscribe("topic=a&last_event_id=earliest");
    assert_eq!(hub.data(client), ["first", "last"]);
    assert_eq!(hub.engine().streams_behind(), 0);
}

#[test]
fn a_stream_that_ends_within_a_frame_ends_with_a_reset() {
    for (room, is_cut) in [(0, false), (1, true)] {
        let mut hub = Harness::new();
        let client = hub.subscribe("topic=a");
        hub.set_room(client, room);
        hub.publish(event("a", "x"));
        hub.advance_secs(31);
        assert!(hub.is_closed(client));
        assert_eq!((hub.was_reset(client), hub.seen(client).is_cut), (is_cut, is_cut));
    }
    let mut hub = Harness::new();
    let client = hub.subscribe("topic=a");
    hub.publish(event("a", "x"));
    hub.hang_up(client);
    assert!(hub.is_closed(client) && !hub.was_reset(client));
}
