//! The history against a plain list of everything that was ever pushed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::event::{Event, SequencedEvent};
use crate::frame::Frame;
use crate::id::EventId;
use crate::limits::RESUME_AHEAD_MAX;
use crate::time::Instant;
use crate::topics::TopicIndex;

const HUB: Incarnation = Incarnation(0xabc);
const OTHER_HUB: Incarnation = Incarnation(0xdef);
const SEED: HashSeed = HashSeed::new(11);
const PUBLISHER_IDS: [&str; 4] = ["order-1", "order-2", "order-3", "0000000000000def-7"];
const UNLIMITED: HistorySettings =
    HistorySettings { events: usize::MAX, bytes: usize::MAX, age: Duration::from_secs(1 << 40) };

fn event(position: u64, audience: Audience, publisher_id: Option<&str>, data_bytes: usize) -> SharedEvent {
    let event = Event {
        audience: audience.clone(),
        data: "x".repeat(data_bytes).into(),
        kind: None,
        id: publisher_id.map(Into::into),
        retry_ms: None,
        private: position.is_multiple_of(3),
        ttl: None,
        ephemeral: false,
        shows_topics: false,
    };
    let id = EventId::kept(HUB, Position(position));
    Arc::new(SequencedEvent {
        position: Position(position),
        id,
        publisher_id: publisher_id.map(Into::into),
        key: None,
        audience,
        private: event.private,
        expires: None,
        ephemeral: false,
        sequenced: UnixMillis(position * 1000),
        published: Instant::ZERO,
        frame: Frame::encode(&event, &id.to_string()),
    })
}

fn names(of: &[&str]) -> Box<[Box<str>]> {
    of.iter().map(|name| Box::from(*name)).collect()
}

/// Positions 1 to `newest`, to all, without ids of publishers.
fn history_of(newest: u64, settings: HistorySettings) -> History {
    let mut history = History::new(SEED, HUB, Position(0), settings);
    for position in 1..=newest {
        history.push(event(position, Audience::All, None, 1), &[]);
    }
    history
}

fn user(name: &str) -> UserHash {
    UserHash::of(SEED, UserKey::Named(name))
}

/// The naive model: all events ever pushed, and how many of them are evicted.
struct Model {
    pushed: Vec<(SharedEvent, Vec<TopicId>)>,
    evicted: usize,
    /// Publishers' ids, and the first event that had each.
    ids: BTreeMap<String, Position>,
    settings: HistorySettings,
}

impl Model {
    fn kept(&self) -> &[(SharedEvent, Vec<TopicId>)] {
        &self.pushed[self.evicted..]
    }

    fn bytes(&self) -> usize {
        self.kept().iter().map(|(event, _)| bytes_of(event)).sum()
    }

    fn is_over_limit(&self, now: UnixMillis) -> bool {
        let is_old = |event: &SharedEvent| {
            Duration::from_millis(now.0.saturating_sub(event.sequenced.0)) > self.settings.age
        };
        self.kept().first().is_some_and(|(event, _)| is_old(event))
            || self.kept().len() > self.settings.events
            || self.bytes() > self.settings.bytes
    }

    fn push(&mut self, event: &SharedEvent, topics: &[TopicId]) {
        if let Some(id) = &event.publisher_id {
            self.ids.entry(id.to_string()).or_insert(event.position);
        }
        self.pushed.push((Arc::clone(event), topics.to_vec()));
    }

    fn trim(&mut self, now: UnixMillis) {
        while self.is_over_limit(now) {
            let position = self.kept()[0].0.position;
            self.ids.retain(|_, first| *first != position);
            self.evicted += 1;
        }
    }
}

fn compare(history: &History, model: &Model, after: u64) {
    history.assert_invariants();
    let after = Position(after);
    let kept = model.kept().iter().filter(|(event, _)| event.position > after);
    let entries = history.after(after);
    assert_eq!(entries.len(), kept.clone().count());
    for (entry, (event, topics)) in entries.zip(kept) {
        assert!(Arc::ptr_eq(entry.event, event));
        assert_eq!((entry.position, entry.private), (event.position, event.private));
        let hashes: Vec<_>;
        let expected = match &event.audience {
            Audience::All => Resolved::All,
            Audience::Topics(_) => Resolved::Topics(topics),
            Audience::Users(names) => {
                hashes = names.iter().map(|name| user(name)).collect::<Vec<_>>();
                Resolved::Users(&hashes)
            }
        };
        assert_eq!(entry.audience, expected);
    }
    assert_eq!((history.len(), history.bytes()), (model.kept().len(), model.bytes()));
    assert_eq!(history.is_empty(), model.kept().is_empty());
    assert_eq!(history.oldest(), model.kept().first().map(|(event, _)| event.position));
    assert_eq!(history.newest(), model.pushed.last().map_or(Position(0), |(event, _)| event.position));
    let last_evicted = model.pushed[..model.evicted].last();
    assert_eq!(history.start(), last_evicted.map_or(Position(0), |(event, _)| event.position));
    for id in PUBLISHER_IDS {
        assert_eq!(history.position_of(id), model.ids.get(id).copied(), "{id}");
    }
}

#[test]
fn random_sequences_agree_with_the_model() {
    let mut index = TopicIndex::new(SEED, 0);
    let some_topics = ["a", "b", "c"].map(|name| index.intern(name));
    for seed in 0..40 {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut history = History::new(SEED, HUB, Position(0), UNLIMITED);
        let mut model = Model { pushed: Vec::new(), evicted: 0, ids: BTreeMap::new(), settings: UNLIMITED };
        let mut position = 0;
        for _ in 0..200 {
            // Positions may have holes, and time may jump back.
            position += random.u64(1..4);
            let audience = match random.usize(..5) {
                0 => Audience::All,
                1 => Audience::Users(names(&["alice"])),
                2 => Audience::Users(names(&["alice", "user-7", "user-8"])),
                3 => Audience::Topics(names(&["a"])),
                _ => Audience::Topics(names(&["a", "b"])),
            };
            let topics = match &audience {
                Audience::Topics(names) => {
                    names.iter().map(|_| *random.choice(&some_topics).unwrap()).collect()
                }
                _ => Vec::new(),
            };
            let id = random.bool().then(|| *random.choice(&PUBLISHER_IDS).unwrap());
            let event = event(position, audience, id, random.usize(..50));
            history.push(Arc::clone(&event), &topics);
            model.push(&event, &topics);
            if random.u32(..8) == 0 {
                model.settings = HistorySettings {
                    events: random.usize(..40),
                    bytes: random.usize(..6000),
                    age: Duration::from_secs(random.u64(..100)),
                };
                history.set_limits(model.settings.clone());
            }
            if random.u32(..3) == 0 {
                let now = (position * 1000 + random.u64(..50_000)).saturating_sub(10_000);
                trim(&mut history, &mut model, UnixMillis(now));
            }
            compare(&history, &model, random.u64(..position + 3));
        }
    }
}

#[test]
fn every_short_sequence_agrees_with_the_model() {
    // An event with one of two ids or none, or all but the last one or two, or all, are evicted.
    let operations: usize = 6;
    for sequence in 0..operations.pow(5) {
        let mut history = History::new(SEED, HUB, Position(0), UNLIMITED);
        let mut model = Model { pushed: Vec::new(), evicted: 0, ids: BTreeMap::new(), settings: UNLIMITED };
        for place in 0..5 {
            let operation = sequence / operations.pow(place) % operations;
            if operation < 3 {
                let id = [None, Some(PUBLISHER_IDS[0]), Some(PUBLISHER_IDS[1])][operation];
                let event = event(u64::from(place) + 1, Audience::All, id, 0);
                history.push(Arc::clone(&event), &[]);
                model.push(&event, &[]);
            } else {
                model.settings.events = operation - 3;
                history.set_limits(model.settings.clone());
                trim(&mut history, &mut model, UnixMillis(0));
            }
            compare(&history, &model, 1);
        }
    }
}

/// Both, and what is shown of the evicted.
fn trim(history: &mut History, model: &mut Model, now: UnixMillis) {
    let before = model.evicted;
    model.trim(now);
    let mut shown = Vec::new();
    history.trim(now, |entry| {
        let topics = match entry.audience {
            Resolved::Topics(topics) => topics.to_vec(),
            Resolved::Users(_) | Resolved::All => Vec::new(),
        };
        shown.push((entry.position, topics));
    });
    let expected = model.pushed[before..model.evicted].iter();
    assert_eq!(shown, expected.map(|(event, topics)| (event.position, topics.clone())).collect::<Vec<_>>());
}

#[test]
fn a_stream_goes_on_where_the_table_says() {
    // Positions 1 to 10, of which 1 to 4 are evicted.
    let mut history = history_of(8, UNLIMITED);
    history.push(event(9, Audience::All, Some("order-1"), 1), &[]);
    history.push(event(10, Audience::All, Some("0000000000000def-7"), 1), &[]);
    history.set_limits(HistorySettings { events: 6, ..UNLIMITED });
    history.trim(UnixMillis(0), |_| ());

    let own = |position: u64| EventId::kept(HUB, Position(position)).to_string();
    let other = |position: u64| EventId::kept(OTHER_HUB, Position(position)).to_string();
    let (exact, kept, live) = (|position| (position, false), (4, true), (10, true));
    let cases = [
        (own(0), kept),
        (own(3), kept),
        (own(4), exact(4)),
        (own(5), exact(5)),
        (own(9), exact(9)),
        (own(10), exact(10)),
        (own(7) + "e3", exact(7)),
        (own(2) + "e1", kept),
        (own(11), exact(11)),
        (own(10 + RESUME_AHEAD_MAX), exact(10 + RESUME_AHEAD_MAX)),
        (own(11 + RESUME_AHEAD_MAX), live),
        (own(u64::MAX), live),
        (other(5), kept),
        (other(7), exact(10)),
        ("order-1".into(), exact(9)),
        ("order-2".into(), live),
        ("earliest".into(), kept),
        (own(5) + "x", live),
        (String::new(), live),
    ];
    for (id, (position, is_gap)) in cases {
        let expected = match is_gap {
            true => Resume::Gap { from: &id, to: EventId::kept(HUB, Position(position)) },
            false => Resume::After(Position(position)),
        };
        assert_eq!(history.resume(&id), expected, "{id}");
        assert_eq!(history.resume(&id).position(), Position(position), "{id}");
    }
}

#[test]
fn earliest_is_told_of_a_gap_only_if_something_came_before() {
    let settings = HistorySettings { events: 2, ..UNLIMITED };
    let mut history = history_of(2, settings.clone());
    assert_eq!(history.resume("earliest"), Resume::After(Position(0)));
    history.push(event(3, Audience::All, None, 1), &[]);
    history.trim(UnixMillis(0), |_| ());
    let to = EventId::kept(HUB, Position(1));
    assert_eq!(history.resume("earliest"), Resume::Gap { from: "earliest", to });

    let restarted = History::new(SEED, HUB, Position(40), settings);
    let to = EventId::kept(HUB, Position(40));
    assert_eq!(restarted.resume("earliest"), Resume::Gap { from: "earliest", to });
    assert_eq!(restarted.resume(&to.to_string()), Resume::After(Position(40)));
}

#[test]
fn everything_can_be_evicted_and_the_newest_position_stays() {
    let mut history = history_of(5, HistorySettings { age: Duration::from_secs(1), ..UNLIMITED });
    history.trim(UnixMillis(1 << 40), |_| ());
    history.assert_invariants();
    assert!(history.is_empty());
    assert_eq!((history.start(), history.newest(), history.oldest()), (Position(5), Position(5), None));
    assert_eq!(history.after(Position(0)).len(), 0);
}

#[test]
fn an_event_is_for_the_users_it_names() {
    let mut history = History::new(SEED, HUB, Position(0), UNLIMITED);
    history.push(event(1, Audience::Users(names(&["alice", "user-7"])), None, 1), &[]);
    history.push(event(2, Audience::Users(names(&["alice"])), None, 1), &[]);
    history.push(event(3, Audience::All, None, 1), &[]);
    let for_user = |hash, name| {
        history.after(Position(0)).map(|entry| entry.is_for_user(hash, name)).collect::<Vec<_>>()
    };
    assert_eq!(for_user(user("alice"), "alice"), [true, true, false]);
    assert_eq!(for_user(user("user-7"), "user-7"), [true, false, false]);
    // Another user whose hash is the same.
    assert_eq!(for_user(user("alice"), "bob"), [false, false, false]);
}

#[test]
fn what_must_not_be_kept_is_refused() {
    let ephemeral = || {
        let event = Arc::into_inner(event(6, Audience::All, None, 1)).unwrap();
        Arc::new(SequencedEvent { ephemeral: true, ..event })
    };
    let cases: [(&str, SharedEvent, &[TopicId]); 3] = [
        ("an ephemeral event", ephemeral(), &[]),
        ("a position that was there", event(5, Audience::All, None, 1), &[]),
        ("a topic without its number", event(6, Audience::Topics(names(&["a"])), None, 1), &[]),
    ];
    for (what, event, topics) in cases {
        let mut history = history_of(5, UNLIMITED);
        let pushed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| history.push(event, topics)));
        assert!(pushed.is_err(), "{what} was pushed");
    }
}
