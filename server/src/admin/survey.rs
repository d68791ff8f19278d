//! Who has the most streams: walked from time to time, and only while somebody wants to know.
//!
//! Not here: lists of all of them.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use corecast_core::engine::Engine;
use corecast_core::engine::inspect::{Owner, OwnerRow, Slice};
use tokio::sync::{Mutex, oneshot};
use tokio::time::{Instant, timeout};

use crate::shard::inbox::{Inbox, Mail};

/// Tables are walked at most this often, however many ask.
const INTERVAL: Duration = Duration::from_secs(5);

/// Owners that are remembered: as many as metrics may be set to show.
pub const OWNERS_MAX: usize = 1000;

/// A turn takes microseconds, so a shard that has not answered by then is in trouble of its own.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

/// See the module. All clones are the same survey.
#[derive(Clone)]
pub struct Survey {
    inboxes: Arc<[Inbox]>,
    /// Held by whoever walks.
    last: Arc<Mutex<Last>>,
}

#[derive(Default)]
struct Last {
    walked: Option<Instant>,
    /// The most streams first; absent before shards have answered.
    owners: Option<Vec<OwnerRow>>,
}

impl Survey {
    /// A survey of the shards behind these inboxes.
    #[must_use]
    pub fn new(inboxes: Arc<[Inbox]>) -> Self {
        Self { inboxes, last: Arc::default() }
    }

    /// The `count` owners with the most streams, those with most first, as of at most 5 s ago. `None` if shards have not
    /// answered yet.
    pub async fn top_owners(&self, count: usize) -> Option<Vec<OwnerRow>> {
        let mut last = self.last.lock().await;
        if last.walked.is_none_or(|at| at.elapsed() >= INTERVAL) {
            if let Some(owners) = self.walk().await {
                last.owners = Some(owners);
            }
            last.walked = Some(Instant::now());
        }
        last.owners.as_ref().map(|owners| owners.iter().take(count).cloned().collect())
    }

    /// One bounded slice of one shard at a time.
    async fn walk(&self) -> Option<Vec<OwnerRow>> {
        let mut top: BTreeMap<(Reverse<u32>, Owner), OwnerRow> = BTreeMap::new();
        for inbox in &*self.inboxes {
            let mut next = Some(0);
            while let Some(first) = next {
                let slice = owners(inbox, first).await?;
                next = slice.next;
                for row in slice.rows {
                    top.insert((Reverse(row.connections), row.owner.clone()), row);
                    if top.len() > OWNERS_MAX {
                        top.pop_last();
                    }
                }
            }
        }
        Some(top.into_values().collect())
    }
}

async fn owners(inbox: &Inbox, first: u32) -> Option<Slice<OwnerRow>> {
    let (answer, answered) = oneshot::channel();
    // Whoever asked may have given up meanwhile.
    let ask = move |engine: &mut Engine| drop(answer.send(engine.inspect_owners(first)));
    inbox.try_send(Mail::Ask(Box::new(ask))).ok()?;
    timeout(ANSWER_TIMEOUT, answered).await.ok()?.ok()
}
