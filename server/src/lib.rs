#![forbid(unsafe_code)]
//! The corecast hub as a library; `main.rs` is a thin face over it.
//!
//! The modules are listed from the outside in.

pub mod cli;
pub mod config;
pub mod logging;
pub mod doctor;
mod http_client;
mod assets;

pub mod hub;
pub mod systemd;
pub mod admin;
pub mod control;

pub mod sequencer;
pub mod log;

pub mod shard;
pub mod driver;
pub mod census;
mod figures;
mod reachable;
pub mod clock;
