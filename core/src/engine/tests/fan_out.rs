//! Fan-out: one send for each connection in a turn, shared buffers, nothing copied for a single event.

use super::harness::{event, event_for_all, event_for_user};
use super::{Client, Harness};

/// Streams of everything, warmed up.
fn streams(hub: &mut Harness, count: usize) -> Vec<Client> {
    (0..count).map(|_| hub.subscribe("topic=*")).collect()
}

fn last_buffers(hub: &Harness, clients: &[Client]) -> Vec<(usize, u32)> {
    clients
        .iter()
        .map(|&client| hub.sends(client).last().map(|send| (send.turn, send.buffer)).unwrap())
        .collect()
}

#[test]
fn one_event_is_one_buffer_for_everybody() {
    let mut hub = Harness::new();
    let clients = streams(&mut hub, 30);
    let sends = hub.counters().sends;
    hub.publish(event("a", "x"));
    let buffers = last_buffers(&hub, &clients);
    assert!(buffers.iter().all(|buffer| *buffer == buffers[0]), "{buffers:?}");
    assert_eq!(hub.counters().sends - sends, 30);
    assert_eq!((hub.counters().deliveries, hub.counters().joined_bytes), (30, 0), "no byte is copied");
}

#[test]
fn what_came_in_one_turn_goes_out_in_one_send() {
    let mut hub = Harness::new();
    let clients = streams(&mut hub, 20);
    let (sends, size) = (hub.counters().sends, hub.received(clients[0]).len());
    for data in ["one", "two", "three"] {
        hub.sequence(event("a", data));
    }
    hub.run_until_idle();
    let buffers = last_buffers(&hub, &clients);
    assert!(buffers.iter().all(|buffer| *buffer == buffers[0]), "the same mix is the same buffer");
    assert_eq!((hub.counters().sends - sends, hub.counters().deliveries), (20, 60));
    let joined = hub.received(clients[0]).len() - size;
    assert_eq!(hub.counters().joined_bytes, joined as u64, "joined once, for all");
    for client in clients {
        assert_eq!(hub.data(client), ["one", "two", "three"]);
    }
}

#[test]
fn subscribers_of_different_topics_share_what_they_have_in_common() {
    let mut hub = Harness::new();
    let both: Vec<_> = (0..5).map(|_| hub.subscribe("topic=a&topic=b")).collect();
    let one: Vec<_> = (0..5).map(|_| hub.subscribe("topic=a")).collect();
    hub.sequence(event("a", "x"));
    hub.sequence(event("b", "y"));
    hub.run_until_idle();
    let joined = hub.sends(both[0]).last().unwrap().taken;
    assert_eq!(hub.counters().joined_bytes, joined as u64, "joined once, whoever stands between");
    assert_eq!((hub.data(both[4]), hub.data(one[4])), (vec!["x".into(), "y".into()], vec!["x".into()]));
}

#[test]
fn each_framing_has_its_own_buffer() {
    let mut hub = Harness::new();
    let new = hub.subscribe("topic=a");
    let old = hub.request("GET /events?topic=a HTTP/1.0\r\n\r\n");
    for _ in 0..2 {
        hub.sequence(event("a", "x"));
        hub.sequence(event("a", "y"));
        hub.run_until_idle();
    }
    for client in [new, old] {
        assert_eq!(hub.data(client), ["x", "y", "x", "y"]);
    }
}

#[test]
fn more_than_a_socket_takes_goes_out_in_pieces_and_in_order() {
    let mut hub = Harness::new();
    let client = hub.subscribe("topic=a");
    let data: Vec<String> = (0..40).map(|n| format!("{n} {}", "x".repeat(1000))).collect();
    data.iter().for_each(|data| drop(hub.sequence(event("a", data))));
    hub.run_until_idle();
    assert_eq!(hub.data(client), data);
    let sizes: Vec<_> = hub.sends(client)[1..].iter().map(|send| send.taken).collect();
    assert!(sizes.iter().all(|&size| size <= 32 * 1024), "{sizes:?}");
    assert!(sizes.len() <= 2, "{sizes:?}");
}

#[test]
fn an_event_larger_than_a_join_goes_out_alone() {
    let mut hub = Harness::new();
    let client = hub.subscribe("topic=a");
    let large = "x".repeat(60_000);
    for data in ["small", &large, "small"] {
        hub.sequence(event("a", data));
    }
    hub.run_until_idle();
    assert_eq!(hub.data(client), ["small", &large, "small"]);
}

#[test]
fn the_window_holds_events_back_and_lets_go() {
    let mut hub = Harness::new();
    let clients = streams(&mut hub, 3);
    let data: Vec<String> = (0..1000).map(|n| n.to_string()).collect();
    data.iter().for_each(|data| drop(hub.sequence(event("a", data))));
    hub.run_until_idle();
    for client in clients {
        assert_eq!(hub.data(client), data);
        // 64 events at a time, each batch in one send.
        assert_eq!(hub.sends(client).len(), 1 + 1000_usize.div_ceil(64));
    }
}

#[test]
fn order_is_the_logs_whatever_the_audience() {
    let mut hub = Harness::new();
    let alice = hub.subscribe_as("alice", "topic=a&topic=b");
    for round in 0..100 {
        hub.sequence(event("a", &format!("{round} a")));
        hub.sequence(event_for_user("alice", &format!("{round} user")));
        hub.sequence(event_for_all(&format!("{round} all")));
        hub.sequence(event("b", &format!("{round} b")));
        if round % 7 == 0 {
            hub.run_until_idle();
        }
    }
    hub.run_until_idle();
    let expected: Vec<String> =
        (0..100).flat_map(|round| ["a", "user", "all", "b"].map(|kind| format!("{round} {kind}"))).collect();
    assert_eq!(hub.data(alice), expected);
}

#[test]
fn an_event_for_nobody_takes_no_place() {
    let mut hub = Harness::new();
    let client = hub.subscribe("topic=a");
    for _ in 0..500 {
        hub.sequence(event("b", "x"));
    }
    hub.run_until_idle();
    assert_eq!((hub.sends(client).len(), hub.counters().deliveries), (1, 0));
    assert_eq!(hub.counters().events, 500);
}

/// Steady fan-out and timers, counted by an allocator: nothing is allocated for a delivery.
#[test]
fn a_delivery_allocates_nothing() {
    let mut hub = Harness::new();
    hub.checks = false;
    let clients = streams(&mut hub, 1000);
    for _ in 0..200 {
        hub.publish(event("a", "warm"));
    }
    let events: Vec<_> = (0..50).map(|_| hub.place(event("a", "x"))).collect();
    let now = hub.now;
    let engine = hub.engine();
    let mut sends = 0;
    let measured = allocation_counter::measure(|| {
        for event in events {
            engine.begin_turn(now);
            engine.handle_event(event);
            while engine.has_work() {
                while let Some(output) = engine.poll_output() {
                    sends += usize::from(matches!(output, crate::engine::output::Output::Send { .. }));
                }
                engine.begin_turn(now);
            }
        }
    });
    assert_eq!(sends, 50 * clients.len());
    // One for each event is the count of owners that its first `Bytes` makes; the history's queues double now and then.
    assert!(measured.count_total <= 50 + 4, "{measured:?}");
}

#[test]
fn heartbeats_allocate_nothing() {
    let mut hub = Harness::new();
    hub.checks = false;
    let clients = streams(&mut hub, 1000);
    hub.advance_secs(60);
    let (mut now, heartbeats) = (hub.now, hub.counters().heartbeats);
    let engine = hub.engine();
    let end = now.instant + std::time::Duration::from_secs(60);
    let measured = allocation_counter::measure(|| {
        while let Some(next) = engine.poll_timeout().filter(|&next| next < end) {
            now.instant = next.max(now.instant);
            engine.begin_turn(now);
            while engine.poll_output().is_some() {}
            while engine.has_work() {
                engine.begin_turn(now);
                while engine.poll_output().is_some() {}
            }
        }
    });
    let heartbeats = hub.counters().heartbeats - heartbeats;
    assert!(heartbeats >= 4 * clients.len() as u64, "{heartbeats}");
    assert_eq!(measured.count_total, 0, "{measured:?}");
}
