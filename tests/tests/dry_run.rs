//! Limits that are only counted refuse nobody and evict nobody, and it is said that they do not hold.

use corecast_tests::hub::Hub;
use corecast_tests::publish::Publisher;
use corecast_tests::request::Subscribe;
use corecast_tests::stream::EventStream;
use corecast_tests::token::Token;
use corecast_tests::wait::{PATIENCE, eventually};
use corecast_tests::wire::response::End;
use serde_json::json;

#[test]
fn nobody_is_refused_or_evicted() {
    let hub = Hub::builder()
        .set("limits.dry_run", true)
        .set("limits.connections", 3)
        .set("limits.per_ip", 2)
        .start();
    hub.wait_for_log(&["limits.dry_run = true", "not enforced"]);
    let alice = Subscribe::with_token(&Token::of("alice").sign());
    let mut streams: Vec<_> = (0..6).map(|_| EventStream::open(hub.addr(), &alice)).collect();
    hub.wait_for_connections(6);
    Publisher::connect(hub.addr()).publish(&json!({"users": ["alice"], "data": "to all six"}));
    for stream in &mut streams {
        assert_eq!(stream.next_data(1), ["to all six"]);
    }
    // The second and later ones would have had the first one's place; nobody would have been refused.
    eventually(PATIENCE, "five evictions that were not made", || {
        (hub.metric("corecast_would_evict_total") == 5.0).then_some(())
    });
    assert_eq!(hub.metric("corecast_would_refuse_total") + hub.metric("corecast_evictions_total"), 0.0);
    assert_eq!(hub.metric("corecast_limits_dry_run"), 1.0);
}

#[test]
fn a_tab_that_comes_back_takes_its_own_place_all_the_same() {
    let hub = Hub::builder().set("limits.dry_run", true).start();
    let tab = Subscribe::with_token(&Token::of("alice").sign()).client_id("tab-1");
    let mut old = EventStream::open(hub.addr(), &tab);
    let _new = EventStream::open(hub.addr(), &tab);
    assert_eq!(old.next_event().kind, "corecast.evicted");
    assert_eq!(old.end(), End::Clean);
    hub.wait_for_connections(1);
}
