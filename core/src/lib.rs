#![forbid(unsafe_code)]
#![warn(missing_docs)]
//! The rules of the corecast hub: which bytes go to which connection, and when.
//!
//! Invariant: no I/O, clock, thread, lock or `unsafe`. The same inputs give the same outputs, so a simulator
//! with a seed can replay a whole hub. Hosts (the io_uring driver, the simulator) own sockets and time.
//!
//! The modules are listed in the order to read them.

pub mod hash;
pub mod limits;
pub mod settings;
pub mod time;

pub mod event;
pub mod frame;
pub mod id;
pub mod idempotency;
pub mod selector;

pub mod auth;
pub mod http;

pub mod history;
pub mod replay;
pub mod timer_wheel;
pub mod token_bucket;
pub mod topics;
pub mod users;

pub mod close_reason;
pub mod connection;
pub mod counters;
pub mod engine;
pub mod latency;
