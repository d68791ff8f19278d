//! The count of streams that all shards share: who may still come in.

use crate::connection::PeerHash;

/// Why there is no room for one more stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    /// The process has as many streams as `limits.connections`.
    Process,
    /// This address has as many as `limits.per_ip`.
    Address,
}

/// Counts streams over all shards. The host implements it, since what shards share is the host's to share.
pub trait Census {
    /// Counts one stream more, or says why not. Every `Ok` is followed by one `leave`.
    ///
    /// # Errors
    /// The limit that is reached.
    fn try_enter(&self, peer: PeerHash) -> Result<(), Full>;

    /// Counts one stream more whatever the limits say, and says which one would have been in the way. Followed by one
    /// `leave` either way.
    fn enter(&self, peer: PeerHash) -> Option<Full>;

    /// Counts one stream less.
    fn leave(&self, peer: PeerHash);
}
