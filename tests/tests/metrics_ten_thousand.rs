//! With ten thousand streams the metrics page says what the clients have counted, to the last byte.
//!
//! Not here: speed.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use corecast_tests::hub::Hub;
use corecast_tests::publish;
use corecast_tests::request::Subscribe;
use corecast_tests::swarm::{MemberId, Swarm};
use corecast_tests::token::Token;
use corecast_tests::wait::{PATIENCE, eventually};

const CONNECTIONS: usize = 10_000;
const EVENTS: usize = 50;
const LEAVE: usize = 2500;
const WITHIN: Duration = Duration::from_secs(120);

/// Publishes in one request, and gives the number of bytes that were answered.
fn publish_all(addr: SocketAddr) -> u64 {
    let lines: String =
        (0..EVENTS).map(|n| format!("{{\"topics\":[\"numbers\"],\"data\":\"{n}\"}}\n")).collect();
    let token = Token::publisher().sign();
    let request = publish::request_with(
        "/publish",
        &token,
        "application/x-ndjson",
        &[("Connection", "close")],
        lines.as_bytes(),
    );
    let mut socket = TcpStream::connect(addr).expect("the hub listens");
    socket.set_read_timeout(Some(PATIENCE)).expect("a positive timeout");
    socket.write_all(&request).expect("the hub reads");
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).expect("the hub answers");
    assert!(answer.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&answer));
    answer.len() as u64
}

/// Waits until a metric has this value, since a shard's numbers are as old as its last look.
#[track_caller]
fn assert_metric(hub: &Hub, name: &str, label: &str, expected: u64) {
    let what = format!("{name}{{{label}}} {expected}; {}", hub.metric_where(name, label));
    eventually(PATIENCE, &what, || (hub.metric_where(name, label) == expected as f64).then_some(()));
}

#[test]
fn the_page_agrees_with_ten_thousand_clients() {
    let hub = Hub::builder().set("limits.connections", CONNECTIONS).set("stream.heartbeat", "off").start();
    let mut swarm = Swarm::around(hub.addr(), 2);
    let members: Vec<MemberId> = (0..CONNECTIONS)
        .map(|n| {
            let token = Token::of(&format!("user-{n}")).sign();
            swarm.join(&Subscribe::with_token(&token).topic("numbers").client_id(&format!("tab-{n}")))
        })
        .collect();
    swarm.drive_until(WITHIN, "all streams open", |s| s.open() == CONNECTIONS);
    let count = CONNECTIONS as u64;
    assert_metric(&hub, "sse_active_connections", "", count);
    assert_metric(&hub, "corecast_streams", "", count);
    assert_metric(&hub, "corecast_connections", "state=\"streaming\"", count);
    assert_metric(&hub, "corecast_users", "", count);
    assert_metric(&hub, "corecast_streams_opened_total", "", count);
    assert_metric(&hub, "corecast_accepted_total", "", count);
    assert_metric(&hub, "corecast_requests_total", "", count);
    assert_metric(&hub, "corecast_token_cache_misses_total", "", count);
    assert_metric(&hub, "corecast_bytes_total", "", swarm.bytes());

    let answered = publish_all(hub.addr());
    swarm.drive_until(WITHIN, "all events", |s| s.events() == CONNECTIONS * EVENTS);
    let (deliveries, events) = (count * EVENTS as u64, EVENTS as u64);
    assert_metric(&hub, "corecast_published_total", "", events);
    assert_metric(&hub, "corecast_events_total", "", 2 * events);
    assert_metric(&hub, "corecast_deliveries_total", "", deliveries);
    assert_metric(&hub, "corecast_fanout_seconds_count", "", 2 * events);
    assert_metric(&hub, "corecast_bytes_total", "", swarm.bytes() + answered);
    assert_metric(&hub, "corecast_closes_total", "reason=\"done\"", 1);

    // A stream too many is refused, and told so in a stream that is counted neither as open nor as opened.
    let extra = swarm.join(&Subscribe::to("numbers"));
    swarm.drive_until(WITHIN, "a refusal", |s| s.member(extra).end().is_some());
    assert_metric(&hub, "corecast_refusals_total", "reason=\"connection_limit\"", 1);
    assert_metric(&hub, "corecast_closes_total", "reason=\"connection_limit\"", 1);
    assert_metric(&hub, "corecast_bytes_total", "", swarm.bytes() + answered);
    assert_metric(&hub, "corecast_streams_opened_total", "", count);

    members[..LEAVE].iter().for_each(|&id| swarm.leave(id));
    assert_metric(&hub, "sse_active_connections", "", count - LEAVE as u64);
    assert_metric(&hub, "corecast_closes_total", "reason=\"peer_gone\"", LEAVE as u64);
    assert_metric(&hub, "sse_connection_duration_seconds_count", "status=\"peer_gone\"", LEAVE as u64);
    let waits = hub.metric("corecast_streams_behind") + hub.metric("corecast_lag_events_max");
    assert_eq!(waits, 0.0, "nobody is behind");
}
