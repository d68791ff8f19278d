//! What a hub and its service manager say to each other: sockets that come with the start, and how the hub is doing.
//!
//! Without a service manager nothing of it happens. Not here: when what is said (`hub`).

pub mod notify;
pub mod sockets;

pub use notify::Service;
pub use sockets::{SocketFault, Sockets};
