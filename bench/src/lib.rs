#![forbid(unsafe_code)]
//! Measures Server-Sent Events hubs: how fast, how large, how late, and whether every event came.
//!
//! A *target* is a server under measurement: corecast, a peer, or the bare loop that shows the limit of the machine. The
//! *load* is what one thread puts on it: very many subscribers and a few publishers. A *scenario* drives the load and
//! yields *figures*; the *report* shows them side by side.
//!
//! A run that lost, doubled or reordered an event, or met an answer that it did not expect, has no figures: it failed.

pub mod figures;
pub mod mark;

pub mod bare;
pub mod target;

pub mod load;

pub mod machine;
pub mod scenario;

pub mod matrix;
pub mod measure;
pub mod report;

pub mod cli;
