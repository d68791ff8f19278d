//! The last part of the log that a shard holds: what streams that resume or fell behind are fed from.
//!
//! Invariants: positions ascend, perhaps with holes; every kept event of the log after `start` and up to `newest` is
//! here; a publisher's id leads to the first event here that had it when it came.
//! Not here: who may see an event (the caller asks the topic index), expired time-to-live (the caller skips it), and
//! events that are never kept.

mod resume;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::time::Duration;

use hashbrown::HashTable;

pub use self::resume::Resume;
use crate::event::{Audience, SharedEvent};
use crate::frame::Framing;
use crate::hash::HashSeed;
use crate::id::{Incarnation, Position};
use crate::limits::HISTORY_TRIM_MAX;
use crate::settings::HistorySettings;
use crate::time::UnixMillis;
use crate::topics::TopicId;
use crate::users::{UserHash, UserKey};

/// The tail of the log, in order. Costs 56 bytes for each event besides the event, which all shards share.
#[derive(Debug)]
pub struct History {
    seed: HashSeed,
    incarnation: Incarnation,
    settings: HistorySettings,
    /// Parallel to `events`, apart from them: a scan for one subscriber passes over thousands of events of others and
    /// stays within these.
    scans: VecDeque<Scan>,
    events: VecDeque<Kept>,
    /// Positions, by the publisher's id of the event there.
    by_publisher_id: HashTable<Position>,
    /// Of the frames, as chunks.
    bytes: usize,
    start: Position,
    newest: Position,
}

/// What decides whether an event concerns a subscriber.
#[derive(Clone, Copy, Debug)]
struct Scan {
    position: Position,
    /// Of a sole user; else of no meaning.
    user: UserHash,
    /// Of a sole topic; else of no meaning.
    topic: TopicId,
    kind: ScanKind,
    private: bool,
}

const _: () = assert!(size_of::<Scan>() == 24);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ScanKind {
    All,
    Topic,
    User,
    /// Several: they are in `Kept`.
    Several,
}

#[derive(Debug)]
struct Kept {
    event: SharedEvent,
    several: Several,
}

const _: () = assert!(size_of::<Kept>() == 32);

/// Audiences of more than one, which are rare.
#[derive(Debug)]
enum Several {
    None,
    Topics(Box<[TopicId]>),
    Users(Box<[UserHash]>),
}

/// One event of the history.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// Its place in the log.
    pub position: Position,
    /// Whom it is for.
    pub audience: Resolved<'a>,
    /// Only for subscribers whose token grants it.
    pub private: bool,
    /// The event. Looking into it costs a cache miss: first see whether it concerns anybody.
    pub event: &'a SharedEvent,
}

/// An audience as numbers, to be compared without looking at names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolved<'a> {
    /// Subscribers to one of these. The history holds one reference to each.
    Topics(&'a [TopicId]),
    /// Only candidates: users whose hashes are equal are told apart by `Entry::is_for_user`.
    Users(&'a [UserHash]),
    /// Every stream.
    All,
}

impl Entry<'_> {
    /// Whether a user is among those whom this event names.
    #[must_use]
    pub fn is_for_user(&self, user: UserHash, name: &str) -> bool {
        match (self.audience, &self.event.audience) {
            (Resolved::Users(hashes), Audience::Users(names)) => {
                hashes.contains(&user) && names.iter().any(|named| **named == *name)
            }
            _ => false,
        }
    }
}

impl History {
    /// An empty history of the log `incarnation`, which goes on after `start`: what is kept in the log up to there is
    /// not here and cannot be replayed.
    #[must_use]
    pub const fn new(
        seed: HashSeed,
        incarnation: Incarnation,
        start: Position,
        settings: HistorySettings,
    ) -> Self {
        Self {
            seed,
            incarnation,
            settings,
            scans: VecDeque::new(),
            events: VecDeque::new(),
            by_publisher_id: HashTable::new(),
            bytes: 0,
            start,
            newest: start,
        }
    }

    /// A run of old events behind `after`, to be pushed; it has no limits. See [`crate::replay::Page`].
    #[must_use]
    pub(crate) const fn of_page(seed: HashSeed, incarnation: Incarnation, after: Position) -> Self {
        let unlimited = HistorySettings { events: usize::MAX, bytes: usize::MAX, age: Duration::MAX };
        Self::new(seed, incarnation, after, unlimited)
    }

    /// Nothing more comes up to `position`.
    pub(crate) fn end_at(&mut self, position: Position) {
        self.newest = self.newest.max(position);
    }

    /// Changes the limits, from the next `trim` on.
    pub fn set_limits(&mut self, settings: HistorySettings) {
        self.settings = settings;
    }

    /// Appends the next event of the log. `topics` are those of its audience, in any order, each with a reference that
    /// now is the history's and comes back through `trim`.
    ///
    /// # Panics
    /// If the event is ephemeral, not after `newest`, or has other topics than `topics`: replay would lie.
    pub fn push(&mut self, event: SharedEvent, topics: &[TopicId]) {
        assert!(!event.ephemeral, "an ephemeral event is never kept");
        assert!(event.position > self.newest, "{:?} is not after {:?}", event.position, self.newest);
        let topics_of_event = match &event.audience {
            Audience::Topics(names) => names.len(),
            Audience::Users(_) | Audience::All => 0,
        };
        assert_eq!(topics.len(), topics_of_event, "each topic of the event has its number");

        let (scan, several) = self.resolve(&event, topics);
        self.newest = event.position;
        self.bytes += bytes_of(&event);
        self.scans.push_back(scan);
        self.events.push_back(Kept { event, several });
        self.remember_publisher_id();
    }

    /// Evicts the oldest events until the limits hold, showing each to `evicted`, which gives back its topics; at most
    /// [`HISTORY_TRIM_MAX`] of them. Whether the limits hold.
    pub fn trim(&mut self, now: UnixMillis, mut evicted: impl FnMut(Entry<'_>)) -> bool {
        for _ in 0..HISTORY_TRIM_MAX {
            if !self.is_over_limit(now) {
                return true;
            }
            self.forget_oldest_publisher_id();
            let (Some(scan), Some(kept)) = (self.scans.pop_front(), self.events.pop_front()) else { break };
            self.start = scan.position;
            self.bytes -= bytes_of(&kept.event);
            evicted(entry(&scan, &kept));
        }
        !self.is_over_limit(now)
    }

    /// The log that this is of.
    #[must_use]
    pub const fn incarnation(&self) -> Incarnation {
        self.incarnation
    }

    /// The position after which nothing is missing here: of the last evicted event, or where the history began.
    #[must_use]
    pub const fn start(&self) -> Position {
        self.start
    }

    /// The position of the first event here.
    #[must_use]
    pub fn oldest(&self) -> Option<Position> {
        self.scans.front().map(|scan| scan.position)
    }

    /// The position of the last event that was pushed, evicted or not; `start` if none was.
    #[must_use]
    pub const fn newest(&self) -> Position {
        self.newest
    }

    /// How many events are here.
    #[must_use]
    pub fn len(&self) -> usize {
        self.scans.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.scans.is_empty()
    }

    /// Bytes of the frames here, as chunks.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// The events after a position, in order. Costs O(log n) to begin.
    pub fn after(
        &self,
        position: Position,
    ) -> impl DoubleEndedIterator<Item = Entry<'_>> + ExactSizeIterator {
        let from = self.scans.partition_point(|scan| scan.position <= position);
        self.scans.range(from..).zip(self.events.range(from..)).map(|(scan, kept)| entry(scan, kept))
    }

    /// Where the first event with this publisher's id is. If a publisher uses an id again while the first event is
    /// here, the later ones cannot be found by it, not even after the first is gone: whoever resumes from it is then
    /// told of a gap.
    #[must_use]
    pub fn position_of(&self, publisher_id: &str) -> Option<Position> {
        let hash = self.seed.hash_of(publisher_id);
        self.by_publisher_id
            .find(hash, |&position| self.publisher_id_at(position) == Some(publisher_id))
            .copied()
    }

    fn is_over_limit(&self, now: UnixMillis) -> bool {
        let Some(oldest) = self.events.front() else { return false };
        let age_max = u64::try_from(self.settings.age.as_millis()).unwrap_or(u64::MAX);
        self.events.len() > self.settings.events
            || self.bytes > self.settings.bytes
            || now.0.saturating_sub(oldest.event.sequenced.0) > age_max
    }

    fn resolve(&self, event: &SharedEvent, topics: &[TopicId]) -> (Scan, Several) {
        let hash = |name: &str| UserHash::of(self.seed, UserKey::Named(name));
        let (mut user, mut topic) = (UserHash::NOBODY, TopicId::NOTHING);
        let (kind, several) = match (&event.audience, topics) {
            (Audience::All, _) => (ScanKind::All, Several::None),
            (Audience::Topics(_), [sole]) => {
                topic = *sole;
                (ScanKind::Topic, Several::None)
            }
            (Audience::Topics(_), _) => (ScanKind::Several, Several::Topics(topics.into())),
            (Audience::Users(names), _) => match &**names {
                [sole] => {
                    user = hash(sole);
                    (ScanKind::User, Several::None)
                }
                _ => {
                    let hashes = names.iter().map(|name| hash(name)).collect();
                    (ScanKind::Several, Several::Users(hashes))
                }
            },
        };
        (Scan { position: event.position, user, topic, kind, private: event.private }, several)
    }

    /// Of the newest event, unless an earlier one has the same.
    fn remember_publisher_id(&mut self) {
        let (seed, newest) = (self.seed, self.newest);
        let Some(id) = self.events.back().and_then(|kept| kept.event.publisher_id.as_deref()) else { return };
        if self.position_of(id).is_some() {
            return;
        }
        let hash_of_id = seed.hash_of(id);
        // The table is taken out so that a growing one can look up the ids it holds.
        let mut table = std::mem::take(&mut self.by_publisher_id);
        let hash = |&position: &Position| self.publisher_id_at(position).map_or(0, |id| seed.hash_of(id));
        table.insert_unique(hash_of_id, newest, hash);
        self.by_publisher_id = table;
    }

    fn forget_oldest_publisher_id(&mut self) {
        let Some(oldest) = self.events.front() else { return };
        let (Some(id), position) = (&oldest.event.publisher_id, oldest.event.position) else { return };
        let hash = self.seed.hash_of(&**id);
        if let Ok(found) = self.by_publisher_id.find_entry(hash, |&other| other == position) {
            found.remove();
        }
    }

    fn publisher_id_at(&self, position: Position) -> Option<&str> {
        let at = self.scans.binary_search_by_key(&position, |scan| scan.position).ok()?;
        self.events[at].event.publisher_id.as_deref()
    }

    /// Panics if an invariant is broken. Costs O(events).
    pub fn assert_invariants(&self) {
        assert_eq!(self.scans.len(), self.events.len(), "scans and events");
        assert_eq!(self.bytes, self.events.iter().map(|kept| bytes_of(&kept.event)).sum::<usize>(), "bytes");
        let (mut last, mut ids) = (self.start, 0);
        for entry in self.after(Position(0)) {
            assert!(entry.position > last, "{:?} comes after {last:?}", entry.position);
            assert_eq!(entry.position, entry.event.position, "scan and event");
            last = entry.position;
            let id = entry.event.publisher_id.as_deref();
            ids += usize::from(id.and_then(|id| self.position_of(id)) == Some(last));
        }
        assert!(last <= self.newest, "newest");
        assert_eq!(ids, self.by_publisher_id.len(), "publishers' ids");
    }
}

fn bytes_of(event: &SharedEvent) -> usize {
    event.frame.bytes(Framing::Chunked).len()
}

fn entry<'a>(scan: &'a Scan, kept: &'a Kept) -> Entry<'a> {
    let audience = match scan.kind {
        ScanKind::All => Resolved::All,
        ScanKind::Topic => Resolved::Topics(std::slice::from_ref(&scan.topic)),
        ScanKind::User => Resolved::Users(std::slice::from_ref(&scan.user)),
        ScanKind::Several => match &kept.several {
            Several::Topics(topics) => Resolved::Topics(topics),
            Several::Users(users) => Resolved::Users(users),
            Several::None => unreachable!("`resolve` makes this kind only with a list"),
        },
    };
    Entry { position: scan.position, audience, private: scan.private, event: &kept.event }
}
