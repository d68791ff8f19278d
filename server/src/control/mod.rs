//! What passes between the control thread and those who steer or watch it: commands one way, what came of them and how far
//! it is the other way.
//!
//! Here is what both `hub` and `admin` know, so that the hub can start an admin listener which knows nothing of the hub's
//! inside. Not here: obeying (`hub`), and who may command (`admin`).

mod command;
mod drain;
mod report;
mod stats;

pub use self::command::{Command, Commands};
pub use self::drain::{DrainProgress, Stage};
pub use self::report::{Change, ReloadReply, ReloadReport};
pub use self::stats::{ControlSnapshot, ControlStats};
