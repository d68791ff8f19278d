//! Stopping: streams leave in paced batches and are told when to return, what was begun is finished.

use std::time::Duration;

use super::Harness;
use super::harness::{SequencerMood, event, post};
use crate::close_reason::CloseReason;

const WINDOW: Duration = Duration::from_secs(10);

#[test]
fn streams_leave_at_an_even_pace_over_the_window() {
    let mut hub = Harness::new();
    hub.checks = false;
    let clients: Vec<_> = (0..5000).map(|_| hub.subscribe("topic=a")).collect();
    hub.drain(WINDOW);
    for step in 1..=500 {
        let before = hub.engine().streams();
        hub.advance(Duration::from_millis(20));
        let after = hub.engine().streams();
        assert!((9..=11).contains(&(before - after)) || after == 0, "step {step}: a five-hundredth each");
    }
    assert_eq!(hub.engine().streams(), 0);
    hub.advance_secs(1);
    assert!(hub.engine().is_drained());
    let retries: std::collections::BTreeSet<_> = clients
        .iter()
        .map(|&client| {
            let seen = hub.seen(client);
            assert!(hub.is_closed(client) && !seen.is_clean_end, "they are to come back");
            assert_eq!((seen.last().kind.as_str(), &seen.last().id), ("corecast.drain", &None));
            seen.last().retry.unwrap()
        })
        .collect();
    assert!(retries.first() >= Some(&3000) && retries.last() <= Some(&6000), "the pace has spread them");
    assert!(retries.len() > 2000, "no herd");
    assert_eq!(hub.counters().closes[CloseReason::Drain.index()], 5000);
}

#[test]
fn few_streams_leave_soon_and_are_asked_to_return_over_the_rest_of_the_window() {
    let mut hub = Harness::new();
    let clients: Vec<_> = (0..100).map(|_| hub.subscribe("topic=a")).collect();
    hub.drain(WINDOW);
    hub.advance(Duration::from_millis(500));
    assert!((40..=60).contains(&hub.engine().streams()), "a hundred a second");
    hub.advance(Duration::from_millis(520));
    assert!(hub.engine().is_drained());
    let mut retries: Vec<_> = clients.iter().map(|&client| hub.seen(client).last().retry.unwrap()).collect();
    retries.sort_unstable();
    // The reconnection time, once more as its own spread, and nine seconds that the pace has not used.
    assert!(retries[0] >= 3000 && retries[99] <= 15_000);
    assert!(retries[20] < 9000 && retries[80] > 9000, "{retries:?}");
}

#[test]
fn without_a_window_all_leave_at_once() {
    let mut hub = Harness::new();
    for _ in 0..300 {
        hub.subscribe("topic=a");
    }
    hub.drain(Duration::ZERO);
    hub.run_until_idle();
    assert!(hub.engine().is_drained());
}

#[test]
fn kept_connections_do_not_slow_the_pace_down() {
    let mut hub = Harness::new();
    let stream = hub.subscribe("topic=a");
    hub.engine().begin_drain(WINDOW);
    for _ in 0..200 {
        hub.connect();
    }
    hub.engine().end_streams();
    hub.run_until_idle();
    assert!(hub.is_closed(stream));
}

#[test]
fn an_idle_hub_is_drained_at_once() {
    let mut hub = Harness::new();
    assert!(!hub.engine().is_drained() && !hub.engine().is_draining());
    hub.engine().end_streams();
    assert!(!hub.engine().is_drained(), "streams end in a drain only");
    hub.engine().begin_drain(WINDOW);
    assert!(!hub.engine().is_drained() && hub.engine().is_draining(), "requests may still be finished");
    hub.engine().end_streams();
    assert!(hub.engine().is_drained());
}

#[test]
fn kept_connections_without_a_request_are_closed() {
    let mut hub = Harness::new();
    let kept = hub.request("GET /healthz HTTP/1.1\r\nHost: hub\r\n\r\n");
    let begun = hub.request("GET /healthz HTTP/1.1\r\n");
    hub.engine().begin_drain(WINDOW);
    hub.run_until_idle();
    assert!(hub.is_closed(kept) && !hub.is_closed(begun));
    assert_eq!(hub.engine().unfinished_requests(), 1);
    hub.send(begun, "Host: hub\r\n\r\n");
    assert!(hub.answer(begun).closes() && hub.is_closed(begun));
    assert_eq!(hub.engine().unfinished_requests(), 0);
    hub.engine().end_streams();
    assert!(hub.engine().is_drained());
}

#[test]
fn a_publish_that_was_begun_is_finished_and_reaches_its_streams() {
    let mut hub = Harness::new();
    let stream = hub.subscribe("topic=a");
    let token = hub.publisher_token();
    let request = post(&token, r#"{"all":true,"data":1}"#);
    let half = hub.request(&request[..request.len() - 5]);
    hub.mood = SequencerMood::Hesitates;
    let waiting = hub.request(&request);
    let late = hub.request(&request[..10]);
    hub.engine().begin_drain(WINDOW);
    hub.advance_secs(1);
    assert_eq!(hub.engine().unfinished_requests(), 3);
    hub.mood = SequencerMood::Works;
    hub.send(half, &request[request.len() - 5..]);
    for publisher in [half, waiting] {
        let answer = hub.answer(publisher);
        assert!(answer.status == 200 && answer.closes() && hub.is_closed(publisher));
    }
    hub.send(late, &request[10..]);
    let answer = hub.answer(late);
    assert!(answer.status == 503 && answer.closes(), "what had not been begun goes elsewhere");
    assert_eq!((hub.counters().published, hub.engine().unfinished_requests()), (2, 0));
    hub.engine().end_streams();
    hub.advance_secs(2);
    assert!(hub.engine().is_drained());
    assert_eq!(hub.seen(stream).kinds(), ["message", "message", "corecast.drain"]);
}

#[test]
fn a_request_that_is_never_complete_is_not_waited_for_for_ever() {
    let mut hub = Harness::new();
    let half = hub.request("GET /heal");
    hub.engine().begin_drain(WINDOW);
    hub.engine().end_streams();
    hub.advance_secs(1);
    assert!(!hub.is_closed(half));
    hub.advance_secs(2);
    assert!(hub.is_closed(half) && hub.engine().is_drained());
}

#[test]
fn readiness_ends_with_the_beginning_of_the_drain() {
    let mut hub = Harness::new();
    let (ready, health) = (hub.connect(), hub.connect());
    hub.send(ready, "G");
    hub.send(health, "G");
    hub.engine().begin_drain(WINDOW);
    hub.send(ready, "ET /readyz HTTP/1.1\r\nHost: hub\r\n\r\n");
    hub.send(health, "ET /healthz HTTP/1.1\r\nHost: hub\r\n\r\n");
    let (ready, health) = (hub.answer(ready), hub.answer(health));
    assert_eq!((ready.status, ready.body.as_str()), (503, "draining\n"));
    assert_eq!(health.status, 200, "it is still healthy");
}

#[test]
fn a_stream_is_sent_everything_before_it_goes() {
    let mut hub = Harness::new();
    let client = hub.subscribe("topic=a");
    hub.stall(client);
    (0..200).for_each(|_| drop(hub.publish(event("a", &"x".repeat(1000)))));
    hub.drain(WINDOW);
    hub.advance_secs(1);
    hub.unstall(client);
    hub.advance_secs(1);
    let seen = hub.seen(client);
    assert_eq!((seen.events.len(), seen.last().kind.as_str()), (201, "corecast.drain"));
}

#[test]
fn a_stalled_stream_holds_a_drain_up_for_a_few_seconds_only() {
    let mut hub = Harness::new();
    let client = hub.subscribe("topic=a");
    hub.set_room(client, 5);
    hub.publish(event("a", "x"));
    hub.drain(WINDOW);
    hub.advance_secs(6);
    assert!(!hub.engine().is_drained(), "patience with its events, and with its goodbye");
    hub.advance_secs(2);
    assert!(hub.engine().is_drained());
    assert!(hub.was_reset(client), "within a frame");
}

#[test]
fn whoever_connects_meanwhile_is_not_waited_for_long() {
    let mut hub = Harness::new();
    hub.drain(WINDOW);
    hub.advance_secs(1);
    let silent = hub.connect();
    hub.advance_secs(3);
    assert!(hub.is_closed(silent) && hub.engine().is_drained());
}

#[test]
fn a_second_drain_changes_nothing() {
    let mut hub = Harness::new();
    let client = hub.subscribe("topic=a");
    hub.drain(WINDOW);
    hub.engine().begin_drain(Duration::from_secs(10_000));
    hub.engine().end_streams();
    hub.run_until_idle();
    assert!(hub.seen(client).last().retry.unwrap() <= 16_000);
    assert_eq!(hub.seen(client).events.len(), 1);
}
