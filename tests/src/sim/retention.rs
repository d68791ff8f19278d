//! A model of what one shard's history still holds, and so of where a stream must go on.
//!
//! The rules are those of the contract (`Last-Event-ID`, `corecast.gap`), written a second time and without anything
//! in common with the engine's history.

use std::collections::{BTreeMap, VecDeque};

use corecast_core::event::SharedEvent;
use corecast_core::frame::Framing;
use corecast_core::limits::{HISTORY_TRIM_MAX, RESUME_AHEAD_MAX};
use corecast_core::settings::HistorySettings;
use corecast_core::time::UnixMillis;

/// See the module.
#[derive(Debug)]
pub(super) struct Retention {
    incarnation: u64,
    settings: HistorySettings,
    events: VecDeque<Held>,
    bytes: usize,
    /// Positions whose event came while no other with its publisher's id was held, latest last.
    by_publisher_id: BTreeMap<Box<str>, Vec<u64>>,
    start: u64,
    newest: u64,
}

#[derive(Clone, Copy, Debug)]
struct Held {
    position: u64,
    bytes: usize,
    sequenced: UnixMillis,
}

/// How far a shard was at some moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    /// Everything up to here was gone.
    pub(super) start: u64,
    /// Everything up to here had come.
    pub(super) newest: u64,
}

/// Where a stream must go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Resumption {
    /// After this position.
    pub(super) after: u64,
    /// Whether it must be told that something is missing.
    pub(super) has_gap: bool,
}

impl Retention {
    /// Of a shard that begins behind this position of a log.
    #[must_use]
    pub(super) const fn new(incarnation: u64, newest: u64, settings: HistorySettings) -> Self {
        Self {
            incarnation,
            settings,
            events: VecDeque::new(),
            bytes: 0,
            by_publisher_id: BTreeMap::new(),
            start: newest,
            newest,
        }
    }

    /// So much is held from now on.
    pub(super) fn set_limits(&mut self, settings: HistorySettings) {
        self.settings = settings;
    }

    /// How far it is.
    #[must_use]
    pub(super) const fn mark(&self) -> Mark {
        Mark { start: self.start, newest: self.newest }
    }

    /// The shard has been handed an event.
    pub(super) fn push(&mut self, event: &SharedEvent, now: UnixMillis) {
        if event.ephemeral {
            return;
        }
        let (position, bytes) = (event.position.0, bytes_of(event));
        self.newest = position;
        self.bytes += bytes;
        self.events.push_back(Held { position, bytes, sequenced: event.sequenced });
        if let Some(id) = &event.publisher_id {
            let positions = self.by_publisher_id.entry(id.clone()).or_default();
            if positions.last().is_none_or(|&last| last <= self.start) {
                positions.push(position);
            }
        }
        self.trim(now);
    }

    /// The shard has looked at the clock. It lets go of so many at a time.
    pub(super) fn trim(&mut self, now: UnixMillis) {
        for _ in 0..HISTORY_TRIM_MAX {
            let Some(&oldest) = self.events.front() else { return };
            let age_ms = now.0.saturating_sub(oldest.sequenced.0);
            let is_within = self.events.len() <= self.settings.events
                && self.bytes <= self.settings.bytes
                && age_ms <= self.settings.age.as_millis() as u64;
            if is_within {
                return;
            }
            self.events.pop_front();
            self.bytes -= oldest.bytes;
            self.start = oldest.position;
        }
    }

    /// Where a stream goes on that was opened at `mark` with this `Last-Event-ID`.
    #[must_use]
    pub(super) fn resume(&self, last_event_id: Option<&str>, mark: Mark) -> Resumption {
        let after = |after| Resumption { after, has_gap: false };
        let gap = |after| Resumption { after, has_gap: true };
        let Some(id) = last_event_id else { return after(mark.newest) };
        if id == "earliest" {
            return Resumption { after: mark.start, has_gap: mark.start > 0 };
        }
        match own_id(id) {
            Some((incarnation, position)) if incarnation == self.incarnation => {
                if position < mark.start {
                    gap(mark.start)
                } else if position > mark.newest + RESUME_AHEAD_MAX {
                    gap(mark.newest)
                } else {
                    after(position)
                }
            }
            Some(_) => gap(mark.start),
            None => {
                let known = self.by_publisher_id.get(id).and_then(|positions| {
                    positions.iter().rev().find(|&&at| at > mark.start && at <= mark.newest)
                });
                known.map_or_else(|| gap(mark.newest), |&position| after(position))
            }
        }
    }
}

/// What an event weighs in a history.
fn bytes_of(event: &SharedEvent) -> usize {
    event.frame.bytes(Framing::Chunked).len()
}

/// Log and position of an id of the hub's own form, `{16 hex digits}-{decimal}[e{decimal}]`.
#[must_use]
pub(super) fn own_id(id: &str) -> Option<(u64, u64)> {
    let (log, place) = id.split_at_checked(16)?;
    let place = place.strip_prefix('-')?;
    let (position, _) = place.split_once('e').unwrap_or((place, ""));
    Some((u64::from_str_radix(log, 16).ok()?, position.parse().ok()?))
}
