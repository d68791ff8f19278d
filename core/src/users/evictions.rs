//! The memory of evictions: which clients of a user are to stay away, so that two tabs do not evict each other in turn.
//!
//! Invariant: at most `capacity` are remembered; the two maps hold the same ones.
//! Not here: why a client was evicted, and what it is answered.

use std::collections::BTreeMap;

use super::{ClientHash, UserHash};
use crate::time::Instant;

type Client = (UserHash, ClientHash);

/// Ordered maps, since a user's entries are forgotten together and the oldest go first.
#[derive(Debug)]
pub(super) struct Evictions {
    by_client: BTreeMap<Client, Eviction>,
    by_age: BTreeMap<u64, Client>,
    /// The age of the next one.
    next: u64,
    capacity: usize,
}

#[derive(Clone, Copy, Debug)]
struct Eviction {
    until: Instant,
    /// Its key in `by_age`.
    age: u64,
}

impl Evictions {
    pub(super) const fn new(capacity: usize) -> Self {
        Self { by_client: BTreeMap::new(), by_age: BTreeMap::new(), next: 0, capacity }
    }

    pub(super) fn note(&mut self, user: UserHash, client: ClientHash, until: Instant) {
        let age = self.next;
        self.next += 1;
        self.by_age.insert(age, (user, client));
        if let Some(before) = self.by_client.insert((user, client), Eviction { until, age }) {
            self.by_age.remove(&before.age);
        }
        while self.by_age.len() > self.capacity
            && let Some((_, oldest)) = self.by_age.pop_first()
        {
            self.by_client.remove(&oldest);
        }
    }

    pub(super) fn holds(&self, user: UserHash, client: ClientHash, now: Instant) -> bool {
        self.by_client.get(&(user, client)).is_some_and(|eviction| now < eviction.until)
    }

    pub(super) fn forget(&mut self, user: UserHash) {
        let all = (user, ClientHash::MIN)..=(user, ClientHash::MAX);
        while let Some((&client, eviction)) = self.by_client.range(all.clone()).next() {
            self.by_age.remove(&eviction.age);
            self.by_client.remove(&client);
        }
    }

    pub(super) fn assert_invariants(&self) {
        assert!(self.by_age.len() <= self.capacity, "more evictions than the capacity");
        assert_eq!(self.by_age.len(), self.by_client.len(), "evictions by age and by client");
        for (age, client) in &self.by_age {
            assert_eq!(self.by_client.get(client).map(|eviction| eviction.age), Some(*age), "an eviction");
        }
    }
}
