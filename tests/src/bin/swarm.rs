#![forbid(unsafe_code)]
//! One process of a swarm too large for one: `swarm ADDR FIRST_SOURCE CONNECTIONS TOPIC EVENTS`.
//!
//! Says `open` when all its streams are, `received` when each has seen the numbers from 0 to `EVENTS`, exactly once
//! and in order, and ends when its input does.

use std::io::Read;
use std::net::SocketAddr;
use std::time::Duration;

use corecast_tests::request::Subscribe;
use corecast_tests::swarm::Swarm;

/// Opening ten thousand streams takes two loaded cores a few seconds.
const WITHIN: Duration = Duration::from_secs(120);

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [addr, first_source, connections, topic, events] = &arguments[..] else {
        panic!("usage: swarm ADDR FIRST_SOURCE CONNECTIONS TOPIC EVENTS");
    };
    let addr: SocketAddr = addr.parse().expect("ADDR is an address and port");
    let first_source = first_source.parse().expect("FIRST_SOURCE is the last number of 127.0.0.x");
    let connections: usize = connections.parse().expect("CONNECTIONS is a number");
    let events: u32 = events.parse().expect("EVENTS is a number");

    let mut swarm = Swarm::around(addr, first_source);
    for _ in 0..connections {
        swarm.join(&Subscribe::to(topic));
    }
    swarm.drive_until(WITHIN, "all streams open", |s| s.open() == connections);
    println!("open");
    let expected = connections * events as usize;
    swarm.drive_until(WITHIN, "all events", |s| s.events() >= expected);
    for (index, member) in swarm.members().iter().enumerate() {
        assert!(member.seen().iter().copied().eq(0..events), "member {index} saw {:?}", member.seen());
    }
    println!("received");
    // The streams stay open until the test has looked at the hub.
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
}
