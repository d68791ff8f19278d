//! Takeover: a new process of the hub takes the sockets and the log, while the old one drains its streams.
//!
//! ```text
//!  old                                            new
//!   │ SIGUSR2                                      
//!   │── starts it, hands it the sockets ──────────▶│ reads its configuration and keys, looks through the log,
//!   │◀───────────────────────────── prepared ──────│ makes its threads
//!   │ answers what has been sent, closes the log   │
//!   │── yours ────────────────────────────────────▶│ opens the log, accepts
//!   │◀────────────────────────────── serving ──────│
//!   │ ends its streams, paced, and itself          │
//! ```
//!
//! Whatever goes wrong before `yours` is the new process's alone: the old one goes on as if nothing had been. From then on
//! connections wait in the sockets' queues until it accepts; none is refused, since the sockets are the same. If it ends before
//! it serves, the old one starts another in its place, with the same sockets: it cannot take the log back itself, since events
//! may have been acknowledged that its shards never see. If that one fails too, it ends as at a stop, with an error.
//! Not here: what the old one does to let go (`hub::stop`).

mod keeper;
mod link;
mod predecessor;
mod successor;

pub(super) use predecessor::Predecessor;
pub use predecessor::PredecessorError;
pub(super) use successor::{Executable, Said, Successor};

/// Tells a process that it takes over, and from whom: `version:pid`. One underscore, so that it is no setting.
const VARIABLE: &str = "CORECAST_TAKEOVER_FROM";

/// The version of what the two say to each other.
const VERSION: u32 = 1;

/// What a process says: one datagram each.
mod words {
    pub(super) const SOCKETS_END: &str = "these are all";
    pub(super) const STILL_PREPARING: &str = "still preparing";
    pub(super) const PREPARED: &str = "prepared";
    pub(super) const YOURS: &str = "yours";
    pub(super) const SERVING: &str = "serving";
    /// What follows is why.
    pub(super) const FAILED: &str = "failed: ";
}
