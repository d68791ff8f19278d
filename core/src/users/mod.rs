//! Connections by user: for limits, eviction and per-user delivery.
//!
//! Invariants: a connection belongs to one user or to none; a user is here as long as it has a connection; its
//! connections are chained oldest first.
//! Not here: limits and what happens at them, and anonymous connections without a client id, which nothing joins.

mod chains;
mod evictions;
mod names;

use std::num::NonZeroU64;

use self::chains::Chains;
use self::evictions::Evictions;
use self::names::{NameId, Names};
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
///
/// Needs no alignment of 8, so that a `Seat` has no padding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(Rust, packed(4))]
struct ClientHash(NonZeroU64);

impl ClientHash {
    const MIN: Self = Self(NonZeroU64::MIN);
    const MAX: Self = Self(NonZeroU64::MAX);

    const fn bits(self) -> u64 {
        self.0.get()
    }
}

/// Which connections a user has.
///
/// A user with one connection and a name of 8 to 15 bytes costs 60 bytes: 16 here, 16 for the name, 8 in the hash
/// table, 20 for the connection; a client id is another 8.
#[derive(Debug)]
pub struct UserIndex {
    seed: HashSeed,
    /// By number. Numbers that nobody has now are chained through `oldest`, from `vacant` on.
    users: Vec<User>,
    vacant: u32,
    names: Names,
    /// Numbers of `users`, by key.
    by_key: Chains,
    /// By connection index.
    seats: Vec<Seat>,
    /// The newest connection that joined with a client id.
    by_client: Chains,
    evictions: Evictions,
}

#[derive(Clone, Copy, Debug)]
struct User {
    name: NameId,
    oldest: ConnectionIndex,
    newest: ConnectionIndex,
    /// How many connections, at least one; and the bit `IS_ANONYMOUS`.
    len_and_kind: u32,
}

const _: () = assert!(size_of::<User>() == 16);

const IS_ANONYMOUS: u32 = 1 << 31;

/// A connection's place among those of its user.
#[derive(Clone, Copy, Debug)]
struct Seat {
    client: Option<ClientHash>,
    /// A number of `users`; `NONE` if the connection has not joined, and then the rest means nothing.
    user: u32,
    older: ConnectionIndex,
    newer: ConnectionIndex,
}

const _: () = assert!(size_of::<Seat>() == 20);

/// No user, no connection: the end of a chain. Indexes stay below it.
const NONE: u32 = u32::MAX;

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
    /// An empty index with room for the connections below `room` (more is fine), which remembers at most
    /// `evictions_max` evictions (about 100 bytes each).
    #[must_use]
    pub fn new(seed: HashSeed, room: usize, evictions_max: usize) -> Self {
        Self {
            seed,
            users: Vec::with_capacity(room),
            vacant: NONE,
            names: Names::default(),
            by_key: Chains::with_room(room),
            seats: Vec::with_capacity(room),
            by_client: Chains::with_room(room),
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
        self.users[user as usize].len_and_kind += 1;
        if let Some(client) = client {
            self.remember_client(client, index);
        }
    }

    /// Removes a connection, if it has joined.
    pub fn leave(&mut self, index: ConnectionIndex) -> Option<Departure> {
        let seat = std::mem::replace(self.seats.get_mut(index as usize)?, VACANT);
        let user = self.users.get_mut(seat.user as usize)?;
        user.len_and_kind -= 1;
        match seat.older {
            NONE => user.oldest = seat.newer,
            older => self.seats[older as usize].newer = seat.newer,
        }
        match seat.newer {
            NONE => user.newest = seat.older,
            newer => self.seats[newer as usize].older = seat.older,
        }
        let user = self.users[seat.user as usize];
        let (was_last, hash) = (user.len() == 0, UserHash::of(self.seed, self.key(user)));
        if let Some(client) = seat.client {
            self.by_client.remove(client.bits(), index);
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
        self.find(key).map_or(0, |user| user.len() as usize)
    }

    /// The users with numbers from `first` on, at most `most` of them looked at, and how many connections each has; and
    /// where to go on.
    pub(crate) fn slice(
        &self,
        first: u32,
        most: u32,
    ) -> (impl Iterator<Item = (UserKey<'_>, u32)>, Option<u32>) {
        let users = self.users.len() as u32;
        let (first, end) = (first.min(users), first.saturating_add(most).min(users));
        let present = self.users[first as usize..end as usize].iter().filter(|user| user.len() > 0);
        (present.map(|&user| (self.key(user), user.len())), (end < users).then_some(end))
    }

    /// How many users have a connection.
    #[must_use]
    pub fn users(&self) -> usize {
        self.by_key.len()
    }

    /// The newest connection that joined as this client of this user, if that one is still here.
    #[must_use]
    pub fn find_client(&self, key: UserKey<'_>, client_id: &str) -> Option<ConnectionIndex> {
        let client = self.client_hash(key, client_id);
        self.by_client.find(client.bits(), |index| self.seats[index as usize].client == Some(client))
    }

    /// Whose connection it is; `None` if it has not joined.
    #[must_use]
    pub fn key_of(&self, index: ConnectionIndex) -> Option<UserKey<'_>> {
        let seat = self.seats.get(index as usize)?;
        self.users.get(seat.user as usize).map(|&user| self.key(user))
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

    fn find(&self, key: UserKey<'_>) -> Option<User> {
        self.find_number(key).map(|number| self.users[number as usize])
    }

    fn find_number(&self, key: UserKey<'_>) -> Option<u32> {
        self.by_key.find(self.seed.hash_of(key), |number| self.key(self.users[number as usize]) == key)
    }

    fn key(&self, user: User) -> UserKey<'_> {
        user.key(&self.names)
    }

    fn user_or_new(&mut self, key: UserKey<'_>) -> u32 {
        self.find_number(key).unwrap_or_else(|| self.add_user(key))
    }

    fn add_user(&mut self, key: UserKey<'_>) -> u32 {
        let (name, kind) = match key {
            UserKey::Named(name) => (name, 0),
            UserKey::Anonymous(client_id) => (client_id, IS_ANONYMOUS),
        };
        let user = User { name: self.names.insert(name), oldest: NONE, newest: NONE, len_and_kind: kind };
        let number = match self.vacant {
            NONE => {
                let number = u32::try_from(self.users.len()).unwrap_or(NONE);
                assert!(number < IS_ANONYMOUS, "there are no more users than connections of a shard");
                self.users.push(user);
                number
            }
            vacant => {
                let place = &mut self.users[vacant as usize];
                self.vacant = std::mem::replace(place, user).oldest;
                vacant
            }
        };
        let (seed, users, names) = (self.seed, &self.users, &self.names);
        self.by_key
            .insert(seed.hash_of(key), number, |number| seed.hash_of(users[number as usize].key(names)));
        number
    }

    fn remove_user(&mut self, number: u32, hash: UserHash) {
        self.by_key.remove(hash.0, number);
        let user = &mut self.users[number as usize];
        self.names.remove(user.name);
        *user = User { name: NameId::NOTHING, oldest: self.vacant, newest: NONE, len_and_kind: 0 };
        self.vacant = number;
    }

    fn remember_client(&mut self, client: ClientHash, index: ConnectionIndex) {
        let seats = &self.seats;
        let is_client =
            |other: ConnectionIndex| seats[other as usize].client == Some(client) && other != index;
        if let Some(older) = self.by_client.find(client.bits(), is_client) {
            self.by_client.remove(client.bits(), older);
        }
        self.by_client.insert(client.bits(), index, |index| client_bits(seats, index));
    }

    fn client_hash(&self, key: UserKey<'_>, client_id: &str) -> ClientHash {
        NonZeroU64::new(self.seed.hash_of((key, client_id))).map_or(ClientHash::MIN, ClientHash)
    }

    /// Panics if an invariant is broken. Costs O(connections + users).
    pub fn assert_invariants(&self) {
        let mut chained = 0;
        for number in self.by_key.iter() {
            let user = self.users[number as usize];
            assert_eq!(self.find_number(self.key(user)), Some(number), "by key");
            assert!(user.len() > 0, "a user without connections");
            let chain: Vec<_> = self.connections(self.key(user)).collect();
            assert_eq!(chain.len(), user.len() as usize, "length of the chain of user {number}");
            assert_eq!(chain.last(), Some(&user.newest), "newest of user {number}");
            let mut older = NONE;
            for index in chain {
                let seat = self.seats[index as usize];
                assert_eq!((seat.user, seat.older), (number, older), "seat {index}");
                older = index;
            }
            chained += user.len() as usize;
        }
        let joined = self.seats.iter().filter(|seat| seat.user != NONE).count();
        assert_eq!(chained, joined, "seats");
        let vacant =
            std::iter::successors(Some(self.vacant), |&it| Some(self.users.get(it as usize)?.oldest));
        let vacant = vacant.take_while(|&number| number != NONE).count();
        assert_eq!(self.by_key.len() + vacant, self.users.len(), "users");
        for index in self.by_client.iter() {
            let seat = self.seats[index as usize];
            assert!(seat.user != NONE && seat.client.is_some(), "seat {index} has no client");
        }
        self.by_key.assert_invariants(|number| self.seed.hash_of(self.key(self.users[number as usize])));
        self.by_client.assert_invariants(|index| client_bits(&self.seats, index));
        self.evictions.assert_invariants();
    }
}

impl User {
    const fn len(self) -> u32 {
        self.len_and_kind & !IS_ANONYMOUS
    }

    fn key(self, names: &Names) -> UserKey<'_> {
        let name = names.name(self.name);
        if self.len_and_kind & IS_ANONYMOUS != 0 { UserKey::Anonymous(name) } else { UserKey::Named(name) }
    }
}

/// The hash of the client in a seat; 0 if it has none.
fn client_bits(seats: &[Seat], index: ConnectionIndex) -> u64 {
    seats[index as usize].client.map_or(0, ClientHash::bits)
}

#[cfg(test)]
mod tests;
