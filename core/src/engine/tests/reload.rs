//! Settings that change while streams are open: what holds at once, what soon, and what stays as it was told.

use std::time::Duration;

use super::Harness;
use super::harness::{event, get};
use crate::close_reason::CloseReason;
use crate::engine::reload::REARMED_A_TURN;
use crate::limits::HISTORY_TRIM_MAX;
use crate::settings::PerUserPolicy;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_shorter_heartbeat_is_kept_by_streams_that_are_open() {
    let mut hub = Harness::with(|settings| settings.stream.heartbeat = Some(60 * SECOND));
    let client = hub.subscribe("topic=a");
    hub.advance_secs(20);
    let before = hub.received(client).len();
    hub.reload(|settings| settings.stream.heartbeat = Some(5 * SECOND));
    assert_eq!(hub.received(client).len(), before + 7, "the silence was too long already");
    hub.advance_secs(5);
    assert_eq!(hub.received(client).len(), before + 14);
}

#[test]
fn heartbeats_are_switched_on_and_off() {
    let mut hub = Harness::with(|settings| {
        settings.stream.heartbeat = None;
        settings.stream.idle_timeout = None;
    });
    let client = hub.subscribe("topic=a");
    hub.advance_secs(100);
    let before = hub.received(client).len();
    assert_eq!(hub.counters().heartbeats, 0);
    hub.reload(|settings| settings.stream.heartbeat = Some(SECOND));
    hub.advance_secs(10);
    let beats = hub.counters().heartbeats;
    assert!((10..=14).contains(&beats) && hub.received(client).len() > before, "{beats}");
    hub.reload(|settings| settings.stream.heartbeat = None);
    hub.advance_secs(10);
    assert_eq!(hub.counters().heartbeats, beats);
}

#[test]
fn streams_that_are_too_old_under_a_new_age_end() {
    let mut hub = Harness::new();
    let old = hub.subscribe("topic=a");
    hub.advance_secs(100);
    let young = hub.subscribe("topic=a");
    hub.reload(|settings| settings.stream.max_age = Some(50 * SECOND));
    hub.advance(Duration::from_millis(20));
    assert!(hub.is_closed(old) && !hub.is_closed(young));
    hub.reload(|settings| settings.stream.max_age = None);
    hub.advance_secs(100);
    assert!(!hub.is_closed(young));
    assert_eq!(hub.counters().closes[CloseReason::MaxAge.index()], 1);
}

#[test]
fn a_shorter_patience_holds_for_peers_that_take_nothing_already() {
    let mut hub = Harness::with(|settings| settings.stream.dead_peer = 60 * SECOND);
    let client = hub.subscribe("topic=a");
    hub.stall(client);
    hub.publish(event("a", "x"));
    hub.advance_secs(20);
    assert!(!hub.is_closed(client));
    hub.reload(|settings| settings.stream.dead_peer = 25 * SECOND);
    hub.advance_secs(4);
    assert!(!hub.is_closed(client));
    hub.advance_secs(2);
    assert!(hub.is_closed(client));
    assert_eq!(hub.counters().closes[CloseReason::DeadPeer.index()], 1);
}

#[test]
fn an_idle_timeout_is_switched_on_for_streams_that_are_open() {
    let mut hub = Harness::with(|settings| {
        settings.stream.heartbeat = None;
        settings.stream.idle_timeout = None;
    });
    let client = hub.subscribe("topic=a");
    hub.advance_secs(1000);
    hub.reload(|settings| settings.stream.idle_timeout = Some(1010 * SECOND));
    hub.advance_secs(9);
    assert!(!hub.is_closed(client));
    hub.advance_secs(2);
    assert!(hub.is_closed(client));
}

#[test]
fn a_silence_that_was_allowed_ends_with_a_heartbeat_and_not_with_the_stream() {
    let mut hub = Harness::with(|settings| {
        settings.stream.heartbeat = None;
        settings.stream.idle_timeout = None;
    });
    let client = hub.subscribe("topic=a");
    hub.advance_secs(1000);
    hub.reload(|settings| {
        settings.stream.heartbeat = Some(15 * SECOND);
        settings.stream.idle_timeout = Some(60 * SECOND);
    });
    hub.advance_secs(1);
    assert!(!hub.is_closed(client) && hub.counters().heartbeats == 1);
}

#[test]
fn whoever_comes_back_has_its_own_place_also_under_a_lowered_limit() {
    let mut hub = Harness::with(|settings| settings.limits.per_user = 1);
    let old = hub.subscribe_as("alice", "client_id=tab-1");
    hub.subscribe_as("bob", "topic=a");
    hub.reload(|settings| (settings.limits.connections, settings.limits.per_ip) = (1, 1));
    let new = hub.subscribe_as("alice", "client_id=tab-1");
    assert!(hub.is_closed(old) && !hub.is_closed(new));
    let newer = hub.subscribe_as("alice", "topic=a");
    assert!(hub.is_closed(new) && !hub.is_closed(newer));
    assert_eq!((hub.engine().streams(), hub.streams_counted()), (2, 2));
}

#[test]
fn a_request_that_has_begun_keeps_its_time() {
    let mut hub = Harness::new();
    let begun = hub.request("GET /heal");
    hub.reload(|settings| settings.limits.head_timeout = SECOND);
    let later = hub.request("GET /heal");
    hub.advance_secs(3);
    assert!(!hub.is_closed(begun) && hub.is_closed(later));
    hub.advance_secs(10);
    assert!(hub.is_closed(begun));
}

#[test]
fn limits_hold_for_the_next_stream() {
    let mut hub = Harness::with(|settings| settings.limits.connections = 1);
    let first = hub.subscribe("topic=a");
    let refused = hub.subscribe("topic=a");
    assert!(hub.is_closed(refused));
    hub.reload(|settings| settings.limits.connections = 3);
    let (second, third) = (hub.subscribe("topic=a"), hub.subscribe("topic=a"));
    hub.reload(|settings| settings.limits.connections = 2);
    let refused = hub.subscribe("topic=a");
    assert!(hub.is_closed(refused));
    assert!([first, second, third].into_iter().all(|stream| !hub.is_closed(stream)), "who is in stays");
    hub.reload(|settings| (settings.limits.connections, settings.limits.per_ip) = (10, 3));
    let refused = hub.subscribe("topic=a");
    assert!(hub.seen(refused).events[0].data.contains("per_ip"), "those who came before it was set count");
}

#[test]
fn the_limit_of_a_user_and_its_policy_hold_for_the_next_stream() {
    let mut hub = Harness::new();
    let streams: Vec<_> = (0..100).map(|_| hub.subscribe_as("alice", "topic=a")).collect();
    hub.reload(|settings| {
        settings.limits.per_user = 2;
        settings.limits.per_user_policy = PerUserPolicy::RejectNewest;
    });
    let refused = hub.subscribe_as("alice", "topic=a");
    assert!(hub.is_closed(refused) && hub.engine().streams() == 100);
    hub.reload(|settings| settings.limits.per_user_policy = PerUserPolicy::EvictOldest);
    hub.subscribe_as("alice", "topic=a");
    assert_eq!(hub.engine().streams(), 36, "a turn ends so many, the next stream the others");
    hub.subscribe_as("alice", "topic=a");
    assert_eq!(hub.engine().streams(), 2);
    assert!(streams.iter().all(|&stream| hub.is_closed(stream)));
}

#[test]
fn origins_and_anonymous_streams_follow_at_once() {
    let mut hub = Harness::new();
    let request = get("/events?topic=a", "Origin: https://app.example\r\n");
    let refused = hub.request(&request);
    assert!(!hub.text(refused).to_lowercase().contains("access-control-allow-origin"));
    hub.reload(|settings| settings.cors.origins = vec!["https://app.example".into()]);
    let allowed = hub.request(&request);
    assert!(hub.text(allowed).to_lowercase().contains("access-control-allow-origin: https://app.example"));
    hub.reload(|settings| settings.anonymous = false);
    let refused = hub.request(&request);
    assert_eq!(hub.status(refused), 401);
}

#[test]
fn the_next_stream_is_told_the_new_reconnection_time() {
    let mut hub = Harness::new();
    let first = hub.subscribe("topic=a");
    hub.reload(|settings| settings.stream.retry = 100 * SECOND);
    let second = hub.subscribe("topic=a");
    assert!(hub.seen(first).retry <= 6000);
    assert!((100_000..=200_000).contains(&hub.seen(second).retry));
}

#[test]
fn a_shorter_history_is_cut_a_bounded_part_in_each_turn() {
    let mut hub = Harness::new();
    let total = 10 * HISTORY_TRIM_MAX;
    (0..total).for_each(|_| drop(hub.sequence(event("a", "x"))));
    hub.run_until_idle();
    assert_eq!(hub.engine().history_occupancy().0, total);
    let mut settings = hub.engine().settings().clone();
    settings.history.events = 5;
    hub.engine().replace_settings(settings);
    let mut before = total;
    while hub.engine().has_work() {
        hub.turn(0);
        let now = hub.engine().history_occupancy().0;
        assert!(before - now <= HISTORY_TRIM_MAX);
        before = now;
    }
    assert_eq!(before, 5);
}

#[test]
fn timers_are_set_again_a_bounded_number_in_each_turn() {
    let mut hub = Harness::with(|settings| settings.stream.heartbeat = None);
    hub.checks = false;
    let clients = 2 * REARMED_A_TURN + 100;
    for _ in 0..clients {
        hub.subscribe("topic=a");
    }
    let mut settings = hub.engine().settings().clone();
    settings.stream.heartbeat = Some(2 * SECOND);
    hub.engine().replace_settings(settings);
    for left in [REARMED_A_TURN + 100, 100, 0] {
        assert!(hub.engine().has_work());
        hub.turn(0);
        assert_eq!(hub.engine().to_rearm.len(), left as usize);
    }
    hub.engine().assert_invariants();
    hub.advance_secs(3);
    assert_eq!(hub.counters().heartbeats / u64::from(clients), 1);
}

#[test]
fn a_second_reload_within_the_first_begins_again() {
    let mut hub = Harness::with(|settings| settings.stream.heartbeat = None);
    hub.checks = false;
    for _ in 0..2 * REARMED_A_TURN {
        hub.subscribe("topic=a");
    }
    for heartbeat in [100, 1] {
        let mut settings = hub.engine().settings().clone();
        settings.stream.heartbeat = Some(heartbeat * SECOND);
        hub.engine().replace_settings(settings);
        hub.turn(0);
    }
    hub.advance_secs(2);
    assert!(hub.counters().heartbeats >= u64::from(2 * REARMED_A_TURN));
}
