//! Connections that an operator ends: what their clients are told, and who is left alone.

use super::harness::{bearer, event, get, post};
use super::{Client, Harness};
use crate::close_reason::CloseReason;
use crate::connection::Phase;
use crate::engine::disconnect::Disconnect;
use crate::engine::inspect::{Owner, SLICE_ROWS};
use crate::engine::tests::harness::SequencerMood;

fn away() -> Disconnect {
    Disconnect { reason: "".into(), reconnect: false }
}

fn back(reason: &str) -> Disconnect {
    Disconnect { reason: reason.into(), reconnect: true }
}

fn user(name: &str) -> Owner {
    Owner::User(name.into())
}

fn disconnect(hub: &mut Harness, client: Client, how: &Disconnect) -> bool {
    let id = hub.id_of(client);
    let disconnected = hub.engine().disconnect(id, how);
    hub.run_until_idle();
    disconnected
}

fn disconnected(hub: &Harness) -> u64 {
    hub.counters().closes[CloseReason::Disconnected.index()]
}

#[test]
fn a_client_that_shall_stay_away_is_told_so_and_ends_cleanly() {
    let mut hub = Harness::new();
    let alice = hub.subscribe_as("alice", "topic=a&client_id=one");
    assert!(disconnect(&mut hub, alice, &Disconnect { reason: "abuse".into(), reconnect: false }));
    let seen = hub.seen(alice);
    let last = seen.last();
    assert_eq!((last.kind.as_str(), last.retry), ("corecast.evicted", Some(86_400_000)));
    assert_eq!(last.data, "{\"reason\":\"disconnected\",\"message\":\"abuse\"}");
    assert!(seen.is_clean_end && hub.is_closed(alice));
    assert_eq!((hub.engine().streams(), hub.streams_counted(), disconnected(&hub)), (0, 0, 1));
}

#[test]
fn a_client_that_shall_come_back_is_told_when_and_ends_by_abort() {
    let mut hub = Harness::new();
    let alice = hub.subscribe_as("alice", "topic=a");
    assert!(disconnect(&mut hub, alice, &back("new version")));
    let seen = hub.seen(alice);
    assert_eq!((seen.last().kind.as_str(), seen.last().id.as_ref()), ("corecast.drain", None));
    let retry = seen.last().retry.unwrap();
    assert!((3000..=6000).contains(&retry), "{retry}");
    assert!(!seen.is_clean_end && !seen.is_cut && hub.is_closed(alice));
    let again = hub.subscribe_as("alice", "topic=a");
    assert_eq!(hub.status(again), 200);
}

#[test]
fn the_operators_words_cannot_break_out_of_their_place() {
    let mut hub = Harness::new();
    let words = "\"}\n\ndata: forged\r\nid: 7\u{2028}</script>\u{0}";
    for reconnect in [false, true] {
        let alice = hub.subscribe_as("alice", "topic=a");
        assert!(disconnect(&mut hub, alice, &Disconnect { reason: words.into(), reconnect }));
        let seen = hub.seen(alice);
        assert_eq!(seen.events.len(), 1, "{seen:?}");
        let data: serde_json::Value = serde_json::from_str(&seen.last().data).unwrap();
        assert_eq!((&data["reason"], &data["message"]), (&"disconnected".into(), &words.into()));
        assert_eq!(seen.last().id, None);
    }
}

#[test]
fn all_streams_of_a_user_end_and_nobody_elses() {
    let mut hub = Harness::new();
    let alice = [hub.subscribe_as("alice", "topic=a"), hub.subscribe_as("alice", "topic=b")];
    let others = [
        hub.subscribe_as("alic", "topic=a"),
        hub.subscribe("topic=a&client_id=alice"),
        hub.subscribe("topic=a"),
    ];
    assert_eq!(hub.engine().disconnect_owner(&user("alice"), &away()), 2);
    hub.run_until_idle();
    assert!(alice.iter().all(|&client| hub.is_closed(client)));
    assert!(!others.iter().any(|&client| hub.is_closed(client)));
    assert_eq!(hub.engine().disconnect_owner(&user("alice"), &away()), 0);
    assert_eq!(hub.engine().disconnect_owner(&Owner::Anonymous("alice".into()), &away()), 1);
    hub.run_until_idle();
    assert!(hub.is_closed(others[1]) && !hub.is_closed(others[2]));
}

#[test]
fn all_subscribers_of_a_selector_end_each_once() {
    let mut hub = Harness::new();
    let twice = hub.subscribe("topic=a&topic=a&topic=b");
    let once = hub.subscribe("topic=a");
    let template = hub.subscribe("topic={any}");
    let all = hub.subscribe("topic=*");
    assert_eq!(hub.engine().disconnect_selector("a", &away()), 2);
    hub.run_until_idle();
    assert!(hub.is_closed(twice) && hub.is_closed(once), "each has a goodbye of its own");
    assert!(!hub.is_closed(template) && !hub.is_closed(all), "what matches is not what is meant");
    for (selector, count) in [("a", 0), ("", 0), ("{any}", 1), ("*", 1), ("b", 0)] {
        assert_eq!(hub.engine().disconnect_selector(selector, &away()), count, "{selector:?}");
        hub.run_until_idle();
    }
    assert_eq!((hub.engine().streams(), disconnected(&hub)), (0, 4));
}

#[test]
fn a_crowd_ends_in_slices() {
    let mut hub = Harness::new();
    hub.checks = false;
    for number in 0..2 * SLICE_ROWS + 5 {
        hub.subscribe(&format!("topic=a&client_id=c{number}"));
    }
    for expected in [SLICE_ROWS, SLICE_ROWS, 5, 0] {
        assert_eq!(hub.engine().disconnect_selector("a", &back("")), expected);
        hub.run_until_idle();
    }
    hub.shards[0].engine.assert_invariants();
}

#[test]
fn a_request_that_is_not_complete_ends_too() {
    let mut hub = Harness::new();
    let silent = hub.connect();
    let half = hub.connect();
    hub.send(half, "GET /events?topic=a HTT");
    hub.mood = SequencerMood::Hesitates;
    let token = hub.publisher_token();
    let publishing = hub.request(post(&token, "{\"topics\":[\"a\"],\"data\":\"x\"}"));
    for (client, phase) in [(silent, Phase::Head), (half, Phase::Head), (publishing, Phase::Publishing)] {
        let id = hub.id_of(client);
        assert_eq!(hub.engine().inspect_connection(id).unwrap().row.phase, phase);
        assert!(disconnect(&mut hub, client, &away()), "{phase:?}");
        assert!(hub.is_closed(client) && hub.received(client).is_empty(), "{phase:?}");
    }
    // What it has published is published all the same, and the answer finds nobody.
    hub.mood = SequencerMood::Works;
    hub.run_until_idle();
    assert_eq!((hub.engine().connections(), disconnected(&hub)), (0, 3));
}

#[test]
fn what_has_gone_or_is_going_is_not_ended_again() {
    let mut hub = Harness::new();
    let alice = hub.subscribe_as("alice", "topic=a");
    hub.stall(alice);
    let id = hub.id_of(alice);
    assert!(hub.engine().disconnect(id, &away()));
    hub.run_until_idle();
    assert!(!hub.is_closed(alice), "its goodbye waits for the socket");
    assert!(!hub.engine().disconnect(id, &away()), "it has its goodbye");
    hub.unstall(alice);
    assert!(hub.is_closed(alice));
    assert!(!hub.engine().disconnect(id, &away()), "it is gone");
    let bob = hub.subscribe_as("bob", "topic=a");
    assert_eq!(hub.id_of(bob).index, id.index);
    assert!(!hub.engine().disconnect(id, &away()), "another has its slot");
    assert!(!hub.is_closed(bob));
    assert_eq!(disconnected(&hub), 1);
}

#[test]
fn a_stream_on_its_way_to_another_shard_is_left_to_arrive() {
    let mut hub = Harness::with_shards(2, |_| {});
    let mut moved = 0;
    for number in 0..20 {
        let client = hub.connect();
        let id = hub.id_of(client);
        let token = hub.token(&format!("user-{number}"));
        hub.say(client, get("/events?topic=a", &bearer(&token)));
        while hub.shards[0].engine.inspect_connection(id).is_some_and(|it| it.row.phase == Phase::Head) {
            hub.turn(0);
        }
        let phase = hub.shards[0].engine.inspect_connection(id).map(|details| details.row.phase);
        if phase != Some(Phase::Streaming) {
            moved += 1;
            assert!(!hub.shards[0].engine.disconnect(id, &away()), "{phase:?}");
        }
        hub.run_until_idle();
        assert!(!hub.is_closed(client));
    }
    assert!(moved > 0, "some of twenty users live elsewhere");
}

#[test]
fn a_slow_consumer_finishes_its_cut_frame_before_its_goodbye() {
    let mut hub = Harness::new();
    let alice = hub.subscribe_as("alice", "topic=a");
    hub.set_room(alice, 20);
    hub.publish(event("a", "a frame that is cut somewhere in its middle"));
    let id = hub.id_of(alice);
    assert!(hub.engine().disconnect(id, &away()));
    hub.unstall(alice);
    let seen = hub.seen(alice);
    assert_eq!(seen.kinds(), ["message", "corecast.evicted"]);
    assert!(seen.is_clean_end && !seen.is_cut);
}

#[test]
fn a_client_that_was_sent_away_is_answered_204_for_a_while() {
    let mut hub = Harness::new();
    let tab = |hub: &mut Harness, id: &str| hub.subscribe_as("alice", &format!("topic=a&client_id={id}"));
    let (one, two) = (tab(&mut hub, "one"), tab(&mut hub, "two"));
    assert!(disconnect(&mut hub, one, &away()));
    let again = tab(&mut hub, "one");
    assert_eq!(hub.answer(again).status, 204);
    assert!(!hub.is_closed(two));
    hub.advance_secs(60);
    let later = tab(&mut hub, "one");
    assert_eq!(hub.status(later), 200, "the memory is short, and an operator has tokens to take away");
}

#[test]
fn the_last_tab_of_a_user_that_was_sent_away_is_remembered_too() {
    let mut hub = Harness::new();
    let alone = hub.subscribe_as("alice", "topic=a&client_id=one");
    assert!(disconnect(&mut hub, alone, &away()));
    let again = hub.subscribe_as("alice", "topic=a&client_id=one");
    assert_eq!(hub.answer(again).status, 204);
}

#[test]
fn an_operator_can_end_streams_while_the_hub_drains() {
    let mut hub = Harness::new();
    let alice = hub.subscribe_as("alice", "topic=a");
    hub.engine().begin_drain(std::time::Duration::from_secs(10));
    assert!(disconnect(&mut hub, alice, &away()));
    assert!(hub.is_closed(alice));
    hub.engine().end_streams();
    hub.run_until_idle();
    assert_eq!(hub.engine().connections(), 0);
}
