//! Fairness: a turn is bounded, and small things do not stand behind large ones.

use super::Harness;
use super::harness::{event, event_for_all, event_for_user, get};
use crate::engine::turn::TURN_SENDS_MAX;

/// A hub with ten thousand streams of `crowd`.
fn crowded() -> (Harness, Vec<super::Client>) {
    let mut hub = Harness::with(|settings| settings.limits.connections = 20_000);
    hub.checks = false;
    let clients = (0..10_000)
        .map(|_| {
            let client = hub.connect();
            hub.say(client, get("/events?topic=crowd", ""));
            client
        })
        .collect();
    hub.run_until_idle();
    (hub, clients)
}

#[test]
fn a_fan_out_to_ten_thousand_takes_many_turns() {
    let (mut hub, clients) = crowded();
    let (turns, sends) = (hub.turns(), hub.counters().sends);
    hub.publish(event("crowd", "x"));
    // That no turn has more sends than its budget is asserted by the harness.
    assert_eq!(hub.counters().sends - sends, 10_000);
    let (turns, least) = (hub.turns() - turns, 10_000_usize.div_ceil(TURN_SENDS_MAX));
    assert!((least..=least + 3).contains(&turns), "{turns} turns of {TURN_SENDS_MAX}");
    assert!(clients.iter().all(|&client| hub.data(client) == ["x"]));
    hub.engine().assert_invariants();
}

#[test]
fn a_small_event_is_not_behind_a_large_one() {
    let (mut hub, _) = crowded();
    let alone = hub.subscribe("topic=alone");
    let alice = hub.subscribe_as("alice", "topic=crowd");
    hub.sequence(event("crowd", "x"));
    hub.turn(0);
    hub.sequence(event("alone", "small"));
    hub.sequence(event_for_user("alice", "small"));
    // The large event's own first recipients stand before it, 64 of ten thousand.
    (0..512 / TURN_SENDS_MAX).for_each(|_| hub.turn(0));
    assert_eq!(hub.data(alone), ["small"]);
    assert_eq!(hub.data(alice).last().unwrap(), "small", "with what came before, since order is the log's");
    hub.run_until_idle();
    assert_eq!(hub.data(alice), ["x", "small"]);
}

#[test]
fn a_request_is_not_behind_a_large_event() {
    let (mut hub, _) = crowded();
    let client = hub.connect();
    hub.sequence(event_for_all("x"));
    hub.turn(0);
    hub.say(client, "GET /healthz HTTP/1.1\r\nHost: hub\r\n\r\n");
    hub.turn(0);
    assert_eq!(hub.answer(client).status, 200);
    let stream = hub.connect();
    hub.say(stream, get("/events?topic=alone", ""));
    hub.turn(0);
    assert_eq!(hub.seen(stream).head.status, 200);
}

#[test]
fn resumers_do_not_wait_for_a_fan_out_nor_hold_it_up() {
    let (mut hub, clients) = crowded();
    for n in 0..100 {
        hub.sequence(event("alone", &n.to_string()));
    }
    hub.run_until_idle();
    hub.sequence(event("crowd", "x"));
    let resumers: Vec<_> = (0..50)
        .map(|_| {
            let client = hub.connect();
            hub.say(client, get("/events?topic=alone&last_event_id=earliest", ""));
            client
        })
        .collect();
    let turns = hub.turns();
    while !resumers.iter().all(|&client| hub.received(client).len() > 3000) {
        hub.turn(0);
    }
    assert!(hub.turns() - turns < 20, "{}", hub.turns() - turns);
    hub.run_until_idle();
    assert!(clients.iter().all(|&client| hub.data(client) == ["x"]));
}

#[test]
fn a_look_at_history_that_finds_nothing_costs_a_place_in_the_turn() {
    let mut hub = Harness::new();
    hub.checks = false;
    for _ in 0..20_000 {
        hub.sequence(event("b", "x"));
    }
    hub.run_until_idle();
    let clients: Vec<_> = (0..500)
        .map(|_| {
            let client = hub.connect();
            hub.say(client, get("/events?topic=a&last_event_id=earliest", ""));
            client
        })
        .collect();
    let turns = hub.turns();
    hub.run_until_idle();
    // 500 greetings, and five looks for each of them, since a look passes over 4,096 events at most.
    let places = 500 + 500 * 5;
    assert!(hub.turns() - turns >= places / TURN_SENDS_MAX, "{}", hub.turns() - turns);
    assert!(clients.iter().all(|&client| hub.data(client).is_empty()));
    assert_eq!(hub.engine().streams_behind(), 0);
}

#[test]
fn nobody_is_always_last() {
    let mut hub = Harness::new();
    let clients: Vec<_> = (0..300).map(|_| hub.subscribe("topic=a")).collect();
    let mut last_turns = vec![0; clients.len()];
    for _ in 0..60 {
        hub.publish(event("a", "x"));
        let last = clients.iter().map(|&client| hub.sends(client).last().unwrap().turn).max().unwrap();
        for (count, &client) in last_turns.iter_mut().zip(&clients) {
            *count += usize::from(hub.sends(client).last().unwrap().turn == last);
        }
    }
    assert!(last_turns.iter().all(|&count| count < 60), "{last_turns:?}");
}
