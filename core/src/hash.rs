//! Keyed hashing for every hash table of the engine: SipHash-1-3 under a seed that the host hands in.
//!
//! Invariant: the same seed gives the same tables and the same outputs, so a simulation can be replayed. A real host
//! draws its seed at random, which keeps outsiders from choosing names that collide.
//! Not here: a source of randomness. `RandomState` would make every run different.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash};

use siphasher::sip::SipHasher13;

/// A map with a seed of its own choosing. Nothing may depend on the order in which it iterates.
pub type SeededMap<K, V> = HashMap<K, V, HashSeed>;

/// The key of all hashes of one engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HashSeed {
    low: u64,
    high: u64,
}

impl HashSeed {
    /// Every seed is good; only a real host's must be secret.
    #[must_use]
    pub const fn new(seed: u128) -> Self {
        Self { low: seed as u64, high: (seed >> 64) as u64 }
    }

    /// The hash of anything under this seed.
    #[must_use]
    pub fn hash_of(&self, value: impl Hash) -> u64 {
        self.hash_one(value)
    }
}

impl BuildHasher for HashSeed {
    type Hasher = SipHasher13;

    fn build_hasher(&self) -> SipHasher13 {
        SipHasher13::new_with_keys(self.low, self.high)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_depends_on_the_value_and_on_every_bit_of_the_seed() {
        let seed = HashSeed::new(1);
        assert_eq!(seed.hash_of("alice"), HashSeed::new(1).hash_of("alice"));
        assert_ne!(seed.hash_of("alice"), seed.hash_of("bob"));
        for bit in 0..128 {
            assert_ne!(seed.hash_of("alice"), HashSeed::new(1 ^ (1 << bit)).hash_of("alice"), "bit {bit}");
        }
    }
}
