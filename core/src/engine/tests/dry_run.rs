//! Limits that are only counted: nobody is refused or evicted, and it is known who would have been.

use super::Harness;
use crate::close_reason::CloseReason;
use crate::settings::{PerUserPolicy, Settings};

fn unenforced(change: impl FnOnce(&mut Settings)) -> Harness {
    Harness::with(|settings| {
        settings.limits.dry_run = true;
        change(settings);
    })
}

/// Evictions, and refusals for the process, the user and the address.
fn would(hub: &Harness) -> (u64, [u64; 3]) {
    let refused = |reason: CloseReason| hub.counters().would_refuse[reason.index()];
    let reasons = [CloseReason::ConnectionLimit, CloseReason::UserLimit, CloseReason::AddressLimit];
    (hub.counters().would_evict, reasons.map(refused))
}

#[test]
fn each_stream_beyond_the_limit_of_its_user_counts_one() {
    for (policy, expected) in
        [(PerUserPolicy::EvictOldest, (2, [0, 0, 0])), (PerUserPolicy::RejectNewest, (0, [0, 2, 0]))]
    {
        let mut hub = unenforced(|settings| {
            settings.limits.per_user = 1;
            settings.limits.per_user_policy = policy;
        });
        let streams: Vec<_> = (0..3).map(|_| hub.subscribe_as("alice", "topic=a")).collect();
        hub.subscribe_as("bob", "topic=a");
        assert_eq!(would(&hub), expected, "{policy:?}");
        assert_eq!(hub.engine().streams(), 4);
        assert!(streams.iter().all(|&stream| !hub.is_closed(stream)));
    }
}

#[test]
fn each_stream_beyond_the_limit_of_its_address_or_of_the_hub_counts_one() {
    let mut hub = unenforced(|settings| settings.limits.per_ip = 2);
    for _ in 0..5 {
        hub.subscribe("topic=a");
    }
    assert_eq!((would(&hub), hub.engine().streams()), ((0, [0, 0, 3]), 5));
    let mut hub = unenforced(|settings| settings.limits.connections = 2);
    for _ in 0..5 {
        hub.subscribe("topic=a");
    }
    assert_eq!((would(&hub), hub.engine().streams(), hub.streams_counted()), ((0, [3, 0, 0]), 5, 5));
}

#[test]
fn a_stream_that_meets_two_limits_is_counted_under_the_first() {
    let mut hub = unenforced(|settings| {
        settings.limits.per_user = 1;
        settings.limits.per_user_policy = PerUserPolicy::RejectNewest;
        (settings.limits.connections, settings.limits.per_ip) = (1, 1);
    });
    for _ in 0..2 {
        hub.subscribe_as("alice", "topic=a");
    }
    assert_eq!(would(&hub), (0, [0, 1, 0]));
    hub.subscribe_as("bob", "topic=a");
    assert_eq!(would(&hub), (0, [0, 1, 1]));
    assert_eq!(hub.streams_counted(), 3);
}

#[test]
fn whoever_would_have_had_the_place_of_an_evicted_one_would_not_have_been_refused() {
    for (connections, per_ip) in [(1, 0), (10, 1)] {
        let mut hub = unenforced(|settings| {
            settings.limits.per_user = 1;
            (settings.limits.connections, settings.limits.per_ip) = (connections, per_ip);
        });
        for _ in 0..2 {
            hub.subscribe_as("alice", "topic=a");
        }
        assert_eq!(would(&hub), (1, [0, 0, 0]));
    }
}

#[test]
fn a_tab_that_comes_back_still_takes_its_own_place() {
    let mut hub = unenforced(|settings| settings.limits.per_user = 1);
    let old = hub.subscribe_as("alice", "client_id=tab-1");
    let new = hub.subscribe_as("alice", "client_id=tab-1");
    assert!(hub.is_closed(old) && !hub.is_closed(new));
    assert_eq!((would(&hub), hub.engine().streams(), hub.streams_counted()), ((0, [0, 0, 0]), 1, 1));
}

#[test]
fn limits_hold_from_when_they_are_enforced_again() {
    let mut hub = unenforced(|settings| settings.limits.per_user = 2);
    let streams: Vec<_> = (0..5).map(|_| hub.subscribe_as("alice", "topic=a")).collect();
    hub.reload(|settings| settings.limits.dry_run = false);
    assert_eq!(hub.engine().streams(), 5, "a reload ends no stream");
    let newest = hub.subscribe_as("alice", "topic=a");
    let open: Vec<_> = streams.iter().filter(|&&stream| !hub.is_closed(stream)).collect();
    assert_eq!(open, [&streams[4]], "the oldest went, down to the limit");
    assert!(!hub.is_closed(newest));
    assert_eq!(hub.counters().closes[CloseReason::Evicted.index()], 4);
}
