//! Sends that fall short: a frame is never cut for good, whatever the socket takes and wherever it stops.

use super::Harness;
use super::harness::{event, get};
use crate::event::Event;

const OLD: &str = "GET /events?topic=a HTTP/1.0\r\n\r\n";

/// Publishes three events in one turn to a stream whose socket takes `room` bytes of them, and then the rest.
fn joined_send_cut_at(request: &str, room: usize) -> (Harness, super::Client) {
    let mut hub = Harness::new();
    let client = hub.request(request);
    hub.set_room(client, room);
    for data in ["one", "two\nlines", "three"] {
        hub.sequence(event("a", data));
    }
    hub.run_until_idle();
    (hub, client)
}

#[test]
fn a_joined_buffer_may_be_cut_at_every_byte() {
    for request in [&get("/events?topic=a", ""), OLD] {
        let (hub, client) = joined_send_cut_at(request, 10_000);
        let whole = hub.sends(client).last().unwrap().taken;
        for room in 0..whole {
            let (mut hub, client) = joined_send_cut_at(request, room);
            assert!(hub.is_blocked(client), "cut at {room}");
            assert_eq!(hub.counters().short_sends, 1);
            assert_eq!(hub.engine().streams_behind(), 1, "fed from history from here on");
            hub.publish(event("a", "four"));
            hub.unstall(client);
            assert_eq!(hub.data(client), ["one", "two\nlines", "three", "four"], "cut at {room}");
            assert!(!hub.seen(client).is_cut);
            assert_eq!(hub.engine().streams_behind(), 0, "live again");
            assert_eq!(hub.counters().deliveries, 4, "each is counted once, cut at {room}");
        }
    }
}

#[test]
fn a_send_from_history_may_be_cut_at_every_byte() {
    for request in [get("/events?topic=a", ""), OLD.to_owned()] {
        let request = request.replace("topic=a", "topic=a&last_event_id=earliest");
        for room in (0..).step_by(1) {
            let mut hub = Harness::new();
            for data in ["one", "two", "three"] {
                hub.publish(event("a", data));
                hub.publish(event("b", "for others"));
            }
            let client = hub.connect();
            hub.set_room(client, room);
            hub.send(client, &request);
            if !hub.is_blocked(client) {
                assert!(room > 300, "{room}");
                break;
            }
            hub.publish(event("a", "four"));
            hub.unstall(client);
            assert_eq!(hub.data(client), ["one", "two", "three", "four"], "cut at {room}");
            assert_eq!(hub.counters().deliveries, 4, "cut at {room}");
            assert_eq!(hub.counters().deliveries_from_history, 4, "cut at {room}");
            assert_eq!(hub.engine().streams_behind(), 0);
        }
    }
}

#[test]
fn a_reader_of_single_bytes_gets_everything() {
    let mut hub = Harness::new();
    let client = hub.subscribe("topic=a");
    hub.stall(client);
    for data in ["one", "two", "three"] {
        hub.sequence(event("a", data));
    }
    hub.run_until_idle();
    let mut published = 0;
    while hub.is_blocked(client) {
        hub.take_in(client, 1);
        if published < 5 {
            hub.publish(event("a", &published.to_string()));
            published += 1;
        }
    }
    assert_eq!(hub.data(client), ["one", "two", "three", "0", "1", "2", "3", "4"]);
    assert_eq!(hub.counters().deliveries, 8);
}

#[test]
fn a_cut_frame_is_finished_before_a_goodbye() {
    let mut hub = Harness::with(|settings| settings.limits.per_user = 1);
    let older = hub.subscribe_as("alice", "topic=a");
    hub.set_room(older, 20);
    hub.publish(event("a", "a somewhat longer event"));
    assert!(hub.seen(older).is_cut);
    hub.subscribe_as("alice", "topic=a");
    hub.unstall(older);
    let seen = hub.seen(older);
    assert_eq!(seen.kinds(), ["message", "corecast.evicted"]);
    assert!(seen.is_clean_end && hub.is_closed(older));
}

#[test]
fn a_cut_heartbeat_is_finished_first() {
    for room in 0..7 {
        let mut hub = Harness::new();
        let client = hub.subscribe("topic=a");
        hub.set_room(client, room);
        hub.advance_secs(16);
        assert!(hub.is_blocked(client));
        hub.publish(event("a", "x"));
        hub.unstall(client);
        let seen = hub.seen(client);
        assert_eq!((seen.data(), seen.is_cut), (vec!["x".to_owned()], false), "cut at {room}");
        assert_eq!(seen.heartbeats(), usize::from(room > 0), "of which nothing is out, nothing is owed");
    }
}

#[test]
fn a_cut_greeting_is_finished_first() {
    let mut hub = Harness::new();
    let whole = hub.subscribe("topic=a");
    let len = hub.received(whole).len();
    for room in (0..len).step_by(13) {
        let client = hub.connect();
        hub.set_room(client, room);
        hub.send(client, get("/events?topic=a", ""));
        let id = hub.publish(event("a", "x"));
        hub.unstall(client);
        assert_eq!(hub.seen(client).last_id(), id, "cut at {room}");
    }
}

#[test]
fn an_ephemeral_event_that_was_begun_is_finished_and_others_are_missed() {
    let ephemeral = |data: &str| Event { ephemeral: true, ..event("a", data) };
    for (room, expected, missed) in [(0, &["kept"][..], 2), (3, &["first", "kept"], 1)] {
        let mut hub = Harness::new();
        let client = hub.subscribe("topic=a");
        hub.set_room(client, room);
        hub.sequence(ephemeral("first"));
        hub.sequence(event("a", "kept"));
        hub.sequence(ephemeral("second"));
        hub.run_until_idle();
        hub.unstall(client);
        assert_eq!(hub.data(client), expected);
        assert_eq!(hub.counters().ephemeral_missed, missed);
    }
}

#[test]
fn ephemeral_events_that_were_waiting_are_counted_as_missed() {
    let mut hub = Harness::new();
    let client = hub.subscribe("topic=a");
    hub.set_room(client, 5);
    // More than one send takes: the second half is still waiting when the first falls short.
    for n in 0..30 {
        hub.sequence(Event { ephemeral: n % 2 == 1, ..event("a", &"x".repeat(1000)) });
    }
    hub.run_until_idle();
    hub.unstall(client);
    assert_eq!(hub.data(client).len(), 15);
    assert_eq!(hub.counters().ephemeral_missed, 15);
}
