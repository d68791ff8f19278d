//! A hub that is told to go finishes what it has begun, sends its clients away in good order, and says 0.

use std::time::Duration;

use corecast_tests::exchange::{self, Client};
use corecast_tests::hub::Hub;
use corecast_tests::publish::{Publisher, request};
use corecast_tests::request::Subscribe;
use corecast_tests::stream::EventStream;
use corecast_tests::token::Token;
use corecast_tests::wait::{PATIENCE, eventually};
use corecast_tests::wire::response::End;
use serde_json::json;

const WITHIN: Duration = Duration::from_secs(30);

#[test]
fn streams_are_sent_away_at_different_times_and_the_exit_is_clean() {
    let mut hub = Hub::start();
    let mut streams: Vec<_> = (0..50).map(|_| EventStream::open(hub.addr(), &Subscribe::to("t"))).collect();
    let mut plain = EventStream::open(hub.addr(), &Subscribe::to("t").http_1_0());
    let mut publisher = Publisher::connect(hub.addr());
    let ids: Vec<String> = (0..20).map(|n| publisher.to_topic("t", &n.to_string())).collect();
    hub.sigterm();

    let mut times = Vec::new();
    for stream in &mut streams {
        let events: Vec<_> = (0..20).map(|_| stream.next_event()).collect();
        assert_eq!(
            events.last().unwrap().id.as_ref(),
            ids.last(),
            "what was acknowledged comes before the end"
        );
        let told = stream.next_event();
        assert_eq!((told.kind.as_str(), told.id.as_deref()), ("corecast.drain", None));
        assert!(told.json().is_object(), "{told:?}");
        times.push(told.retry.expect("a time to come back"));
        assert_eq!(stream.end(), End::Abort, "an abort says: come back");
    }
    times.sort_unstable();
    times.dedup();
    assert!(times.len() > 10, "all would come back at once: {times:?}");
    plain.next_data(20);
    assert_eq!(plain.next_event().kind, "corecast.drain");
    assert_ne!(plain.end(), End::Clean);
    assert_eq!(hub.wait_for_exit(WITHIN).code(), Some(0));
}

#[test]
fn a_publish_that_has_begun_is_finished() {
    let mut hub = Hub::builder().set("hub.shards", 1).start();
    let mut stream = EventStream::open(hub.addr(), &Subscribe::to("t"));
    let body = json!({"topics": ["t"], "data": "in flight"}).to_string();
    let bytes = request("/publish", &Token::publisher().sign(), "application/json", body.as_bytes());
    let mut client = Client::connect(hub.addr());
    client.send(&bytes[..bytes.len() - 5]);
    // An answer from the only shard: it has read the half request by then.
    assert_eq!(exchange::get(hub.addr(), "/healthz").status(), 200);
    hub.sigterm();
    client.send(&bytes[bytes.len() - 5..]);
    let answer = client.read_answer();
    assert_eq!(answer.status(), 200, "{}", answer.text());
    assert_eq!(stream.next_event().data, "in flight", "acknowledged is delivered");
    assert_eq!(stream.next_event().kind, "corecast.drain");
    assert_eq!(hub.wait_for_exit(WITHIN).code(), Some(0));
}

#[test]
fn a_hub_without_anybody_ends_at_once() {
    let mut hub = Hub::start();
    hub.sigterm();
    assert_eq!(hub.wait_for_exit(Duration::from_secs(5)).code(), Some(0));
}

#[test]
fn a_hub_that_was_killed_leaves_its_port_free() {
    let mut hub = Hub::start();
    let mut stream = EventStream::open(hub.addr(), &Subscribe::to("t"));
    let addr = hub.addr();
    hub.kill9();
    assert_ne!(stream.end(), End::Clean, "clients come back");
    let again = eventually(PATIENCE, "the port is free", || std::net::TcpListener::bind(addr).ok());
    drop(again);
    let hub = Hub::builder().set("hub.listen", addr.to_string()).start();
    assert_eq!(hub.addr(), addr);
}
