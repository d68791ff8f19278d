//! Ids of events: which log, and where in it.
//!
//! Own ids are `{incarnation}-{position}` (lower-case hex, a hyphen, decimal), with `e{n}` after the position for
//! the n-th ephemeral event sent behind that position: ephemeral events are never kept, so their id resumes from
//! the kept event before them. Only `[0-9A-Za-z._-]`, at most 128 bytes: ids return in headers and URLs.

use std::fmt;

/// The longest id in bytes, ours or a publisher's: Fetch caps safe-listed header values at 128.
pub const ID_BYTES_MAX: usize = 128;

/// As a last event id it asks for everything there is, instead of naming an event (Mercure's word); so no publisher's id
/// may be spelt like this.
pub const EARLIEST: &str = "earliest";

/// The longest id the hub makes, in bytes: `#` for Mercure, incarnation, hyphen, position, `e`, number. What an event
/// may weigh is decided before it has its id, so this much is kept free.
pub const OWN_ID_BYTES_MAX: usize = 1 + 16 + 1 + 20 + 1 + 20;

/// Tells one log from every other: drawn at random when a log is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Incarnation(pub u64);

/// The place of a kept event in the total order of its log, from 1. 0 is "before the first".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position(pub u64);

impl Position {
    /// The place behind this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// An id in the hub's own form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EventId {
    /// The log it belongs to.
    pub incarnation: Incarnation,
    /// Where a stream goes on from: everything after this position has not been seen.
    pub position: Position,
    /// For an ephemeral event: its number behind `position`, from 1.
    pub ephemeral: Option<u64>,
}

impl EventId {
    /// The id of the kept event at `position`.
    #[must_use]
    pub const fn kept(incarnation: Incarnation, position: Position) -> Self {
        Self { incarnation, position, ephemeral: None }
    }

    /// Reads an own id; `None` if `text` has another form (a publisher's id, or nonsense).
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (incarnation, place) = text.split_once('-')?;
        let (position, ephemeral) = match place.split_once('e') {
            Some((position, ephemeral)) => (position, Some(decimal(ephemeral)?)),
            None => (place, None),
        };
        let canonical_hex = incarnation.len() == 16
            && incarnation.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        if !canonical_hex {
            return None;
        }
        let incarnation = Incarnation(u64::from_str_radix(incarnation, 16).ok()?);
        Some(Self { incarnation, position: Position(decimal(position)?), ephemeral })
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}-{}", self.incarnation.0, self.position.0)?;
        match self.ephemeral {
            Some(n) => write!(f, "e{n}"),
            None => Ok(()),
        }
    }
}

/// Decimal without sign or leading zeros, so that every id has exactly one spelling.
fn decimal(text: &str) -> Option<u64> {
    let canonical = text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if canonical { text.parse().ok() } else { None }
}

/// Whether `text` may be an event's id on the wire.
#[must_use]
pub fn is_valid_id(text: &str) -> bool {
    (1..=ID_BYTES_MAX).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_ids_have_exactly_one_spelling() {
        let id = EventId::kept(Incarnation(0xabc), Position(17));
        assert_eq!(id.to_string(), "0000000000000abc-17");
        assert_eq!(EventId::parse("0000000000000abc-17"), Some(id));
        assert_eq!(EventId::parse("0000000000000abc-17e3"), Some(EventId { ephemeral: Some(3), ..id }));
        for nonsense in [
            "",
            "abc-17",
            "0000000000000ABC-17",
            "0000000000000abc-017",
            "0000000000000abc-+1",
            "0000000000000abc-1e",
        ] {
            assert_eq!(EventId::parse(nonsense), None, "{nonsense}");
        }
    }
}
