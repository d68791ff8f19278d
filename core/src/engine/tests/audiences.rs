//! Who is sent an event: topics, templates, `*`, users, all, private events, and those that are not kept.

use std::time::Duration;

use super::harness::{bearer, event, event_for, event_for_all, event_for_user, get};
use super::{Client, Harness};
use crate::event::{Audience, Event};

fn private(event: Event) -> Event {
    Event { private: true, ..event }
}

fn ephemeral(event: Event) -> Event {
    Event { ephemeral: true, ..event }
}

fn topics(topics: &[&str], data: &str) -> Event {
    event_for(Audience::Topics(topics.iter().map(|&topic| topic.into()).collect()), data)
}

fn granted(hub: &mut Harness, user: Option<&str>, grants: &[&str], query: &str) -> Client {
    let token = hub.token_for(user, grants, &[], Duration::from_secs(86_400));
    hub.request(get(&format!("/events?{query}"), &bearer(&token)))
}

#[test]
fn selectors_choose_topics() {
    let mut hub = Harness::new();
    let exact = hub.subscribe("topic=a/1");
    let template = hub.subscribe("topic=a/%7Bid%7D");
    let any = hub.subscribe("topic=*");
    let several = hub.subscribe("topic=b&topic=a/2");
    let none = hub.subscribe("");
    for topic in ["a/1", "a/2", "b", "c/1"] {
        hub.publish(event(topic, topic));
    }
    assert_eq!(hub.data(exact), ["a/1"]);
    assert_eq!(hub.data(template), ["a/1", "a/2"]);
    assert_eq!(hub.data(any), ["a/1", "a/2", "b", "c/1"]);
    assert_eq!(hub.data(several), ["a/2", "b"]);
    assert!(hub.data(none).is_empty());
}

#[test]
fn an_event_comes_once_however_many_selectors_match() {
    let mut hub = Harness::new();
    let client = hub.subscribe("topic=a/1&topic=a/2&topic=a/%7Bx%7D&topic=%7B%2Bx%7D&topic=*");
    hub.publish(topics(&["a/1", "a/2", "c"], "x"));
    hub.publish(topics(&["a/2", "a/1"], "y"));
    assert_eq!(hub.data(client), ["x", "y"]);
    assert_eq!(hub.counters().deliveries, 2);
}

#[test]
fn users_get_their_own_events_and_those_to_all() {
    let mut hub = Harness::new();
    let alice = [hub.subscribe_as("alice", ""), hub.subscribe_as("alice", "topic=a")];
    let bob = hub.subscribe_as("bob", "topic=*");
    let nobody = hub.subscribe("topic=*&client_id=alice");
    hub.publish(event_for_user("alice", "for alice"));
    hub.publish(event_for(
        Audience::Users(["bob".into(), "alice".into(), "carol".into()].into()),
        "for both",
    ));
    hub.publish(event_for_all("for all"));
    for stream in alice {
        assert_eq!(hub.data(stream), ["for alice", "for both", "for all"]);
    }
    assert_eq!(hub.data(bob), ["for both", "for all"]);
    assert_eq!(hub.data(nobody), ["for all"], "a client id is no user");
}

#[test]
fn private_events_need_a_grant() {
    let mut hub = Harness::new();
    let anonymous = hub.subscribe("topic=a/1");
    let without = hub.subscribe_as("alice", "topic=a/1");
    let exact = granted(&mut hub, Some("bob"), &["a/1"], "topic=a/1");
    let template = granted(&mut hub, None, &["a/{x}"], "topic=*");
    let everything = granted(&mut hub, None, &["*"], "topic=a/1");
    let not_subscribed = granted(&mut hub, None, &["*"], "topic=b");
    let other = granted(&mut hub, None, &["b"], "topic=*");
    hub.publish(private(event("a/1", "secret")));
    for (stream, sees) in [
        (anonymous, false),
        (without, false),
        (exact, true),
        (template, true),
        (everything, true),
        (not_subscribed, false),
        (other, false),
    ] {
        assert_eq!(!hub.data(stream).is_empty(), sees);
    }
}

#[test]
fn a_private_event_to_all_is_for_users() {
    let mut hub = Harness::new();
    let (user, anonymous) = (hub.subscribe_as("alice", ""), hub.subscribe("client_id=x"));
    hub.publish(private(event_for_all("members only")));
    hub.publish(private(event_for_user("alice", "hers")));
    assert_eq!(hub.data(user), ["members only", "hers"]);
    assert!(hub.data(anonymous).is_empty());
}

#[test]
fn history_judges_as_the_present_does() {
    let mut hub = Harness::new();
    for event in [
        event("a", "public"),
        private(event("a", "private")),
        event_for_user("alice", "alice"),
        event_for_all("all"),
        private(event_for_all("users")),
        topics(&["b", "c"], "several"),
    ] {
        hub.publish(event);
    }
    let from = "last_event_id=earliest";
    let anonymous = hub.subscribe(&format!("topic=a&{from}"));
    let alice = hub.subscribe_as("alice", &format!("topic=c&topic=b&{from}"));
    let bob = granted(&mut hub, Some("bob"), &["{x}"], &format!("topic=a&{from}"));
    assert_eq!(hub.data(anonymous), ["public", "all"]);
    assert_eq!(hub.data(alice), ["alice", "all", "users", "several"]);
    assert_eq!(hub.data(bob), ["public", "private", "all", "users"]);
}

#[test]
fn an_ephemeral_event_is_for_who_is_there() {
    let mut hub = Harness::new();
    let client = hub.subscribe("topic=a");
    let kept = hub.publish(event("a", "kept"));
    let passing = hub.publish(ephemeral(event("a", "passing")));
    assert_eq!(hub.data(client), ["kept", "passing"]);
    assert_eq!(passing, format!("{kept}e1"), "it resumes from the kept event before it");
    for id in [&kept, &passing] {
        let late = hub.subscribe(&format!("topic=a&last_event_id={id}"));
        assert_eq!(hub.seen(late).kinds(), [] as [&str; 0], "nothing is missing behind {id}");
    }
    assert_eq!(hub.engine().history_occupancy().0, 1);
    assert_eq!(hub.engine().topics.counts().topics, 1);
}

#[test]
fn what_has_outlived_its_time_is_not_replayed() {
    let mut hub = Harness::new();
    let live = hub.subscribe("topic=a");
    hub.publish(Event { ttl: Some(Duration::from_secs(10)), ..event("a", "brief") });
    hub.publish(event("a", "lasting"));
    hub.advance(Duration::from_millis(9_999));
    let in_time = hub.subscribe("topic=a&last_event_id=earliest");
    hub.advance(Duration::from_millis(1));
    let too_late = hub.subscribe("topic=a&last_event_id=earliest");
    assert_eq!(hub.data(live), ["brief", "lasting"]);
    assert_eq!(hub.data(in_time), ["brief", "lasting"]);
    assert_eq!(hub.data(too_late), ["lasting"]);
}

#[test]
fn fields_arrive_as_they_were_published() {
    let mut hub = Harness::new();
    let client = hub.subscribe("topic=a");
    hub.publish(Event {
        kind: Some("order".into()),
        id: Some("order-17".into()),
        retry_ms: Some(7000),
        ..event("a", "one\ntwo\r\n\rfour ")
    });
    let seen = hub.seen(client);
    let event = seen.last();
    assert_eq!(event.data, "one\ntwo\n\nfour ");
    assert_eq!(
        (event.kind.as_str(), event.id.as_deref(), event.retry),
        ("order", Some("order-17"), Some(7000))
    );
    hub.publish(super::harness::event("a", ""));
    assert_eq!(hub.seen(client).last().data, "");
}
