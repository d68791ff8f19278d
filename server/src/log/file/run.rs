//! Runs: parts of a segment that are read at one time, and the pages that they become.
//!
//! Invariant: whatever bytes come in, decoding neither panics nor shows an event that was not written at its place.
//! Not here: reading the bytes.

use std::sync::Arc;

use bytes::{Buf, Bytes};
use corecast_core::event::SharedEvent;
use corecast_core::id::{Incarnation, Position};
use corecast_core::replay::Page;
use thiserror::Error;

use super::record::{Body, Fault, HEAD_LEN, Head, Kind};

/// Where the events of a page are on the disk. Everything in it is durable and never changes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Run {
    /// The file's name.
    pub segment: Arc<str>,
    /// Where the first record begins in the file.
    pub offset: u64,
    /// Bytes from there to the end of the last record: about 64 KiB, or one event if that is larger.
    pub len: usize,
    /// The position before the first event.
    pub after: Position,
    /// The position of the last event.
    pub upto: Position,
    pub(super) incarnation: Incarnation,
    pub(super) mask: u32,
    /// The check of the record before.
    pub(super) previous: u32,
}

/// A place of a segment where something else is than was written.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("segment {segment}, offset {offset}, position {}: {fault}", position.0)]
pub struct Damage {
    /// The file's name.
    pub segment: Arc<str>,
    /// Where the record begins that cannot be read.
    pub offset: u64,
    /// The position that was expected there.
    pub position: Position,
    /// What is wrong.
    pub fault: Fault,
}

impl Run {
    /// The page, from the bytes that the run has in its file. Frames are parts of `bytes`, not copies.
    ///
    /// # Errors
    /// Where these bytes are not what was written; too few of them count as that.
    pub fn decode(&self, bytes: Bytes) -> Result<Page, Damage> {
        let mut events: Vec<SharedEvent> = Vec::with_capacity(bytes.len().min(self.len) / HEAD_LEN);
        let mut rest = bytes;
        rest.truncate(self.len);
        let (mut offset, mut position, mut previous) = (self.offset, self.after, self.previous);
        while position < self.upto {
            let expected = position.next();
            let damage = |fault| Damage { segment: self.segment.clone(), offset, position: expected, fault };
            let head = self.head(&rest, previous, position).map_err(damage)?;
            if head.kind == Kind::Event {
                let body = rest.slice(HEAD_LEN.min(rest.len())..);
                let event = Body::decode(&head, &body)
                    .and_then(|decoded| decoded.event(&body, self.incarnation))
                    .map_err(damage)?;
                events.push(Arc::new(event));
                position = expected;
            }
            previous = head.check;
            offset += head.room() as u64;
            rest.advance(head.room().min(rest.len()));
        }
        Ok(Page { after: self.after, upto: self.upto, events: events.into() })
    }

    /// The part of the run before what is damaged in it; `None` if there is no event.
    #[must_use]
    pub fn before(&self, damage: &Damage) -> Option<Self> {
        let upto = Position(damage.position.0.checked_sub(1)?);
        let len = usize::try_from(damage.offset.checked_sub(self.offset)?).ok()?;
        (upto > self.after && upto <= self.upto && len <= self.len).then(|| Self {
            upto,
            len,
            ..self.clone()
        })
    }

    /// The head at the front of `bytes`, if it is the one after `position`.
    fn head(&self, bytes: &[u8], previous: u32, position: Position) -> Result<Head, Fault> {
        let head = Head::decode(bytes, self.mask)?;
        let follows = match head.kind {
            Kind::Event => head.position == position.next(),
            Kind::Closed => head.position == position,
            Kind::Lost => false,
        };
        if head.previous == previous && follows { Ok(head) } else { Err(Fault::Chain) }
    }
}
