//! One response from its first byte to its end: a plain body, or an event stream.
//!
//! Invariant on chunked streams: a chunk ends only between blocks. Clients that read the socket under their chunk
//! decoder show a block split over chunks as garbage.

use super::WireError;
use super::body::{BodyDecoder, Piece};
use super::event_stream::{EventStreamParser, Item};
use super::head::ResponseHead;

/// How the bytes of a connection stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Eof {
    /// The peer's FIN.
    Fin,
    /// The peer's RST, or the kernel gave the peer up.
    Reset,
}

/// How a response ended: for an event stream this decides who comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum End {
    /// The body said that it is complete: "do not come back".
    Clean,
    /// A FIN before the body was complete: "come back".
    Abort,
    /// The FIN that ends a close-delimited body.
    Close,
    /// A reset.
    Reset,
}

/// Reads one response.
#[derive(Debug)]
pub struct ResponseReader {
    to_head_request: bool,
    pending: Vec<u8>,
    head: Option<ResponseHead>,
    framing: Option<BodyDecoder>,
    stream: Option<EventStreamParser>,
    body: Vec<u8>,
}

impl Default for ResponseReader {
    fn default() -> Self {
        Self::new(false)
    }
}

impl ResponseReader {
    /// A reader of the answer to a `HEAD` request (no body, whatever its head says) or any other.
    #[must_use]
    pub fn new(to_head_request: bool) -> Self {
        Self {
            to_head_request,
            pending: Vec::new(),
            head: None,
            framing: None,
            stream: None,
            body: Vec::new(),
        }
    }

    /// The head, once it is complete.
    #[must_use]
    pub fn head(&self) -> Option<&ResponseHead> {
        self.head.as_ref()
    }

    /// The body so far, without its framing. Empty for an event stream.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// Whether this is an event stream whose first bytes have come.
    #[must_use]
    pub fn is_open_stream(&self) -> bool {
        self.stream.as_ref().is_some_and(EventStreamParser::is_open)
    }

    /// Whether the response has said that it is complete.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.framing.as_ref().is_some_and(BodyDecoder::is_complete)
    }

    /// Takes more bytes and says how many belong to this response.
    pub fn feed(&mut self, bytes: &[u8], take: impl FnMut(Item)) -> Result<usize, WireError> {
        if self.head.is_some() {
            return self.feed_body(bytes, take);
        }
        let before = self.pending.len();
        self.pending.extend_from_slice(bytes);
        let Some((head, length)) = ResponseHead::parse(&self.pending)? else { return Ok(bytes.len()) };
        self.on_head(head)?;
        let rest = std::mem::take(&mut self.pending).split_off(length);
        Ok(length - before + self.feed_body(&rest, take)?)
    }

    fn on_head(&mut self, head: ResponseHead) -> Result<(), WireError> {
        self.framing = Some(match self.to_head_request {
            true => BodyDecoder::none(),
            false => BodyDecoder::for_head(&head)?,
        });
        let is_stream = head.status == 200
            && head.field("content-type").is_some_and(|kind| kind.starts_with("text/event-stream"));
        self.stream = (is_stream && !self.to_head_request).then(EventStreamParser::default);
        self.head = Some(head);
        Ok(())
    }

    fn feed_body(&mut self, bytes: &[u8], mut take: impl FnMut(Item)) -> Result<usize, WireError> {
        let Self { framing: Some(framing), stream, body, .. } = self else { return Ok(0) };
        framing.feed(bytes, |piece| match (piece, &mut *stream) {
            (Piece::Data(data), Some(stream)) => stream.feed(data, &mut take),
            (Piece::Data(data), None) => {
                body.extend_from_slice(data);
                Ok(())
            }
            (Piece::ChunkEnd, Some(stream)) if !stream.is_between_blocks() => {
                Err(WireError::new("a block is split over chunks"))
            }
            (Piece::ChunkEnd, _) => Ok(()),
        })
    }

    /// What the end of the connection means for this response.
    pub fn finish(&self, eof: Eof) -> Result<End, WireError> {
        let framing =
            self.framing.as_ref().ok_or_else(|| WireError::new("the connection ended before the head"))?;
        let cut = framing.is_inside_chunk() || self.stream.as_ref().is_some_and(|s| !s.is_between_blocks());
        match eof {
            _ if framing.is_complete() => Ok(End::Clean),
            Eof::Reset => Ok(End::Reset),
            Eof::Fin if cut => Err(WireError::new("a FIN inside a block")),
            Eof::Fin if framing.is_close_delimited() => Ok(End::Close),
            Eof::Fin => Ok(End::Abort),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str =
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
    const OPENING: &str = "e\r\n:\nretry: 3100\n\r\n";

    fn read(text: &str, eof: Eof) -> Result<(usize, End), WireError> {
        let mut reader = ResponseReader::default();
        let mut items = 0;
        assert_eq!(reader.feed(text.as_bytes(), |_| items += 1)?, text.len());
        reader.finish(eof).map(|end| (items, end))
    }

    #[test]
    fn the_end_of_a_stream_is_told_apart() {
        let opened = format!("{HEAD}{OPENING}");
        assert_eq!(read(&format!("{opened}0\r\n\r\n"), Eof::Fin), Ok((2, End::Clean)));
        assert_eq!(read(&opened, Eof::Fin), Ok((2, End::Abort)));
        assert_eq!(read(&opened, Eof::Reset), Ok((2, End::Reset)));
        let close_delimited = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n:\nretry: 3100\n";
        assert_eq!(read(close_delimited, Eof::Fin), Ok((2, End::Close)));
    }

    #[test]
    fn a_cut_block_is_noticed() {
        let split_over_chunks = format!("{HEAD}{OPENING}8\r\ndata: x\n\r\n1\r\n\n\r\n");
        assert!(read(&split_over_chunks, Eof::Fin).is_err());
        let cut_by_fin = format!("{HEAD}{OPENING}8\r\ndata");
        assert!(read(&cut_by_fin, Eof::Fin).is_err());
        assert_eq!(read(&cut_by_fin, Eof::Reset), Ok((2, End::Reset)));
    }

    #[test]
    fn bytes_of_the_next_response_are_left_alone() {
        let one = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
        for cut in 0..=one.len() {
            let mut reader = ResponseReader::default();
            let both = [one, one].concat();
            let first = reader.feed(&both.as_bytes()[..cut], |_| {}).unwrap();
            let second = reader.feed(&both.as_bytes()[cut..], |_| {}).unwrap();
            assert_eq!((first + second, reader.body()), (one.len(), &b"ok"[..]), "cut at {cut}");
        }
    }
}
