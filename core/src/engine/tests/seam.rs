//! Changing shards: a stream that has seen more than its shard has.

use super::harness::{bearer, event, event_for_all, get};
use super::{Client, Harness};
use crate::event::Event;

/// Two shards; the first holds its events back, and is behind by `count`. The id of the newest.
fn one_shard_behind(count: usize) -> (Harness, String) {
    let mut hub =
        Harness::with_shards(2, |settings| settings.stream.dead_peer = std::time::Duration::from_secs(3600));
    hub.publish(event("a", "old"));
    hub.shards[0].holds_events = true;
    let ids: Vec<_> = (0..count).map(|n| hub.publish(event("a", &n.to_string()))).collect();
    (hub, ids.last().unwrap().clone())
}

fn release_one(hub: &mut Harness) {
    hub.shards[0].holds_events = false;
    hub.turn(0);
    hub.shards[0].holds_events = true;
    hub.run_until_idle();
}

fn subscribe(hub: &mut Harness, from: &str) -> Client {
    hub.subscribe(&format!("topic=a&topic=b&last_event_id={from}"))
}

#[test]
fn what_was_seen_at_another_shard_does_not_come_again() {
    let (mut hub, newest) = one_shard_behind(3);
    let client = subscribe(&mut hub, &newest);
    assert_eq!(hub.shards[0].engine.streams_behind(), 1, "ahead of its shard: it waits");
    hub.sequence(event("a", "new"));
    release_one(&mut hub);
    assert_eq!(hub.data(client), ["new"]);
    assert_eq!(hub.shards[0].engine.streams_behind(), 0);
    assert!(hub.shards[0].engine.ahead.is_empty());
}

#[test]
fn it_is_live_from_the_event_behind() {
    let (mut hub, newest) = one_shard_behind(3);
    let client = subscribe(&mut hub, &newest);
    release_one(&mut hub);
    assert_eq!(hub.shards[0].engine.streams_behind(), 0, "live, though nothing has come since");
    hub.shards[0].holds_events = false;
    hub.publish(Event { ephemeral: true, ..event("a", "passing") });
    assert_eq!(hub.data(client), ["passing"]);
}

#[test]
fn a_word_in_between_does_not_end_the_wait_too_early() {
    // The warning of a token's end is stuck in the socket when the shard catches up.
    let (mut hub, newest) = one_shard_behind(3);
    let token = hub.token_for(None, &[], &[], std::time::Duration::from_secs(60));
    let client = hub.request(get(&format!("/events?topic=a&last_event_id={newest}"), &bearer(&token)));
    hub.set_room(client, 10);
    hub.advance_secs(31);
    assert!(hub.is_blocked(client));
    release_one(&mut hub);
    hub.shards[0].holds_events = false;
    hub.publish(event("a", "new"));
    hub.unstall(client);
    assert_eq!(hub.seen(client).kinds(), ["corecast.expiring", "message"]);
    assert_eq!(hub.data(client)[1], "new");
}

#[test]
fn who_leaves_while_ahead_is_forgotten() {
    let (mut hub, newest) = one_shard_behind(3);
    for _ in 0..100 {
        let client = subscribe(&mut hub, &newest);
        hub.hang_up(client);
    }
    assert!(hub.shards[0].engine.ahead.is_empty(), "{:?}", hub.shards[0].engine.ahead);
}

#[test]
fn a_stream_ahead_may_wait_without_a_deadline() {
    let mut hub = Harness::with_shards(2, |settings| settings.stream.idle_timeout = None);
    hub.shards[0].holds_events = true;
    let newest = hub.publish(event("a", "x"));
    let client = subscribe(&mut hub, &newest);
    hub.advance_secs(3600);
    assert!(!hub.is_closed(client));
    let heartbeats = hub.seen(client).heartbeats();
    assert!(
        heartbeats >= 230,
        "it waits for another shard, which is no silence that proxies would bear: {heartbeats}"
    );
    release_one(&mut hub);
    hub.publish(event("a", "y"));
    release_one(&mut hub);
    assert_eq!(hub.data(client), ["y"], "live again");
}

#[test]
fn a_stream_ahead_may_be_told_to_go() {
    let (mut hub, newest) = one_shard_behind(3);
    let client = subscribe(&mut hub, &newest);
    hub.drain(std::time::Duration::from_secs(1));
    hub.run_until_idle();
    assert_eq!(hub.seen(client).kinds(), ["corecast.drain"]);
    release_one(&mut hub);
    assert!(hub.is_closed(client));
}

#[test]
fn positions_with_holes_are_no_obstacle() {
    let (mut hub, newest) = one_shard_behind(3);
    let client = subscribe(&mut hub, &newest);
    // A log may leave positions out: the event that passes the cursor is itself not yet seen.
    hub.shards[0].holds_events = false;
    for _ in 0..3 {
        drop(hub.place(event_for_all("left out")));
    }
    let late = hub.place(event("b", "behind the hole"));
    let engine = &mut hub.shards[0].engine;
    engine.begin_turn(hub.now);
    engine.handle_event(late);
    while engine.poll_output().is_some() {}
    engine.assert_invariants();
    assert_eq!(engine.streams_behind(), 1);
    assert!(engine.ahead.is_empty() && engine.has_work(), "it is fed what it has not seen");
    assert!(hub.data(client).is_empty());
}
