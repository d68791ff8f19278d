//! Requests that are answered: publishes, and the smallest there is.

use crate::counted::counted;
use crate::host::{Host, post, token};

/// Posts the same on one kept connection: from its bytes to what the sequencer is to have. The answer does not count.
/// The number of events.
fn publish(posts: u64, content_type: &str, body: &str) -> u64 {
    let mut host = Host::new();
    let request = post(&token(None, &["*"]), content_type, body);
    let publisher = host.accept();
    let mut events = 0;
    // The first is not counted: its token is new.
    for n in 0..=posts {
        let mut work = || host.receive(publisher, request.as_bytes());
        if n == 0 {
            work()
        } else {
            counted(&mut work)
        }
        let handed_in = host.publishes.iter().flat_map(|request| &request.events);
        events += handed_in.filter(|event| event.is_ok()).count() as u64 * u64::from(n > 0);
        host.answer_publishes();
    }
    assert_eq!(host.engine.counters().requests_rejected, 0, "every post is accepted");
    events
}

pub(super) fn publish_json() -> u64 {
    const POSTS: u64 = 500;
    let body = format!(r#"{{"topics":["news"],"type":"note","data":"{}"}}"#, "x".repeat(128));
    let events = publish(POSTS, "application/json", &body);
    assert_eq!(events, POSTS, "each post is an event");
    events
}

/// The head is shared by 100 lines.
pub(super) fn publish_ndjson() -> u64 {
    const POSTS: u64 = 5;
    const LINES: u64 = 100;
    let line = format!("{{\"topics\":[\"news\"],\"type\":\"note\",\"data\":\"{}\"}}\n", "x".repeat(128));
    let events = publish(POSTS, "application/x-ndjson", &line.repeat(LINES as usize));
    assert_eq!(events, POSTS * LINES, "each line is an event");
    events
}

/// A health check on a kept connection: reading a head, routing and answering, and nothing else.
pub(super) fn liveness() -> u64 {
    const REQUESTS: u64 = 500;
    let mut host = Host::new();
    let id = host.accept();
    let request = b"GET /healthz HTTP/1.1\r\nHost: events.example.com\r\n\r\n";
    let before = host.engine.counters().clone();
    counted(&mut || (0..REQUESTS).for_each(|_| host.receive(id, request)));
    let after = host.engine.counters();
    assert_eq!(after.requests - before.requests, REQUESTS, "every request is read");
    assert_eq!(after.sends - before.sends, REQUESTS, "every request is answered");
    REQUESTS
}
