//! The rules of one shard, without I/O.
