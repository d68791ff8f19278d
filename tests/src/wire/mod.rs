//! A strict, independent reader of what the hub sends: response head, body framing, event stream.
//!
//! Invariant: no I/O. Bytes come in through `feed`, cut anywhere.
//! Not here: leniency. Whatever a real client could stumble over is a `WireError`.

pub mod body;
pub mod event_stream;
pub mod head;
pub mod response;

/// What was wrong with the bytes, and where it was noticed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WireError(pub String);

impl WireError {
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self(what.into())
    }
}

/// Bytes as a failed test prints them: text stays readable, everything else is escaped.
#[must_use]
pub fn printable(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}
