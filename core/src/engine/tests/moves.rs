//! Home shards: all streams of a user live on one shard, whichever accepted them.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::harness::{bearer, event, event_for_user, get};
use super::{Client, Harness};
use crate::close_reason::CloseReason;

const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

fn stream(hub: &mut Harness, shard: usize, user: &str, query: &str) -> Client {
    let token = hub.token(user);
    let client = hub.connect_from(shard, PEER);
    hub.send(client, get(&format!("/events?{query}"), &bearer(&token)));
    client
}

fn sum(hub: &Harness, counter: impl Fn(&crate::counters::Counters) -> u64) -> u64 {
    hub.shards.iter().map(|shard| counter(shard.engine.counters())).sum()
}

#[test]
fn all_streams_of_a_user_are_on_one_shard() {
    let mut hub = Harness::with_shards(4, |_| {});
    let mut homes = BTreeSet::new();
    for user in 0..20 {
        let user = format!("user-{user}");
        let streams: Vec<_> = (0..4).map(|shard| stream(&mut hub, shard, &user, "topic=a")).collect();
        let shards: BTreeSet<_> = streams.iter().map(|&stream| hub.shard_of(stream)).collect();
        assert_eq!(shards.len(), 1, "{user}");
        homes.extend(shards);
        hub.publish(event_for_user(&user, "hers"));
        assert!(streams.iter().all(|&stream| hub.data(stream) == ["hers"]));
    }
    assert_eq!(homes.len(), 4, "users are spread");
    assert_eq!(
        sum(&hub, |counters| counters.moves),
        60,
        "three of four came to another shard than their home"
    );
    assert_eq!(sum(&hub, |counters| counters.closes[CloseReason::Moved.index()]), 60);
    assert_eq!(sum(&hub, |counters| counters.streams_opened), 80);
}

#[test]
fn anonymous_streams_stay_unless_they_have_a_client_id() {
    let mut hub = Harness::with_shards(2, |_| {});
    for shard in 0..2 {
        let client = hub.connect_from(shard, PEER);
        hub.send(client, get("/events?topic=a", ""));
        assert_eq!(hub.shard_of(client), shard);
    }
    let homes: BTreeSet<_> = (0..2)
        .map(|shard| {
            let client = hub.connect_from(shard, PEER);
            hub.send(client, get("/events?topic=a&client_id=device", ""));
            hub.shard_of(client)
        })
        .collect();
    assert_eq!(homes.len(), 1, "or one device would have a stream on each shard");
    assert_eq!(hub.streams_counted(), 3);
}

#[test]
fn everything_asked_for_goes_along() {
    let mut hub =
        Harness::with_shards(2, |settings| settings.cors.origins = vec!["https://shop.example".into()]);
    let first = hub.publish(event("a", "1"));
    hub.publish(event("a", "2"));
    let token = hub.token_for(Some("alice"), &["a"], &[], std::time::Duration::from_secs(3600));
    let headers = format!("{}Origin: https://shop.example\r\nLast-Event-ID: {first}\r\n", bearer(&token));
    let clients = [0, 1].map(|shard| {
        let client = hub.connect_from(shard, PEER);
        hub.send(client, get("/events?topic=a&padding=true", &headers));
        client
    });
    for client in clients {
        let seen = hub.seen(client);
        assert_eq!((seen.data(), seen.comments), (vec!["2".to_owned()], 2));
        assert_eq!(seen.head.header("Access-Control-Allow-Origin"), Some("https://shop.example"));
    }
    hub.publish(crate::event::Event { private: true, ..event("a", "granted") });
    for client in clients {
        assert_eq!(hub.data(client), ["2", "granted"]);
        hub.hang_up(client);
    }
    assert_eq!(sum(&hub, |counters| counters.moves), 1);
    assert_eq!(hub.streams_counted(), 0);
}

#[test]
fn limits_and_evictions_know_no_shards() {
    let mut hub = Harness::with_shards(2, |settings| settings.limits.per_user = 1);
    let older = stream(&mut hub, 0, "alice", "client_id=one");
    let newer = stream(&mut hub, 1, "alice", "client_id=two");
    assert!(hub.is_closed(older) && !hub.is_closed(newer));
    for shard in 0..2 {
        let back = stream(&mut hub, shard, "alice", "client_id=one");
        assert_eq!(hub.status(back), 204);
    }
}

#[test]
fn a_move_that_is_refused_is_told_where_it_is() {
    let mut hub = Harness::with_shards(2, |_| {});
    let at_home = stream(&mut hub, 0, "alice", "");
    let home = hub.shard_of(at_home);
    hub.shards[home].refuses_arrivals = true;
    let client = stream(&mut hub, 1 - home, "alice", "");
    let seen = hub.seen(client);
    assert_eq!(
        (seen.kinds(), seen.last().data.as_str()),
        (vec!["corecast.limit".into()], r#"{"reason":"connections"}"#)
    );
    assert!(hub.is_closed(client) && !seen.is_clean_end);
    let counters = hub.shards[1 - home].engine.counters();
    assert_eq!(counters.moves_refused, 1);
    assert_eq!(counters.closes[CloseReason::Moved.index()], counters.moves - 1);
    assert_eq!(counters.closes[CloseReason::ConnectionLimit.index()], 1);

    hub.shards[home].refuses_arrivals = false;
    let client = stream(&mut hub, 1 - home, "alice", "");
    assert!(!hub.is_closed(client));
}

#[test]
fn whoever_arrives_at_a_shard_that_stops_is_sent_away() {
    let mut hub = Harness::with_shards(2, |_| {});
    let at_home = stream(&mut hub, 0, "alice", "");
    let home = hub.shard_of(at_home);
    hub.shards[home].engine.begin_drain(std::time::Duration::from_secs(10));
    let client = stream(&mut hub, 1 - home, "alice", "");
    assert_eq!(hub.seen(client).kinds(), ["corecast.drain"]);
    assert!(hub.is_closed(client));
}

#[test]
fn a_slot_that_was_left_serves_the_next() {
    let mut hub = Harness::with_shards(2, |_| {});
    for round in 0..20 {
        let client = stream(&mut hub, 0, &format!("user-{}", round % 3), "topic=a");
        hub.publish(event("a", &round.to_string()));
        assert_eq!(hub.data(client), [round.to_string()]);
        hub.hang_up(client);
    }
    hub.run_until_idle();
    assert!(hub.shards.iter().all(|shard| shard.engine.connections() == 0));
}
