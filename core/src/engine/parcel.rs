//! What a stream's home shard must know of its request: everything, so that it can be admitted there.

use crate::auth::Authorized;
use crate::connection::Peer;
use crate::frame::Framing;
use crate::selector::Selector;

/// An accepted and checked request for a stream, on its way to the shard of its user.
#[derive(Debug)]
pub struct Parcel {
    /// The peer's address.
    pub(super) peer: Peer,
    /// Proof of a good token; absent for an anonymous subscriber, where these are allowed.
    pub(super) authorized: Option<Authorized>,
    /// What it asked for.
    pub(super) selectors: Vec<Selector>,
    /// The stable id of a tab, browser or device.
    pub(super) client_id: Option<Box<str>>,
    /// Where it wants to go on.
    pub(super) last_event_id: Option<Box<str>>,
    /// How its body is delimited.
    pub(super) framing: Framing,
    /// Whether it asked for an event stream by name: then refusals are told in a stream.
    pub(super) wants_event_stream: bool,
    /// Its `Origin`.
    pub(super) origin: Option<Box<str>>,
    /// Whether it wants heartbeats that the page can see.
    pub(super) visible_heartbeat: bool,
    /// Whether it wants padding first, as old transports need.
    pub(super) padding: bool,
}
