//! Encoding of events into the bytes of an event stream (WHATWG HTML §9.2), once for all receivers.
//!
//! A frame is one HTTP chunk (RFC 9112 §7.1): `HEX CRLF block CRLF`. Chunked streams get all of it, close-delimited
//! ones (HTTP/1.0) the block between, so both framings share the same bytes.
//! Field order and line ends follow what real clients need: `event`, `retry`, `data` lines, `id` last, LF only.

use bytes::Bytes;

use crate::event::Event;

/// How a stream's body is delimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Framing {
    /// HTTP/1.1: `Transfer-Encoding: chunked`. Tells an end from an abort.
    Chunked,
    /// HTTP/1.0: the body ends with the connection.
    CloseDelimited,
}

/// The encoded bytes of one event, shared and never changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The chunked form.
    chunk: Bytes,
    /// Where the block begins in `chunk`; it ends two bytes (CRLF) before the chunk does.
    block_start: u8,
}

impl Frame {
    /// Encodes `event` under `id` (the id on the wire: the publisher's own or the hub's).
    #[must_use]
    pub fn encode(event: &Event, id: &str) -> Self {
        let _ = (event, id);
        todo!()
    }

    /// The bytes for a stream with this framing; no copy.
    #[must_use]
    pub fn bytes(&self, framing: Framing) -> &[u8] {
        match framing {
            Framing::Chunked => &self.chunk,
            Framing::CloseDelimited => &self.chunk[self.block_start as usize..self.chunk.len() - 2],
        }
    }

    /// The same as `bytes`, sharing ownership; no copy.
    #[must_use]
    pub fn shared(&self, framing: Framing) -> Bytes {
        match framing {
            Framing::Chunked => self.chunk.clone(),
            Framing::CloseDelimited => self.chunk.slice(self.block_start as usize..self.chunk.len() - 2),
        }
    }
}
