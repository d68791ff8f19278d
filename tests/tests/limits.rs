//! Limits hold, whoever meets one is told in a way its client understands, and no tab is stranded.

use std::time::Duration;

use corecast_tests::exchange;
use corecast_tests::hub::Hub;
use corecast_tests::publish::Publisher;
use corecast_tests::request::Subscribe;
use corecast_tests::stream::EventStream;
use corecast_tests::token::Token;
use corecast_tests::wire::response::End;
use serde_json::json;

/// A day: long enough that nobody evicted comes back, and no timer overflows.
const DAY_MS: u64 = 86_400_000;

fn alice(client_id: &str) -> Subscribe {
    Subscribe::with_token(&Token::of("alice").sign()).client_id(client_id)
}

fn assert_evicted(stream: &mut EventStream) {
    let told = stream.next_event();
    assert_eq!((told.kind.as_str(), told.id.as_deref()), ("corecast.evicted", None));
    assert_eq!(told.retry, Some(DAY_MS));
    assert!(told.json().is_object(), "{told:?}");
    assert_eq!(stream.end(), End::Clean, "a clean end says: do not come back");
}

fn assert_limited(stream: &mut EventStream, reason: &str) {
    assert_eq!(stream.status(), 200, "a browser stays dead after any other status");
    let told = stream.next_event();
    assert_eq!((told.kind.as_str(), told.id.as_deref()), ("corecast.limit", None));
    assert_eq!(told.json()["reason"], json!(reason), "{told:?}");
    assert!(told.retry.is_some_and(|retry| (30_000..=120_000).contains(&retry)), "{told:?}");
    assert_eq!(stream.end(), End::Abort, "an abort says: come back");
}

fn assert_refused(hub: &Hub, request: Subscribe, status: u16) {
    let answer = exchange::send(hub.addr(), &request.without_accept().encode());
    assert_eq!(answer.status(), status, "{}", answer.text());
    let seconds: u64 =
        answer.head.field("retry-after").and_then(|s| s.parse().ok()).expect("Retry-After in seconds");
    assert!(seconds > 0);
}

#[test]
fn a_newer_stream_of_a_user_evicts_the_oldest_for_good() {
    let hub = Hub::start();
    let mut old = EventStream::open(hub.addr(), &alice("tab-1"));
    let mut new = EventStream::open(hub.addr(), &alice("tab-2"));
    assert_evicted(&mut old);
    // No ping-pong: whoever was evicted and comes back all the same is sent away, and evicts nobody.
    for _ in 0..3 {
        assert_eq!(EventStream::open(hub.addr(), &alice("tab-1")).status(), 204);
    }
    hub.wait_for_connections(1);
    Publisher::connect(hub.addr()).publish(&json!({"users": ["alice"], "data": "to the newest"}));
    assert_eq!(new.next_data(1), ["to the newest"]);
}

#[test]
fn eviction_needs_no_client_id() {
    let hub = Hub::start();
    let request = Subscribe::with_token(&Token::of("alice").sign());
    let mut old = EventStream::open(hub.addr(), &request);
    let mut new = EventStream::open(hub.addr(), &request);
    assert_evicted(&mut old);
    hub.wait_for_connections(1);
    Publisher::connect(hub.addr()).publish(&json!({"users": ["alice"], "data": "to the newest"}));
    assert_eq!(new.next_data(1), ["to the newest"]);
}

#[test]
fn eviction_works_over_http_1_0() {
    let hub = Hub::start();
    let mut old = EventStream::open(hub.addr(), &alice("tab-1").http_1_0());
    let _new = EventStream::open(hub.addr(), &alice("tab-2").http_1_0());
    assert_eq!(old.next_event().kind, "corecast.evicted");
    assert_eq!(old.end(), End::Close);
}

#[test]
fn users_do_not_evict_each_other() {
    let hub = Hub::start();
    let token = |user: &str| Subscribe::with_token(&Token::of(user).sign()).client_id("tab");
    let mut streams: Vec<_> =
        (0..20).map(|n| EventStream::open(hub.addr(), &token(&format!("user-{n}")))).collect();
    let mut anonymous: Vec<_> = (0..20).map(|_| EventStream::open(hub.addr(), &Subscribe::to("t"))).collect();
    hub.wait_for_connections(40);
    Publisher::connect(hub.addr()).publish(&json!({"all": true, "data": "all"}));
    for stream in streams.iter_mut().chain(&mut anonymous) {
        assert_eq!(stream.next_data(1), ["all"]);
    }
}

#[test]
fn the_oldest_of_several_goes_first() {
    let hub = Hub::builder().set("limits.per_user", 3).start();
    let mut streams: Vec<_> =
        (0..5).map(|n| EventStream::open(hub.addr(), &alice(&format!("tab-{n}")))).collect();
    assert_evicted(&mut streams[0]);
    assert_evicted(&mut streams[1]);
    Publisher::connect(hub.addr()).publish(&json!({"users": ["alice"], "data": "to three"}));
    for stream in &mut streams[2..] {
        assert_eq!(stream.next_data(1), ["to three"]);
    }
    hub.wait_for_connections(3);
}

#[test]
fn a_user_without_a_limit_has_as_many_as_it_likes() {
    let hub = Hub::builder().set("limits.per_user", 0).start();
    let _streams: Vec<_> =
        (0..50).map(|n| EventStream::open(hub.addr(), &alice(&format!("tab-{n}")))).collect();
    hub.wait_for_connections(50);
}

#[test]
fn the_same_tab_replaces_its_own_stream() {
    let hub = Hub::builder().set("limits.per_user", 3).start();
    let _other = EventStream::open(hub.addr(), &alice("tab-2"));
    let mut old = EventStream::open(hub.addr(), &alice("tab-1"));
    for _ in 0..5 {
        let new = EventStream::open(hub.addr(), &alice("tab-1"));
        assert_eq!(new.status(), 200, "a reload is no eviction");
        assert_evicted(&mut old);
        hub.wait_for_connections(2);
        old = new;
    }
}

#[test]
fn who_is_there_stays_if_the_newest_is_to_be_refused() {
    let hub = Hub::builder().set("limits.per_user_policy", "reject_newest").start();
    let mut first = EventStream::open(hub.addr(), &alice("tab-1"));
    assert_limited(&mut EventStream::open(hub.addr(), &alice("tab-2")), "per_user");
    assert_refused(&hub, alice("tab-3"), 429);
    hub.wait_for_connections(1);
    Publisher::connect(hub.addr()).publish(&json!({"users": ["alice"], "data": "to the first"}));
    assert_eq!(first.next_data(1), ["to the first"]);
    drop(first);
    hub.wait_for_connections(0);
    let mut second = EventStream::open(hub.addr(), &alice("tab-2"));
    Publisher::connect(hub.addr()).publish(&json!({"users": ["alice"], "data": "to the second"}));
    assert_eq!(second.next_data(1), ["to the second"]);
}

#[test]
fn one_address_has_a_limit_of_its_own() {
    let hub = Hub::builder().set("limits.per_ip", 2).start();
    let _streams: Vec<_> = (0..2).map(|_| EventStream::open(hub.addr(), &Subscribe::to("t"))).collect();
    assert_limited(&mut EventStream::open(hub.addr(), &Subscribe::to("t")), "per_ip");
    assert_refused(&hub, Subscribe::to("t"), 429);
    hub.wait_for_connections(2);
    // Requests that are no streams are not limited with them.
    assert_eq!(exchange::get(hub.addr(), "/healthz").status(), 200);
}

#[test]
fn the_whole_hub_has_a_limit() {
    let hub = Hub::builder().set("limits.connections", 10).start();
    let mut streams: Vec<_> = (0..10).map(|_| EventStream::open(hub.addr(), &Subscribe::to("t"))).collect();
    hub.wait_for_connections(10);
    for _ in 0..5 {
        assert_limited(&mut EventStream::open(hub.addr(), &Subscribe::to("t")), "connections");
        assert_refused(&hub, Subscribe::to("t"), 503);
    }
    // Publishers come through at the limit, and those who are in are not disturbed.
    Publisher::connect(hub.addr()).to_topic("t", "still served");
    for stream in &mut streams {
        assert_eq!(stream.next_data(1), ["still served"]);
    }
    streams.pop();
    hub.wait_for_connections(9);
    let mut next = EventStream::open(hub.addr(), &Subscribe::to("t"));
    Publisher::connect(hub.addr()).to_topic("t", "a slot was free");
    assert_eq!(next.next_data(1), ["a slot was free"]);
}

#[test]
fn those_at_the_limit_do_not_come_back_in_step() {
    let hub = Hub::builder().set("limits.connections", 1).start();
    let _first = EventStream::open(hub.addr(), &Subscribe::to("t"));
    let mut times: Vec<u64> = (0..20)
        .map(|_| EventStream::open(hub.addr(), &Subscribe::to("t")).next_event().retry.unwrap())
        .collect();
    times.sort_unstable();
    times.dedup();
    assert!(times.len() > 10, "{times:?}");
}

#[test]
fn a_stream_of_maximum_age_ends_and_may_come_back() {
    let hub = Hub::builder().set("stream.max_age", "2s").start();
    let mut stream = EventStream::open(hub.addr(), &Subscribe::to("t"));
    let id = Publisher::connect(hub.addr()).to_topic("t", "1");
    assert_eq!(stream.next_data(1), ["1"]);
    assert_eq!(stream.end_within(Duration::from_secs(10)), End::Abort);
    Publisher::connect(hub.addr()).to_topic("t", "2");
    let mut back = EventStream::open(hub.addr(), &Subscribe::to("t").last_event_id(&id));
    assert_eq!(back.next_data(1), ["2"]);
}
