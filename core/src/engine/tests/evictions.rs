//! Evictions: what the older stream is told, and that two tabs do not evict each other in turn.

use super::harness::{bearer, event, get};
use super::{Client, Harness};
use crate::close_reason::CloseReason;

fn hub() -> Harness {
    Harness::with(|settings| settings.limits.per_user = 1)
}

fn tab(hub: &mut Harness, user: &str, tab: &str) -> Client {
    hub.subscribe_as(user, &format!("topic=a&client_id={tab}"))
}

#[test]
fn the_older_stream_is_told_to_stay_away() {
    let mut hub = hub();
    let older = hub.subscribe_as("alice", "topic=a");
    hub.publish(event("a", "x"));
    let newer = hub.subscribe_as("alice", "topic=a");
    let seen = hub.seen(older);
    let last = seen.last();
    assert_eq!(
        (last.kind.as_str(), last.data.as_str(), last.retry),
        ("corecast.evicted", "{}", Some(86_400_000))
    );
    assert_eq!(last.id, None, "the cursor stays");
    assert!(seen.is_clean_end && hub.is_closed(older));
    hub.publish(event("a", "y"));
    assert_eq!(hub.data(newer), ["y"]);
}

#[test]
fn http_1_0_is_evicted_by_the_close_alone() {
    let mut hub = hub();
    let token = hub.token("alice");
    let older = hub.request(format!("GET /events HTTP/1.0\r\n{}\r\n", bearer(&token)));
    hub.subscribe_as("alice", "");
    let text = hub.text(older);
    assert!(text.ends_with("event: corecast.evicted\nretry: 86400000\ndata: {}\n\n"), "{text}");
    assert!(hub.is_closed(older));
}

#[test]
fn an_evicted_tab_that_comes_back_is_answered_204_for_a_while() {
    let mut hub = hub();
    let first = tab(&mut hub, "alice", "one");
    let second = tab(&mut hub, "alice", "two");
    assert!(hub.is_closed(first));
    for _ in 0..3 {
        let again = tab(&mut hub, "alice", "one");
        let answer = hub.answer(again);
        assert!(answer.status == 204 && hub.is_closed(again));
        assert!(!hub.is_closed(second), "no ping-pong");
        hub.advance_secs(5);
    }
    assert_eq!((hub.counters().evicted_returns, hub.engine().streams()), (3, 1));
    hub.advance_secs(16);
    let again = tab(&mut hub, "alice", "one");
    assert!(hub.is_closed(second) && !hub.is_closed(again), "a person has come back to that tab");
}

#[test]
fn another_users_tab_of_the_same_name_is_not_meant() {
    let mut hub = hub();
    tab(&mut hub, "alice", "one");
    tab(&mut hub, "alice", "two");
    let other = tab(&mut hub, "bob", "one");
    assert!(!hub.is_closed(other));
    assert_eq!(hub.counters().evicted_returns, 0);
}

#[test]
fn an_eviction_is_forgotten_when_the_user_has_gone() {
    let mut hub = hub();
    tab(&mut hub, "alice", "one");
    let second = tab(&mut hub, "alice", "two");
    hub.hang_up(second);
    let again = tab(&mut hub, "alice", "one");
    assert!(!hub.is_closed(again), "nobody is in its way");
    assert_eq!(hub.engine().streams(), 1);
}

#[test]
fn a_tab_that_comes_back_replaces_itself() {
    let mut hub = Harness::with(|settings| settings.limits.per_user = 3);
    let first = tab(&mut hub, "alice", "one");
    let other = tab(&mut hub, "alice", "two");
    for _ in 0..5 {
        tab(&mut hub, "alice", "one");
    }
    assert!(hub.is_closed(first) && !hub.is_closed(other));
    assert_eq!(hub.engine().streams(), 2);
    assert_eq!(hub.counters().closes[CloseReason::Replaced.index()], 5);
    assert_eq!(hub.counters().evicted_returns, 0, "a reload is no eviction");
}

#[test]
fn a_stalled_older_stream_does_not_hold_the_newer_one_up() {
    let mut hub = hub();
    let older = hub.subscribe_as("alice", "topic=a");
    hub.stall(older);
    hub.publish(event("a", "x"));
    let newer = hub.subscribe_as("alice", "topic=a");
    hub.publish(event("a", "y"));
    assert_eq!(hub.data(newer), ["y"]);
    assert!(!hub.is_closed(older), "it may still take its goodbye");
    assert_eq!((hub.engine().streams(), hub.streams_counted()), (1, 1));
    hub.advance_secs(6);
    assert!(hub.is_closed(older));
    assert_eq!(hub.counters().closes[CloseReason::Evicted.index()], 1);
}

#[test]
fn a_stream_that_has_just_been_greeted_gets_its_goodbye_all_the_same() {
    // Both go out in one turn: the greeting of the one, and before it the answer behind which the other's request waits.
    let mut hub = hub();
    let token = hub.token("alice");
    let (newer, older) = (hub.connect(), hub.connect());
    hub.say(
        newer,
        "GET /healthz HTTP/1.1\r\nHost: hub\r\n\r\n".to_owned() + &get("/events", &bearer(&token)),
    );
    hub.say(older, get("/events", &bearer(&token)));
    hub.run_until_idle();
    assert!(hub.is_closed(older) && !hub.is_closed(newer));
    let text = hub.text(older);
    assert!(text.contains("corecast.evicted") && text.ends_with("0\r\n\r\n"), "{text}");
}
