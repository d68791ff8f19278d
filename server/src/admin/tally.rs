//! How many streams of all shards have each selector.
//!
//! Shards count for themselves, and a selector can be in several of them, so what is wanted of all must be added up first. Only
//! hashes are kept: a million selectors cost some 20 MB for as long as somebody looks.
//! Not here: users, of whom each is in one shard alone.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;

use corecast_core::engine::Engine;
use corecast_core::engine::inspect::SelectorRow;

use super::asking::{Shards, Silent};

/// Different selectors that are counted; whichever are found first.
pub(super) const SELECTORS_MAX: usize = 1 << 20;

/// What all shards have together.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    hasher: RandomState,
    counts: HashMap<u64, u32>,
    /// Whether there were more than are counted.
    is_full: bool,
}

impl Tally {
    /// Counts the selectors that begin with `prefix`.
    pub(super) async fn of(shards: &Shards, prefix: Box<str>) -> Result<Self, Silent> {
        let hasher = RandomState::new();
        let empty = Self { hasher, ..Self::default() };
        let parts = shards
            .walk(
                |engine: &mut Engine, first| engine.inspect_selectors(first),
                || empty.clone(),
                move |tally, _, row: SelectorRow| {
                    if row.selector.starts_with(&*prefix) {
                        tally.count(tally.hasher.hash_one(&*row.selector), row.subscribers);
                    }
                },
            )
            .await?;
        let mut parts = parts.into_iter();
        let mut sum = parts.next().unwrap_or_default();
        for part in parts {
            sum.is_full |= part.is_full;
            part.counts.into_iter().for_each(|(hash, subscribers)| sum.count(hash, subscribers));
        }
        Ok(sum)
    }

    /// Streams with this selector: those seen then, and at least those in the row.
    pub(super) fn subscribers(&self, row: &SelectorRow) -> u32 {
        let counted = self.counts.get(&self.hasher.hash_one(&*row.selector)).copied();
        counted.unwrap_or(0).max(row.subscribers)
    }

    /// Different selectors.
    pub(super) fn len(&self) -> usize {
        self.counts.len()
    }

    /// Whether there are more selectors than are counted.
    pub(super) fn is_full(&self) -> bool {
        self.is_full
    }

    fn count(&mut self, hash: u64, subscribers: u32) {
        let has_room = self.counts.len() < SELECTORS_MAX;
        match self.counts.get_mut(&hash) {
            Some(count) => *count = count.saturating_add(subscribers),
            None if has_room => {
                self.counts.insert(hash, subscribers);
            }
            None => self.is_full = true,
        }
    }
}
