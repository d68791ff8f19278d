//! Feeding from the log what the shard's history no longer has: where a stream goes on, and the pages it is fed from.
//!
//! A stream whose cursor is before the history waits for the page with it. One page is read at a time, in ascending order
//! from wherever the last one ended, and round again: streams that are near each other are fed from the same page and
//! then wait for the same next one, so a herd needs few reads, and nobody waits longer than one way round.
//!
//! Invariants: who waits is fed (`behind`) under the same cursor; while somebody waits a page is being read. A page stays
//! for at least the turn in which somebody is fed from it, since a send that falls short is traced again.
//! Not here: reading (the host's), and how a stream is fed from what is here (`feed`).

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::close_reason::CloseReason;
use crate::connection::ConnectionId;
use crate::hash::{HashSeed, SeededMap};
use crate::history::{History, Resolved};
use crate::http::control;
use crate::id::{EventId, Position};
use crate::limits::SEEKS_MAX;
use crate::replay::{Page, PageRead, Sought};

use super::outgoing::Then;
use super::output::Output;
use super::{Engine, Source};

/// Bytes of frames in the pages of one shard. Some hundred pages: who reads slowly finds its page again for a while.
const PAGES_BYTES_MAX: usize = 8 << 20;

/// See the module.
#[derive(Debug)]
pub(super) struct Replay {
    /// Streams that do not know yet where they go on, and what their clients have seen last.
    seeking: SeededMap<u32, Box<str>>,
    /// Those of them for whom the log has not been asked.
    to_seek: VecDeque<ConnectionId>,
    seeks_under_way: usize,
    /// By the position before their first.
    pages: BTreeMap<Position, History>,
    /// The same, in the order in which they came.
    page_order: VecDeque<Position>,
    pages_bytes: usize,
    /// Streams that wait for the page with their cursor.
    waiting: BTreeSet<(Position, u32)>,
    /// The page that is being read is the one with this position.
    reading: Option<Position>,
    /// Behind the page that was read last.
    sweep: Position,
}

impl Replay {
    pub(super) fn new(seed: HashSeed) -> Self {
        Self {
            seeking: SeededMap::with_hasher(seed),
            to_seek: VecDeque::new(),
            seeks_under_way: 0,
            pages: BTreeMap::new(),
            page_order: VecDeque::new(),
            pages_bytes: 0,
            waiting: BTreeSet::new(),
            reading: None,
            sweep: Position(0),
        }
    }

    /// The page with this position.
    pub(super) fn page(&self, position: Position) -> Option<&History> {
        let (_, page) = self.pages.range(..position).next_back()?;
        (position <= page.newest()).then_some(page)
    }

    /// Whether the stream does not know yet where it goes on.
    pub(super) fn is_seeking(&self, index: u32) -> bool {
        self.seeking.contains_key(&index)
    }

    /// A stream has ended.
    pub(super) fn forget(&mut self, index: u32, cursor: Option<Position>) {
        self.seeking.remove(&index);
        if let Some(cursor) = cursor {
            self.waiting.remove(&(cursor, index));
        }
    }

    /// Streams that wait for an answer of the log.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len() + self.seeking.len()
    }
}

impl Engine {
    /// Streams that wait for the log: to be told where they go on, or for a page.
    #[must_use]
    pub fn streams_waiting_for_log(&self) -> u32 {
        self.replay.waiting() as u32
    }

    /// The log's answer to `Output::Seek`.
    pub fn handle_sought(&mut self, id: ConnectionId, sought: Sought) {
        self.replay.seeks_under_way = self.replay.seeks_under_way.saturating_sub(1);
        if self.phase(id).is_some()
            && let Some(last_event_id) = self.replay.seeking.remove(&id.index)
        {
            self.on_sought(id.index, &last_event_id, sought);
        }
        self.seek_next();
    }

    /// The log's answer to `Output::ReadPage`.
    pub fn handle_page(&mut self, read: PageRead) {
        let Some(at) = self.replay.reading.take() else {
            self.counters.stale_inputs += 1;
            return;
        };
        match read {
            PageRead::Page(page) if page.after < at && at <= page.upto => self.on_page(&page),
            PageRead::Gone { upto } if at <= upto => self.on_gone(at, upto),
            // A page without what was asked for is no better than none: asking again would go on for ever.
            PageRead::Page(_) | PageRead::Gone { .. } | PageRead::Failed { .. } => self.on_unreadable(at),
        }
        self.read_next_page();
    }

    /// A stream begins whose last event id the history does not know.
    pub(super) fn begin_seek(&mut self, index: u32, last_event_id: &str) {
        self.replay.seeking.insert(index, last_event_id.into());
        self.replay.to_seek.push_back(self.id_of(index));
        self.seek_next();
    }

    fn seek_next(&mut self) {
        while self.replay.seeks_under_way < SEEKS_MAX
            && let Some(from) = self.replay.to_seek.pop_front()
        {
            // Whoever has gone meanwhile is passed over.
            if self.arena.by_id(from).is_some()
                && let Some(last_event_id) = self.replay.seeking.get(&from.index)
            {
                self.replay.seeks_under_way += 1;
                let last_event_id = last_event_id.clone();
                self.outputs.push_back(Output::Seek { from, last_event_id });
            }
        }
    }

    fn on_sought(&mut self, index: u32, last_event_id: &str, sought: Sought) {
        let (after, has_gap) = match sought {
            Sought::After(position) => (position, false),
            Sought::Gap(position) => (position, true),
            Sought::Unknown => (self.history.newest(), true),
        };
        self.move_cursor(index, after.next());
        if has_gap {
            return self.tell_gap(index, last_event_id, after);
        }
        // What is going out goes first; its end looks again.
        if !self.outgoing.contains_key(&index) {
            self.on_fed(index);
        }
    }

    /// Tells a stream that what it has yet to see up to `upto` is gone. It goes on behind.
    fn tell_gap(&mut self, index: u32, from: &str, upto: Position) {
        self.counters.gaps += 1;
        let to = EventId::kept(self.history.incarnation(), upto).to_string();
        let gap = control::gap(self.hot[index as usize].framing, Some(from), &to);
        self.begin_outgoing(index, gap, Then::Feed);
    }

    /// A stream waits until the page with its cursor is here.
    pub(super) fn await_page(&mut self, index: u32, cursor: Position) {
        self.replay.waiting.insert((cursor, index));
        self.arm(index);
        self.read_next_page();
    }

    fn read_next_page(&mut self) {
        if self.replay.reading.is_some() {
            return;
        }
        let ahead = self.replay.waiting.range((self.replay.sweep, 0)..).next();
        let Some(&(at, _)) = ahead.or_else(|| self.replay.waiting.first()) else { return };
        self.replay.reading = Some(at);
        self.outputs.push_back(Output::ReadPage(at));
    }

    fn on_page(&mut self, page: &Page) {
        self.counters.pages += 1;
        self.replay.sweep = page.upto.next();
        self.drop_page(page.after);
        let mut history = History::of_page(self.seed, self.history.incarnation(), page.after);
        for event in &*page.events {
            let topics = self.intern_topics(&event.audience);
            history.push(event.clone(), &topics);
        }
        history.end_at(page.upto);
        self.replay.pages_bytes += history.bytes();
        self.replay.pages.insert(page.after, history);
        self.replay.page_order.push_back(page.after);
        while self.replay.pages_bytes > PAGES_BYTES_MAX && self.replay.page_order.len() > 1 {
            let oldest = self.replay.page_order[0];
            self.drop_page(oldest);
        }
        for index in self.stop_waiting(page.after.next(), page.upto) {
            self.queue(Source::Feed, index);
        }
    }

    /// Lets go of a page, if it is here, and of its topics.
    fn drop_page(&mut self, after: Position) {
        let Some(page) = self.replay.pages.remove(&after) else { return };
        self.replay.page_order.retain(|&other| other != after);
        self.replay.pages_bytes -= page.bytes();
        for entry in page.after(after) {
            if let Resolved::Topics(topics) = entry.audience {
                topics.iter().for_each(|&topic| self.topics.release(topic));
            }
        }
    }

    /// Retention was faster than these streams, or the log is damaged there.
    fn on_gone(&mut self, at: Position, upto: Position) {
        self.replay.sweep = upto.next();
        for index in self.stop_waiting(at, upto) {
            let Some(cursor) = self.stream(index).and_then(|stream| stream.cursor()) else { continue };
            let from = EventId::kept(self.history.incarnation(), Position(cursor.0 - 1)).to_string();
            self.move_cursor(index, upto.next());
            self.tell_gap(index, &from, upto);
        }
    }

    /// They come back, and the log may be readable again then.
    fn on_unreadable(&mut self, at: Position) {
        self.replay.sweep = at.next();
        for index in self.stop_waiting(at, at) {
            self.end(index, CloseReason::LogUnreadable);
        }
    }

    /// Those who wait for something between two positions, which are included, wait no longer.
    fn stop_waiting(&mut self, first: Position, last: Position) -> Vec<u32> {
        let range = (first, 0)..=(last, u32::MAX);
        let indices: Vec<(Position, u32)> = self.replay.waiting.range(range).copied().collect();
        indices.iter().for_each(|entry| _ = self.replay.waiting.remove(entry));
        indices.into_iter().map(|(_, index)| index).collect()
    }

    /// Panics if an invariant of what waits for the log is broken.
    pub(super) fn assert_replay_invariants(&self) {
        let Replay { seeking, to_seek, pages, page_order, waiting, reading, .. } = &self.replay;
        assert!(waiting.is_subset(&self.behind), "who waits for a page is fed, under the same cursor");
        assert!(waiting.is_empty() || reading.is_some(), "while somebody waits a page is being read");
        assert!(
            seeking.keys().all(|&index| self.stream(index).is_some_and(|stream| stream.cursor().is_some())),
            "who does not know where to go on is not live"
        );
        assert!(self.replay.seeks_under_way <= SEEKS_MAX, "seeks under way");
        assert!(
            to_seek.is_empty() || self.replay.seeks_under_way == SEEKS_MAX,
            "nobody waits to ask in vain"
        );
        assert_eq!(pages.len(), page_order.len(), "pages and their order");
        assert_eq!(
            pages.values().map(History::bytes).sum::<usize>(),
            self.replay.pages_bytes,
            "bytes of pages"
        );
        pages.values().for_each(History::assert_invariants);
    }
}
