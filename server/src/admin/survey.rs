//! Who has the most streams, and which selectors: walked from time to time, and only while somebody wants to know.
//!
//! Not here: lists of all of them (`api`).

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use corecast_core::engine::Engine;
use corecast_core::engine::inspect::{OwnerRow, SelectorRow};
use tokio::time::Instant;

use super::asking::{Shards, Silent};
use super::tally::Tally;
use crate::shard::inbox::Inbox;

/// Tables are walked at most this often, however many ask.
const INTERVAL: Duration = Duration::from_secs(5);

/// Owners that are remembered: as many as metrics may be set to show.
pub const OWNERS_MAX: usize = 1000;

/// Selectors that are remembered: as many as the dashboard shows.
pub const SELECTORS_SHOWN: usize = 10;

/// See the module. All clones are the same survey.
#[derive(Clone)]
pub struct Survey {
    shards: Shards,
    last: Arc<Mutex<Option<Arc<Surveyed>>>>,
    /// Held by whoever walks.
    walking: Arc<tokio::sync::Mutex<Option<Instant>>>,
}

/// What was found.
#[derive(Debug)]
pub struct Surveyed {
    /// When.
    at: Instant,
    /// Those with the most streams first, at most `OWNERS_MAX`.
    pub owners: Vec<OwnerRow>,
    /// Those with the most subscribers first, at most `SELECTORS_SHOWN`; subscribers of all shards.
    pub selectors: Vec<SelectorRow>,
}

impl Surveyed {
    /// How long ago.
    #[must_use]
    pub fn age(&self) -> Duration {
        self.at.elapsed()
    }
}

impl Survey {
    /// A survey of the shards behind these inboxes.
    #[must_use]
    pub fn new(inboxes: Arc<[Inbox]>) -> Self {
        Self { shards: Shards::new(inboxes), last: Arc::default(), walking: Arc::default() }
    }

    /// The `count` owners with the most streams, those with most first, as of at most 5 s ago. `None` if shards have not
    /// answered yet.
    pub async fn top_owners(&self, count: usize) -> Option<Vec<OwnerRow>> {
        self.refresh().await;
        self.latest().map(|surveyed| surveyed.owners.iter().take(count).cloned().collect())
    }

    /// What was found last, however long ago.
    #[must_use]
    pub fn latest(&self) -> Option<Arc<Surveyed>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Walks the tables, unless they have been walked just now. Needs a tokio runtime.
    pub async fn refresh(&self) {
        let mut walked = self.walking.lock().await;
        if walked.is_some_and(|at| at.elapsed() < INTERVAL) {
            return;
        }
        match self.walk().await {
            Ok(surveyed) => {
                *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(surveyed));
            }
            Err(error) => tracing::debug!(%error, "who has the most streams is not known"),
        }
        *walked = Some(Instant::now());
    }

    async fn walk(&self) -> Result<Surveyed, Silent> {
        let owners = self.shards.walk(
            |engine: &mut Engine, first| engine.inspect_owners(first),
            || Top::new(OWNERS_MAX),
            |top, _, row: OwnerRow| top.offer(row.connections, row.owner.clone(), row),
        );
        let owners = Top::merge(OWNERS_MAX, owners.await?);
        let tally = Arc::new(Tally::of(&self.shards, "".into()).await?);
        let selectors = self.shards.walk(
            |engine: &mut Engine, first| engine.inspect_selectors(first),
            || Top::new(SELECTORS_SHOWN),
            move |top, _, row: SelectorRow| {
                let row = SelectorRow { subscribers: tally.subscribers(&row), ..row };
                top.offer(row.subscribers, row.selector.clone(), row);
            },
        );
        let selectors = Top::merge(SELECTORS_SHOWN, selectors.await?);
        Ok(Surveyed { at: Instant::now(), owners, selectors })
    }
}

/// The rows with the most of something; those with as much by name.
#[derive(Debug)]
struct Top<N, T> {
    count_max: usize,
    rows: BTreeMap<(Reverse<u32>, N), T>,
}

impl<N: Ord, T> Top<N, T> {
    fn new(count_max: usize) -> Self {
        Self { count_max, rows: BTreeMap::new() }
    }

    fn offer(&mut self, much: u32, name: N, row: T) {
        self.rows.insert((Reverse(much), name), row);
        if self.rows.len() > self.count_max {
            self.rows.pop_last();
        }
    }

    fn merge(count_max: usize, parts: Vec<Self>) -> Vec<T> {
        let mut top = Self::new(count_max);
        for ((Reverse(much), name), row) in parts.into_iter().flat_map(|part| part.rows) {
            top.offer(much, name, row);
        }
        top.rows.into_values().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_top_is_of_all_parts_and_has_nobody_twice() {
        let part = |rows: &[(u32, &'static str)]| {
            let mut top = Top::new(2);
            rows.iter().for_each(|&(much, name)| top.offer(much, name, (name, much)));
            top
        };
        let parts = vec![part(&[(1, "a"), (5, "b"), (3, "c")]), part(&[(5, "b"), (4, "d")]), part(&[])];
        assert_eq!(Top::merge(2, parts), [("b", 5), ("d", 4)]);
    }
}
