//! Inline receives: bytes, nothing yet, the end of the stream, in order and across batches.

mod common;

use std::io::Write;

use common::{Host, next, reset};
use corecast_ring::{Errno, Interest, Setup, Slot, Token};

fn receive(host: &mut Host, slots: &[Slot]) -> Vec<(u64, Result<Vec<u8>, Errno>)> {
    let mut all = Vec::new();
    let items = (0..).zip(slots).map(|(n, &slot)| (slot, Token::new(n)));
    host.ring.receive_all(items, |token, result| all.push((token.value(), result.map(<[u8]>::to_vec))));
    all
}

/// Waits until the kernel has something of the client's for `slot`.
fn await_input(host: &mut Host, slot: Slot) {
    host.ring.poll(slot, Interest::Readable, Token::new(99));
    assert_eq!(host.next().token, Token::new(99));
}

#[test]
fn bytes_nothing_and_the_end_are_told_apart() {
    let mut host = Host::new();
    let (speaks, mut speaking) = host.connect();
    let (waits, _waiting) = host.connect();
    let (ends, ending) = host.connect();
    let (resets, resetting) = host.connect();
    speaking.write_all(b"GET / HTTP/1.1\r\n").unwrap();
    drop(ending);
    reset(resetting);
    for slot in [speaks, ends, resets] {
        await_input(&mut host, slot);
    }
    let expected = [
        (0, Ok(b"GET / HTTP/1.1\r\n".to_vec())),
        (1, Err(Errno::AGAIN)),
        (2, Ok(vec![])),
        (3, Err(Errno::CONNRESET)),
        (4, Err(Errno::BADF)),
    ];
    assert_eq!(receive(&mut host, &[speaks, waits, ends, resets, Slot(50)]), expected);
    assert_eq!(host.ring.next_completion(), None, "a receive leaves nothing armed");
}

#[test]
fn what_does_not_fit_the_buffer_is_left_for_the_next_receive() {
    let mut host = Host::with(&Setup { slots: 8, receive_bytes: 4, ..Setup::default() });
    let (slot, mut client) = host.connect();
    client.write_all(b"123456").unwrap();
    await_input(&mut host, slot);
    assert_eq!(receive(&mut host, &[slot, slot]), [(0, Ok(b"1234".to_vec())), (1, Ok(b"56".to_vec()))]);
}

#[test]
fn more_than_a_batch_is_received_in_the_items_order() {
    let mut host = Host::with(&Setup { slots: 128, sq_entries: 16, cq_entries: 32, ..Setup::default() });
    let pairs: Vec<_> = (0..100_u8)
        .map(|n| {
            let (slot, mut client) = host.connect();
            client.write_all(&[n]).unwrap();
            await_input(&mut host, slot);
            (slot, client)
        })
        .collect();
    let slots: Vec<Slot> = pairs.iter().map(|(slot, _)| *slot).collect();
    let expected: Vec<_> = (0..100_u8).map(|n| (u64::from(n), Ok(vec![n]))).collect();
    assert_eq!(receive(&mut host, &slots), expected);
}

#[test]
fn completions_seen_while_receiving_are_kept() {
    let mut host = Host::new();
    let (slot, _client) = host.connect();
    let own = host.ring.address();
    host.ring.notify(&own, Token::new(5), Token::new(6));
    assert_eq!(receive(&mut host, &[slot]), [(0, Err(Errno::AGAIN))]);
    assert_eq!(next(&mut host.ring).token, Token::new(5));
}
