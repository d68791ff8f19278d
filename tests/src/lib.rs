#![forbid(unsafe_code)]
//! Harness of the end-to-end tests: starts the real binary and speaks to it with clients of its own.
//!
//! Invariant: nothing here shares code with the hub. The HTTP and event stream readers in `wire/` are written from
//! the standards and from what real clients need, so that a mistake of the hub is not repeated by its judge.

pub mod wire;

pub mod binary;
pub mod hub;
pub mod leftovers;
pub mod log_files;
mod mount;
pub mod tmpfs;
pub mod crash_disk;
pub mod netns;
pub mod prometheus;
pub mod refused_calls;
pub mod proxy;
pub mod token;
pub mod wait;

pub mod exchange;
pub mod publish;
pub mod request;
pub mod stream;
pub mod numbers;
pub mod swarm;

pub mod kill_loop;

pub mod fuzz;

pub mod sim;
