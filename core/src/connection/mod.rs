//! Connections of a shard: identities, slots and states.
