//! Ten thousand requests that never end stop nobody, and are gone at their deadline.

use std::time::{Duration, Instant};

use corecast_tests::exchange::Client;
use corecast_tests::hub::Hub;
use corecast_tests::publish::Publisher;
use corecast_tests::request::Subscribe;
use corecast_tests::stream::EventStream;
use corecast_tests::swarm::raise_nofile;

const SLOW: usize = 10_000;

#[test]
fn ten_thousand_half_requests_stop_nobody() {
    raise_nofile();
    let hub = Hub::builder().set("limits.head_timeout", "5s").start();
    let begin = Instant::now();
    let mut slow: Vec<Client> = (0..SLOW)
        .map(|_| {
            let mut client = Client::connect(hub.addr());
            client.try_send(b"GET /events?topic=t HTTP/1.1\r\nHost: h\r\n");
            client
        })
        .collect();
    println!("{SLOW} half requests in {:.0?}", begin.elapsed());

    // Whatever they hold, streams open, publishers are answered and events come.
    let mut streams: Vec<_> = (0..20).map(|_| EventStream::open(hub.addr(), &Subscribe::to("t"))).collect();
    let mut publisher = Publisher::connect(hub.addr());
    publisher.to_topic("t", "still served");
    for stream in &mut streams {
        assert_eq!(stream.next_data(1), ["still served"]);
    }

    // Each is ended: with an answer, or without one where the hub protects itself by closing the slowest early.
    for client in &mut slow {
        let answer = client.read_to_end();
        let text = String::from_utf8_lossy(&answer);
        let status = text.get(9..12).unwrap_or_default();
        assert!(answer.is_empty() || ["408", "503"].contains(&status), "{text}");
    }
    assert!(begin.elapsed() < Duration::from_secs(60));
    publisher.to_topic("t", "afterwards");
    assert_eq!(streams[0].next_data(1), ["afterwards"]);
}
