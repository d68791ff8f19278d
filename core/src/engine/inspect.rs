//! What an operator may look at: connections, users and selectors of one shard.
//!
//! Invariant: a look costs at most `SLICE_ROWS` rows, so that nobody who looks holds up the shard. Who wants all of it
//! asks again from where the slice ended; what comes and goes meanwhile may be missing or be seen twice.
//! Not here: order and pages over several shards (the host's work).

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::connection::ConnectionId;
use crate::connection::state::{Phase, Stream};
use crate::frame::Framing;
use crate::time::{Instant, UnixMillis};
use crate::topics::SelectorKind;
use crate::users::UserKey;

use super::Engine;

/// Rows looked at for one slice: some 50 µs of the shard.
pub const SLICE_ROWS: u32 = 1024;

/// A part of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slice<T> {
    /// What was found.
    pub rows: Vec<T>,
    /// Where to go on; absent at the end of the table.
    pub next: Option<u32>,
}

/// Whose connection it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Owner {
    /// A token's `sub`.
    User(Box<str>),
    /// Without a token: the `client_id`.
    Anonymous(Box<str>),
}

impl Owner {
    /// As the user index knows it.
    #[must_use]
    pub fn key(&self) -> UserKey<'_> {
        match self {
            Self::User(name) => UserKey::Named(name),
            Self::Anonymous(client_id) => UserKey::Anonymous(client_id),
        }
    }

    fn of(key: UserKey<'_>) -> Self {
        match key {
            UserKey::Named(name) => Self::User(name.into()),
            UserKey::Anonymous(client_id) => Self::Anonymous(client_id.into()),
        }
    }
}

/// One connection, as it is at this moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionRow {
    /// Which one.
    pub id: ConnectionId,
    /// When this was seen. With `age` and `silence` it tells moments that do not change from look to look.
    pub seen: Instant,
    /// Where in its life it is: `Phase::label`.
    pub phase: Phase,
    /// Where it comes from.
    pub peer: SocketAddr,
    /// Whose it is; only streams have an owner.
    pub owner: Option<Owner>,
    /// How long it has streamed, to 17 ms; only streams have an age.
    pub age: Option<Duration>,
    /// Since it was last sent something; for a stream only.
    pub silence: Option<Duration>,
    /// Bytes that its socket took at this shard.
    pub bytes: u64,
    /// Positions of the log that it has yet to be looked up in or sent. 0 while it waits for nothing.
    pub lag: u64,
    /// Whether it is fed from history or the log.
    pub is_behind: bool,
    /// The end of its token.
    pub expires: Option<UnixMillis>,
}

/// One connection in full.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionDetails {
    /// What a list shows of it.
    pub row: ConnectionRow,
    /// What it subscribes to.
    pub selectors: Vec<Box<str>>,
    /// Which topics' private events it may have.
    pub grants: Vec<Box<str>>,
    /// How its body is delimited.
    pub framing: Framing,
    /// Whether its heartbeats are events that the page can see.
    pub visible_heartbeat: bool,
}

/// Which connections are looked for: those to which all that is given applies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConnectionFilter {
    /// Of this owner.
    pub owner: Option<Owner>,
    /// Streams without a token.
    pub is_anonymous: bool,
    /// With this selector, as it was written.
    pub selector: Option<Box<str>>,
    /// From this address.
    pub ip: Option<IpAddr>,
    /// In this phase.
    pub phase: Option<Phase>,
    /// Fed from history or the log.
    pub is_behind: bool,
}

/// A user, or a client without a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnerRow {
    /// Who.
    pub owner: Owner,
    /// Streams here, and so everywhere: all of an owner's streams are on its home shard.
    pub connections: u32,
}

/// A selector that somebody subscribes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SelectorRow {
    /// As it was written.
    pub selector: Box<str>,
    /// What it can match.
    pub kind: SelectorKind,
    /// Streams of this shard that have it.
    pub subscribers: u32,
}

impl Engine {
    /// The connections from slot `first` on that `filter` lets through.
    #[must_use]
    pub fn inspect_connections(&self, first: u32, filter: &ConnectionFilter) -> Slice<ConnectionRow> {
        let has_selector = match &filter.selector {
            None => None,
            Some(text) => match self.topics.has_selector(text) {
                None => return Slice { rows: Vec::new(), next: None },
                has_it => has_it,
            },
        };
        let matching = |index| {
            let has_it = has_selector.as_ref().is_none_or(|has_selector| has_selector(index));
            if has_it { self.matching_row(index, filter) } else { None }
        };
        if first == 0
            && let Some(owner) = &filter.owner
            && self.users.len(owner.key()) <= SLICE_ROWS as usize
        {
            // All of an owner's streams hang together. More than a slice of them are looked for among all slots: the chain
            // can only be walked from its beginning.
            return Slice {
                rows: self.users.connections(owner.key()).filter_map(matching).collect(),
                next: None,
            };
        }
        let slots = self.hot.len() as u32;
        let end = first.saturating_add(SLICE_ROWS).min(slots);
        Slice { rows: (first..end).filter_map(matching).collect(), next: (end < slots).then_some(end) }
    }

    /// One connection; `None` if it has ended.
    #[must_use]
    pub fn inspect_connection(&self, id: ConnectionId) -> Option<ConnectionDetails> {
        self.arena.by_id(id)?;
        let index = id.index;
        let texts = |texts: &mut dyn Iterator<Item = &str>| texts.map(Box::from).collect();
        Some(ConnectionDetails {
            row: self.row(index)?,
            selectors: texts(&mut self.topics.selectors(index)),
            grants: texts(&mut self.topics.grants(index)),
            framing: self.hot[index as usize].framing,
            visible_heartbeat: self.stream(index).is_some_and(|stream| stream.visible_heartbeat),
        })
    }

    /// Owners from number `first` on, in no order.
    #[must_use]
    pub fn inspect_owners(&self, first: u32) -> Slice<OwnerRow> {
        let (owners, next) = self.users.slice(first, SLICE_ROWS);
        let row = |(key, connections)| OwnerRow { owner: Owner::of(key), connections };
        Slice { rows: owners.map(row).collect(), next }
    }

    /// Selectors from number `first` on, in no order; without those that nobody subscribes to.
    #[must_use]
    pub fn inspect_selectors(&self, first: u32) -> Slice<SelectorRow> {
        let (selectors, next) = self.topics.slice(first, SLICE_ROWS);
        let row = |(text, kind, subscribers): (&str, _, _)| SelectorRow {
            selector: text.into(),
            kind,
            subscribers,
        };
        Slice { rows: selectors.map(row).collect(), next }
    }

    /// The row, if all of `filter` applies but its selector, which the caller has looked at.
    fn matching_row(&self, index: u32, filter: &ConnectionFilter) -> Option<ConnectionRow> {
        let connection = self.arena.by_index(index)?;
        let ConnectionFilter { owner, is_anonymous, selector: _, ip, phase, is_behind } = filter;
        let stream = connection.state.stream();
        let user = self.users.key_of(index);
        let matches = phase.is_none_or(|phase| connection.state.phase() == phase)
            && ip.is_none_or(|ip| self.peers[index as usize].ip() == ip)
            && (!is_behind || stream.and_then(Stream::cursor).is_some())
            && (!is_anonymous || stream.is_some() && !matches!(user, Some(UserKey::Named(_))))
            && owner.as_ref().is_none_or(|owner| user == Some(owner.key()));
        if matches { self.row(index) } else { None }
    }

    fn row(&self, index: u32) -> Option<ConnectionRow> {
        let connection = self.arena.by_index(index)?;
        let (hot, now) = (self.hot[index as usize], self.now.instant);
        let stream = connection.state.stream();
        let cursor = stream.and_then(Stream::cursor);
        Some(ConnectionRow {
            id: self.id_of(index),
            seen: now,
            phase: connection.state.phase(),
            peer: self.peers[index as usize].address(),
            owner: self.users.key_of(index).map(Owner::of),
            age: stream.map(|stream| now.since(stream.opened.seen_from(now))),
            silence: stream.map(|_| now.since(self.last_sent(hot))),
            bytes: hot.bytes,
            lag: match cursor {
                Some(cursor) => self.history.newest().next().0.saturating_sub(cursor.0),
                None => u64::from(hot.pending.count_ones()),
            },
            is_behind: cursor.is_some(),
            expires: stream.and_then(|stream| stream.expires.unix_ms()).map(UnixMillis),
        })
    }
}
