//! What one is told who cannot have a stream now: in the stream if it asked for one, by a status if not.

use super::Harness;
use super::harness::{bearer, get};
use crate::settings::{PerUserPolicy, Settings};

fn plain(headers: &str) -> String {
    format!("GET /events HTTP/1.1\r\nHost: hub\r\n{headers}\r\n")
}

fn full_process(settings: &mut Settings) {
    settings.limits.connections = 1;
}

fn full_user(settings: &mut Settings) {
    settings.limits.per_user = 1;
    settings.limits.per_user_policy = PerUserPolicy::RejectNewest;
}

fn full_address(settings: &mut Settings) {
    settings.limits.per_ip = 1;
}

#[test]
fn whoever_asked_for_a_stream_is_told_in_one() {
    for (limit, reason) in [
        (full_process as fn(&mut Settings), "connections"),
        (full_user, "per_user"),
        (full_address, "per_ip"),
    ] {
        let mut hub = Harness::with(limit);
        hub.subscribe_as("alice", "");
        let refused = hub.subscribe_as("alice", "");
        let seen = hub.seen(refused);
        let last = seen.last();
        assert_eq!((last.kind.as_str(), &last.id), ("corecast.limit", &None));
        assert_eq!(last.data, format!("{{\"reason\":\"{reason}\"}}"));
        let retry = last.retry.unwrap();
        assert!((30_000..=120_000).contains(&retry), "{retry}");
        assert_eq!(seen.retry, retry, "the first bytes say the same");
        assert!(hub.is_closed(refused) && !seen.is_clean_end, "it is to come back: an abort");
        assert_eq!(hub.streams_counted(), 1);
    }
}

#[test]
fn whoever_did_not_gets_the_honest_status() {
    for (limit, status, code) in [
        (full_process as fn(&mut Settings), 503, "connection_limit"),
        (full_user, 429, "user_limit"),
        (full_address, 429, "address_limit"),
    ] {
        let mut hub = Harness::with(limit);
        hub.subscribe_as("alice", "");
        let token = hub.token("alice");
        let refused = hub.request(plain(&bearer(&token)));
        let answer = hub.answer(refused);
        assert_eq!(answer.status, status);
        let retry: u64 = answer.header("Retry-After").unwrap().parse().unwrap();
        assert!((30..=120).contains(&retry));
        assert!(answer.body.starts_with(&format!("{{\"error\":\"{code}\"")), "{}", answer.body);
        assert!(answer.closes() && hub.is_closed(refused));
    }
}

#[test]
fn a_hub_that_stops_says_so() {
    let mut hub = Harness::new();
    let early = hub.connect();
    let other = hub.connect();
    hub.say(early, "G");
    hub.say(other, "G");
    hub.run_until_idle();
    hub.engine().begin_drain(std::time::Duration::from_secs(10));
    hub.send(early, &get("/events", "")[1..]);
    hub.send(other, &plain("")[1..]);
    assert_eq!(hub.seen(early).kinds(), ["corecast.drain"]);
    let answer = hub.answer(other);
    assert!(answer.status == 503 && answer.closes() && answer.header("Retry-After").is_some());
}

#[test]
fn a_herd_of_refused_streams_does_not_come_back_as_one() {
    let mut hub = Harness::with(full_process);
    hub.subscribe("topic=a");
    let retries: std::collections::BTreeSet<_> = (0..50)
        .map(|_| {
            let refused = hub.subscribe("topic=a");
            hub.seen(refused).retry
        })
        .collect();
    assert!(retries.len() > 45, "{retries:?}");
    assert_eq!(hub.engine().connections(), 1);
}
