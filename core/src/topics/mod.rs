//! Who hears which topic: exact subscribers and patterns, resolved when a topic or a pattern is new, never at a publish.
//!
//! Invariants: a topic knows exactly the patterns that match it; a topic lives while it has a subscriber, a grant or a
//! reference, a pattern while it has a subscriber or a grant; a membership knows its place in its list.
//! Not here: users, events to all, and the removal of duplicates when several selectors of one subscriber match.
//!
//! A *pattern* is a selector that can match several topics: a template, or `*`. `*` matches every topic, so nothing is
//! stored about it in topics.

mod memberships;
mod names;
mod patterns;
#[cfg(test)]
mod tests;

use std::ops::Range;
use std::sync::Arc;

use smallvec::SmallVec;

use self::memberships::{Kind, Memberships, Subject, Subscribers};
use self::names::Names;
use self::patterns::{PatternId, Patterns};
use crate::connection::ConnectionIndex;
use crate::hash::HashSeed;
use crate::selector::Selector;

/// Stands for a topic while somebody holds a reference to it. Then the number is used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicId(u32);

impl TopicId {
    /// For where there is no topic; nothing may be looked up by it.
    pub(crate) const NOTHING: Self = Self(u32::MAX);
}

/// The subscriptions and grants of one shard's subscribers.
///
/// Memory: 8 bytes for each connection index up to the highest; 24 for each subscription (4 in the list that fan-out walks, 20 to leave
/// it again); 16 for each grant; about 190 and the name for each topic, 4 of its subscribers and patterns included.
#[derive(Debug)]
pub struct TopicIndex {
    names: Names,
    patterns: Patterns,
    /// The subscribers of `*`.
    any: Subscribers,
    memberships: Memberships,
}

#[derive(Debug)]
struct Topic {
    name: Arc<str>,
    subscribers: Subscribers,
    /// Which patterns match the name, ascending.
    patterns: SmallVec<[PatternId; 4]>,
    /// Subscriptions, grants, and what `intern` gave out. At least one.
    references: u32,
}

/// What a selector can match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SelectorKind {
    /// Every topic.
    Any,
    /// One topic.
    Exact,
    /// Some topics.
    Template,
}

/// How much is in a `TopicIndex`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TopicCounts {
    /// Topics that somebody subscribes to, is granted or holds a reference to.
    pub topics: usize,
    /// Different templates that somebody subscribes to or is granted.
    pub patterns: usize,
    /// Selectors of all subscribers.
    pub subscriptions: usize,
    /// Grants of all subscribers.
    pub grants: usize,
}

impl TopicIndex {
    /// An empty index with room for the connections below `room`, of a selector each; more is fine.
    #[must_use]
    pub fn new(seed: HashSeed, room: usize) -> Self {
        Self {
            names: Names::new(seed),
            patterns: Patterns::new(seed),
            any: Subscribers::default(),
            memberships: Memberships::with_room(room),
        }
    }

    /// Adds a subscriber: what it asks for, and which topics' private events it may have.
    ///
    /// # Panics
    /// If the connection has subscribed already.
    pub fn subscribe(&mut self, index: ConnectionIndex, selectors: &[Selector], grants: &[Selector]) {
        assert!(self.memberships.is_empty_of(index), "connection {index} has subscribed already");
        for selector in selectors {
            let subject = self.reference(selector);
            let membership = self.memberships.push(index, Kind::Subscription, subject);
            let position = self.subscribers_mut(subject).push(index, membership);
            self.memberships.place(membership, position);
        }
        for grant in grants {
            let subject = self.reference(grant);
            self.memberships.push(index, Kind::Grant, subject);
        }
    }

    /// Removes a subscriber with all its selectors and grants, if it has any. Costs O(selectors and grants).
    pub fn unsubscribe(&mut self, index: ConnectionIndex) {
        while let Some((subject, position)) = self.memberships.pop(index, Kind::Subscription) {
            if let Some(moved) = self.subscribers_mut(subject).swap_remove(position) {
                self.memberships.place(moved, position);
            }
            self.dereference(subject);
        }
        while let Some((subject, _)) = self.memberships.pop(index, Kind::Grant) {
            self.dereference(subject);
        }
    }

    /// Takes a reference to a topic, to be given back by `release`. A new topic is matched against the patterns whose
    /// literal beginning it shares.
    pub fn intern(&mut self, name: &str) -> TopicId {
        let id = self.names.find(name).unwrap_or_else(|| self.add_topic(name.into()));
        self.names[id].references += 1;
        id
    }

    /// Gives back one reference.
    ///
    /// # Panics
    /// If there is none: the number could stand for another topic already.
    pub fn release(&mut self, id: TopicId) {
        let topic = &mut self.names[id];
        topic.references -= 1;
        if topic.references == 0 {
            self.names.remove(id);
        }
    }

    /// The text of a topic.
    #[must_use]
    pub fn name(&self, id: TopicId) -> &str {
        &self.names[id].name
    }

    /// Visits who subscribes to a topic: its own subscribers, those of `*`, those of the patterns that match; a
    /// connection as often as it has selectors that match. Begins `start_offset` places later, round the end, so that
    /// over many events nobody is always last. If `private`, only those with a grant for the topic.
    pub fn for_each_subscriber(
        &self,
        id: TopicId,
        private: bool,
        start_offset: usize,
        mut visit: impl FnMut(ConnectionIndex),
    ) {
        let total = self.lists(id).map(<[_]>::len).sum();
        let start = start_offset.checked_rem(total).unwrap_or(0);
        let mut visit_granted = |index| {
            if !private || self.is_granted(index, &[id]) {
                visit(index);
            }
        };
        for_each_in(self.lists(id), start..total, &mut visit_granted);
        for_each_in(self.lists(id), 0..start, &mut visit_granted);
    }

    /// Whether a selector of this subscriber matches one of these topics. No pattern is evaluated.
    #[must_use]
    pub fn is_subscribed(&self, index: ConnectionIndex, topics: &[TopicId]) -> bool {
        self.memberships.subjects(index, Kind::Subscription).any(|subject| self.is_match(subject, topics))
    }

    /// Whether a grant of this subscriber matches one of these topics. No pattern is evaluated.
    #[must_use]
    pub fn is_granted(&self, index: ConnectionIndex, topics: &[TopicId]) -> bool {
        self.memberships.subjects(index, Kind::Grant).any(|subject| self.is_match(subject, topics))
    }

    /// What a connection subscribes to, as it was written.
    pub(crate) fn selectors(&self, index: ConnectionIndex) -> impl Iterator<Item = &str> {
        self.memberships.subjects(index, Kind::Subscription).map(|subject| self.text(subject))
    }

    /// What a connection's grants are, as they were written.
    pub(crate) fn grants(&self, index: ConnectionIndex) -> impl Iterator<Item = &str> {
        self.memberships.subjects(index, Kind::Grant).map(|subject| self.text(subject))
    }

    /// The connections that subscribe with exactly this selector; one as often as it does so.
    pub(crate) fn subscribers_of(&self, selector: &str) -> &[ConnectionIndex] {
        let list = self.subject_of(selector).map(|subject| match subject {
            Subject::Any => &self.any,
            Subject::Topic(id) => &self.names[id].subscribers,
            Subject::Pattern(id) => &self.patterns[id].subscribers,
        });
        list.map_or(&[], Subscribers::connections)
    }

    /// Tells of a connection whether it subscribes with exactly this selector, which is looked up once for all of them;
    /// `None` if nobody does.
    pub(crate) fn has_selector(&self, selector: &str) -> Option<impl Fn(ConnectionIndex) -> bool> {
        let wanted = self.subject_of(selector)?;
        Some(move |index| self.memberships.subjects(index, Kind::Subscription).any(|it| it == wanted))
    }

    fn subject_of(&self, selector: &str) -> Option<Subject> {
        let selector = Selector::parse(selector).ok()?;
        match &selector {
            Selector::Any => Some(Subject::Any),
            Selector::Exact(name) => self.names.find(name).map(Subject::Topic),
            Selector::Template(_) => self.patterns.find(&selector).map(Subject::Pattern),
        }
    }

    /// The selectors with numbers from `first` on, at most `most` of them looked at, that somebody subscribes to, with
    /// their subscribers; and where to go on. `*` is number 0, behind it templates and topics take turns.
    pub(crate) fn slice(
        &self,
        first: u32,
        most: u32,
    ) -> (impl Iterator<Item = (&str, SelectorKind, u32)>, Option<u32>) {
        let numbers = 1 + 2 * self.patterns.numbers().max(self.names.numbers());
        let end = first.saturating_add(most).min(numbers);
        let rows = (first..end).filter_map(|number| self.numbered(number));
        (rows.filter(|&(_, _, subscribers)| subscribers > 0), (end < numbers).then_some(end))
    }

    fn numbered(&self, number: u32) -> Option<(&str, SelectorKind, u32)> {
        let row = |text, kind, list: &Subscribers| (text, kind, list.connections().len() as u32);
        let Some(number) = number.checked_sub(1) else {
            return Some(row("*", SelectorKind::Any, &self.any));
        };
        if number.is_multiple_of(2) {
            let pattern = self.patterns.numbered(number / 2)?;
            return Some(row(pattern.selector.as_str(), SelectorKind::Template, &pattern.subscribers));
        }
        let topic = self.names.numbered(number / 2)?;
        Some(row(&topic.name, SelectorKind::Exact, &topic.subscribers))
    }

    fn text(&self, subject: Subject) -> &str {
        match subject {
            Subject::Any => "*",
            Subject::Topic(id) => self.name(id),
            Subject::Pattern(id) => self.patterns[id].selector.as_str(),
        }
    }

    /// How much is in here.
    #[must_use]
    pub fn counts(&self) -> TopicCounts {
        TopicCounts {
            topics: self.names.len(),
            patterns: self.patterns.len(),
            subscriptions: self.memberships.count(Kind::Subscription),
            grants: self.memberships.count(Kind::Grant),
        }
    }

    fn is_match(&self, subject: Subject, topics: &[TopicId]) -> bool {
        match subject {
            Subject::Any => !topics.is_empty(),
            Subject::Topic(id) => topics.contains(&id),
            Subject::Pattern(pattern) => {
                topics.iter().any(|&id| self.names[id].patterns.binary_search(&pattern).is_ok())
            }
        }
    }

    /// The lists of all who subscribe to a topic.
    fn lists(&self, id: TopicId) -> impl Iterator<Item = &[ConnectionIndex]> {
        let topic = &self.names[id];
        let patterns = topic.patterns.iter().map(|&pattern| self.patterns[pattern].subscribers.connections());
        [topic.subscribers.connections(), self.any.connections()].into_iter().chain(patterns)
    }

    fn subscribers_mut(&mut self, subject: Subject) -> &mut Subscribers {
        match subject {
            Subject::Any => &mut self.any,
            Subject::Topic(id) => &mut self.names[id].subscribers,
            Subject::Pattern(id) => &mut self.patterns[id].subscribers,
        }
    }

    fn reference(&mut self, selector: &Selector) -> Subject {
        match selector {
            Selector::Any => Subject::Any,
            Selector::Exact(name) => Subject::Topic(self.intern(name)),
            Selector::Template(_) => {
                let id = self.patterns.find(selector).unwrap_or_else(|| self.add_pattern(selector));
                self.patterns[id].references += 1;
                Subject::Pattern(id)
            }
        }
    }

    fn dereference(&mut self, subject: Subject) {
        match subject {
            Subject::Any => {}
            Subject::Topic(id) => self.release(id),
            Subject::Pattern(id) => {
                self.patterns[id].references -= 1;
                if self.patterns[id].references == 0 {
                    self.remove_pattern(id);
                }
            }
        }
    }

    fn add_topic(&mut self, name: Arc<str>) -> TopicId {
        let patterns = self.patterns.matching(&name);
        self.names.insert(Topic { name, subscribers: Subscribers::default(), patterns, references: 0 })
    }

    fn add_pattern(&mut self, selector: &Selector) -> PatternId {
        let id = self.patterns.insert(selector);
        self.names.for_each_with_prefix(selector.literal_prefix(), |topic| {
            if selector.matches(&topic.name)
                && let Err(place) = topic.patterns.binary_search(&id)
            {
                topic.patterns.insert(place, id);
            }
        });
        id
    }

    fn remove_pattern(&mut self, id: PatternId) {
        let selector = self.patterns.remove(id);
        self.names.for_each_with_prefix(selector.literal_prefix(), |topic| {
            if let Ok(place) = topic.patterns.binary_search(&id) {
                topic.patterns.remove(place);
            }
        });
    }

    /// Panics if an invariant is broken. Costs O(topics + patterns + memberships).
    pub fn assert_invariants(&self) {
        self.names.assert_invariants();
        self.patterns.assert_invariants();
        let mut subscriptions = self.memberships.assert_list(Subject::Any, &self.any);
        for (id, topic) in self.names.iter() {
            let len = self.memberships.assert_list(Subject::Topic(id), &topic.subscribers);
            assert!(topic.references > 0 && topic.references as usize >= len, "references of {}", topic.name);
            assert!(topic.patterns.is_sorted(), "patterns of {}", topic.name);
            for &pattern in &topic.patterns {
                assert!(self.patterns[pattern].selector.matches(&topic.name), "a pattern of {}", topic.name);
            }
            subscriptions += len;
        }
        for (id, pattern) in self.patterns.iter() {
            let len = self.memberships.assert_list(Subject::Pattern(id), &pattern.subscribers);
            assert!(pattern.references > 0 && pattern.references as usize >= len, "references of a pattern");
            subscriptions += len;
        }
        assert_eq!(subscriptions, self.memberships.count(Kind::Subscription), "subscriptions in lists");
        self.memberships.assert_invariants();
    }
}

/// Visits the places in `range` of lists laid end to end.
fn for_each_in<'a>(
    lists: impl Iterator<Item = &'a [ConnectionIndex]>,
    range: Range<usize>,
    visit: &mut impl FnMut(ConnectionIndex),
) {
    let mut begin = 0;
    for list in lists {
        let end = begin + list.len();
        let within = range.start.clamp(begin, end) - begin..range.end.clamp(begin, end) - begin;
        list[within].iter().copied().for_each(&mut *visit);
        begin = end;
    }
}
