//! Hosts of engines on real sockets. The simulator is another host of the same engine.

pub mod uring;
