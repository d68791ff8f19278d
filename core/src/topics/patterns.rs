//! The live templates, found by their text, or by the literal beginning that they share with a topic.
//!
//! Invariant: the table, the hash table and the lists by prefix hold the same patterns.
//! Not here: `*`, which needs no search, and which topics match: each topic knows its patterns.

use std::collections::BTreeMap;
use std::ops::{Index, IndexMut};

use hashbrown::HashTable;
use slab::Slab;
use smallvec::SmallVec;

use super::memberships::Subscribers;
use crate::hash::{HashSeed, SeededMap};
use crate::selector::Selector;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct PatternId(u32);

#[derive(Debug)]
pub(super) struct Pattern {
    pub(super) selector: Selector,
    pub(super) subscribers: Subscribers,
    /// Subscriptions and grants.
    pub(super) references: u32,
}

#[derive(Debug)]
pub(super) struct Patterns {
    seed: HashSeed,
    patterns: Slab<Pattern>,
    by_text: HashTable<PatternId>,
    by_prefix: SeededMap<Box<str>, Vec<PatternId>>,
    /// How many keys of `by_prefix` have each length in bytes: what of a new topic is worth looking up.
    prefix_lengths: BTreeMap<usize, u32>,
}

impl Patterns {
    pub(super) fn new(seed: HashSeed) -> Self {
        Self {
            seed,
            patterns: Slab::new(),
            by_text: HashTable::new(),
            by_prefix: SeededMap::with_hasher(seed),
            prefix_lengths: BTreeMap::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.patterns.len()
    }

    pub(super) fn find(&self, selector: &Selector) -> Option<PatternId> {
        let text = selector.as_str();
        self.by_text.find(self.seed.hash_of(text), |&id| self[id].selector.as_str() == text).copied()
    }

    /// The selector must be new.
    pub(super) fn insert(&mut self, selector: &Selector) -> PatternId {
        let pattern =
            Pattern { selector: selector.clone(), subscribers: Subscribers::default(), references: 0 };
        let number = u32::try_from(self.patterns.insert(pattern)).expect("patterns are bounded below 2^32");
        let (id, seed, patterns) = (PatternId(number), self.seed, &self.patterns);
        let hash = |id: &PatternId| seed.hash_of(patterns[id.0 as usize].selector.as_str());
        self.by_text.insert_unique(hash(&id), id, hash);

        let prefix = selector.literal_prefix();
        if let Some(sharing) = self.by_prefix.get_mut(prefix) {
            sharing.push(id);
        } else {
            self.by_prefix.insert(prefix.into(), vec![id]);
            *self.prefix_lengths.entry(prefix.len()).or_default() += 1;
        }
        id
    }

    pub(super) fn remove(&mut self, id: PatternId) -> Selector {
        let selector = self.patterns.remove(id.0 as usize).selector;
        let hash = self.seed.hash_of(selector.as_str());
        if let Ok(found) = self.by_text.find_entry(hash, |&other| other == id) {
            found.remove();
        }
        self.remove_prefix(selector.literal_prefix(), id);
        selector
    }

    fn remove_prefix(&mut self, prefix: &str, id: PatternId) {
        let Some(sharing) = self.by_prefix.get_mut(prefix) else { return };
        sharing.retain(|&other| other != id);
        if !sharing.is_empty() {
            return;
        }
        self.by_prefix.remove(prefix);
        if let Some(count) = self.prefix_lengths.get_mut(&prefix.len()) {
            *count -= 1;
            if *count == 0 {
                self.prefix_lengths.remove(&prefix.len());
            }
        }
    }

    /// The patterns that match a topic, ascending.
    pub(super) fn matching(&self, topic: &str) -> SmallVec<[PatternId; 4]> {
        let mut matching: SmallVec<[PatternId; 4]> = self
            .prefix_lengths
            .keys()
            .filter_map(|&length| self.by_prefix.get(topic.get(..length)?))
            .flatten()
            .copied()
            .filter(|&id| self[id].selector.matches(topic))
            .collect();
        matching.sort_unstable();
        matching
    }

    /// Above every number in use.
    pub(super) fn numbers(&self) -> u32 {
        self.patterns.capacity() as u32
    }

    pub(super) fn numbered(&self, number: u32) -> Option<&Pattern> {
        self.patterns.get(number as usize)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (PatternId, &Pattern)> {
        let id = |number| PatternId(u32::try_from(number).expect("`insert` made the number from a `u32`"));
        self.patterns.iter().map(move |(number, pattern)| (id(number), pattern))
    }

    pub(super) fn assert_invariants(&self) {
        assert_eq!(self.by_text.len(), self.patterns.len(), "patterns by text");
        assert_eq!(self.by_prefix.values().map(Vec::len).sum::<usize>(), self.patterns.len(), "by prefix");
        for (id, pattern) in self.iter() {
            assert_eq!(self.find(&pattern.selector), Some(id), "pattern {:?}", pattern.selector);
            let sharing = &self.by_prefix[pattern.selector.literal_prefix()];
            assert!(sharing.contains(&id), "prefix of {:?}", pattern.selector);
        }
        let mut lengths: BTreeMap<usize, u32> = BTreeMap::new();
        self.by_prefix.keys().for_each(|prefix| *lengths.entry(prefix.len()).or_default() += 1);
        assert_eq!(lengths, self.prefix_lengths, "lengths of prefixes");
    }
}

impl Index<PatternId> for Patterns {
    type Output = Pattern;

    fn index(&self, id: PatternId) -> &Pattern {
        &self.patterns[id.0 as usize]
    }
}

impl IndexMut<PatternId> for Patterns {
    fn index_mut(&mut self, id: PatternId) -> &mut Pattern {
        &mut self.patterns[id.0 as usize]
    }
}
