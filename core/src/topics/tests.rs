//! The topic index against a list of subscribers whose selectors are evaluated every time.

use std::collections::{BTreeMap, BTreeSet};

use super::*;

/// Templates with and without a literal beginning, nested ones, one that is the beginning of a topic, and topics that
/// several of them match.
const SELECTORS: [&str; 12] =
    ["*", "a", "a/1", "b", "{x}", "a{x}", "a/{x}", "a/{y}", "a/{x}{y}", "{+x}", "é/{x}", "corecast:{x}"];
const TOPICS: [&str; 8] = ["a", "a/1", "a/2", "b", "b/1", "é/1", "a/{x}", "corecast:all"];

fn selector(number: usize) -> Selector {
    Selector::parse(SELECTORS[number]).unwrap()
}

/// The naive model. Selectors and topics are numbers into the tables above.
#[derive(Default)]
struct Model {
    subscribers: BTreeMap<ConnectionIndex, [Vec<usize>; 2]>,
    held: Vec<(usize, TopicId)>,
}

impl Model {
    fn matches(&self, index: ConnectionIndex, kind: usize, topic: &str) -> usize {
        let Some(selectors) = self.subscribers.get(&index) else { return 0 };
        selectors[kind].iter().filter(|&&number| selector(number).matches(topic)).count()
    }

    /// Whom a topic must reach, each as often as it has selectors that match.
    fn visited(&self, topic: &str, private: bool) -> Vec<ConnectionIndex> {
        let times = |&index: &ConnectionIndex| match private && self.matches(index, 1, topic) == 0 {
            true => 0,
            false => self.matches(index, 0, topic),
        };
        self.subscribers.keys().flat_map(|index| vec![*index; times(index)]).collect()
    }

    fn counts(&self) -> TopicCounts {
        let all = || self.subscribers.values().flatten().flatten().copied();
        let held = self.held.iter().map(|held| TOPICS[held.0].to_string());
        let exact = all().filter(|&number| matches!(selector(number), Selector::Exact(_)));
        let templates = all().filter(|&number| matches!(selector(number), Selector::Template(_)));
        TopicCounts {
            topics: held
                .chain(exact.map(|number| SELECTORS[number].to_string()))
                .collect::<BTreeSet<_>>()
                .len(),
            patterns: templates.collect::<BTreeSet<_>>().len(),
            subscriptions: self.subscribers.values().map(|of| of[0].len()).sum(),
            grants: self.subscribers.values().map(|of| of[1].len()).sum(),
        }
    }
}

struct Pair {
    index: TopicIndex,
    model: Model,
}

impl Pair {
    fn new() -> Self {
        Self { index: TopicIndex::new(HashSeed::new(3), 2), model: Model::default() }
    }

    fn subscribe(&mut self, connection: ConnectionIndex, selectors: Vec<usize>, grants: Vec<usize>) {
        let parsed = |numbers: &[usize]| numbers.iter().map(|&number| selector(number)).collect::<Vec<_>>();
        self.index.subscribe(connection, &parsed(&selectors), &parsed(&grants));
        self.model.subscribers.insert(connection, [selectors, grants]);
    }

    fn unsubscribe(&mut self, connection: ConnectionIndex) {
        self.index.unsubscribe(connection);
        self.model.subscribers.remove(&connection);
    }

    fn hold(&mut self, topic: usize) {
        let id = self.index.intern(TOPICS[topic]);
        assert_eq!(self.index.name(id), TOPICS[topic]);
        self.model.held.push((topic, id));
    }

    fn release(&mut self, place: usize) {
        let (_, id) = self.model.held.swap_remove(place);
        self.index.release(id);
    }

    /// Compares everything that can be asked. Topics that nobody holds are new to the index at this moment.
    fn compare(&mut self, offset: usize) {
        self.index.assert_invariants();
        assert_eq!(self.index.counts(), self.model.counts());
        for topic in TOPICS {
            let id = self.index.intern(topic);
            for private in [false, true] {
                let visited = self.visit(id, private, offset);
                assert_eq!(visited, self.model.visited(topic, private), "{topic}, private: {private}");
            }
            for connection in 0..4 {
                let expected = [0, 1].map(|kind| self.model.matches(connection, kind, topic) > 0);
                let index = &self.index;
                let found = [index.is_subscribed(connection, &[id]), index.is_granted(connection, &[id])];
                assert_eq!(found, expected, "{topic}, connection {connection}");
            }
            self.index.release(id);
        }
        self.compare_pairs();
    }

    /// An event may have several topics: one of them is enough.
    fn compare_pairs(&self) {
        for connection in 0..4 {
            for pair in self.model.held.windows(2) {
                let is_any =
                    |kind| pair.iter().any(|held| self.model.matches(connection, kind, TOPICS[held.0]) > 0);
                let ids = [pair[0].1, pair[1].1];
                assert_eq!(self.index.is_subscribed(connection, &ids), is_any(0));
                assert_eq!(self.index.is_granted(connection, &ids), is_any(1));
            }
        }
    }

    fn visit(&self, id: TopicId, private: bool, offset: usize) -> Vec<ConnectionIndex> {
        let mut visited = Vec::new();
        self.index.for_each_subscriber(id, private, offset, |connection| visited.push(connection));
        visited.sort_unstable();
        visited
    }
}

#[test]
fn every_short_sequence_agrees_with_the_model() {
    // Two connections come with one of four selectors and go, and one topic is held and let go.
    let operations: usize = 2 * 4 + 1;
    for sequence in 0..operations.pow(4) {
        let mut pair = Pair::new();
        for place in 0..4 {
            match sequence / operations.pow(place) % operations {
                8 if pair.model.held.is_empty() => pair.hold(1),
                8 => pair.release(0),
                other => {
                    let connection = u32::try_from(other % 2).unwrap();
                    if pair.model.subscribers.contains_key(&connection) {
                        pair.unsubscribe(connection);
                    } else {
                        let number = [0, 2, 6, 9][other / 2];
                        pair.subscribe(connection, vec![number], vec![number]);
                    }
                }
            }
            pair.compare(place as usize);
        }
    }
}

#[test]
fn random_sequences_agree_with_the_model() {
    for seed in 0..15 {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut pair = Pair::new();
        for _ in 0..150 {
            let connection = random.u32(..4);
            match random.u32(..6) {
                0 => pair.hold(random.usize(..TOPICS.len())),
                1 if !pair.model.held.is_empty() => pair.release(random.usize(..pair.model.held.len())),
                _ if pair.model.subscribers.contains_key(&connection) => pair.unsubscribe(connection),
                _ => {
                    // The same selector twice is allowed, as is none at all.
                    let mut some = |most| -> Vec<usize> {
                        (0..random.usize(..most)).map(|_| random.usize(..SELECTORS.len())).collect()
                    };
                    let (selectors, grants) = (some(6), some(3));
                    pair.subscribe(connection, selectors, grants);
                }
            }
            let offset = random.usize(..30);
            pair.compare(offset);
        }
    }
}

#[test]
fn every_offset_begins_elsewhere_and_reaches_all() {
    let mut pair = Pair::new();
    for connection in 0..4 {
        pair.subscribe(connection, vec![[2, 0, 6, 7][connection as usize]], vec![]);
    }
    let id = pair.index.intern("a/1");
    for offset in 0..9 {
        let mut visited = Vec::new();
        pair.index.for_each_subscriber(id, false, offset, |connection| visited.push(connection));
        let expected: Vec<_> = (0..4).map(|n| (n + u32::try_from(offset).unwrap()) % 4).collect();
        assert_eq!(visited, expected, "offset {offset}");
    }
}

#[test]
fn a_large_list_stays_whole_while_subscribers_leave_in_random_order() {
    let mut index = TopicIndex::new(HashSeed::new(3), 2);
    let selectors = [selector(1), selector(0), selector(5)];
    let mut present: Vec<ConnectionIndex> = (0..10_000).collect();
    for &connection in &present {
        index.subscribe(connection, &selectors, &[]);
    }
    fastrand::Rng::with_seed(5).shuffle(&mut present);
    for connection in present.drain(5_000..) {
        index.unsubscribe(connection);
    }
    index.assert_invariants();
    let id = index.intern("a");
    let mut visits = BTreeMap::new();
    index.for_each_subscriber(id, false, 77, |connection| *visits.entry(connection).or_insert(0) += 1);
    assert_eq!(visits, present.iter().map(|&connection| (connection, 3)).collect());
}

#[test]
#[should_panic(expected = "connection 2 has subscribed already")]
fn a_connection_cannot_subscribe_twice() {
    let mut pair = Pair::new();
    pair.subscribe(2, vec![0], vec![]);
    pair.subscribe(2, vec![1], vec![]);
}
