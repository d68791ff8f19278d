//! Coming back from further away than history reaches: fed from the log's pages, then from history, then live.

use std::time::Duration;

use super::Harness;
use super::harness::{bearer, event, event_for_all, event_for_user, get};
use super::old_log::LogMood;
use crate::close_reason::CloseReason;
use crate::event::Event;
use crate::id::Position;
use crate::limits::SEEKS_MAX;

fn own(position: u64) -> String {
    format!("000000000000c0de-{position}")
}

fn numbers(range: std::ops::RangeInclusive<u64>) -> Vec<String> {
    range.map(|n| n.to_string()).collect()
}

/// A hub with events 1 to `events` of topic `a`, of which the history has the last 5 and the log all, in pages of 4.
fn hub(events: u64) -> Harness {
    let mut hub = Harness::with_log(4, |settings| settings.history.events = 5);
    for n in 1..=events {
        let id = (n % 10 == 7).then(|| format!("order-{n}").into());
        hub.publish(Event { id, ..event("a", &n.to_string()) });
    }
    hub
}

#[test]
fn whoever_names_an_old_event_gets_all_that_followed_and_is_live() {
    for (last_event_id, first) in
        [(own(3), 4), (own(0), 1), ("order-7".to_owned(), 8), ("earliest".to_owned(), 1), (own(37), 38)]
    {
        let mut hub = hub(40);
        let client = hub.subscribe(&format!("topic=a&last_event_id={last_event_id}"));
        assert_eq!(hub.data(client), numbers(first..=40), "{last_event_id}");
        assert_eq!(hub.engine().streams_behind(), 0);
        hub.publish(event("a", "41"));
        assert_eq!(hub.data(client).last().unwrap(), "41");
        assert_eq!(hub.counters().gaps, 0);
    }
}

#[test]
fn what_the_log_has_lost_is_told_before_the_rest_comes() {
    for (last_event_id, start, gap_to, first) in [
        (own(3), 10, 10, 11),
        ("earliest".to_owned(), 10, 10, 11),
        ("000000000000beef-3".to_owned(), 0, 0, 1),
        ("order-7".to_owned(), 10, 40, 41),
        ("order-1".to_owned(), 0, 40, 41),
        (own(1 << 40), 0, 40, 41),
    ] {
        let mut hub = hub(40);
        hub.log_mut().start = Position(start);
        let client = hub.subscribe(&format!("topic=a&last_event_id={last_event_id}"));
        let mut seen = hub.seen(client);
        let gap = seen.events.remove(0);
        assert_eq!((gap.kind.as_str(), gap.id), ("corecast.gap", Some(own(gap_to))), "{last_event_id}");
        assert!(gap.data.contains(&format!("\"from\":\"{last_event_id}\"")), "{}", gap.data);
        assert_eq!(seen.data(), numbers(first..=40), "{last_event_id}");
        assert_eq!(hub.counters().gaps, 1);
    }
}

#[test]
fn what_is_no_id_is_not_asked_of_the_log() {
    let mut hub = hub(10);
    let client = hub.subscribe("topic=a&last_event_id=%00%22");
    assert_eq!(hub.seen(client).events[0].kind, "corecast.gap");
    assert_eq!(hub.log_mut().seeks, 0);
}

#[test]
fn a_stream_has_its_head_at_once_and_waits_for_the_log_with_the_rest() {
    let mut hub = hub(20);
    hub.log_mut().mood = LogMood::Hesitates;
    let client = hub.subscribe("topic=a&last_event_id=order-7");
    assert_eq!(hub.status(client), 200);
    hub.publish(event("a", "21"));
    hub.advance_secs(5);
    assert!(hub.data(client).is_empty(), "nothing comes before what was missed");
    assert_eq!(hub.engine().streams_waiting_for_log(), 1);
    hub.log_mut().mood = LogMood::Answers;
    hub.run_until_idle();
    assert_eq!(hub.data(client), numbers(8..=21));
    assert_eq!(hub.engine().streams_waiting_for_log(), 0);
}

#[test]
fn only_what_concerns_a_stream_comes_out_of_a_page() {
    let mut hub = Harness::with_log(4, |settings| settings.history.events = 2);
    for n in 0..6 {
        hub.publish(event("a", &format!("a{n}")));
        hub.publish(event("news/1", &format!("news{n}")));
        hub.publish(event_for_user("alice", &format!("alice{n}")));
        hub.publish(event_for_all(&format!("all{n}")));
        hub.publish(Event { private: true, ..event("a", "granted to nobody") });
        hub.publish(Event { ttl: Some(Duration::from_secs(10)), ..event("a", "brief") });
        hub.publish(Event { ephemeral: true, ..event("a", "passing") });
    }
    hub.advance_secs(20);
    let topics = hub.subscribe("topic=news/%7Bx%7D&last_event_id=earliest");
    let each = |names: &[&str]| -> Vec<String> {
        (0..6).flat_map(|n| names.iter().map(move |name| format!("{name}{n}"))).collect()
    };
    assert_eq!(hub.data(topics), each(&["news", "all"]));
    let alice = hub.subscribe_as("alice", "last_event_id=earliest");
    assert_eq!(hub.data(alice), each(&["alice", "all"]));
    let a = hub.subscribe("topic=a&last_event_id=earliest");
    assert_eq!(hub.data(a), each(&["a", "all"]));
}

#[test]
fn a_herd_at_different_places_shares_its_reads() {
    let mut hub = hub(80);
    hub.log_mut().mood = LogMood::Hesitates;
    let clients: Vec<_> =
        (0..75).map(|n| hub.subscribe(&format!("topic=a&last_event_id={}", own(n)))).collect();
    hub.log_mut().mood = LogMood::Answers;
    hub.run_until_idle();
    for (n, client) in clients.into_iter().enumerate() {
        assert_eq!(hub.data(client), numbers(n as u64 + 1..=80), "{n}");
    }
    let reads = hub.log_mut().reads.len();
    assert!(reads <= 2 * 80 / 4, "{reads} reads of 20 pages, one way and round again");
}

#[test]
fn a_reader_that_falls_off_history_is_fed_from_the_log() {
    let mut hub = hub(0);
    let (slow, fast) = (hub.subscribe("topic=a"), hub.subscribe("topic=a"));
    let mut random = fastrand::Rng::with_seed(5);
    for n in 1..=300 {
        hub.set_room(slow, random.usize(0..60));
        hub.publish(event("a", &n.to_string()));
    }
    assert_eq!(hub.data(fast), numbers(1..=300));
    hub.unstall(slow);
    assert_eq!(hub.data(slow), numbers(1..=300));
    assert!(hub.counters().pages > 20, "{}", hub.counters().pages);
    assert_eq!(hub.counters().closes[CloseReason::SlowConsumer.index()], 0);
}

#[test]
fn a_frame_that_is_cut_within_a_page_is_finished_first() {
    for room in 1..200 {
        let mut hub = hub(40);
        let client = hub.connect();
        hub.set_room(client, 300 + room);
        hub.send(client, get(&format!("/events?topic=a&last_event_id={}", own(2)), ""));
        hub.unstall(client);
        assert_eq!(hub.data(client), numbers(3..=40), "{room}");
    }
}

#[test]
fn what_is_lost_while_a_stream_waits_for_it_is_told() {
    let mut hub = hub(40);
    hub.log_mut().mood = LogMood::Hesitates;
    let client = hub.subscribe(&format!("topic=a&last_event_id={}", own(3)));
    hub.log_mut().mood = LogMood::Answers;
    // Retention passes between the answer that all is there and the reading of it.
    let log = hub.log_mut();
    let (shard, sought) = log.answer().unwrap();
    log.start = Position(12);
    hub.hand_in_log_answer(shard, sought);
    hub.run_until_idle();
    let mut seen = hub.seen(client);
    let gap = seen.events.remove(0);
    assert_eq!((gap.kind.as_str(), gap.id), ("corecast.gap", Some(own(12))));
    assert!(gap.data.contains(&format!("\"from\":\"{}\"", own(3))), "{}", gap.data);
    assert_eq!(seen.data(), numbers(13..=40));
}

#[test]
fn a_log_that_cannot_be_read_ends_those_who_need_it_and_nobody_else() {
    let mut hub = hub(40);
    let live = hub.subscribe("topic=a");
    hub.log_mut().mood = LogMood::CannotRead;
    let old = hub.subscribe(&format!("topic=a&last_event_id={}", own(3)));
    assert!(hub.is_closed(old));
    assert_eq!(hub.counters().closes[CloseReason::LogUnreadable.index()], 1);
    hub.publish(event("a", "41"));
    assert_eq!(hub.data(live), ["41"]);
    hub.log_mut().mood = LogMood::Answers;
    let old = hub.subscribe(&format!("topic=a&last_event_id={}", own(3)));
    assert_eq!(hub.data(old), numbers(4..=41));
}

#[test]
fn whoever_goes_while_the_log_is_asked_leaves_nothing_behind() {
    let mut hub = hub(40);
    hub.log_mut().mood = LogMood::Hesitates;
    for _ in 0..2 * SEEKS_MAX {
        let client = hub.subscribe(&format!("topic=a&last_event_id={}", own(3)));
        hub.hang_up(client);
    }
    let staying = hub.subscribe(&format!("topic=a&last_event_id={}", own(30)));
    hub.log_mut().mood = LogMood::Answers;
    hub.run_until_idle();
    assert_eq!(hub.data(staying), numbers(31..=40));
    assert_eq!(hub.engine().streams_waiting_for_log(), 0);
    let seeks = hub.log_mut().seeks;
    assert!(seeks <= SEEKS_MAX + 1, "{seeks}: those who had gone were not asked for");
}

#[test]
fn a_token_that_ends_soon_is_warned_of_while_its_stream_waits() {
    let mut hub = hub(40);
    let token = hub.token_for(Some("alice"), &[], &[], Duration::from_secs(40));
    hub.log_mut().mood = LogMood::Hesitates;
    let client = hub.request(get(&format!("/events?topic=a&last_event_id={}", own(3)), &bearer(&token)));
    hub.advance_secs(15);
    assert_eq!(hub.seen(client).events[0].kind, "corecast.expiring");
    hub.log_mut().mood = LogMood::Answers;
    hub.run_until_idle();
    assert_eq!(hub.seen(client).data()[1..], numbers(4..=40));
}

#[test]
fn a_drain_does_not_end_a_stream_before_it_has_all_or_patience_is_over() {
    for answers in [true, false] {
        let mut hub = hub(40);
        hub.log_mut().mood = LogMood::Hesitates;
        let client = hub.subscribe(&format!("topic=a&last_event_id={}", own(3)));
        hub.drain(Duration::from_secs(5));
        hub.advance_secs(1);
        assert!(!hub.is_closed(client));
        if answers {
            hub.log_mut().mood = LogMood::Answers;
        }
        hub.advance_secs(10);
        assert!(hub.is_closed(client));
        let expected = if answers { numbers(4..=40) } else { Vec::new() };
        let seen = hub.seen(client).data();
        assert_eq!(seen[..seen.len() - 1], expected, "{answers}");
    }
}

#[test]
fn pages_are_let_go_of_and_their_topics_with_them() {
    let mut hub = Harness::with_log(4, |settings| settings.history.events = 5);
    let big = "x".repeat(50_000);
    for n in 0..1000 {
        hub.publish(event(&format!("topic-{n}"), &big));
    }
    hub.checks = false;
    let client = hub.subscribe("topic=*&last_event_id=earliest");
    hub.checks = true;
    hub.run_until_idle();
    assert_eq!(hub.data(client).len(), 1000);
    let topics = hub.engine().topics.counts().topics;
    assert!(topics < 250, "{topics} topics are known, the pages hold some 170 events");
}
