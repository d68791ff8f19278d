//! What happens because time passes: heartbeats, the end of tokens, idleness, age, and peers that are gone.

use std::time::Duration;

use super::harness::{bearer, event, event_for_user, get};
use super::{Client, Harness};
use crate::close_reason::CloseReason;

fn closes(hub: &Harness, reason: CloseReason) -> u64 {
    hub.counters().closes[reason.index()]
}

fn with_token(hub: &mut Harness, seconds: u64) -> Client {
    let token = hub.token_for(Some("alice"), &[], &[], Duration::from_secs(seconds));
    hub.request(get("/events", &bearer(&token)))
}

#[test]
fn a_silent_stream_gets_a_heartbeat() {
    let mut hub = Harness::new();
    let client = hub.subscribe("topic=a");
    hub.take(client);
    hub.advance_secs(11);
    assert!(hub.received(client).is_empty(), "not before three quarters of the time");
    hub.advance(Duration::from_millis(4_100));
    assert_eq!(hub.text(client), "2\r\n:\n\r\n");
    assert_eq!(hub.counters().heartbeats, 1);
    hub.advance_secs(15);
    assert_eq!(hub.text(client), "2\r\n:\n\r\n");
}

#[test]
fn an_event_resets_the_silence() {
    let mut hub = Harness::new();
    let client = hub.subscribe("topic=a");
    for _ in 0..30 {
        hub.advance_secs(10);
        hub.publish(event("a", "x"));
    }
    assert_eq!(hub.seen(client).heartbeats(), 0);
    assert_eq!(hub.counters().heartbeats, 0);
}

#[test]
fn heartbeats_are_spread_and_nobody_is_silent_for_too_long() {
    let mut hub = Harness::new();
    hub.checks = false;
    let clients: Vec<_> = (0..1000).map(|_| hub.subscribe("topic=a")).collect();
    hub.publish(event("a", "to all of them at once"));
    let mut most = 0;
    let mut before = hub.counters().heartbeats;
    for _ in 0..151 {
        hub.advance(Duration::from_millis(100));
        most = most.max(hub.counters().heartbeats - before);
        before = hub.counters().heartbeats;
    }
    assert!(most < 60, "{most} in a tenth of a second");
    assert!(clients.iter().all(|&client| hub.seen(client).heartbeats() >= 1));
}

#[test]
fn a_heartbeat_that_an_event_has_overtaken_is_not_sent() {
    let mut hub = Harness::new();
    hub.checks = false;
    let clients: Vec<_> = (0..1000).map(|_| hub.subscribe("topic=a")).collect();
    let late = hub.now.instant + Duration::from_secs(20);
    // A host that was held up: all are silent for too long, and an event comes before the heartbeats are out.
    hub.now.instant = late;
    hub.sequence(event("a", "x"));
    hub.turn(0);
    hub.run_until_idle();
    let heartbeats: usize = clients.iter().map(|&client| hub.seen(client).heartbeats()).sum();
    assert!(heartbeats <= 128, "{heartbeats}");
}

#[test]
fn a_page_can_ask_for_heartbeats_that_it_sees() {
    let mut hub = Harness::new();
    let client = hub.request("GET /events?topic=a&heartbeat=event HTTP/1.0\r\n\r\n");
    hub.advance_secs(16);
    let seen = hub.seen(client);
    assert_eq!((seen.last().kind.as_str(), seen.last().data.as_str()), ("corecast.heartbeat", "{}"));
    assert_eq!(seen.heartbeats(), 0);
}

#[test]
fn heartbeats_can_be_off() {
    let mut hub = Harness::with(|settings| settings.stream.heartbeat = None);
    let client = hub.subscribe("topic=a");
    hub.advance_secs(250);
    assert_eq!(hub.seen(client).heartbeats(), 0);
    assert!(!hub.is_closed(client));
}

#[test]
fn without_heartbeats_an_idle_stream_ends() {
    let mut hub = Harness::with(|settings| settings.stream.heartbeat = None);
    let (idle, busy) = (hub.subscribe("topic=a"), hub.subscribe("topic=b"));
    hub.advance_secs(200);
    hub.publish(event("b", "x"));
    hub.advance_secs(101);
    assert!(hub.is_closed(idle) && !hub.is_closed(busy));
    hub.advance_secs(200);
    assert!(hub.is_closed(busy));
    assert_eq!(closes(&hub, CloseReason::IdleTimeout), 2);
}

#[test]
fn a_stream_needs_no_deadline_at_all() {
    let mut hub = Harness::with(|settings| {
        settings.stream.heartbeat = None;
        settings.stream.idle_timeout = None;
    });
    let client = hub.subscribe("topic=a");
    assert_eq!(hub.engine().poll_timeout(), None);
    hub.advance_secs(100_000);
    hub.publish(event("a", "x"));
    assert_eq!(hub.data(client), ["x"]);
}

#[test]
fn a_stream_is_warned_before_its_token_ends_and_ends_with_it() {
    let mut hub = Harness::new();
    let client = with_token(&mut hub, 60);
    hub.advance_secs(29);
    assert!(hub.seen(client).events.is_empty());
    hub.advance(Duration::from_millis(1_100));
    let seen = hub.seen(client);
    let warning = seen.last();
    assert_eq!((warning.kind.as_str(), warning.data.as_str()), ("corecast.expiring", r#"{"seconds":30}"#));
    assert!((1000..=3000).contains(&warning.retry.unwrap()));
    hub.publish(event_for_user("alice", "still"));
    assert_eq!(hub.data(client)[1], "still", "the stream goes on");
    hub.advance(Duration::from_millis(29_800));
    assert!(!hub.is_closed(client));
    hub.advance_secs(1);
    let seen = hub.seen(client);
    assert!(hub.is_closed(client) && !seen.is_clean_end, "an abort: who has another token comes back");
    assert_eq!(seen.kinds().iter().filter(|kind| *kind == "corecast.expiring").count(), 1);
    assert_eq!(closes(&hub, CloseReason::TokenExpired), 1);
}

#[test]
fn a_token_that_ends_soon_is_warned_of_at_once() {
    let mut hub = Harness::new();
    let client = with_token(&mut hub, 10);
    hub.advance(Duration::from_millis(100));
    assert_eq!(hub.seen(client).last().data, r#"{"seconds":10}"#);
    hub.advance_secs(11);
    assert!(hub.is_closed(client));
}

#[test]
fn a_warning_stands_between_events() {
    let mut hub = Harness::new();
    let client = with_token(&mut hub, 60);
    for n in 0..70 {
        hub.sequence(event_for_user("alice", &n.to_string()));
        hub.advance(Duration::from_millis(500));
    }
    let mut seen = hub.seen(client);
    seen.events.retain(|event| event.kind == "message");
    assert_eq!(seen.data(), (0..70).map(|n| n.to_string()).collect::<Vec<_>>());
}

#[test]
fn a_jump_of_the_wall_clock_is_noticed_within_a_minute() {
    let mut hub = Harness::with(|settings| {
        settings.stream.heartbeat = None;
        settings.stream.idle_timeout = None;
    });
    let client = with_token(&mut hub, 86_400);
    hub.advance_secs(1);
    hub.jump_wall_clock(Duration::from_secs(86_400));
    hub.advance_secs(61);
    assert!(hub.is_closed(client));
    assert_eq!(closes(&hub, CloseReason::TokenExpired), 1);
}

#[test]
fn streams_end_with_age_but_not_together() {
    let mut hub = Harness::with(|settings| settings.stream.max_age = Some(Duration::from_secs(1000)));
    hub.checks = false;
    let clients: Vec<_> = (0..100).map(|_| hub.subscribe("topic=a")).collect();
    hub.advance_secs(799);
    assert_eq!(hub.engine().streams(), 100);
    let mut most = 0;
    for _ in 0..20 {
        let before = hub.engine().streams();
        hub.advance_secs(10);
        most = most.max(before - hub.engine().streams());
    }
    hub.advance_secs(2);
    assert!(most < 20, "{most} of 100 in a twentieth of the spread");
    assert!(clients.iter().all(|&client| hub.is_closed(client) && !hub.seen(client).is_clean_end));
    assert_eq!(closes(&hub, CloseReason::MaxAge), 100);
}

#[test]
fn a_peer_that_takes_nothing_is_dead() {
    let mut hub = Harness::new();
    let client = hub.subscribe("topic=a");
    hub.set_room(client, 3);
    hub.publish(event("a", "x"));
    hub.advance_secs(29);
    assert!(!hub.is_closed(client));
    hub.advance_secs(2);
    assert!(hub.is_closed(client));
    assert_eq!(closes(&hub, CloseReason::DeadPeer), 1);
}

#[test]
fn a_peer_that_takes_nothing_is_dead_however_often_room_is_announced() {
    let mut hub = Harness::new();
    let client = hub.subscribe("topic=a");
    hub.set_room(client, 3);
    hub.publish(event("a", "x"));
    for _ in 0..29 {
        hub.advance_secs(1);
        hub.take_in(client, 0);
    }
    assert!(!hub.is_closed(client));
    hub.advance_secs(2);
    assert!(hub.is_closed(client));
}

#[test]
fn a_cut_network_is_noticed_by_the_heartbeat_in_the_end() {
    let mut hub = Harness::new();
    let client = hub.subscribe("topic=a");
    hub.stall(client);
    hub.advance_secs(15 + 30 + 1);
    assert!(hub.is_closed(client));
    assert_eq!(closes(&hub, CloseReason::DeadPeer), 1);
}

#[test]
fn a_peer_that_takes_a_little_lives() {
    let mut hub = Harness::new();
    let client = hub.subscribe("topic=a");
    hub.stall(client);
    hub.publish(event("a", "a longer text than ten such sips take"));
    for _ in 0..10 {
        hub.advance_secs(25);
        hub.take_in(client, 3);
    }
    assert!(hub.is_blocked(client) && !hub.is_closed(client));
}

#[test]
fn the_duration_of_a_stream_is_counted_by_reason() {
    let mut hub = Harness::new();
    for seconds in [0, 10, 100] {
        let client = hub.subscribe("topic=a");
        hub.advance_secs(seconds);
        hub.hang_up(client);
    }
    let durations = &hub.counters().durations[CloseReason::PeerGone.index()];
    assert_eq!(durations.buckets[..5], [1, 0, 1, 0, 1]);
    assert_eq!(durations.sum_ms, 110_000);
}
