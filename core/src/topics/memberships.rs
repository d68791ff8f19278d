//! Which lists a connection is in, and where, so that it leaves each in constant time.
//!
//! Invariant: a subscription's position is where its list has it, and the list names the subscription there.
//! Not here: what the lists belong to.

use slab::Slab;
use smallvec::SmallVec;

use super::TopicId;
use super::patterns::PatternId;
use crate::connection::ConnectionIndex;

/// What a selector or grant comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Subject {
    /// `*`
    Any,
    Topic(TopicId),
    Pattern(PatternId),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Subscription,
    /// Is in no list: it is asked for by connection only.
    Grant,
}

const KINDS: usize = 2;

/// One selector or grant of one connection. 16 bytes, the same inside a slab.
#[derive(Clone, Copy, Debug)]
struct Membership {
    subject: Subject,
    /// In the subject's list; of no meaning for a grant.
    position: u32,
    /// The connection's next one of the same kind, or `NONE`.
    next: u32,
}

const _: () = assert!(size_of::<Option<Membership>>() == 16);

const NONE: u32 = u32::MAX;

/// The memberships of all connections.
#[derive(Debug)]
pub(super) struct Memberships {
    all: Slab<Membership>,
    /// By connection index: its first membership of each kind, or `NONE`.
    first: Vec<[u32; KINDS]>,
    counts: [usize; KINDS],
}

impl Memberships {
    pub(super) fn with_room(room: usize) -> Self {
        Self { all: Slab::with_capacity(room), first: Vec::with_capacity(room), counts: [0; KINDS] }
    }

    pub(super) const fn count(&self, kind: Kind) -> usize {
        self.counts[kind as usize]
    }

    pub(super) fn is_empty_of(&self, index: ConnectionIndex) -> bool {
        self.first.get(index as usize).is_none_or(|first| *first == [NONE; KINDS])
    }

    /// Adds a membership; one in a list must then be told its place.
    pub(super) fn push(&mut self, index: ConnectionIndex, kind: Kind, subject: Subject) -> u32 {
        if index as usize >= self.first.len() {
            self.first.resize(index as usize + 1, [NONE; KINDS]);
        }
        let first = &mut self.first[index as usize][kind as usize];
        let membership = Membership { subject, position: NONE, next: *first };
        *first = u32::try_from(self.all.insert(membership)).expect("memberships are bounded below 2^32");
        self.counts[kind as usize] += 1;
        *first
    }

    pub(super) fn place(&mut self, membership: u32, position: u32) {
        self.all[membership as usize].position = position;
    }

    /// Removes any one membership of a connection; says of what, and where in its list.
    pub(super) fn pop(&mut self, index: ConnectionIndex, kind: Kind) -> Option<(Subject, u32)> {
        let first = &mut self.first.get_mut(index as usize)?[kind as usize];
        let membership = self.all.try_remove(*first as usize)?;
        *first = membership.next;
        self.counts[kind as usize] -= 1;
        Some((membership.subject, membership.position))
    }

    pub(super) fn subjects(&self, index: ConnectionIndex, kind: Kind) -> impl Iterator<Item = Subject> {
        let first = self.first.get(index as usize).map_or(NONE, |first| first[kind as usize]);
        let at = |membership: u32| self.all.get(membership as usize);
        std::iter::successors(at(first), move |membership| at(membership.next)).map(|it| it.subject)
    }

    /// Panics unless list and memberships agree; returns the list's length.
    pub(super) fn assert_list(&self, subject: Subject, list: &Subscribers) -> usize {
        assert_eq!(list.connections.len(), list.memberships.len(), "the two halves of a list");
        for (position, &membership) in (0..).zip(&list.memberships) {
            let found = self.all[membership as usize];
            assert_eq!((found.subject, found.position), (subject, position), "membership {membership}");
        }
        list.connections.len()
    }

    pub(super) fn assert_invariants(&self) {
        for kind in [Kind::Subscription, Kind::Grant] {
            let indexes = 0..u32::try_from(self.first.len()).unwrap_or(NONE);
            let chained: usize = indexes.map(|index| self.subjects(index, kind).count()).sum();
            assert_eq!(chained, self.count(kind), "{kind:?}s of all connections");
        }
        assert_eq!(self.all.len(), self.counts.iter().sum::<usize>(), "memberships");
    }
}

/// The subscribers of one topic or pattern, in two parallel lists, since fan-out walks only the first.
#[derive(Debug, Default)]
pub(super) struct Subscribers {
    connections: SmallVec<[ConnectionIndex; 4]>,
    memberships: SmallVec<[u32; 4]>,
}

impl Subscribers {
    pub(super) fn connections(&self) -> &[ConnectionIndex] {
        &self.connections
    }

    /// Returns the position.
    pub(super) fn push(&mut self, index: ConnectionIndex, membership: u32) -> u32 {
        let position = u32::try_from(self.connections.len()).expect("memberships are bounded below 2^32");
        self.connections.push(index);
        self.memberships.push(membership);
        position
    }

    /// Returns the membership that is at this position now, if one took it.
    pub(super) fn swap_remove(&mut self, position: u32) -> Option<u32> {
        self.connections.swap_remove(position as usize);
        self.memberships.swap_remove(position as usize);
        self.memberships.get(position as usize).copied()
    }
}
