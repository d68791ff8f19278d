//! Feeding from the log what the shard's history no longer has.

use crate::connection::ConnectionId;
use crate::replay::{PageRead, Sought};

use super::Engine;

impl Engine {
    /// The log's answer to `Output::Seek`.
    pub fn handle_sought(&mut self, id: ConnectionId, sought: Sought) {
        let _ = (id, sought);
        self.counters.stale_inputs += 1;
    }

    /// The log's answer to `Output::ReadPage`.
    pub fn handle_page(&mut self, read: PageRead) {
        let _ = read;
        self.counters.stale_inputs += 1;
    }
}
