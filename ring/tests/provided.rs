//! Lasting receives into provided buffers: bytes in order, the end, a lack of buffers, and an end that leaves nothing behind.
#![expect(clippy::unwrap_used, reason = "a test that cannot set up its sockets should say so and stop")]

mod common;

use std::io::{Read, Write};
use std::net::TcpStream;

use common::{Host, next, next_within, reset, until};
use corecast_ring::{Buffer, Errno, Outcome, Setup, Slot, Token};

const RECEIVE: Token = Token::new(0x4EC);

fn host(count: u16, bytes: u32) -> Host {
    let mut host = Host::with(&Setup { slots: 16, ..Setup::default() });
    host.ring.provide_buffers(count, bytes).unwrap();
    host
}

fn receiving(host: &mut Host) -> (Slot, TcpStream) {
    let (slot, client) = host.connect();
    host.ring.receive_on(slot, RECEIVE);
    host.ring.flush();
    (slot, client)
}

fn received(host: &mut Host) -> (Buffer, Vec<u8>) {
    let completion = next(&mut host.ring);
    let Outcome::Received { buffer, goes_on: true } = completion.outcome else { panic!("{completion:?}") };
    assert_eq!(completion.token, RECEIVE);
    (buffer, host.ring.received(buffer).unwrap().to_vec())
}

#[test]
fn it_receives_again_and_again_until_the_end() {
    let mut host = host(4, 64);
    let (_, mut client) = receiving(&mut host);
    for round in 0..100_u8 {
        client.write_all(&[round; 5]).unwrap();
        let (buffer, bytes) = received(&mut host);
        assert_eq!(bytes, [round; 5]);
        host.ring.give_back(buffer);
    }
    drop(client);
    assert_eq!(next(&mut host.ring).outcome, Outcome::Done(Ok(0)));
    assert_eq!(host.ring.counters().cqes_stale, 0);
}

#[test]
fn a_reset_is_told() {
    let mut host = host(4, 64);
    let (_, client) = receiving(&mut host);
    reset(client);
    assert_eq!(next(&mut host.ring).outcome, Outcome::Done(Err(Errno::CONNRESET)));
}

#[test]
fn a_buffer_is_readable_until_it_is_given_back_and_returns_once() {
    let mut host = host(2, 8);
    let (slot, mut client) = receiving(&mut host);
    client.write_all(b"12345678abcd").unwrap();
    let (first, bytes) = received(&mut host);
    assert_eq!(bytes, b"12345678");
    let (second, bytes) = received(&mut host);
    assert_eq!(bytes, b"abcd");
    assert_eq!(host.ring.received(first), Some(&b"12345678"[..]), "still the caller's");

    client.write_all(b"more").unwrap();
    assert_eq!(next(&mut host.ring).outcome, Outcome::Done(Err(Errno::NOBUFS)));
    host.ring.give_back(first);
    host.ring.give_back(first);
    assert_eq!(host.ring.received(first), None);
    host.ring.receive_on(slot, RECEIVE);
    let (third, bytes) = received(&mut host);
    assert_eq!(bytes, b"more");
    assert_eq!(host.ring.received(second), Some(&b"abcd"[..]), "given back once, not twice");
    assert_ne!(third, second);
}

#[test]
fn a_cancelled_receive_leaves_the_bytes_in_the_socket() {
    let mut host = host(4, 64);
    let (slot, mut client) = receiving(&mut host);
    host.ring.cancel(RECEIVE);
    assert_eq!(next(&mut host.ring).outcome, Outcome::Done(Err(Errno::CANCELED)));
    client.write_all(b"kept").unwrap();
    assert_eq!(next_within(&mut host.ring, std::time::Duration::from_millis(5)), None);
    host.ring.receive_on(slot, RECEIVE);
    assert_eq!(received(&mut host).1, b"kept");
}

#[test]
fn cancel_and_close_are_heard_by_the_peer() {
    let mut host = host(4, 64);
    let (slot, mut client) = receiving(&mut host);
    host.ring.cancel(RECEIVE);
    host.ring.close(slot);
    host.ring.flush();
    until(&mut host.ring, "the cancel never ends", |ring| ring.next_completion().is_some());
    assert_eq!(client.read(&mut [0]).unwrap(), 0);
}

#[test]
fn a_ring_without_buffers_says_so() {
    let mut host = Host::new();
    let (slot, mut client) = host.connect();
    client.write_all(b"x").unwrap();
    host.ring.receive_on(slot, RECEIVE);
    assert_eq!(next(&mut host.ring).outcome, Outcome::Done(Err(Errno::NOBUFS)));
}

#[test]
fn buffers_are_provided_once() {
    let mut host = host(4, 64);
    let error = host.ring.provide_buffers(4, 64).unwrap_err().to_string();
    assert!(error.contains("IORING_REGISTER_PBUF_RING"), "{error}");
    let (_, mut client) = receiving(&mut host);
    client.write_all(b"still there").unwrap();
    assert_eq!(received(&mut host).1, b"still there");
}

#[test]
fn a_ring_is_dropped_while_receives_are_armed_and_buffers_are_out() {
    let mut host = host(4, 64);
    let pairs: Vec<_> = (0..8).map(|_| receiving(&mut host)).collect();
    for (_, mut client) in pairs.iter().map(|(slot, client)| (slot, client)) {
        client.write_all(b"x").unwrap();
    }
    received(&mut host);
    drop(host);
    for (_, mut client) in pairs {
        let end = client.read(&mut [0]);
        assert!(matches!(&end, Ok(0)) || end.is_err(), "the socket is closed: {end:?}");
    }
}
