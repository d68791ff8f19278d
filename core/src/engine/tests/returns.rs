//! A crowd that is told when to come back: never more at once than a shard admits with ease.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Harness;
use crate::engine::retry::RETURNS_A_SECOND;

/// Returns in the fullest second, were all to end now.
fn most_in_a_second(mut waits_ms: Vec<u32>) -> usize {
    waits_ms.sort_unstable();
    let in_second =
        |(first, &wait): (usize, &u32)| waits_ms.partition_point(|&other| other < wait + 1000) - first;
    waits_ms.iter().enumerate().map(in_second).max().unwrap_or(0)
}

/// What `count` streams are told that open one after the other.
fn told(hub: &mut Harness, count: u32) -> Vec<u32> {
    let engine = hub.engine();
    (0..count)
        .map(|_| {
            engine.streams += 1;
            engine.retry_ms()
        })
        .collect()
}

#[test]
fn however_many_were_told_no_more_than_the_rate_come_back_in_a_second() {
    for retry in [Duration::from_millis(100), Duration::from_secs(3), Duration::from_secs(60)] {
        for count in [1000, 10_000, 30_000, 100_000, 400_000] {
            let mut hub = Harness::with(|settings| settings.stream.retry = retry);
            let waits = told(&mut hub, count);
            let least = retry.as_millis() as u32;
            assert!(waits.iter().all(|&wait| wait >= least));
            // A tenth is for chance.
            let bound = (RETURNS_A_SECOND + RETURNS_A_SECOND / 10) as usize;
            let most = most_in_a_second(waits);
            assert!(most <= bound, "{count} streams, retry {retry:?}: {most} in a second");
        }
    }
}

#[test]
fn a_small_hub_asks_for_no_more_than_twice_the_setting() {
    let mut hub = Harness::new();
    let waits = told(&mut hub, 10_000);
    assert!(waits.iter().all(|wait| (3000..=6000).contains(wait)));
    let early = waits.iter().filter(|&&wait| wait < 4500).count();
    assert!((4800..5200).contains(&early), "uniform: {early}");
}

#[test]
fn those_who_come_and_go_are_a_crowd_for_a_while() {
    let mut hub = Harness::with(|settings| settings.stream.retry = Duration::from_millis(100));
    let now = hub.now.instant;
    (0..100_000).for_each(|_| hub.engine().arrivals.count(now));
    let first = hub.subscribe("topic=a");
    let stream = hub.seen(first).retry;
    let waits: Vec<_> = (0..100).map(|_| hub.engine().retry_ms()).collect();
    assert!(waits.iter().any(|&wait| wait > 20_000) && stream <= 30_100, "{stream} {waits:?}");
    hub.advance_secs(11);
    hub.turn(0);
    let waits: Vec<_> = (0..100).map(|_| hub.engine().retry_ms()).collect();
    assert!(waits.iter().all(|&wait| wait <= 200), "{waits:?}");
}

#[test]
fn refused_streams_come_back_later_the_more_they_are() {
    let mut hub = Harness::with(|settings| settings.limits.connections = 1);
    hub.subscribe("topic=a");
    let now = hub.now.instant;
    (0..1_000_000).for_each(|_| hub.engine().arrivals.count(now));
    let waits: BTreeMap<_, _> = (0..50)
        .map(|number| {
            let client = hub.subscribe("topic=a");
            (hub.seen(client).last().retry.unwrap(), number)
        })
        .collect();
    assert!(waits.first_key_value().unwrap().0 >= &30_000);
    assert!(waits.last_key_value().unwrap().0 > &200_000, "five minutes for a million");
}
