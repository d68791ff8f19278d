//! Limits: how many streams a user, an address and the process may have, and who goes for whom.

use std::net::IpAddr;

use super::harness::{bearer, event_for_all, get};
use super::{Client, Harness};
use crate::close_reason::CloseReason;
use crate::settings::PerUserPolicy;

const HOME: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
const OFFICE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));

fn stream_from(hub: &mut Harness, peer: IpAddr, user: &str) -> Client {
    let token = hub.token(user);
    let client = hub.connect_from(0, peer);
    hub.send(client, get("/events", &bearer(&token)));
    client
}

#[test]
fn two_hundred_users_with_five_tabs_hold_two_hundred_streams() {
    let mut hub = Harness::with(|settings| settings.limits.per_user = 1);
    hub.checks = false;
    for tab in 0..5 {
        for user in 0..200 {
            hub.subscribe_as(&format!("user-{user}"), &format!("client_id=tab-{tab}"));
        }
    }
    hub.run_until_idle();
    assert_eq!((hub.engine().streams(), hub.engine().users(), hub.engine().connections()), (200, 200, 200));
    assert_eq!(hub.streams_counted(), 200);
    assert_eq!(hub.counters().closes[CloseReason::Evicted.index()], 800);
    hub.engine().assert_invariants();
}

#[test]
fn the_oldest_goes_for_one_too_many() {
    let mut hub = Harness::with(|settings| settings.limits.per_user = 2);
    let streams: Vec<_> = (0..4).map(|_| hub.subscribe_as("alice", "")).collect();
    let other = hub.subscribe_as("bob", "");
    hub.publish(event_for_all("x"));
    let closed: Vec<_> = streams.iter().map(|&stream| hub.is_closed(stream)).collect();
    assert_eq!(closed, [true, true, false, false]);
    assert_eq!((hub.data(streams[3]), hub.data(other)), (vec!["x".to_owned()], vec!["x".to_owned()]));
}

#[test]
fn the_newest_is_refused_where_that_is_the_policy() {
    let mut hub = Harness::with(|settings| {
        settings.limits.per_user = 1;
        settings.limits.per_user_policy = PerUserPolicy::RejectNewest;
    });
    let first = hub.subscribe_as("alice", "client_id=tab-1");
    let second = hub.subscribe_as("alice", "client_id=tab-2");
    assert_eq!(hub.seen(second).last().data, r#"{"reason":"per_user"}"#);
    assert!(hub.is_closed(second) && !hub.is_closed(first));
    // But a tab that comes back is the same tab.
    let again = hub.subscribe_as("alice", "client_id=tab-1");
    assert!(hub.is_closed(first) && !hub.is_closed(again));
    assert_eq!(hub.counters().closes[CloseReason::Replaced.index()], 1);
    assert_eq!(hub.counters().closes[CloseReason::UserLimit.index()], 1);
}

#[test]
fn anonymous_streams_without_a_client_id_have_no_limit_of_a_user() {
    let mut hub = Harness::with(|settings| settings.limits.per_user = 1);
    for _ in 0..5 {
        hub.subscribe("topic=a");
    }
    assert_eq!(hub.engine().streams(), 5);
    for _ in 0..5 {
        hub.subscribe("topic=a&client_id=device");
    }
    assert_eq!(hub.engine().streams(), 6, "a client id has one stream");
}

#[test]
fn an_address_has_its_limit() {
    let mut hub = Harness::with(|settings| settings.limits.per_ip = 2);
    let streams: Vec<_> = (0..3).map(|n| stream_from(&mut hub, HOME, &format!("user-{n}"))).collect();
    assert_eq!(hub.seen(streams[2]).last().data, r#"{"reason":"per_ip"}"#);
    assert!(hub.is_closed(streams[2]));
    let elsewhere = stream_from(&mut hub, OFFICE, "user-3");
    assert!(!hub.is_closed(elsewhere));
    hub.hang_up(streams[0]);
    let next = stream_from(&mut hub, HOME, "user-4");
    assert!(!hub.is_closed(next));
    assert_eq!(hub.counters().closes[CloseReason::AddressLimit.index()], 1);
}

#[test]
fn an_address_at_its_limit_still_takes_a_newer_stream_for_an_older_one() {
    let mut hub = Harness::with(|settings| {
        settings.limits.per_ip = 1;
        settings.limits.per_user = 1;
    });
    let older = stream_from(&mut hub, HOME, "alice");
    let newer = stream_from(&mut hub, HOME, "alice");
    assert!(hub.is_closed(older) && !hub.is_closed(newer));
    // From elsewhere the older one's place does not help: that address is full of others.
    stream_from(&mut hub, OFFICE, "bob");
    let refused = stream_from(&mut hub, OFFICE, "alice");
    assert!(hub.is_closed(refused) && !hub.is_closed(newer), "nobody goes for one who does not come in");
    assert_eq!(hub.streams_counted(), 2);
}

#[test]
fn the_process_has_its_limit() {
    let mut hub = Harness::with(|settings| settings.limits.connections = 2);
    let streams: Vec<_> = (0..3).map(|n| stream_from(&mut hub, HOME, &format!("user-{n}"))).collect();
    let seen = hub.seen(streams[2]);
    assert_eq!(
        (seen.kinds(), seen.last().data.as_str()),
        (vec!["corecast.limit".into()], r#"{"reason":"connections"}"#)
    );
    hub.hang_up(streams[1]);
    let next = stream_from(&mut hub, HOME, "user-3");
    assert!(!hub.is_closed(next));
    assert_eq!(hub.counters().closes[CloseReason::ConnectionLimit.index()], 1);
}

#[test]
fn at_the_limit_of_the_process_a_user_can_still_change_places_with_itself() {
    let mut hub = Harness::with(|settings| {
        settings.limits.connections = 3;
        settings.limits.per_user = 1;
    });
    hub.crowd(OFFICE);
    hub.crowd(OFFICE);
    let mut older = stream_from(&mut hub, HOME, "alice");
    for peer in [HOME, OFFICE, HOME] {
        let newer = stream_from(&mut hub, peer, "alice");
        assert!(hub.is_closed(older) && !hub.is_closed(newer));
        assert_eq!(hub.streams_counted(), 3);
        older = newer;
    }
}
