//! Frames: whatever the data is, a frame is one block and one chunk.

use corecast_core::event::{Audience, Event};
use corecast_core::frame::{Frame, Framing};
use corecast_core::http::{BodyDecoder, BodyLength};

use super::Target;

/// The data of an event.
pub const TARGET: Target = Target {
    name: "frame",
    run,
    seeds: &[b"", b"a\r\nb\rc\n\nd", b"id: 7\n\nevent: x\ndata: y\n\n", b"\xef\xbb\xbf: \0"],
};

fn run(input: &[u8]) {
    let event = Event {
        audience: Audience::All,
        data: String::from_utf8_lossy(input).into(),
        kind: Some("t".into()),
        id: None,
        retry_ms: Some(1),
        private: false,
        ttl: None,
        ephemeral: false,
        shows_topics: false,
    };
    let frame = Frame::encode(&event, "i-1");
    let block = frame.bytes(Framing::CloseDelimited);
    assert!(block.starts_with(b"event: t\nretry: 1\ndata:") && block.ends_with(b"\nid: i-1\n\n"));
    assert!(!block.contains(&b'\r'));
    assert_eq!(block.windows(2).filter(|pair| pair == b"\n\n").count(), 1, "one blank line, at the end");

    let mut unchunked = Vec::new();
    let mut decoder = BodyDecoder::new(BodyLength::Chunked);
    let decoded = decoder.decode(frame.bytes(Framing::Chunked), &mut unchunked, usize::MAX);
    assert_eq!(decoded.map(|decoded| decoded.consumed), Ok(frame.bytes(Framing::Chunked).len()));
    assert_eq!(unchunked, block);
}
