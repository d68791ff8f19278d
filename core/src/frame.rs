//! Encoding of events into the bytes of an event stream (WHATWG HTML §9.2), once for all receivers.
//!
//! A frame is one HTTP chunk (RFC 9112 §7.1): `HEX CRLF block CRLF`. Chunked streams get all of it, close-delimited
//! ones (HTTP/1.0) the block between, so both framings share the same bytes.
//! Field order and line ends follow what real clients need: `event`, `retry`, `data` lines, `id` last, LF only. Where the
//! hub is to name an event's topics, a `topic` line for each comes before the data: a field that the standard does not know,
//! which its readers ignore (§9.2.6).

use bytes::Bytes;
use memchr::memchr2;

use crate::event::Event;
use crate::id::OWN_ID_BYTES_MAX;

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
        Self::of(&Block::of(event, Some(id)))
    }

    /// Encodes a block of the hub's own.
    pub(crate) fn of(block: &Block<'_>) -> Self {
        let block_len = block.len();
        let mut size = [0; SIZE_LINE_BYTES_MAX];
        let size = size_line(block_len, &mut size);

        let chunk_len = size.len() + block_len + CRLF.len();
        let mut chunk = Vec::with_capacity(chunk_len);
        chunk.extend_from_slice(size);
        block.write(&mut chunk);
        chunk.extend_from_slice(CRLF);
        debug_assert_eq!(chunk.len(), chunk_len, "a block is as long as it said");

        let block_start = u8::try_from(size.len()).expect("a size line has at most 18 bytes");
        // Bytes made of a plain `Vec` would allocate their count on the first clone, on a shard.
        Self { chunk: Bytes::from_owner(chunk), block_start }
    }

    /// A frame from its chunk, as a log gives it back; `None` if these bytes are no chunk around a whole block.
    #[must_use]
    pub fn decode(chunk: Bytes) -> Option<Self> {
        let digits = chunk.iter().take(SIZE_LINE_BYTES_MAX).position(|&byte| byte == b'\r')?;
        let size = std::str::from_utf8(&chunk[..digits]).ok()?;
        let is_hex = size.bytes().all(|byte| byte.is_ascii_hexdigit());
        let block_len = usize::from_str_radix(size, 16).ok().filter(|_| is_hex)?;
        let block_start = digits + CRLF.len();
        let is_chunk = chunk.len() == block_start.checked_add(block_len)?.checked_add(CRLF.len())?
            && chunk[digits..].starts_with(CRLF)
            && chunk.ends_with(b"\n\n\r\n");
        let block_start = u8::try_from(block_start).ok()?;
        is_chunk.then_some(Self { chunk, block_start })
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

/// Bytes of the block that `event` makes under an id of `id_len` bytes, framing not counted.
#[must_use]
pub fn block_len(event: &Event, id_len: usize) -> usize {
    Block::of(event, None).len() + id_field_len(id_len)
}

/// The most bytes the block of `event` can have: its publisher's id is known, one of the hub's is not yet.
#[must_use]
pub fn block_len_max(event: &Event) -> usize {
    block_len(event, event.id.as_ref().map_or(OWN_ID_BYTES_MAX, |id| id.len()))
}

/// One event as the stream shows it, before encoding. There is always data: a block without is no event to some
/// clients and an empty one to others (sse-clients.md §1, rule 6).
pub(crate) struct Block<'a> {
    pub(crate) kind: Option<&'a str>,
    pub(crate) retry_ms: Option<u32>,
    /// One line each: they have no control characters.
    pub(crate) topics: &'a [Box<str>],
    pub(crate) data: &'a str,
    pub(crate) id: Option<&'a str>,
}

impl<'a> Block<'a> {
    fn of(event: &'a Event, id: Option<&'a str>) -> Self {
        let topics = event.shown_topics();
        Self { kind: event.kind.as_deref(), retry_ms: event.retry_ms, topics, data: &event.data, id }
    }

    fn len(&self) -> usize {
        let kind = self.kind.map_or(0, |kind| field_len("event", kind.len()));
        let retry = self.retry_ms.map_or(0, |ms| field_len("retry", itoa::Buffer::new().format(ms).len()));
        let topics: usize = self.topics.iter().map(|topic| field_len("topic", topic.len())).sum();
        let data: usize = lines(self.data).map(|line| field_len("data", line.len())).sum();
        let id = self.id.map_or(0, |id| id_field_len(id.len()));
        kind + retry + topics + data + id + "\n".len()
    }

    fn write(&self, out: &mut Vec<u8>) {
        if let Some(kind) = self.kind {
            write_field(out, "event", kind.as_bytes());
        }
        if let Some(ms) = self.retry_ms {
            write_field(out, "retry", itoa::Buffer::new().format(ms).as_bytes());
        }
        for topic in self.topics {
            write_field(out, "topic", topic.as_bytes());
        }
        for line in lines(self.data) {
            write_field(out, "data", line);
        }
        // The id goes last: some clients move their cursor when they read it, so a block that is cut behind an
        // early id would be lost on resume (sse-clients.md §1, rule 5).
        if let Some(id) = self.id {
            write_field(out, "id", id.as_bytes());
        }
        out.push(b'\n');
    }
}

const CRLF: &[u8] = b"\r\n";

/// Hexadecimal digits of the largest `usize`, and CRLF.
const SIZE_LINE_BYTES_MAX: usize = size_of::<usize>() * 2 + CRLF.len();

/// `HEX CRLF`, the first line of a chunk of `len` bytes. It is put together from the end of `buf`.
fn size_line(len: usize, buf: &mut [u8; SIZE_LINE_BYTES_MAX]) -> &[u8] {
    let mut start = buf.len() - CRLF.len();
    buf[start..].copy_from_slice(CRLF);
    let mut rest = len;
    loop {
        start -= 1;
        buf[start] = b"0123456789abcdef"[rest & 0xf];
        rest >>= 4;
        if rest == 0 {
            return &buf[start..];
        }
    }
}

/// Wraps `body` into one chunk.
pub(crate) fn write_chunk(out: &mut Vec<u8>, body: &[u8]) {
    out.extend_from_slice(size_line(body.len(), &mut [0; SIZE_LINE_BYTES_MAX]));
    out.extend_from_slice(body);
    out.extend_from_slice(CRLF);
}

fn id_field_len(id_len: usize) -> usize {
    field_len("id", id_len)
}

/// `name: value LF`, or `name: LF` without the space for an empty value.
fn field_len(name: &str, value_len: usize) -> usize {
    name.len() + if value_len == 0 { ":\n".len() } else { ": ".len() + value_len + "\n".len() }
}

fn write_field(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    out.extend_from_slice(name.as_bytes());
    out.push(b':');
    if !value.is_empty() {
        out.push(b' ');
        out.extend_from_slice(value);
    }
    out.push(b'\n');
}

/// The lines of a value: it is split wherever a reader of the stream ends a line, at CRLF, CR and LF. There is
/// always at least one.
fn lines(text: &str) -> Lines<'_> {
    Lines { rest: Some(text.as_bytes()) }
}

struct Lines<'a> {
    rest: Option<&'a [u8]>,
}

impl<'a> Iterator for Lines<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let rest = self.rest?;
        let Some(at) = memchr2(b'\r', b'\n', rest) else {
            self.rest = None;
            return Some(rest);
        };
        let end = if rest[at..].starts_with(CRLF) { at + 2 } else { at + 1 };
        self.rest = Some(&rest[end..]);
        Some(&rest[..at])
    }
}

#[cfg(test)]
mod tests;
