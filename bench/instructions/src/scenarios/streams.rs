//! Streams that come and go.

use corecast_core::connection::ConnectionId;
use corecast_core::event::SharedEvent;

use crate::counted::counted;
use crate::host::{Host, bearer, get, token, topic};

/// Streams that are there before: tables have a usual size, and one more makes few of them grow.
const PRESENT: u64 = 1000;

/// Streams that come while it counts.
const COMING: u64 = 500;

fn hub() -> Host {
    Host::with_streams((0..PRESENT).map(|n| get(&format!("topic=news&client_id=tab-{n}"), "")))
}

fn requests_with_tokens() -> Vec<String> {
    let of_user = |n| get("topic=news", &bearer(&token(Some(&format!("user-{n}")), &[])));
    (0..COMING).map(of_user).collect()
}

/// From the bytes of each request to its greeting and the moment it is live, each in turns of its own. Connecting
/// does not count.
fn subscribe(host: &mut Host, requests: &[String]) -> Vec<ConnectionId> {
    let accepted: Vec<_> = requests.iter().map(|_| host.accept()).collect();
    let before = host.engine.streams();
    counted(&mut || {
        for (&id, request) in accepted.iter().zip(requests) {
            host.receive(id, request.as_bytes());
        }
    });
    assert_eq!((host.engine.streams() - before) as usize, requests.len(), "every request has its stream");
    assert_eq!(host.engine.streams_behind(), 0, "every stream is live");
    accepted
}

pub(super) fn subscribe_anonymous() -> u64 {
    let requests: Vec<_> = (0..COMING).map(|n| get(&format!("topic=news&client_id=new-{n}"), "")).collect();
    subscribe(&mut hub(), &requests);
    COMING
}

pub(super) fn subscribe_new_token() -> u64 {
    subscribe(&mut hub(), &requests_with_tokens());
    COMING
}

/// Tokens that were seen before: those of a herd that comes back.
pub(super) fn subscribe_known_token() -> u64 {
    let requests = requests_with_tokens();
    let mut host = hub();
    let accepted: Vec<_> = requests.iter().map(|_| host.accept()).collect();
    for (&id, request) in accepted.iter().zip(&requests) {
        host.receive(id, request.as_bytes());
        host.hang_up(id);
    }
    subscribe(&mut host, &requests);
    COMING
}

/// Streams that missed 50 events of a history of 1000.
pub(super) fn resume() -> u64 {
    const MISSED: u64 = 50;
    let mut host = Host::new();
    for _ in 0..1000 {
        let event = host.event(topic("news"));
        host.deliver(event);
    }
    let cursor = host.id_before_newest(MISSED);
    let of_tab = |n| get(&format!("topic=news&client_id=tab-{n}"), &format!("Last-Event-ID: {cursor}\r\n"));
    let requests: Vec<_> = (0..COMING).map(of_tab).collect();
    let before = host.engine.counters().deliveries_from_history;
    subscribe(&mut host, &requests);
    let fed = host.engine.counters().deliveries_from_history - before;
    assert_eq!(fed, COMING * MISSED, "every stream gets what it missed");
    COMING
}

/// A connection comes, streams, gets one event and hangs up; the next has its slot.
pub(super) fn churn() -> u64 {
    let mut host = hub();
    let requests: Vec<_> =
        (0..COMING).map(|n| get(&format!("topic=mine-{n}&client_id=new-{n}"), "")).collect();
    let events: Vec<_> = (0..COMING).map(|n| host.event(topic(&format!("mine-{n}")))).collect();
    let before = host.engine.counters().deliveries;
    counted(&mut || {
        for (request, event) in requests.iter().zip(&events) {
            let id = host.accept();
            host.receive(id, request.as_bytes());
            host.deliver(SharedEvent::clone(event));
            host.hang_up(id);
        }
    });
    assert_eq!(host.engine.counters().deliveries - before, COMING, "each gets its event");
    assert_eq!(u64::from(host.engine.connections()), PRESENT, "each is gone");
    COMING
}
