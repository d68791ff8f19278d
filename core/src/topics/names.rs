//! The live topics, by name: hashed to find one, ordered to find those that share a beginning.
//!
//! Invariant: the table, the hash table and the ordered map hold the same topics.
//! Not here: when a topic lives and dies.

use std::collections::BTreeMap;
use std::ops::{Bound, Index, IndexMut};
use std::sync::Arc;

use hashbrown::HashTable;
use slab::Slab;

use super::{Topic, TopicId};
use crate::hash::HashSeed;

#[derive(Debug)]
pub(super) struct Names {
    seed: HashSeed,
    topics: Slab<Topic>,
    by_name: HashTable<TopicId>,
    /// A new template meets only the topics behind its literal beginning: thousands of users who come back, each with
    /// a template of its own, do not each walk all topics.
    in_order: BTreeMap<Arc<str>, TopicId>,
}

impl Names {
    pub(super) const fn new(seed: HashSeed) -> Self {
        Self { seed, topics: Slab::new(), by_name: HashTable::new(), in_order: BTreeMap::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.topics.len()
    }

    pub(super) fn find(&self, name: &str) -> Option<TopicId> {
        self.by_name.find(self.seed.hash_of(name), |&id| *self[id].name == *name).copied()
    }

    /// The name must be new.
    pub(super) fn insert(&mut self, topic: Topic) -> TopicId {
        let name = Arc::clone(&topic.name);
        let number = u32::try_from(self.topics.insert(topic)).expect("topics are bounded far below 2^32");
        let (id, seed, topics) = (TopicId(number), self.seed, &self.topics);
        self.by_name.insert_unique(seed.hash_of(&*name), id, |id| seed.hash_of(&*topics[id.0 as usize].name));
        self.in_order.insert(name, id);
        id
    }

    pub(super) fn remove(&mut self, id: TopicId) {
        let topic = self.topics.remove(id.0 as usize);
        if let Ok(found) = self.by_name.find_entry(self.seed.hash_of(&*topic.name), |&other| other == id) {
            found.remove();
        }
        self.in_order.remove(&topic.name);
    }

    pub(super) fn for_each_with_prefix(&mut self, prefix: &str, mut visit: impl FnMut(&mut Topic)) {
        let from = (Bound::Included(prefix), Bound::Unbounded);
        for (name, id) in self.in_order.range::<str, _>(from) {
            if !name.starts_with(prefix) {
                return;
            }
            visit(&mut self.topics[id.0 as usize]);
        }
    }

    /// Above every number in use.
    pub(super) fn numbers(&self) -> u32 {
        self.topics.capacity() as u32
    }

    pub(super) fn numbered(&self, number: u32) -> Option<&Topic> {
        self.topics.get(number as usize)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (TopicId, &Topic)> {
        self.in_order.values().map(|&id| (id, &self[id]))
    }

    pub(super) fn assert_invariants(&self) {
        let counts = (self.topics.len(), self.topics.len());
        assert_eq!((self.by_name.len(), self.in_order.len()), counts, "topics by name and in order");
        for (name, &id) in &self.in_order {
            assert_eq!((&self[id].name, self.find(name)), (name, Some(id)), "topic {name}");
        }
    }
}

impl Index<TopicId> for Names {
    type Output = Topic;

    fn index(&self, id: TopicId) -> &Topic {
        &self.topics[id.0 as usize]
    }
}

impl IndexMut<TopicId> for Names {
    fn index_mut(&mut self, id: TopicId) -> &mut Topic {
        &mut self.topics[id.0 as usize]
    }
}
