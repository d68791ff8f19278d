//! Ending connections because an operator says so.

use bytes::BytesMut;

use crate::close_reason::CloseReason;
use crate::connection::{ConnectionId, Phase};
use crate::http::control;

use super::Engine;
use super::admission::EVICTED_MEMORY;
use super::inspect::{Owner, SLICE_ROWS};

/// What a client is told when an operator ends its stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disconnect {
    /// In the operator's words, at most `DISCONNECT_REASON_BYTES_MAX` bytes; empty is none.
    pub reason: Box<str>,
    /// Whether the client shall come back, after its reconnection time. Else it is told to stay away, in the same form as
    /// one that was evicted.
    pub reconnect: bool,
}

impl Engine {
    /// Ends a connection. Whether it was there; one that is moving or ending already is not.
    pub fn disconnect(&mut self, id: ConnectionId, how: &Disconnect) -> bool {
        self.arena.by_id(id).is_some() && self.disconnect_index(id.index, how)
    }

    /// Ends the streams of a user, at most [`SLICE_ROWS`] of them. How many: ask again until there is none.
    pub fn disconnect_owner(&mut self, owner: &Owner, how: &Disconnect) -> u32 {
        let indexes: Vec<_> = self.users.connections(owner.key()).take(SLICE_ROWS as usize).collect();
        self.disconnect_indexes(indexes, how)
    }

    /// Ends the streams with this selector, at most [`SLICE_ROWS`] of them. How many: ask again until there is none.
    pub fn disconnect_selector(&mut self, selector: &str, how: &Disconnect) -> u32 {
        let indexes = self.topics.subscribers_of(selector).iter().copied();
        let mut indexes: Vec<_> = indexes.take(SLICE_ROWS as usize).collect();
        // A stream that names a selector twice is in the list twice.
        indexes.sort_unstable();
        indexes.dedup();
        self.disconnect_indexes(indexes, how)
    }

    fn disconnect_indexes(&mut self, indexes: Vec<u32>, how: &Disconnect) -> u32 {
        indexes.into_iter().map(|index| u32::from(self.disconnect_index(index, how))).sum()
    }

    fn disconnect_index(&mut self, index: u32, how: &Disconnect) -> bool {
        if self.stream(index).is_none() {
            let ends = matches!(
                self.connection(index).state.phase(),
                Phase::Head | Phase::Publishing | Phase::Answering
            );
            if ends {
                self.end(index, CloseReason::Disconnected);
            }
            return ends;
        }
        let framing = self.hot[index as usize].framing;
        let bytes = if how.reconnect {
            control::disconnected(framing, &how.reason, self.retry_ms())
        } else {
            self.users.note_evicted(index, self.now.instant + EVICTED_MEMORY);
            let mut bytes = BytesMut::from(&control::expelled(framing, &how.reason)[..]);
            bytes.extend_from_slice(control::clean_end(framing));
            bytes.freeze()
        };
        self.begin_goodbye(index, bytes, CloseReason::Disconnected);
        true
    }
}
