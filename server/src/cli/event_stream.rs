//! Reading of event streams as WHATWG HTML §9.2.6 says, from bytes that may be split anywhere.
//!
//! Invariants: how the bytes were split changes nothing; what is held is bounded; an event that the end of the
//! stream cut is never reported. As browsers do, the last event ID is carried from one stream to the next.
//! Not here: connections, and what an event means.

use std::time::Duration;

use corecast_core::limits::RETRY_MS_MAX;
use thiserror::Error;

/// The most that one event may hold: twice what any `limits.event_bytes` lets a hub send.
pub const EVENT_BYTES_MAX: usize = 32 << 20;

/// What a stream said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// An event.
    Event(Event),
    /// A new reconnection time.
    Retry(Duration),
}

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its type; `message` if the stream named none.
    pub kind: String,
    /// Its data; lines are separated by LF.
    pub data: String,
    /// The last event ID at this event: its own, or that of an event before it.
    pub id: String,
}

/// The stream holds more without an end than we keep.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("an event has more than {EVENT_BYTES_MAX} bytes")]
pub struct TooLong;

/// The state between two pieces of a stream.
#[derive(Clone, Debug, Default)]
pub struct EventStream {
    /// The line so far, without its end.
    line: Vec<u8>,
    /// Whether no line is complete: only then a byte order mark is one.
    is_first_line: bool,
    /// Whether the last byte was a CR that ended a line: a LF after it belongs to it.
    after_cr: bool,
    /// Every data line, each with a LF.
    data: String,
    kind: String,
    /// What the last `id` field said; counts at the next blank line.
    id: String,
    last_event_id: String,
}

impl EventStream {
    /// The beginning of a stream that was asked to go on after `last_event_id` (empty: from now).
    #[must_use]
    pub fn new(last_event_id: &str) -> Self {
        Self {
            is_first_line: true,
            id: last_event_id.to_owned(),
            last_event_id: last_event_id.to_owned(),
            ..Self::default()
        }
    }

    /// Where a next stream should go on.
    #[must_use]
    pub fn last_event_id(&self) -> &str {
        &self.last_event_id
    }

    /// Reads the next piece of the stream, and returns what it completed.
    pub fn read(&mut self, mut piece: &[u8]) -> Result<Vec<Item>, TooLong> {
        let mut items = Vec::new();
        while !piece.is_empty() {
            if std::mem::take(&mut self.after_cr) && piece[0] == b'\n' {
                piece = &piece[1..];
                continue;
            }
            let end = piece.iter().position(|b| matches!(b, b'\n' | b'\r'));
            let part = &piece[..end.unwrap_or(piece.len())];
            if self.line.len() + self.data.len() + part.len() > EVENT_BYTES_MAX {
                return Err(TooLong);
            }
            self.line.extend_from_slice(part);
            let Some(end) = end else { break };
            self.after_cr = piece[end] == b'\r';
            piece = &piece[end + 1..];
            items.extend(self.on_line());
        }
        Ok(items)
    }

    fn on_line(&mut self) -> Option<Item> {
        let bytes = std::mem::take(&mut self.line);
        let mut line = &bytes[..];
        if std::mem::take(&mut self.is_first_line) {
            line = line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line);
        }
        // Line ends are ASCII, so decoding line by line replaces the same bytes as decoding the whole stream.
        let line = String::from_utf8_lossy(line);
        let item = if line.is_empty() { self.on_blank_line() } else { self.on_field(&line) };
        // The buffer is used again: most lines are about as long as the one before.
        self.line = bytes;
        self.line.clear();
        item
    }

    fn on_field(&mut self, line: &str) -> Option<Item> {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "event" => value.clone_into(&mut self.kind),
            "data" => {
                self.data.push_str(value);
                self.data.push('\n');
            }
            "id" if !value.contains('\0') => value.clone_into(&mut self.id),
            "retry" if !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit()) => {
                // More digits than 64 bits hold are more than the bound, too.
                let millis = value.parse().unwrap_or(u64::MAX).min(RETRY_MS_MAX.into());
                return Some(Item::Retry(Duration::from_millis(millis)));
            }
            // Comments (no name before the colon) and fields of later standards.
            _ => {}
        }
        None
    }

    fn on_blank_line(&mut self) -> Option<Item> {
        self.last_event_id.clone_from(&self.id);
        let mut data = std::mem::take(&mut self.data);
        let kind = std::mem::take(&mut self.kind);
        // The last LF is taken off; without a data line there is none, and no event.
        data.pop()?;
        let kind = if kind.is_empty() { "message".to_owned() } else { kind };
        Some(Item::Event(Event { kind, data, id: self.last_event_id.clone() }))
    }
}

#[cfg(test)]
mod tests;
