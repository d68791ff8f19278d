//! What an operator is shown: how long events take, who is refused or evicted, and how far the slowest reader is behind.

use std::time::Duration;

use super::Harness;
use super::harness::{event, event_for_user};
use crate::close_reason::CloseReason;
use crate::connection::Phase;
use crate::engine::turn::TURN_SENDS_MAX;
use crate::event::Event;
use crate::settings::PerUserPolicy;

const MILLISECOND: Duration = Duration::from_millis(1);

#[test]
fn an_event_counts_once_when_the_last_live_stream_has_it() {
    let mut hub = Harness::new();
    for _ in 0..2 * TURN_SENDS_MAX {
        hub.subscribe("topic=a");
    }
    hub.sequence(event("a", "x"));
    hub.now.instant += MILLISECOND;
    hub.turn(0);
    assert_eq!(hub.counters().fanout.count(), 0, "half of the streams have yet to be sent it");
    hub.now.instant += MILLISECOND;
    hub.turn(0);
    assert_eq!(hub.counters().deliveries, 2 * TURN_SENDS_MAX as u64);
    let fanout = &hub.counters().fanout;
    assert_eq!(
        (fanout.count(), fanout.sum()),
        (1, 2 * MILLISECOND),
        "at its last send, not at the next turn"
    );
    hub.advance_secs(60);
    assert_eq!(hub.counters().fanout.count(), 1);
}

#[test]
fn an_event_behind_a_slower_one_counts_its_own_time() {
    let mut hub = Harness::new();
    hub.subscribe_as("alice", "topic=a");
    for _ in 0..2 * TURN_SENDS_MAX {
        hub.subscribe("topic=a");
    }
    hub.sequence(event("a", "for many"));
    hub.sequence(event_for_user("alice", "for one"));
    hub.turn(0);
    assert_eq!(
        hub.counters().fanout.count(),
        1,
        "the second one is out, though the first still has its slot"
    );
    hub.run_until_idle();
    assert_eq!(hub.counters().fanout.count(), 2);
}

#[test]
fn an_event_for_nobody_has_no_latency() {
    let mut hub = Harness::new();
    hub.subscribe("topic=a");
    hub.publish(event("b", "x"));
    assert_eq!((hub.counters().events, hub.counters().fanout.count()), (1, 0));
}

#[test]
fn a_stream_that_falls_behind_is_waited_for_no_longer() {
    let mut hub = Harness::new();
    let slow = hub.subscribe("topic=a");
    hub.stall(slow);
    hub.publish(event("a", "x"));
    assert_eq!(hub.counters().fanout.count(), 1);
    hub.advance_secs(5);
    hub.unstall(slow);
    assert_eq!((hub.data(slow), hub.counters().fanout.count()), (vec!["x".to_owned()], 1));
    assert_eq!(hub.counters().fanout.sum(), Duration::ZERO, "what it takes to read it late is its lag");
}

#[test]
fn lag_is_that_of_the_slowest_reader() {
    let mut hub = Harness::new();
    let [slow, slower] = [(); 2].map(|()| hub.subscribe("topic=a"));
    assert_eq!(hub.engine().lag_max(), 0);
    hub.stall(slower);
    hub.publish(event("a", "0"));
    hub.stall(slow);
    for n in 1..10 {
        hub.publish(event("a", &n.to_string()));
    }
    assert_eq!(hub.engine().lag_max(), 10);
    hub.hang_up(slower);
    assert_eq!(hub.engine().lag_max(), 9);
    hub.unstall(slow);
    assert_eq!(hub.engine().lag_max(), 0);
}

#[test]
fn refusals_and_evictions_count_when_they_are_decided() {
    let mut hub = Harness::with(|settings| settings.limits.per_user = 1);
    let first = hub.subscribe_as("alice", "topic=a&client_id=one");
    // Its goodbye does not go out, so its end has yet to come.
    hub.stall(first);
    hub.subscribe_as("alice", "topic=a&client_id=two");
    assert_eq!(hub.counters().evictions[CloseReason::Evicted.index()], 1);
    hub.subscribe_as("alice", "topic=a&client_id=two");
    assert_eq!(hub.counters().evictions[CloseReason::Replaced.index()], 1);
    assert_eq!(hub.counters().refusals, [0; CloseReason::COUNT]);

    let mut hub = Harness::with(|settings| {
        settings.limits.per_user = 1;
        settings.limits.per_user_policy = PerUserPolicy::RejectNewest;
    });
    hub.subscribe_as("alice", "topic=a&client_id=one");
    hub.subscribe_as("alice", "topic=a&client_id=two");
    assert_eq!(hub.counters().refusals[CloseReason::UserLimit.index()], 1);
    assert_eq!(hub.counters().evictions, [0; CloseReason::COUNT]);
}

#[test]
fn every_connection_is_counted_in_its_phase() {
    let mut hub = Harness::new();
    let (_new, stream) = (hub.connect(), hub.subscribe("topic=a"));
    let in_phase = |hub: &mut Harness, phase: Phase| hub.engine().phases()[phase.index()];
    assert_eq!((in_phase(&mut hub, Phase::Head), in_phase(&mut hub, Phase::Streaming)), (1, 1));
    hub.hang_up(stream);
    assert_eq!((in_phase(&mut hub, Phase::Head), in_phase(&mut hub, Phase::Streaming)), (1, 0));
    let connections: u32 = hub.engine().phases().iter().sum();
    assert_eq!(connections, hub.engine().connections());
}

#[test]
fn what_is_passed_over_for_its_age_is_counted() {
    let mut hub = Harness::new();
    let first = hub.publish(event("a", "0"));
    hub.publish(Event { ttl: Some(Duration::from_secs(10)), ..event("a", "brief") });
    hub.publish(Event { ttl: Some(Duration::from_secs(10)), ..event("b", "for others") });
    hub.publish(event("a", "1"));
    hub.advance_secs(11);
    let back = hub.subscribe(&format!("topic=a&last_event_id={first}"));
    assert_eq!((hub.data(back), hub.counters().expired), (vec!["1".to_owned()], 1));
}
