//! Before a drain every request is still answered, and connections are not kept for another.

use std::time::Duration;

use super::Harness;
use super::harness::{event, post};
use crate::limits::LAST_REQUESTS_PATIENCE;

const HEALTH: &str = "GET /healthz HTTP/1.1\r\nHost: hub\r\n\r\n";

#[test]
fn who_sends_a_request_has_its_answer_and_is_told_that_it_was_the_last() {
    let mut hub = Harness::new();
    let token = hub.publisher_token();
    let request = post(&token, r#"{"all":true,"data":1}"#);
    let stream = hub.subscribe("topic=a");
    let (kept, new) = (hub.request(&request), hub.connect());
    assert!(!hub.answer(kept).closes());
    hub.engine().begin_last_requests();
    hub.run_until_idle();
    assert_eq!(hub.engine().awaited_requests(), 2);
    for publisher in [kept, new] {
        hub.send(publisher, &request);
        let answer = hub.answer(publisher);
        assert!(answer.status == 200 && answer.closes() && hub.is_closed(publisher));
    }
    assert_eq!(hub.engine().awaited_requests(), 0);
    hub.publish(event("a", "x"));
    assert_eq!(hub.seen(stream).kinds(), ["message", "message", "message", "message"], "streams go on");
}

#[test]
fn who_has_waited_for_long_is_not_waited_for() {
    let mut hub = Harness::new();
    let (kept, new) = (hub.request(HEALTH), hub.connect());
    hub.advance(LAST_REQUESTS_PATIENCE + Duration::from_millis(1));
    let (recent, recent_new) = (hub.request(HEALTH), hub.connect());
    hub.engine().begin_last_requests();
    hub.run_until_idle();
    assert!(hub.is_closed(kept) && hub.is_closed(new));
    assert!(!hub.is_closed(recent) && !hub.is_closed(recent_new));
    assert_eq!(hub.engine().awaited_requests(), 2);
}

#[test]
fn a_stream_that_is_asked_for_meanwhile_is_one_like_others() {
    let mut hub = Harness::new();
    hub.engine().begin_last_requests();
    let stream = hub.subscribe("topic=a");
    hub.publish(event("a", "x"));
    assert_eq!(hub.seen(stream).kinds(), ["message"]);
    assert_eq!(hub.engine().awaited_requests(), 0);
    hub.drain(Duration::from_secs(1));
    hub.run_until_idle();
    assert_eq!(hub.seen(stream).kinds(), ["message", "corecast.drain"]);
}
