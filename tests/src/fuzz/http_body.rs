//! Request bodies: pieces make no difference, and the bound holds.

use corecast_core::http::{BodyDecoder, BodyError, BodyLength};

use super::Target;

/// The size of a piece, then the body as it comes.
pub const TARGET: Target = Target {
    name: "http_body",
    run,
    seeds: &[
        b"\x01\x003\r\nabc\r\n10;a=\"b\"\r\n0123456789abcdef\r\n0\r\nX-Sum: 7\r\n\r\nGET /",
        b"\x07\x000003 \t;x\r\n\r\n\r\r\n0\r\n\r\n",
        b"\x02\x05abcdefgh",
    ],
};

const BYTES_MAX: usize = 64;

fn run(input: &[u8]) {
    let [piece, length, body @ ..] = input else {
        return;
    };
    let length = if *length == 0 { BodyLength::Chunked } else { BodyLength::Length(u64::from(*length)) };
    let whole = decode(length, body, body.len().max(1));
    assert_eq!(decode(length, body, usize::from(*piece).max(1)), whole);
    if let Ok((data, consumed, _)) = whole {
        assert!(data.len() <= BYTES_MAX && data.len() <= consumed && consumed <= body.len());
    }
}

fn decode(length: BodyLength, body: &[u8], piece: usize) -> Result<(Vec<u8>, usize, bool), BodyError> {
    let mut decoder = BodyDecoder::new(length);
    let mut data = Vec::new();
    let mut consumed = 0;
    for piece in body.chunks(piece) {
        let decoded = decoder.decode(piece, &mut data, BYTES_MAX)?;
        consumed += decoded.consumed;
        if decoded.complete {
            return Ok((data, consumed, true));
        }
    }
    Ok((data, consumed, false))
}
