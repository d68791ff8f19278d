//! Scenarios of the engine on virtual time: one file per behaviour, each read like a story.
//!
//! `Harness` is the third host of an engine beside the drivers and the simulator, in memory and without faults of its
//! own: what a peer does, a test says. It keeps the contract of `engine` to the letter and asserts it of the engine.

mod harness;
mod old_log;
mod wire;

mod http_requests;
mod publishing;
mod idempotency;
mod subscribing;

mod audiences;
mod fan_out;
mod short_sends;
mod slow_consumers;

mod replay;
mod resume;
mod seam;

mod admission;
mod behind_proxies;
mod dry_run;
mod evictions;
mod moves;
mod refusals;

mod inspect;
mod disconnect;

mod deadlines;
mod last_requests;
mod drain;
mod counted;
mod fairness;
mod rare;
mod reload;
mod returns;

use harness::{Client, Harness};
