//! From an event to the streams it is for.

use corecast_core::event::{Audience, SharedEvent};

use crate::counted::counted;
use crate::host::{Host, bearer, get, token, topic, user};

const STREAMS: u64 = 10_000;

/// Events that a window takes: so many are joined when the fan-out is behind.
const QUEUED: u64 = 64;

/// 10,000 streams of one topic that have been sent an event before: their tables have grown to their size.
fn hub() -> Host {
    let mut host =
        Host::with_streams((0..STREAMS).map(|n| get(&format!("topic=news&client_id=tab-{n}"), "")));
    let event = host.event(topic("news"));
    host.deliver(event);
    host
}

/// One event goes to all streams. The number of deliveries.
fn deliver(host: &mut Host, audience: Audience) -> u64 {
    let event = host.event(audience);
    let before = host.engine.counters().deliveries;
    counted(&mut || host.deliver(SharedEvent::clone(&event)));
    let deliveries = host.engine.counters().deliveries - before;
    assert_eq!(deliveries, STREAMS, "the event reaches every stream");
    deliveries
}

pub(super) fn topic_to_all_streams() -> u64 {
    deliver(&mut hub(), topic("news"))
}

pub(super) fn all() -> u64 {
    deliver(&mut hub(), Audience::All)
}

/// As many events as the window takes come in one turn; each stream gets them in one send. A 64th of the count is what
/// one event for one stream costs when the hub is behind.
pub(super) fn sixty_four_queued() -> u64 {
    let mut host = hub();
    let events: Vec<SharedEvent> = (0..QUEUED).map(|_| host.event(topic("news"))).collect();
    let before = host.engine.counters().clone();
    counted(&mut || {
        host.turn(|engine| {
            for event in &events {
                engine.handle_event(SharedEvent::clone(event));
            }
        });
        host.run_until_idle();
    });
    let after = host.engine.counters();
    assert_eq!(after.deliveries - before.deliveries, STREAMS * QUEUED, "every stream gets every event");
    assert_eq!(after.sends - before.sends, STREAMS, "every stream gets them in one send");
    STREAMS
}

/// Events for one user each, each with a turn of its own.
pub(super) fn one_user() -> u64 {
    const EVENTS: u64 = 1000;
    let name = |n: u64| format!("user-{n}");
    let mut host =
        Host::with_streams((0..STREAMS).map(|n| get("topic=news", &bearer(&token(Some(&name(n)), &[])))));
    let mut random = fastrand::Rng::with_seed(1);
    let events: Vec<SharedEvent> =
        (0..EVENTS).map(|_| host.event(user(&name(random.u64(0..STREAMS))))).collect();
    let before = host.engine.counters().deliveries;
    counted(&mut || {
        for event in &events {
            host.deliver(SharedEvent::clone(event));
        }
    });
    assert_eq!(host.engine.counters().deliveries - before, EVENTS, "each event reaches one stream");
    EVENTS
}

/// Events under topics that nobody asked for, each with a turn of its own: what an event costs by itself.
pub(super) fn nobody() -> u64 {
    const EVENTS: u64 = 1000;
    let mut host = hub();
    let events: Vec<SharedEvent> = (0..EVENTS).map(|n| host.event(topic(&format!("orders/{n}")))).collect();
    let before = host.engine.counters().deliveries;
    counted(&mut || {
        for event in &events {
            host.deliver(SharedEvent::clone(event));
        }
    });
    assert_eq!(host.engine.counters().deliveries, before, "nobody gets them");
    EVENTS
}
