//! Rare branches, each with the counter that shows it: late inputs, too many requests being read, joined buffers in
//! more mixes than are remembered, numbers that wrap.

use std::time::Duration;

use super::Harness;
use super::harness::{SequencerMood, bearer, event, event_for_user, get, post};
use crate::close_reason::CloseReason;
use crate::connection::ConnectionId;

#[test]
fn inputs_for_a_connection_that_is_no_more_are_dropped() {
    let mut hub = Harness::new();
    let client = hub.subscribe("topic=a");
    let id = hub.id_of(client);
    hub.hang_up(client);
    let unknown = ConnectionId { index: 99, generation: 0 };
    for (count, stale) in [id, unknown].into_iter().enumerate() {
        let engine = hub.engine();
        engine.handle_received(stale, b"GET");
        engine.handle_received(stale, b"");
        engine.handle_hangup(stale);
        engine.handle_writable(stale);
        engine.handle_short_send(stale, 3);
        engine.assert_invariants();
        assert_eq!(engine.counters().stale_inputs, 5 * (count as u64 + 1));
    }
}

#[test]
fn inputs_that_nobody_asked_for_are_dropped() {
    let mut hub = Harness::new();
    let token = hub.publisher_token();
    hub.mood = SequencerMood::Hesitates;
    let client = hub.request(post(&token, r#"{"all":true,"data":1}"#));
    let id = hub.id_of(client);
    hub.engine().handle_received(id, b"more");
    hub.engine().handle_writable(id);
    assert_eq!(hub.counters().stale_inputs, 1);
    hub.mood = SequencerMood::Works;
    hub.run_until_idle();
    assert_eq!(hub.answer(client).status, 200);
}

#[test]
fn room_that_nobody_waited_for_changes_nothing() {
    let mut hub = Harness::new();
    let client = hub.subscribe("topic=a");
    let id = hub.id_of(client);
    hub.engine().handle_writable(id);
    hub.publish(event("a", "x"));
    assert_eq!(hub.data(client), ["x"]);
}

#[test]
fn a_send_that_fails_ends_its_connection() {
    let mut hub = Harness::new();
    let (broken, other) = (hub.connect(), hub.subscribe("topic=a"));
    hub.say(broken, get("/events?topic=a", ""));
    hub.turn(0);
    let id = hub.id_of(broken);
    hub.engine().handle_send_failed(id);
    hub.publish(event("a", "x"));
    assert!(hub.is_closed(broken));
    assert_eq!(hub.data(other), ["x"]);
    assert_eq!(hub.counters().closes[CloseReason::PeerGone.index()], 1);
}

#[test]
fn a_stale_id_does_not_reach_the_slots_next_connection() {
    let mut hub = Harness::new();
    let first = hub.subscribe("topic=a");
    let stale = hub.id_of(first);
    hub.hang_up(first);
    let second = hub.subscribe("topic=a");
    assert_eq!(hub.id_of(second).index, stale.index);
    hub.engine().handle_hangup(stale);
    hub.publish(event("a", "x"));
    assert_eq!(hub.data(second), ["x"]);
    assert_eq!(hub.counters().stale_inputs, 1);
}

#[test]
fn what_is_being_read_is_bounded() {
    let mut hub = Harness::new();
    hub.checks = false;
    let token = hub.publisher_token();
    let body = vec![b' '; 1_000_000];
    let head = format!(
        "POST /publish HTTP/1.1\r\nHost: hub\r\n{}Content-Type: application/json\r\nContent-Length: 1048576\r\n\r\n",
        bearer(&token)
    );
    let mut taken = Vec::new();
    let refused = loop {
        let client = hub.request(&head);
        hub.send(client, &body);
        if !hub.received(client).is_empty() {
            break client;
        }
        taken.push(client);
        assert!(taken.len() < 100, "64 MiB are reached some time");
    };
    assert!(taken.len() > 20);
    let answer = hub.answer(refused);
    assert_eq!((answer.status, answer.header("Retry-After")), (503, Some("1")));
    assert!(answer.closes());
    assert_eq!(hub.counters().intake_refused, 1);
    hub.engine().assert_invariants();

    // Others finish, and there is room again.
    for client in taken {
        hub.send(client, vec![b' '; 48_576]);
        assert_eq!(hub.answer(client).status, 400);
        hub.hang_up(client);
    }
    assert_eq!(hub.engine().intake_bytes, 0);
    let client = hub.request(&head);
    hub.send(client, &body);
    assert!(hub.received(client).is_empty());
}

#[test]
fn more_mixes_than_are_remembered_are_joined_again() {
    let mut hub = Harness::new();
    let users: Vec<_> = (0..40).map(|n| format!("user-{n}")).collect();
    let streams: Vec<_> = users
        .iter()
        .flat_map(|user| [hub.subscribe_as(user, "topic=a"), hub.subscribe_as(user, "topic=a")])
        .collect();
    hub.sequence(event("a", "for all"));
    for user in &users {
        hub.sequence(event_for_user(user, user));
    }
    hub.run_until_idle();
    for (n, &stream) in streams.iter().enumerate() {
        assert_eq!(hub.data(stream), ["for all", &users[n / 2]]);
    }
    assert!(hub.counters().joined_bytes > 0);
}

#[test]
fn the_number_of_turns_may_wrap() {
    let mut hub = Harness::new();
    let client = hub.subscribe("topic=a");
    hub.engine().turn.number = u16::MAX - 2;
    for n in 0..6 {
        hub.publish(event("a", &n.to_string()));
        let late = hub.subscribe("topic=a");
        assert_eq!(hub.seen(late).head.status, 200);
    }
    assert_eq!(hub.data(client), ["0", "1", "2", "3", "4", "5"]);
}

#[test]
fn the_clock_of_the_hot_rows_may_wrap() {
    let mut hub = Harness::new();
    // A day before the 32 bits of milliseconds are through.
    hub.now.instant += Duration::from_millis(u64::from(u32::MAX)) - Duration::from_secs(30);
    let client = hub.subscribe("topic=a");
    hub.advance_secs(60);
    assert!((3..=4).contains(&hub.seen(client).heartbeats()));
    assert!(!hub.is_closed(client));
}

#[test]
fn the_same_story_gives_the_same_bytes() {
    let tell = || {
        let mut hub = Harness::with_shards(2, |settings| settings.limits.per_user = 2);
        let mut clients = Vec::new();
        for n in 0..30 {
            clients.push(hub.subscribe_as(&format!("user-{}", n % 7), "topic=a"));
            hub.publish(event("a", "x"));
            hub.advance_secs(3);
        }
        clients.into_iter().map(|client| hub.take(client)).collect::<Vec<_>>()
    };
    assert_eq!(tell(), tell());
}

#[test]
fn counters_of_what_goes_out_add_up() {
    let mut hub = Harness::new();
    let clients: Vec<_> = (0..10).map(|_| hub.subscribe("topic=a")).collect();
    for n in 0..10 {
        hub.publish(event("a", &n.to_string()));
    }
    let plain = hub.request("GET /healthz HTTP/1.1\r\nHost: hub\r\n\r\n");
    let stream = hub.request(get("/events?topic=a&last_event_id=earliest", ""));
    let all = clients.iter().chain([&plain, &stream]);
    let (bytes, sends) = all.fold((0, 0), |(bytes, sends), &client| {
        (bytes + hub.received(client).len(), sends + hub.sends(client).len())
    });
    assert_eq!((hub.counters().bytes, hub.counters().sends), (bytes as u64, sends as u64));
    assert_eq!((hub.counters().deliveries, hub.counters().deliveries_from_history), (110, 10));
}
