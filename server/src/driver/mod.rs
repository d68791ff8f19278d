//! What hosts an engine on real sockets.
//!
//! ```text
//!              ┌──────────────────────── Host: the turn of a shard ────────────────────────┐
//!  mail, events ─▶ say what happened ─▶ Engine ─▶ carry out what it asks ─▶ how long to rest
//!              └───────────▲──────────────────────────────┬────────────────────────────────┘
//!                          │        trait Sockets         ▼
//!              ┌───────────┴────────────┐     ┌───────────┴─────────────┐
//!              │ uring: direct slots,   │     │ monoio: descriptors,    │
//!              │ inline sends, batched  │     │ send(2), a task a poll  │
//!              └────────────────────────┘     └─────────────────────────┘
//! ```
//!
//! The turn is the same for both; a driver brings the sockets and the waiting. The simulator (`corecast-tests`) is the
//! third host of the engine, without sockets and without this turn.

mod choice;
mod host;
pub mod monoio;
mod pace;
mod sockets;
pub mod uring;

pub(crate) use choice::can_wait;
pub use choice::{Choice, Chosen, Reason, choose};
pub(crate) use monoio::DESCRIPTORS_BESIDE;
pub(crate) use pace::{ACCEPTS, MARGIN};
pub(crate) use sockets::set_user_timeout;
