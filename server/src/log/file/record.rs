//! Records of a segment: what each event is on disk. The bytes are those of `docs/log-format.md`.
//!
//! Invariants: whatever bytes come in, decoding neither panics nor takes more memory than they have; a record is
//! taken for one only if both its checksums hold. The checksum of the head is hidden by the log's mask, which nobody
//! outside knows: otherwise a publisher could put records of its own making into the data of an event, to be found
//! when a damaged segment is searched.
//! Not here: where records are, and in which order (`scan`).

use bytes::Bytes;
use corecast_core::event::{Audience, SequencedEvent};
use corecast_core::frame::{Frame, Framing};
use corecast_core::id::{EventId, ID_BYTES_MAX, Incarnation, Position};
use corecast_core::idempotency::EventKey;
use corecast_core::time::{Instant, UnixMillis};
use crc32c::{crc32c, crc32c_append};
use thiserror::Error;

/// Bytes of a record before its body.
pub(super) const HEAD_LEN: usize = 56;

/// Records begin at multiples of this, so that they can be searched for behind a damaged one.
pub(super) const ALIGN: usize = 8;

/// The longest record. An event of the longest `limits.event_bytes`, all of it line ends, makes a frame of 7 times
/// as much.
pub(super) const RECORD_BYTES_MAX: usize = 128 << 20;

const KEY_LEN: usize = 16;

const PRIVATE: u8 = 1;
const HAS_KEY: u8 = 2;
const HAS_EXPIRY: u8 = 4;

/// What a record says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The event at its position.
    Event,
    /// Events up to and with its position are lost: repair could not save them.
    Lost,
    /// The log was closed in good order: everything before is durable. Takes no position: it has that of the event
    /// before.
    Closed,
}

/// Whom an event is for, without the names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AudienceKind {
    All,
    Topics,
    Users,
}

/// What is at the front of each record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// Bytes of the record, padding not counted.
    pub(super) len: u32,
    /// The checksum of the head. The next record has it as `previous`.
    pub(super) check: u32,
    /// The check of the record before, or of the segment's header: what a write that failed has left on the disk is
    /// never taken for a record that follows.
    pub(super) previous: u32,
    /// The checksum of the body and its padding.
    body: u32,
    /// See [`Kind`].
    pub(super) kind: Kind,
    /// The event's place in the order.
    pub(super) position: Position,
    /// The newest position that was durable when this record was written.
    pub(super) synced: Position,
    /// When the event was sequenced.
    pub(super) time: UnixMillis,
    /// When the event must no longer be shown.
    pub(super) expires: Option<UnixMillis>,
    /// Whether it is only for subscribers whose token grants it.
    pub(super) private: bool,
    has_key: bool,
    publisher_id_len: u8,
    audience: AudienceKind,
    names: u16,
}

/// Why some bytes are not the record that is expected there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Fault {
    /// A length of 0.
    #[error("there is no record")]
    Empty,
    /// The file ends within the record.
    #[error("the file ends within the record")]
    Cut,
    /// The head is not what was written.
    #[error("the checksum of the record's head is wrong")]
    Head,
    /// A record of this log, but not the one that follows.
    #[error("the record does not follow the one before it")]
    Chain,
    /// The body is not what was written.
    #[error("the checksum of the record's data is wrong")]
    Body,
    /// Both checksums hold, but no version of corecast writes this.
    #[error("the record's fields contradict each other")]
    Content,
}

/// What all records written at one time have in common, and what links each to the one before.
#[derive(Clone, Copy, Debug)]
pub(super) struct Link {
    /// The log's.
    pub(super) mask: u32,
    /// The check of the record before.
    pub(super) previous: u32,
    /// The newest position that is durable.
    pub(super) synced: Position,
}

/// Room that a record of `len` bytes takes.
#[must_use]
pub(super) const fn padded(len: usize) -> usize {
    len.next_multiple_of(ALIGN)
}

/// Bytes of the record of an event, padding included.
#[must_use]
pub(super) fn event_len(event: &SequencedEvent) -> usize {
    let names: usize = names_of(&event.audience).iter().map(|name| 2 + name.len()).sum();
    let key = event.key.map_or(0, |_| KEY_LEN);
    let id = event.publisher_id.as_ref().map_or(0, |id| id.len());
    padded(HEAD_LEN + key + id + names + event.frame.bytes(Framing::Chunked).len())
}

/// Appends the record of an event to `out`; its check.
///
/// # Panics
/// If the event breaks bounds that its publisher's request was checked for.
pub(super) fn encode_event(out: &mut Vec<u8>, event: &SequencedEvent, link: Link) -> u32 {
    let start = out.len();
    out.resize(start + HEAD_LEN, 0);
    if let Some(key) = &event.key {
        out.extend_from_slice(&key.0);
    }
    if let Some(id) = &event.publisher_id {
        out.extend_from_slice(id.as_bytes());
    }
    let names = names_of(&event.audience);
    for name in names {
        let len = u16::try_from(name.len()).expect("names have at most 1024 bytes");
        out.extend_from_slice(&len.to_le_bytes());
        out.extend_from_slice(name.as_bytes());
    }
    out.extend_from_slice(event.frame.bytes(Framing::Chunked));
    let id_len = event.publisher_id.as_ref().map_or(0, |id| id.len());
    let head = Head {
        len: 0,
        check: 0,
        previous: link.previous,
        body: 0,
        kind: Kind::Event,
        position: event.position,
        synced: link.synced,
        time: event.sequenced,
        expires: event.expires,
        private: event.private,
        has_key: event.key.is_some(),
        publisher_id_len: u8::try_from(id_len).expect("ids have at most 128 bytes"),
        audience: match &event.audience {
            Audience::All => AudienceKind::All,
            Audience::Topics(_) => AudienceKind::Topics,
            Audience::Users(_) => AudienceKind::Users,
        },
        names: u16::try_from(names.len()).expect("an audience has at most 1000 names"),
    };
    seal(out, start, head, link.mask)
}

/// Appends a record that has no body to `out`; its check.
pub(super) fn encode_mark(out: &mut Vec<u8>, kind: Kind, position: Position, link: Link) -> u32 {
    let start = out.len();
    out.resize(start + HEAD_LEN, 0);
    let head = Head {
        len: 0,
        check: 0,
        previous: link.previous,
        body: 0,
        kind,
        position,
        synced: link.synced,
        time: UnixMillis(0),
        expires: None,
        private: false,
        has_key: false,
        publisher_id_len: 0,
        audience: AudienceKind::All,
        names: 0,
    };
    seal(out, start, head, link.mask)
}

/// Fills in the head of the record that begins at `start` and ends with `out`, and pads it; its check.
fn seal(out: &mut Vec<u8>, start: usize, head: Head, mask: u32) -> u32 {
    let len = u32::try_from(out.len() - start).expect("a batch is far below 4 GiB");
    assert!(len as usize <= RECORD_BYTES_MAX, "an event of {len} bytes was taken, which no publish may have");
    out.resize(start + padded(len as usize), 0);
    let body = crc32c(&out[start + HEAD_LEN..]);
    let (fields, check) = Head { len, body, ..head }.encode(mask);
    out[start..start + HEAD_LEN].copy_from_slice(&fields);
    check
}

impl Head {
    /// The bytes of the head, whose `check` is worked out, and that check.
    fn encode(&self, mask: u32) -> ([u8; HEAD_LEN], u32) {
        let mut out = [0; HEAD_LEN];
        let mut put = |at: usize, bytes: &[u8]| out[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, &self.len.to_le_bytes());
        put(8, &self.previous.to_le_bytes());
        put(12, &self.body.to_le_bytes());
        put(16, &self.position.0.to_le_bytes());
        put(24, &self.synced.0.to_le_bytes());
        put(32, &self.time.0.to_le_bytes());
        put(40, &self.expires.map_or(0, |expires| expires.0).to_le_bytes());
        let flag = |is_set: bool, flag: u8| if is_set { flag } else { 0 };
        let flags = flag(self.private, PRIVATE)
            | flag(self.has_key, HAS_KEY)
            | flag(self.expires.is_some(), HAS_EXPIRY);
        let kind = match self.kind {
            Kind::Event => 1,
            Kind::Lost => 2,
            Kind::Closed => 3,
        };
        let audience = match self.audience {
            AudienceKind::All => 0,
            AudienceKind::Topics => 1,
            AudienceKind::Users => 2,
        };
        put(48, &[kind, flags, audience, self.publisher_id_len]);
        put(52, &self.names.to_le_bytes());
        let check = unmasked_check(&out) ^ mask;
        out[4..8].copy_from_slice(&check.to_le_bytes());
        (out, check)
    }

    /// Reads a head. Its checksum holds; whether it is the head that follows is the caller's question.
    ///
    /// # Errors
    /// `Empty`, `Cut` if there are too few bytes, `Head`, `Content`.
    pub(super) fn decode(bytes: &[u8], mask: u32) -> Result<Self, Fault> {
        let Some(bytes) = bytes.first_chunk::<HEAD_LEN>() else {
            return Err(if bytes.iter().all(|&byte| byte == 0) { Fault::Empty } else { Fault::Cut });
        };
        let (len, check) = (u32_at(bytes, 0), u32_at(bytes, 4));
        if len == 0 {
            return Err(Fault::Empty);
        }
        // Cheap, and most of what is searched for heads ends here.
        if !(HEAD_LEN..=RECORD_BYTES_MAX).contains(&(len as usize)) || unmasked_check(bytes) ^ mask != check {
            return Err(Fault::Head);
        }
        let kind = match bytes[48] {
            1 => Kind::Event,
            2 => Kind::Lost,
            3 => Kind::Closed,
            _ => return Err(Fault::Content),
        };
        let audience = match bytes[50] {
            0 => AudienceKind::All,
            1 => AudienceKind::Topics,
            2 => AudienceKind::Users,
            _ => return Err(Fault::Content),
        };
        let flags = bytes[49];
        let expires = UnixMillis(u64_at(bytes, 40));
        Ok(Self {
            len,
            check,
            previous: u32_at(bytes, 8),
            body: u32_at(bytes, 12),
            kind,
            position: Position(u64_at(bytes, 16)),
            synced: Position(u64_at(bytes, 24)),
            time: UnixMillis(u64_at(bytes, 32)),
            expires: (flags & HAS_EXPIRY != 0).then_some(expires),
            private: flags & PRIVATE != 0,
            has_key: flags & HAS_KEY != 0,
            publisher_id_len: bytes[51],
            audience,
            names: u16::from_le_bytes([bytes[52], bytes[53]]),
        })
    }

    /// Bytes of the body.
    #[must_use]
    pub(super) const fn body_len(&self) -> usize {
        self.len as usize - HEAD_LEN
    }

    /// Bytes from this record to the next.
    #[must_use]
    pub(super) const fn room(&self) -> usize {
        padded(self.len as usize)
    }
}

/// The body of an event's record, its checksum verified.
#[derive(Clone, Copy, Debug)]
pub(super) struct Body<'a> {
    head: Head,
    /// Under which its publisher may repeat it.
    pub(super) key: Option<EventKey>,
    /// The publisher's own id.
    pub(super) publisher_id: Option<&'a str>,
    names: &'a [u8],
    /// Where the frame begins in the body.
    frame: usize,
}

impl<'a> Body<'a> {
    /// Reads the body of the event with this head: `bytes` begins with it.
    ///
    /// # Errors
    /// `Cut`, `Body`, `Content`.
    pub(super) fn decode(head: &Head, bytes: &'a [u8]) -> Result<Self, Fault> {
        let padded = bytes.get(..head.room() - HEAD_LEN).ok_or(Fault::Cut)?;
        if crc32c(padded) != head.body {
            return Err(Fault::Body);
        }
        Self::parse(head, &padded[..head.body_len()]).ok_or(Fault::Content)
    }

    fn parse(head: &Head, body: &'a [u8]) -> Option<Self> {
        let mut rest = body;
        let key = match head.has_key {
            true => Some(EventKey(*rest.split_off(..KEY_LEN)?.first_chunk()?)),
            false => None,
        };
        let id_len = usize::from(head.publisher_id_len);
        let id = std::str::from_utf8(rest.split_off(..id_len)?).ok()?;
        let before_names = rest;
        for _ in 0..head.names {
            name(&mut rest)?;
        }
        let names = &before_names[..before_names.len() - rest.len()];
        let has_names = head.names > 0;
        let is_sound = id_len <= ID_BYTES_MAX && has_names == (head.audience != AudienceKind::All);
        let publisher_id = (id_len > 0).then_some(id);
        let frame = body.len() - rest.len();
        is_sound.then_some(Self { head: *head, key, publisher_id, names, frame })
    }

    /// The names it is for, and of what kind they are.
    #[must_use]
    pub(super) fn audience(&self) -> Audience {
        let mut rest = self.names;
        let names = std::iter::from_fn(|| name(&mut rest)).map(Box::from).collect();
        match self.head.audience {
            AudienceKind::All => Audience::All,
            AudienceKind::Topics => Audience::Topics(names),
            AudienceKind::Users => Audience::Users(names),
        }
    }

    /// The event, whose frame is a part of `body`: the bytes that this was decoded from.
    ///
    /// # Errors
    /// `Content`.
    pub(super) fn event(&self, body: &Bytes, incarnation: Incarnation) -> Result<SequencedEvent, Fault> {
        let chunk = body.slice(self.frame..self.head.body_len());
        let frame = Frame::decode(chunk).ok_or(Fault::Content)?;
        let Head { position, time, expires, private, .. } = self.head;
        Ok(SequencedEvent {
            position,
            id: EventId::kept(incarnation, position),
            publisher_id: self.publisher_id.map(Box::from),
            key: self.key,
            audience: self.audience(),
            private,
            expires,
            ephemeral: false,
            sequenced: time,
            published: Instant::ZERO,
            frame,
        })
    }
}

/// Puts a sound record behind another one than before; its new check.
pub(super) fn relink(record: &mut [u8], previous: u32, mask: u32) -> u32 {
    let head = record.first_chunk_mut::<HEAD_LEN>().expect("a sound record has a head");
    head[8..12].copy_from_slice(&previous.to_le_bytes());
    let check = unmasked_check(head) ^ mask;
    head[4..8].copy_from_slice(&check.to_le_bytes());
    check
}

/// Takes a name off the front.
fn name<'a>(rest: &mut &'a [u8]) -> Option<&'a str> {
    let len = u16::from_le_bytes(*rest.split_off(..2)?.first_chunk()?);
    std::str::from_utf8(rest.split_off(..usize::from(len))?).ok()
}

fn names_of(audience: &Audience) -> &[Box<str>] {
    match audience {
        Audience::All => &[],
        Audience::Topics(names) | Audience::Users(names) => names,
    }
}

/// Of everything in the head but the check itself.
fn unmasked_check(head: &[u8; HEAD_LEN]) -> u32 {
    crc32c_append(crc32c(&head[..4]), &head[8..])
}

fn u32_at(bytes: &[u8; HEAD_LEN], at: usize) -> u32 {
    u32::from_le_bytes(*bytes[at..].first_chunk().expect("offsets are within the head"))
}

fn u64_at(bytes: &[u8; HEAD_LEN], at: usize) -> u64 {
    u64::from_le_bytes(*bytes[at..].first_chunk().expect("offsets are within the head"))
}

/// Makes the checksums of a record hold, whatever it says.
#[cfg(test)]
pub(super) fn reseal(record: &mut [u8], mask: u32) {
    let body = crc32c(&record[HEAD_LEN..]);
    record[12..16].copy_from_slice(&body.to_le_bytes());
    let check = unmasked_check(record.first_chunk().unwrap()) ^ mask;
    record[4..8].copy_from_slice(&check.to_le_bytes());
}
