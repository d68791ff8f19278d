//! A hash table of numbers that grows by one bucket at a time (linear hashing: Litwin, VLDB 1980).
//!
//! A table that doubles looks at every name again when it does, which would hold up a shard of a million users for
//! 0.3 s, and has twice the memory while it does. This one splits one bucket for each number that is added.
//!
//! Invariants: a number is in at most one chain, that of its hash; there is a bucket for each number there ever was at
//! once, so a chain has one on average.
//! Not here: what the numbers stand for, and whether two of them are the same.

/// In `first` and `next`: the end of a chain. Numbers stay below it.
const NONE: u32 = u32::MAX;

/// 4 bytes for each number up to the highest, and 4 for each that was in the table at once.
#[derive(Debug, Default)]
pub(super) struct Chains {
    /// Of each bucket, its first number.
    first: Vec<u32>,
    /// Of each number, the one behind it in its chain; means nothing while the number is in none.
    next: Vec<u32>,
    len: usize,
}

impl Chains {
    /// An empty table with room for the numbers below `room`; more is fine.
    pub(super) fn with_room(room: usize) -> Self {
        Self { first: Vec::with_capacity(room), next: Vec::with_capacity(room), len: 0 }
    }

    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// The number with this hash that is the one.
    pub(super) fn find(&self, hash: u64, mut is_it: impl FnMut(u32) -> bool) -> Option<u32> {
        self.chain(self.bucket(hash)?).find(|&number| is_it(number))
    }

    /// Adds a number that is not in the table. `hash_of` is asked for those whose bucket is split.
    pub(super) fn insert(&mut self, hash: u64, number: u32, hash_of: impl Fn(u32) -> u64) {
        self.len += 1;
        if self.len > self.first.len() {
            self.split(hash_of);
        }
        if number as usize >= self.next.len() {
            self.next.resize(number as usize + 1, NONE);
        }
        if let Some(bucket) = self.bucket(hash) {
            self.push(bucket, number);
        }
    }

    /// Removes a number; `false` if it is not in the table.
    pub(super) fn remove(&mut self, hash: u64, number: u32) -> bool {
        let Some(bucket) = self.bucket(hash) else { return false };
        let behind = self.next.get(number as usize).copied();
        let before = self.chain(bucket).find(|&before| self.next[before as usize] == number);
        match (before, behind) {
            (None, Some(behind)) if self.first[bucket] == number => self.first[bucket] = behind,
            (Some(before), Some(behind)) => self.next[before as usize] = behind,
            _ => return false,
        }
        self.len -= 1;
        true
    }

    /// All numbers, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = u32> {
        (0..self.first.len()).flat_map(|bucket| self.chain(bucket))
    }

    fn chain(&self, bucket: usize) -> impl Iterator<Item = u32> {
        let present = |number: u32| (number != NONE).then_some(number);
        std::iter::successors(present(self.first[bucket]), move |&number| present(self.next[number as usize]))
    }

    fn push(&mut self, bucket: usize, number: u32) {
        self.next[number as usize] = std::mem::replace(&mut self.first[bucket], number);
    }

    /// The bucket of a hash: its low bits, one bit fewer where that bucket is yet to be split off. `None` only as long
    /// as there is no bucket at all.
    fn bucket(&self, hash: u64) -> Option<usize> {
        let mask = self.first.len().checked_next_power_of_two()?.checked_sub(1)?;
        let bucket = hash as usize & mask;
        if bucket < self.first.len() {
            Some(bucket)
        } else {
            (!self.first.is_empty()).then_some(bucket & (mask >> 1))
        }
    }

    /// Adds a bucket, with what belongs there out of the one it is split from.
    fn split(&mut self, hash_of: impl Fn(u32) -> u64) {
        let added = self.first.len();
        self.first.push(NONE);
        let highest = added.checked_ilog2().map_or(0, |bit| 1 << bit);
        let from = added - highest;
        if from == added {
            return;
        }
        let mut number = std::mem::replace(&mut self.first[from], NONE);
        while number != NONE {
            let next = self.next[number as usize];
            let bucket = self.bucket(hash_of(number)).unwrap_or(from);
            self.push(bucket, number);
            number = next;
        }
    }

    /// Panics if an invariant is broken. Costs O(numbers).
    pub(super) fn assert_invariants(&self, hash_of: impl Fn(u32) -> u64) {
        assert_eq!(self.iter().count(), self.len, "numbers in chains");
        assert!(self.len <= self.first.len(), "a bucket for each number");
        for bucket in 0..self.first.len() {
            let strayed = self.chain(bucket).find(|&number| self.bucket(hash_of(number)) != Some(bucket));
            assert_eq!(strayed, None, "not in its own chain");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Random operations on numbers whose hashes are `hash_of`, against a set.
    fn check(seed: u64, hash_of: impl Fn(u32) -> u64 + Copy) {
        let mut random = fastrand::Rng::with_seed(seed);
        let (mut chains, mut model) = (Chains::default(), BTreeSet::new());
        for _ in 0..2000 {
            let number = random.u32(..100);
            if random.bool() {
                assert_eq!(chains.remove(hash_of(number), number), model.remove(&number));
            } else if model.insert(number) {
                chains.insert(hash_of(number), number, hash_of);
            }
            chains.assert_invariants(hash_of);
            for number in 0..100 {
                let found = chains.find(hash_of(number), |other| other == number);
                assert_eq!(found, model.get(&number).copied());
            }
            assert_eq!(chains.iter().collect::<BTreeSet<_>>(), model);
            assert_eq!(chains.len(), model.len());
        }
    }

    #[test]
    fn random_operations_agree_with_a_set() {
        for seed in 0..5 {
            check(seed, |number| u64::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 7);
            // All alike: one chain.
            check(seed, |_| 5);
        }
    }

    #[test]
    fn chains_stay_short_as_the_table_grows() {
        let hash_of = |number: u32| crate::hash::HashSeed::new(1).hash_of(number);
        let mut chains = Chains::default();
        for number in 0..10_000 {
            chains.insert(hash_of(number), number, hash_of);
        }
        let longest = (0..chains.first.len()).map(|bucket| chains.chain(bucket).count()).max();
        assert!(longest <= Some(16), "{longest:?}");
    }
}
