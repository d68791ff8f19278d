//! Coming back: from which event a stream goes on, and what it is told it has missed.

use super::Harness;
use super::harness::{bearer, event, get};
use crate::event::Event;
use crate::id::Position;

/// A hub with events 1 to 9, of which the history has 5 to 9.
fn hub() -> (Harness, Vec<String>) {
    let mut hub = Harness::with(|settings| settings.history.events = 5);
    let ids = (1..=9)
        .map(|n| {
            let id = (n == 7).then(|| "order-7".into());
            hub.publish(Event { id, ..event("a", &n.to_string()) })
        })
        .collect();
    (hub, ids)
}

#[test]
fn a_stream_goes_on_behind_what_it_names() {
    let (mut hub, ids) = hub();
    let own = |position: u64| format!("000000000000c0de-{position}");
    let foreign = "000000000000beef-3".to_owned();
    for (from, gap_to, replayed) in [
        (ids[7].clone(), None, &["9"][..]),
        (ids[8].clone(), None, &[]),
        (own(4), None, &["5", "6", "7", "8", "9"]),
        (format!("{}e3", own(8)), None, &["9"]),
        ("order-7".to_owned(), None, &["8", "9"]),
        (own(3), Some(4), &["5", "6", "7", "8", "9"]),
        (own(0), Some(4), &["5", "6", "7", "8", "9"]),
        (foreign, Some(4), &["5", "6", "7", "8", "9"]),
        ("earliest".to_owned(), Some(4), &["5", "6", "7", "8", "9"]),
        ("order-1".to_owned(), Some(9), &[]),
        ("%00%22".to_owned(), Some(9), &[]),
        (own(1 << 40), Some(9), &[]),
    ] {
        let client = hub.subscribe(&format!("topic=a&last_event_id={from}"));
        let mut seen = hub.seen(client);
        if let Some(to) = gap_to {
            let gap = seen.events.remove(0);
            assert_eq!((gap.kind.as_str(), gap.id), ("corecast.gap", Some(own(to))), "{from}");
            assert!(
                gap.data.starts_with("{\"from\":\"") && gap.data.contains(&format!("\"to\":\"{}\"", own(to)))
            );
        }
        assert_eq!(seen.data(), replayed, "{from}");
        let sends = hub.sends(client).len();
        assert_eq!(sends, 1 + usize::from(!replayed.is_empty()), "a gap goes out with the head");
    }
    assert_eq!((hub.counters().resumes, hub.counters().gaps), (12, 7));
}

#[test]
fn the_header_beats_the_query_and_empty_is_absent() {
    let (mut hub, ids) = hub();
    for (header, query, expected) in [
        (Some(ids[7].as_str()), ids[5].as_str(), &["9"][..]),
        (Some(""), ids[7].as_str(), &["9"]),
        (None, "", &[]),
        (Some(""), "", &[]),
    ] {
        let header = header.map_or(String::new(), |id| format!("Last-Event-ID: {id}\r\n"));
        let client = hub.request(get(&format!("/events?topic=a&last_event_id={query}"), &header));
        assert_eq!(hub.data(client), expected, "{header} {query}");
    }
}

#[test]
fn a_new_log_has_nothing_before_its_beginning() {
    let mut hub = Harness::new();
    let earliest = hub.subscribe("topic=a&last_event_id=earliest");
    assert!(hub.seen(earliest).events.is_empty(), "nothing is missing");
    hub.publish(event("a", "x"));
    let earliest = hub.subscribe("topic=a&last_event_id=earliest");
    assert_eq!(hub.seen(earliest).kinds(), ["message"]);
}

#[test]
fn an_older_log_begins_with_a_gap() {
    let mut hub = Harness::begin(1, Position(100), |_| {});
    let client = hub.subscribe("topic=a&last_event_id=000000000000c0de-40");
    let gap = hub.seen(client).events.remove(0);
    assert_eq!(gap.data, r#"{"from":"000000000000c0de-40","to":"000000000000c0de-100"}"#);
    hub.publish(event("a", "x"));
    assert_eq!(hub.seen(client).last_id(), "000000000000c0de-101");
    let seamless = hub.subscribe("topic=a&last_event_id=000000000000c0de-100");
    assert_eq!(hub.data(seamless), ["x"]);
}

#[test]
fn a_stream_cut_at_every_byte_resumes_without_loss_or_repetition() {
    let mut hub = Harness::new();
    let data = ["one", "two\nlines", "three"];
    data.iter().for_each(|data| drop(hub.publish(event("a", data))));
    let whole = hub.subscribe("topic=a&last_event_id=earliest");
    let greeting = hub.sends(whole)[0].taken;
    for cut in greeting..hub.received(whole).len() {
        let client = hub.connect();
        hub.set_room(client, cut);
        hub.send(client, get("/events?topic=a&last_event_id=earliest", ""));
        let before = hub.seen(client);
        hub.hang_up(client);
        let from = before.events.last().map_or("earliest".to_owned(), |event| event.id.clone().unwrap());
        let again = hub.subscribe(&format!("topic=a&last_event_id={from}"));
        assert_eq!([before.data(), hub.data(again)].concat(), data, "cut at {cut}");
    }
}

#[test]
fn what_the_gap_names_resumes_without_another_gap() {
    let (mut hub, _) = hub();
    let client = hub.subscribe("topic=a&last_event_id=nonsense");
    let id = hub.seen(client).last_id();
    let again = hub.subscribe(&format!("topic=a&last_event_id={id}"));
    assert!(hub.seen(again).events.is_empty());
}

#[test]
fn a_user_resumes_its_own_events() {
    let mut hub = Harness::new();
    let first = hub.publish(super::harness::event_for_user("alice", "1"));
    hub.publish(super::harness::event_for_user("bob", "2"));
    hub.publish(super::harness::event_for_user("alice", "3"));
    let token = hub.token("alice");
    let headers = format!("{}Last-Event-ID: {first}\r\n", bearer(&token));
    let client = hub.request(get("/events", &headers));
    assert_eq!(hub.data(client), ["3"]);
}

#[test]
fn thousands_come_back_at_once_and_nothing_is_lost() {
    let mut hub = Harness::new();
    hub.checks = false;
    let first = hub.publish(event("a", "0"));
    let mut expected: Vec<String> = (1..50).map(|n| n.to_string()).collect();
    expected.iter().for_each(|data| drop(hub.publish(event("a", data))));
    let clients: Vec<_> = (0..2000)
        .map(|_| {
            let client = hub.connect();
            hub.say(client, get(&format!("/events?topic=a&last_event_id={first}"), ""));
            client
        })
        .collect();
    for n in 50..60 {
        hub.sequence(event("a", &n.to_string()));
        hub.turn(0);
        expected.push(n.to_string());
    }
    hub.run_until_idle();
    assert!(clients.iter().all(|&client| hub.data(client) == expected));
    hub.engine().assert_invariants();
    assert_eq!((hub.engine().streams(), hub.engine().streams_behind()), (2000, 0));
}
