//! What the log has in memory about its segments: which there are, where in them a position is, and what publishers'
//! ids and keys lead to.
//!
//! Invariants: only what is durable is in here, so nobody can be shown what a crash would take back; a run that was
//! told stays as it is, only its segment may be removed.
//! Shared by the sequencer's thread, which writes, and by whoever reads the log. Not here: any file.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use corecast_core::event::SequencedEvent;
use corecast_core::id::{EARLIEST, EventId, Incarnation, Position};
use corecast_core::idempotency::EventKey;
use corecast_core::replay::Sought;
use corecast_core::time::UnixMillis;

use super::record::Kind;
use super::run::Run;
use super::segment;
use super::stats::Holdings;
use crate::log::ids::Ids;

/// Bytes of a run: what a disk reads at one time, and little enough to be decoded on the way.
const RUN_BYTES_MIN: u64 = 64 << 10;

/// Runs become longer than that in a large log, so that it has about so many of them (24 B each in memory).
const RUNS_AIM: u64 = 1 << 20;

/// Bytes of the runs of the largest logs. More would be read for the sake of one event.
const RUN_BYTES_MAX: u64 = 1 << 20;

/// Where a position is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Located {
    /// In this run.
    Run(Run),
    /// Nowhere any more, like everything up to this one.
    Gone {
        /// Where to go on: after this.
        upto: Position,
    },
    /// Nowhere yet.
    Beyond,
}

/// See the module.
#[derive(Debug)]
pub struct Catalog {
    incarnation: Incarnation,
    mask: u32,
    run_bytes: u64,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// In order; at least one once the log is open.
    segments: VecDeque<Segment>,
    /// Nothing up to here is kept.
    start: Position,
    newest: Position,
    /// Of all segments.
    bytes: u64,
    ids: Ids,
}

#[derive(Debug)]
struct Segment {
    name: Arc<str>,
    base: Position,
    /// Bytes in it, the reserve not counted.
    end: u64,
    /// No event in it is younger. At most what the next segment has, even if the clock was set back meanwhile.
    newest_time: UnixMillis,
    /// In order.
    runs: Vec<RunStart>,
}

#[derive(Clone, Copy, Debug)]
struct RunStart {
    after: Position,
    offset: u64,
    previous: u32,
    is_lost: bool,
}

const _: () = assert!(size_of::<RunStart>() == 24);

/// A record at its place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Placed {
    pub(super) kind: Kind,
    pub(super) offset: u64,
    /// Bytes to the next record.
    pub(super) room: u64,
    /// The check of the record before.
    pub(super) previous: u32,
    /// Up to which the log goes with it.
    pub(super) position: Position,
    pub(super) time: UnixMillis,
}

impl Catalog {
    /// Of a log that begins after `start`, without segments.
    pub(super) fn new(
        incarnation: Incarnation,
        mask: u32,
        log_bytes: u64,
        ids: usize,
        start: Position,
    ) -> Self {
        let inner = Inner { segments: VecDeque::new(), start, newest: start, bytes: 0, ids: Ids::new(ids) };
        let run_bytes = (log_bytes / RUNS_AIM).clamp(RUN_BYTES_MIN, RUN_BYTES_MAX);
        Self { incarnation, mask, run_bytes, inner: Mutex::new(inner) }
    }

    /// The log's.
    #[must_use]
    pub const fn incarnation(&self) -> Incarnation {
        self.incarnation
    }

    /// The position of the last event.
    #[must_use]
    pub fn newest(&self) -> Position {
        self.lock().newest
    }

    /// The position after which nothing is missing: what came up to there has been let go of.
    #[must_use]
    pub fn start(&self) -> Position {
        self.lock().start
    }

    /// Where the stream of a client goes on that has seen `last_event_id`. The rules are those of
    /// `History::resume`, except that what is not known here is left to the asker.
    #[must_use]
    pub fn seek(&self, last_event_id: &str) -> Sought {
        let inner = self.lock();
        let (start, newest) = (inner.start, inner.newest);
        if last_event_id == EARLIEST {
            return if start == Position(0) { Sought::After(start) } else { Sought::Gap(start) };
        }
        let own_form = EventId::parse(last_event_id);
        if let Some(id) = own_form.filter(|id| id.incarnation == self.incarnation) {
            return match id.position {
                position if position < start => Sought::Gap(start),
                position if position > newest => Sought::Unknown,
                position => Sought::After(position),
            };
        }
        match (inner.ids.find(last_event_id), own_form) {
            (Some(position), _) => Sought::After(position),
            (None, Some(_)) => Sought::Gap(start),
            (None, None) => Sought::Unknown,
        }
    }

    /// Where the event at `at` is.
    #[must_use]
    pub fn locate(&self, at: Position) -> Located {
        let inner = self.lock();
        if at <= inner.start {
            return Located::Gone { upto: inner.start };
        }
        if at > inner.newest {
            return Located::Beyond;
        }
        let index = inner.segments.partition_point(|segment| segment.base <= at) - 1;
        let segment = &inner.segments[index];
        let run_index = segment.runs.partition_point(|run| run.after < at) - 1;
        let run = segment.runs[run_index];
        let next = segment.runs.get(run_index + 1);
        let next_base = inner.segments.get(index + 1).map(|next| Position(next.base.0 - 1));
        let upto = next.map(|next| next.after).or(next_base).unwrap_or(inner.newest);
        if run.is_lost {
            return Located::Gone { upto };
        }
        let end = next.map_or(segment.end, |next| next.offset);
        Located::Run(Run {
            segment: segment.name.clone(),
            offset: run.offset,
            len: usize::try_from(end - run.offset).unwrap_or(usize::MAX),
            after: run.after,
            upto,
            incarnation: self.incarnation,
            mask: self.mask,
            previous: run.previous,
        })
    }

    pub(super) fn find(&self, publisher_id: &str) -> Option<Position> {
        self.lock().ids.find(publisher_id)
    }

    pub(super) fn find_key(&self, key: &EventKey) -> Option<Position> {
        self.lock().ids.find_key(key)
    }

    /// A segment that begins behind all others.
    pub(super) fn add_segment(&self, base: Position, made: UnixMillis) {
        let mut inner = self.lock();
        // What is older is in segments before. If it says it is younger, then the clock was wrong.
        for segment in inner.segments.iter_mut().rev().take_while(|segment| segment.newest_time > made) {
            segment.newest_time = made;
        }
        let newest_time = if made == segment::UNKNOWN { UnixMillis(0) } else { made };
        let end = segment::HEADER_LEN as u64;
        inner.bytes += end;
        inner.segments.push_back(Segment {
            name: segment::name(base).into(),
            base,
            end,
            newest_time,
            runs: Vec::new(),
        });
    }

    /// A record of the last segment that recovery has found.
    pub(super) fn add_found(&self, placed: &Placed, publisher_id: Option<&str>, key: Option<&EventKey>) {
        let mut inner = self.lock();
        inner.place(placed, self.run_bytes);
        inner.ids.remember(publisher_id, key, placed.position);
    }

    /// Events that were appended to the last segment, and where each is.
    pub(super) fn add_events<'e>(
        &self,
        events: impl IntoIterator<Item = &'e SequencedEvent>,
        placed: &[Placed],
    ) {
        let mut inner = self.lock();
        for (event, placed) in events.into_iter().zip(placed) {
            inner.place(placed, self.run_bytes);
            inner.ids.remember(event.publisher_id.as_deref(), event.key.as_ref(), event.position);
        }
        let start = inner.start;
        inner.ids.forget(start);
    }

    /// Lets go of the oldest segment if it is over the limits, and says which it was. The last segment stays.
    pub(super) fn let_go(&self, bytes_max: u64, age_max_ms: u64, now: UnixMillis) -> Option<Arc<str>> {
        let mut inner = self.lock();
        let [oldest, next] = [inner.segments.front()?, inner.segments.get(1)?];
        let is_old = now.0.saturating_sub(oldest.newest_time.0) > age_max_ms;
        if !is_old && inner.bytes <= bytes_max {
            return None;
        }
        let start = Position(next.base.0 - 1);
        inner.start = start;
        inner.ids.forget(start);
        let gone = inner.segments.pop_front()?;
        inner.bytes -= gone.end;
        Some(gone.name)
    }

    /// Remembers so many ids and keys at most.
    pub(super) fn set_ids_max(&self, ids: usize) {
        self.lock().ids.set_len_max(ids);
    }

    pub(super) fn holdings(&self) -> Holdings {
        let inner = self.lock();
        Holdings {
            segments: inner.segments.len() as u64,
            bytes: inner.bytes,
            ids: inner.ids.len() as u64,
            start: inner.start,
            newest: inner.newest,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Whoever panics with it ends the process; a test that catches that may still look.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn place(&mut self, placed: &Placed, run_bytes: u64) {
        let after = self.newest;
        let segment = self.segments.back_mut().expect("records are placed in a segment that was added");
        let begins_run = match (segment.runs.last(), placed.kind) {
            // It has no position to be found by, and belongs to the run before.
            (_, Kind::Closed) => false,
            (None, Kind::Event | Kind::Lost) | (Some(_), Kind::Lost) => true,
            (Some(last), Kind::Event) => last.is_lost || placed.offset - last.offset >= run_bytes,
        };
        if begins_run {
            let is_lost = placed.kind == Kind::Lost;
            segment.runs.push(RunStart { after, offset: placed.offset, previous: placed.previous, is_lost });
        }
        segment.end = placed.offset + placed.room;
        segment.newest_time = segment.newest_time.max(placed.time);
        self.bytes += placed.room;
        self.newest = placed.position;
    }
}
