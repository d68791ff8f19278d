//! What the oracle knows of one log: every event that was given a place, in order.

use std::collections::BTreeMap;

use corecast_core::event::{Audience, Event, SharedEvent};
use corecast_core::time::UnixMillis;

/// An event with its place.
#[derive(Clone, Debug)]
pub(super) struct Placed {
    /// Of a kept event its own, of an ephemeral one that of the kept event before it.
    pub(super) position: u64,
    /// The id on the wire.
    pub(super) wire_id: String,
    /// What a client sees as its data.
    pub(super) data: String,
    /// What a client sees as its type.
    pub(super) kind: Option<String>,
    /// Whom it is for.
    pub(super) audience: Audience,
    /// Whether it needs a grant.
    pub(super) private: bool,
    /// Whether it is never kept.
    pub(super) ephemeral: bool,
    /// When replay stops to show it.
    pub(super) expires: Option<UnixMillis>,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Log {
    /// Its number in all its ids.
    pub(super) incarnation: u64,
    /// In order.
    pub(super) placed: Vec<Placed>,
    by_wire_id: BTreeMap<String, Vec<usize>>,
}

impl Log {
    /// An empty log.
    #[must_use]
    pub(super) const fn new(incarnation: u64) -> Self {
        Self { incarnation, placed: Vec::new(), by_wire_id: BTreeMap::new() }
    }

    /// The sequencer has given `event` its place.
    pub(super) fn place(&mut self, event: &Event, shared: &SharedEvent) {
        let wire_id = event.id.as_deref().map_or_else(|| shared.id.to_string(), str::to_owned);
        let kept = self.placed.iter().rev().find(|placed| !placed.ephemeral);
        let last = kept.map_or(0, |placed| placed.position);
        let expected = if event.ephemeral { last } else { last + 1 };
        assert_eq!(shared.position.0, expected, "the position of {wire_id}");
        self.by_wire_id.entry(wire_id.clone()).or_default().push(self.placed.len());
        self.placed.push(Placed {
            position: shared.position.0,
            wire_id,
            data: as_seen(&event.data),
            kind: event.kind.as_deref().map(str::to_owned),
            audience: event.audience.clone(),
            private: event.private,
            ephemeral: event.ephemeral,
            expires: shared.expires,
        });
    }

    /// Where events with this id on the wire are.
    #[must_use]
    pub(super) fn find(&self, wire_id: &str) -> &[usize] {
        self.by_wire_id.get(wire_id).map_or(&[], Vec::as_slice)
    }

    /// The first place behind the kept event at `position`.
    #[must_use]
    pub(super) fn behind(&self, position: u64) -> usize {
        let before = self.placed.partition_point(|placed| placed.position < position);
        let at =
            self.placed[before..].iter().position(|placed| placed.position == position && !placed.ephemeral);
        at.map_or(before, |at| before + at + 1)
    }
}

/// Data as an event stream shows it: every line end is a line feed.
pub(super) fn as_seen(data: &str) -> String {
    data.replace("\r\n", "\n").replace('\r', "\n")
}
