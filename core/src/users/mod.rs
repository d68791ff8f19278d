//! Connections by user: for limits, eviction and per-user delivery.
//!
//! Invariants: a connection belongs to one user or to none; a user is here as long as it has a connection; its
//! connections are chained oldest first.
//! Not here: limits and what happens at them, and anonymous connections without a client id, which nothing joins.

mod evictions;

use std::num::NonZeroU64;

use hashbrown::HashTable;
use slab::Slab;

use self::evictions::Evictions;
use crate::connection::ConnectionIndex;
use crate::hash::HashSeed;
use crate::time::Instant;

/// Whose connection it is. The two kinds never meet, even when they are spelled alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UserKey<'a> {
    /// A token's `sub`.
    Named(&'a str),
    /// Without a token: the `client_id` that a tab, browser or device chose.
    Anonymous(&'a str),
}

/// A user in 8 bytes, under the engine's seed. Two users share one with probability 2^-64, so where that would show
/// one user's events to another, the name decides and this only finds candidates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserHash(u64);

impl UserHash {
    /// For where there is no user; nothing may be looked up by it.
    pub(crate) const NOBODY: Self = Self(0);

    /// The hash of `key` under `seed`.
    #[must_use]
    pub fn of(seed: HashSeed, key: UserKey<'_>) -> Self {
        Self(seed.hash_of(key))
    }
}

/// A client id together with its user, hashed. A collision (2^-64 for each pair of clients of one user) would let one
/// replace the other, which loses nothing; ids of up to 255 bytes would be most of an idle connection's memory.
type ClientHash = NonZeroU64;

/// Which connections a user has.
///
/// A user with one connection and a name of 8 bytes costs 96 bytes: 32 here, 32 for the name with the allocator's
/// share, 8 on average in the hash table, 24 for the connection; a client id is another 8. A table that has just
/// doubled has untouched room for as much again.
#[derive(Debug)]
pub struct UserIndex {
    seed: HashSeed,
    users: Slab<User>,
    /// Numbers of `users`, by key.
    by_key: HashTable<u32>,
    /// By connection index.
    seats: Vec<Seat>,
    /// The newest connection that joined with a client id.
    by_client: HashTable<ConnectionIndex>,
    evictions: Evictions,
}

#[derive(Debug)]
struct User {
    name: Box<str>,
    oldest: ConnectionIndex,
    newest: ConnectionIndex,
    /// How many connections; at least one.
    len: u32,
    is_anonymous: bool,
}

const _: () = assert!(size_of::<Option<User>>() == 32);

/// A connection's place among those of its user.
#[derive(Clone, Copy, Debug)]
struct Seat {
    client: Option<ClientHash>,
    /// A number of `users`; `NONE` if the connection has not joined, and then the rest means nothing.
    user: u32,
    older: ConnectionIndex,
    newer: ConnectionIndex,
}

const _: () = assert!(size_of::<Seat>() == 24);

/// No user, no connection: the end of a chain. Indexes stay below it.
const NONE: u32 = u32::MAX;

/// A hash table that grows looks at every name again: at a million users that would hold up a shard for 0.3 s, so the
/// room is taken at the start (10 MB here, of which a fifth is touched).
const ROOM_MAX: usize = 1 << 20;

const VACANT: Seat = Seat { client: None, user: NONE, older: NONE, newer: NONE };

/// What `UserIndex::leave` found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Departure {
    /// Whose connection it was.
    pub user: UserHash,
    /// Whether the user has no connection any more. Then `forget_evictions` is due.
    pub was_last: bool,
}

impl UserIndex {
    /// An empty index with room for `connections_expected` (more is fine), which remembers at most `evictions_max`
    /// evictions (about 100 bytes each).
    #[must_use]
    pub fn new(seed: HashSeed, connections_expected: usize, evictions_max: usize) -> Self {
        let room = connections_expected.min(ROOM_MAX);
        Self {
            seed,
            users: Slab::new(),
            by_key: HashTable::with_capacity(room),
            seats: Vec::new(),
            by_client: HashTable::with_capacity(room),
            evictions: Evictions::new(evictions_max),
        }
    }

    /// Adds a connection as its user's newest.
    ///
    /// # Panics
    /// If the connection has joined already.
    pub fn join(&mut self, index: ConnectionIndex, key: UserKey<'_>, client_id: Option<&str>) {
        let user = self.user_or_new(key);
        if index as usize >= self.seats.len() {
            self.seats.resize(index as usize + 1, VACANT);
        }
        assert!(self.seats[index as usize].user == NONE, "connection {index} has joined already");
        let newest = self.users[user as usize].newest;
        let client = client_id.map(|id| self.client_hash(key, id));
        self.seats[index as usize] = Seat { client, user, older: newest, newer: NONE };
        match newest {
            NONE => self.users[user as usize].oldest = index,
            _ => self.seats[newest as usize].newer = index,
        }
        self.users[user as usize].newest = index;
        self.users[user as usize].len += 1;
        if let Some(client) = client {
            self.remember_client(client, index);
        }
    }

    /// Removes a connection, if it has joined.
    pub fn leave(&mut self, index: ConnectionIndex) -> Option<Departure> {
        let seat = std::mem::replace(self.seats.get_mut(index as usize)?, VACANT);
        let user = self.users.get_mut(seat.user as usize)?;
        match seat.older {
            NONE => user.oldest = seat.newer,
            older => self.seats[older as usize].newer = seat.newer,
        }
        match seat.newer {
            NONE => user.newest = seat.older,
            newer => self.seats[newer as usize].older = seat.older,
        }
        user.len -= 1;
        let (was_last, hash) = (user.len == 0, UserHash::of(self.seed, user.key()));
        if let Some(client) = seat.client
            && let Ok(found) = self.by_client.find_entry(client.get(), |&other| other == index)
        {
            found.remove();
        }
        if was_last {
            self.remove_user(seat.user, hash);
        }
        Some(Departure { user: hash, was_last })
    }

    /// The connections of a user, oldest first.
    pub fn connections(&self, key: UserKey<'_>) -> impl Iterator<Item = ConnectionIndex> {
        let oldest = self.find(key).map(|user| user.oldest);
        std::iter::successors(oldest, |&index| match self.seats[index as usize].newer {
            NONE => None,
            newer => Some(newer),
        })
    }

    /// How many connections a user has.
    #[must_use]
    pub fn len(&self, key: UserKey<'_>) -> usize {
        self.find(key).map_or(0, |user| user.len as usize)
    }

    /// How many users have a connection.
    #[must_use]
    pub fn users(&self) -> usize {
        self.users.len()
    }

    /// The newest connection that joined as this client of this user, if that one is still here.
    #[must_use]
    pub fn find_client(&self, key: UserKey<'_>, client_id: &str) -> Option<ConnectionIndex> {
        let client = self.client_hash(key, client_id);
        self.by_client.find(client.get(), |&index| self.seats[index as usize].client == Some(client)).copied()
    }

    /// Whose connection it is; `None` if it has not joined.
    #[must_use]
    pub fn key_of(&self, index: ConnectionIndex) -> Option<UserKey<'_>> {
        let seat = self.seats.get(index as usize)?;
        self.users.get(seat.user as usize).map(User::key)
    }

    /// Remembers until `until` that this connection's client was evicted. Nothing is remembered of a connection
    /// without a client id: it could not be told from the user's others when it comes back.
    ///
    /// At the capacity the oldest memory goes: an evicted client may then come back once more, nothing worse.
    pub fn note_evicted(&mut self, index: ConnectionIndex, until: Instant) {
        if let Some(key) = self.key_of(index)
            && let Some(client) = self.seats[index as usize].client
        {
            self.evictions.note(UserHash::of(self.seed, key), client, until);
        }
    }

    /// Whether this client of this user was evicted and that still holds.
    #[must_use]
    pub fn is_evicted(&self, key: UserKey<'_>, client_id: &str, now: Instant) -> bool {
        self.evictions.holds(UserHash::of(self.seed, key), self.client_hash(key, client_id), now)
    }

    /// Forgets all evictions of a user: once its last connection has left, nobody is in the way of an evicted one.
    pub fn forget_evictions(&mut self, user: UserHash) {
        self.evictions.forget(user);
    }

    fn find(&self, key: UserKey<'_>) -> Option<&User> {
        let hash = self.seed.hash_of(key);
        self.by_key
            .find(hash, |&user| self.users[user as usize].key() == key)
            .map(|&user| &self.users[user as usize])
    }

    fn user_or_new(&mut self, key: UserKey<'_>) -> u32 {
        let (users, seed) = (&mut self.users, self.seed);
        let is_key = |&user: &u32| users[user as usize].key() == key;
        if let Some(user) = self.by_key.find(seed.hash_of(key), is_key) {
            return *user;
        }
        let number = u32::try_from(users.insert(User::new(key))).unwrap_or(NONE);
        assert!(number != NONE, "there are fewer users than connections, whose indexes have 32 bits");
        self.by_key
            .insert_unique(seed.hash_of(key), number, |&user| seed.hash_of(users[user as usize].key()));
        number
    }

    fn remove_user(&mut self, number: u32, hash: UserHash) {
        if let Ok(found) = self.by_key.find_entry(hash.0, |&other| other == number) {
            found.remove();
        }
        self.users.remove(number as usize);
    }

    fn remember_client(&mut self, client: ClientHash, index: ConnectionIndex) {
        let seats = &self.seats;
        let is_client = |&other: &ConnectionIndex| seats[other as usize].client == Some(client);
        let hash = |&other: &ConnectionIndex| seats[other as usize].client.map_or(0, NonZeroU64::get);
        match self.by_client.entry(client.get(), is_client, hash) {
            hashbrown::hash_table::Entry::Occupied(mut older) => *older.get_mut() = index,
            hashbrown::hash_table::Entry::Vacant(vacant) => drop(vacant.insert(index)),
        }
    }

    fn client_hash(&self, key: UserKey<'_>, client_id: &str) -> ClientHash {
        NonZeroU64::new(self.seed.hash_of((key, client_id))).unwrap_or(NonZeroU64::MIN)
    }

    /// Panics if an invariant is broken. Costs O(connections + users).
    pub fn assert_invariants(&self) {
        let mut chained = 0;
        for (number, user) in &self.users {
            assert_eq!(
                self.find(user.key()).map(|found| &raw const *found),
                Some(&raw const *user),
                "by key"
            );
            assert!(user.len > 0, "a user without connections");
            let chain: Vec<_> = self.connections(user.key()).collect();
            assert_eq!(chain.len(), user.len as usize, "length of the chain of user {number}");
            assert_eq!(chain.last(), Some(&user.newest), "newest of user {number}");
            let mut older = NONE;
            for index in chain {
                let seat = self.seats[index as usize];
                assert_eq!((seat.user as usize, seat.older), (number, older), "seat {index}");
                older = index;
            }
            chained += user.len as usize;
        }
        let joined = self.seats.iter().filter(|seat| seat.user != NONE).count();
        assert_eq!((chained, self.by_key.len()), (joined, self.users.len()), "seats and users");
        for &index in &self.by_client {
            let seat = self.seats[index as usize];
            assert!(seat.user != NONE && seat.client.is_some(), "seat {index} has no client");
        }
        self.evictions.assert_invariants();
    }
}

impl User {
    fn new(key: UserKey<'_>) -> Self {
        let (name, is_anonymous) = match key {
            UserKey::Named(name) => (name, false),
            UserKey::Anonymous(client_id) => (client_id, true),
        };
        Self { name: name.into(), oldest: NONE, newest: NONE, len: 0, is_anonymous }
    }

    const fn key(&self) -> UserKey<'_> {
        if self.is_anonymous { UserKey::Anonymous(&self.name) } else { UserKey::Named(&self.name) }
    }
}

#[cfg(test)]
mod tests;
