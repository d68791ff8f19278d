//! What a body is, where it ends, what is refused, and that pieces make no difference.

use proptest::prelude::*;

use super::*;
use crate::event::{Audience, Event};
use crate::frame::{Frame, Framing};

/// Feeds `wire` in pieces of `piece` bytes.
fn decode(
    length: BodyLength,
    wire: &[u8],
    piece: usize,
    bytes_max: usize,
) -> Result<(Vec<u8>, Decoded), BodyError> {
    let mut decoder = BodyDecoder::new(length);
    let mut out = Vec::new();
    let mut sum = decoder.decode(&[], &mut out, bytes_max)?;
    for piece in wire.chunks(piece) {
        let decoded = decoder.decode(piece, &mut out, bytes_max)?;
        sum = Decoded { consumed: sum.consumed + decoded.consumed, complete: decoded.complete };
        if decoded.complete {
            break;
        }
        assert_eq!(decoded.consumed, piece.len(), "an unfinished body takes everything");
    }
    Ok((out, sum))
}

/// All pieces give the same, which is returned.
fn decode_anyhow(length: BodyLength, wire: &[u8], bytes_max: usize) -> Result<(Vec<u8>, Decoded), BodyError> {
    let whole = decode(length, wire, wire.len().max(1), bytes_max);
    for piece in 1..=wire.len() {
        assert_eq!(decode(length, wire, piece, bytes_max), whole, "{wire:?} by {piece}");
    }
    whole
}

#[test]
fn a_known_length_is_taken_and_no_more() {
    for (length, wire, body, complete) in [
        (BodyLength::None, "GET /", "", true),
        (BodyLength::Length(0), "GET /", "", true),
        (BodyLength::Length(3), "abcGET /", "abc", true),
        (BodyLength::Length(3), "ab", "ab", false),
    ] {
        let (out, decoded) = decode_anyhow(length, wire.as_bytes(), 100).unwrap();
        assert_eq!((out.as_slice(), decoded.complete), (body.as_bytes(), complete));
        assert_eq!(decoded.consumed, body.len());
    }
}

#[test]
fn chunks_are_joined_and_what_goes_with_them_is_discarded() {
    for (wire, body) in [
        ("0\r\n\r\n", ""),
        ("3\r\nabc\r\n0\r\n\r\n", "abc"),
        ("3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", "abcde"),
        ("A\r\n0123456789\r\n0\r\n\r\n", "0123456789"),
        ("0000000000000000000003\r\nabc\r\n000\r\n\r\n", "abc"),
        ("3;a=b\r\nabc\r\n0;x\r\n\r\n", "abc"),
        ("3 \t;a=\"b\"\r\nabc\r\n0\r\n\r\n", "abc"),
        ("1\r\n\r\r\n1\r\n\n\r\n0\r\n\r\n", "\r\n"),
        ("3\r\nabc\r\n0\r\nX-Sum: 7\r\nY:\r\n\r\n", "abc"),
    ] {
        let followed = format!("{wire}GET / HTTP/1.1\r\n");
        let (out, decoded) = decode_anyhow(BodyLength::Chunked, followed.as_bytes(), 100).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), body, "{wire:?}");
        assert_eq!(decoded, Decoded { consumed: wire.len(), complete: true }, "{wire:?}");
        for end in 0..wire.len() {
            let (_, decoded) = decode(BodyLength::Chunked, &wire.as_bytes()[..end], 1, 100).unwrap();
            assert!(!decoded.complete, "{wire:?} up to {end}");
        }
    }
}

#[test]
fn chunks_that_another_parser_could_read_differently_are_refused() {
    for wire in [
        "\r\n",
        ";a\r\n",
        "g\r\n",
        "-1\r\n",
        "+1\r\n",
        "0x3\r\n",
        " 3\r\n",
        "3 \r\n",
        "3 4\r\n",
        "3\nabc",
        "3\r\rabc",
        "3;a\nabc",
        "3;a\r\r",
        "3;\0\r\n",
        "3\r\nabcd",
        "3\r\nabc\n",
        "3\r\nabc\r\r",
        "3\r\nabc3\r\n",
        "0\n",
        "0\r\n\n",
        "0\r\n\r\r",
        "0\r\nX\r\n",
        "0\r\nX : y\r\n",
        "0\r\n folded\r\n",
        "0\r\n: y\r\n",
        "0\r\nX: y\n",
        "0\r\nX: y\r\r",
        "0\r\nX: \0\r\n",
        "10000000000000000\r\n",
        "fffffffffffffffff\r\n",
    ] {
        let error = decode_anyhow(BodyLength::Chunked, wire.as_bytes(), usize::MAX).err();
        // A size that is still growing can be above the bound before it is above 64 bits.
        assert!(
            matches!(error, Some(BodyError::Malformed | BodyError::TooLarge { .. })),
            "{wire:?}: {error:?}"
        );
    }
}

#[test]
fn too_much_is_refused_before_it_comes() {
    let refused = Some(BodyError::TooLarge { bytes_max: 4 });
    for (length, wire, expected) in [
        (BodyLength::Length(4), "abcd", None),
        (BodyLength::Length(5), "", refused),
        (BodyLength::Length(u64::MAX), "", refused),
        (BodyLength::Chunked, "4\r\nabcd\r\n0\r\n\r\n", None),
        (BodyLength::Chunked, "5", refused),
        (BodyLength::Chunked, "ffffffffffffffff", refused),
        (BodyLength::Chunked, "3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n", None),
        (BodyLength::Chunked, "3\r\nabc\r\n2", refused),
    ] {
        assert_eq!(decode_anyhow(length, wire.as_bytes(), 4).err(), expected, "{wire:?}");
    }
}

#[test]
fn what_is_beside_the_data_is_bounded() {
    let long_line = format!("3;{}\r\nabc\r\n0\r\n\r\n", "x".repeat(CHUNK_LINE_BYTES_MAX));
    let zeros = format!("{}3\r\nabc\r\n0\r\n\r\n", "0".repeat(CHUNK_LINE_BYTES_MAX));
    let many_extensions = format!("1;{}\r\na\r\n", "x".repeat(100)).repeat(CHUNK_EXTRA_BYTES_MAX / 100 + 1);
    let long_trailer = format!("0\r\nX: {}\r\n\r\n", "x".repeat(CHUNK_EXTRA_BYTES_MAX));
    let many_trailers = format!("0\r\n{}\r\n", "X: y\r\n".repeat(CHUNK_EXTRA_BYTES_MAX / 4));
    for wire in [long_line, zeros, many_extensions, long_trailer, many_trailers] {
        let error = decode(BodyLength::Chunked, wire.as_bytes(), wire.len(), usize::MAX).err();
        assert_eq!(error, Some(BodyError::Malformed), "{:.60}", wire);
    }
}

proptest! {
    #[test]
    fn our_own_chunks_are_read_back(texts in prop::collection::vec("[a-z\r\n]{0,40}", 0..5), piece in 1..64_usize) {
        let mut wire = Vec::new();
        let mut blocks = Vec::new();
        for text in texts {
            let event = Event {
                audience: Audience::All, data: text.into(), kind: None, id: None, retry_ms: None,
                private: false, ttl: None, ephemeral: false, shows_topics: false,
            };
            let frame = Frame::encode(&event, "i");
            wire.extend_from_slice(frame.bytes(Framing::Chunked));
            blocks.extend_from_slice(frame.bytes(Framing::CloseDelimited));
        }
        wire.extend_from_slice(crate::http::control::clean_end(Framing::Chunked));
        let consumed = wire.len();
        let decoded = decode(BodyLength::Chunked, &wire, piece, usize::MAX);
        prop_assert_eq!(decoded, Ok((blocks, Decoded { consumed, complete: true })));
    }

    #[test]
    fn pieces_make_no_difference(wire in "([0-9a-f;: \r\n]|\r\n|1\r\na\r\n|0\r\n){0,20}") {
        let _ = decode_anyhow(BodyLength::Chunked, wire.as_bytes(), 64);
    }
}
