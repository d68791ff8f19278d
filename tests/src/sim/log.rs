//! What the oracle knows of one log: every event that was given a place, in order.

use std::collections::BTreeMap;

use corecast_core::event::{Audience, Event, SharedEvent};
use corecast_core::frame::Framing;
use corecast_core::settings::HistorySettings;
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
    /// When it got its place.
    sequenced: UnixMillis,
    /// Bytes of its frame.
    bytes: usize,
    /// Ids and keys that the log remembers for it.
    entries: usize,
}

/// What was kept from some event on, that included.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Since {
    events: usize,
    bytes: usize,
    entries: usize,
    oldest: UnixMillis,
}

/// What a log remembers at least.
#[derive(Clone, Debug)]
pub(super) enum Limits {
    /// As much as this, at any time.
    Memory(HistorySettings),
    /// What its folder has, and so many ids and keys.
    File {
        /// How many.
        ids: usize,
    },
}

impl Limits {
    /// The operator has changed the settings: from now on only what both hold is for certain.
    pub(super) fn narrow(&mut self, other: &HistorySettings) {
        if let Self::Memory(history) = self {
            history.events = history.events.min(other.events);
            history.bytes = history.bytes.min(other.bytes);
            history.age = history.age.min(other.age);
        }
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct Log {
    /// Its number in all its ids.
    pub(super) incarnation: u64,
    /// In order.
    pub(super) placed: Vec<Placed>,
    by_wire_id: BTreeMap<String, Vec<usize>>,
    by_data: BTreeMap<String, usize>,
    /// Nothing up to here is in its folder any more.
    pub(super) start: u64,
    /// Nothing up to here was in its folder at some moment.
    pub(super) start_max: u64,
}

impl Log {
    /// An empty log.
    #[must_use]
    pub(super) const fn new(incarnation: u64) -> Self {
        Self {
            incarnation,
            placed: Vec::new(),
            by_wire_id: BTreeMap::new(),
            by_data: BTreeMap::new(),
            start: 0,
            start_max: 0,
        }
    }

    /// The sequencer has given `event` its place.
    pub(super) fn place(&mut self, event: &Event, shared: &SharedEvent) {
        let wire_id = event.id.as_deref().map_or_else(|| shared.id.to_string(), str::to_owned);
        let last = self.newest();
        let expected = if event.ephemeral { last } else { last + 1 };
        assert_eq!(shared.position.0, expected, "the position of {wire_id}");
        self.by_wire_id.entry(wire_id.clone()).or_default().push(self.placed.len());
        self.by_data.insert(as_seen(&event.data), self.placed.len());
        self.placed.push(Placed {
            position: shared.position.0,
            wire_id,
            data: as_seen(&event.data),
            kind: event.kind.as_deref().map(str::to_owned),
            audience: event.audience.clone(),
            private: event.private,
            ephemeral: event.ephemeral,
            expires: shared.expires,
            sequenced: shared.sequenced,
            bytes: shared.frame.bytes(Framing::Chunked).len(),
            entries: usize::from(event.id.is_some()) + usize::from(shared.key.is_some()),
        });
    }

    /// The position of the last kept event.
    #[must_use]
    pub(super) fn newest(&self) -> u64 {
        self.placed.iter().rev().find(|placed| !placed.ephemeral).map_or(0, |placed| placed.position)
    }

    /// The last kept event with this data, and what was kept from it on: events, bytes, ids and keys.
    #[must_use]
    pub(super) fn find_data(&self, data: &str) -> Option<(&Placed, Since)> {
        let at = *self.by_data.get(data)?;
        let placed = &self.placed[at];
        (!placed.ephemeral).then(|| (placed, self.since(at)))
    }

    /// The last kept event with this publisher's id, and what was kept from it on.
    #[must_use]
    pub(super) fn find_kept(&self, wire_id: &str) -> Option<(&Placed, Since)> {
        let at = *self.find(wire_id).iter().rev().find(|&&at| !self.placed[at].ephemeral)?;
        Some((&self.placed[at], self.since(at)))
    }

    fn since(&self, at: usize) -> Since {
        let mut since = Since { oldest: self.placed[at].sequenced, ..Since::default() };
        for placed in self.placed[at..].iter().filter(|placed| !placed.ephemeral) {
            since.events += 1;
            since.bytes += placed.bytes;
            since.entries += placed.entries;
            since.oldest = since.oldest.min(placed.sequenced);
        }
        since
    }

    /// Whether something may be kept again since the first has been let go of: `false` is for certain.
    #[must_use]
    pub(super) fn may_have_forgotten(
        &self,
        (placed, since): &(&Placed, Since),
        limits: &Limits,
        unix_max: UnixMillis,
    ) -> bool {
        match limits {
            Limits::File { ids } => placed.position <= self.start || since.entries > *ids,
            Limits::Memory(history) => {
                let age_ms = unix_max.0.saturating_sub(since.oldest.0);
                since.events >= history.events
                    || since.bytes >= history.bytes
                    || u128::from(age_ms) >= history.age.as_millis()
            }
        }
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
