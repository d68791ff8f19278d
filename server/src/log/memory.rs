//! The log of a hub that keeps nothing over a restart: order and ids, and which publishers' ids it has seen.
//!
//! The events themselves are in the shards' histories; here are only references to the same bytes, within the same
//! bounds, so that a repeated id is recognised exactly as long as it can be resumed from.

use std::collections::VecDeque;

use corecast_core::event::SharedEvent;
use corecast_core::frame::Framing;
use corecast_core::id::{Incarnation, Position};
use corecast_core::idempotency::EventKey;
use corecast_core::settings::HistorySettings;
use corecast_core::time::UnixMillis;

use super::ids::Ids;
use super::{Log, LogError, Retention};

/// See the module.
pub struct MemoryLog {
    incarnation: Incarnation,
    newest: Position,
    retention: HistorySettings,
    events: VecDeque<SharedEvent>,
    bytes: usize,
    ids: Ids,
}

impl MemoryLog {
    /// An empty log. `incarnation` is drawn at random for each.
    #[must_use]
    pub fn new(incarnation: Incarnation, retention: HistorySettings) -> Self {
        let ids = Ids::new(ids_of(&retention));
        Self { incarnation, newest: Position(0), retention, events: VecDeque::new(), bytes: 0, ids }
    }

    fn keep(&mut self, event: &SharedEvent) {
        self.newest = event.position;
        self.bytes += event.frame.bytes(Framing::Chunked).len();
        self.ids.remember(event.publisher_id.as_deref(), event.key.as_ref(), event.position);
        self.events.push_back(event.clone());
    }

    fn trim(&mut self, now: UnixMillis) {
        let age_ms = self.retention.age.as_millis() as u64;
        while let Some(oldest) = self.events.front() {
            let too_old = oldest.sequenced.0.saturating_add(age_ms) <= now.0;
            let too_much = self.events.len() > self.retention.events || self.bytes > self.retention.bytes;
            if !too_old && !too_much {
                return;
            }
            self.bytes -= oldest.frame.bytes(Framing::Chunked).len();
            self.ids.forget(oldest.position);
            self.events.pop_front();
        }
    }
}

impl Log for MemoryLog {
    fn incarnation(&self) -> Incarnation {
        self.incarnation
    }

    fn newest(&self) -> Position {
        self.newest
    }

    fn find(&self, publisher_id: &str) -> Option<Position> {
        self.ids.find(publisher_id)
    }

    fn find_key(&self, key: &EventKey) -> Option<Position> {
        self.ids.find_key(key)
    }

    fn append(&mut self, events: &[SharedEvent], now: UnixMillis) -> Result<(), LogError> {
        for event in events {
            self.keep(event);
        }
        self.trim(now);
        Ok(())
    }

    fn set_retention(&mut self, retention: &Retention) {
        self.retention = retention.history.clone();
        self.ids.set_len_max(ids_of(&self.retention));
    }
}

/// An event has an id and a key at most: none is forgotten before its event.
fn ids_of(retention: &HistorySettings) -> usize {
    retention.events.saturating_mul(2)
}
