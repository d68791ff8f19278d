//! Outgoing connections: made, bound and connected in one go, each with exactly one completion.
#![expect(clippy::unwrap_used, reason = "a test that cannot set up its sockets should say so and stop")]

mod common;

use std::collections::HashSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

use common::{DEADLINE, Host, next, until};
use corecast_ring::{Connect, Errno, Outcome, Ring, Setup, Slot, Token};

fn ring(slots: u32) -> Ring {
    Ring::new(&Setup { slots, sq_entries: 16, cq_entries: 256, ..Setup::default() }).unwrap()
}

fn connect(slot: u32, from: Option<&str>, to: SocketAddr) -> Connect {
    let from = from.map(|from| from.parse().unwrap());
    Connect { slot: Slot(slot), from, to, token: Token::new(slot.into()) }
}

#[test]
fn connections_come_from_the_address_that_was_asked_for() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let to = listener.local_addr().unwrap();
    let mut ring = ring(4);
    ring.connect_all([connect(0, Some("127.8.7.6:0"), to), connect(1, None, to)]);
    let mut peers = HashSet::new();
    for _ in 0..2 {
        assert_eq!(next(&mut ring).outcome, Outcome::Done(Ok(0)));
        peers.insert(listener.accept().unwrap().1.ip().to_string());
    }
    assert_eq!(peers, HashSet::from(["127.8.7.6".to_owned(), "127.0.0.1".to_owned()]));
    assert_eq!(ring.next_completion(), None, "one completion each");
}

#[test]
fn more_than_the_queue_holds_are_all_made() {
    const COUNT: u32 = 100;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let to = listener.local_addr().unwrap();
    let mut ring = ring(COUNT);
    ring.connect_all((0..COUNT).map(|slot| connect(slot, Some("127.0.0.1:0"), to)));
    let mut slots = HashSet::new();
    for _ in 0..COUNT {
        let completion = next(&mut ring);
        assert_eq!(completion.outcome, Outcome::Done(Ok(0)));
        assert!(slots.insert(completion.token.value()), "one completion each");
    }
    assert_eq!(ring.next_completion(), None);
}

#[test]
fn each_step_that_fails_is_told_once() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let to = listener.local_addr().unwrap();
    let nobody = {
        let closed = TcpListener::bind("127.0.0.1:0").unwrap();
        closed.local_addr().unwrap()
    };
    let taken = to.to_string();
    for (case, expected) in [
        (connect(0, None, nobody), Errno::CONNREFUSED),
        (connect(0, Some("192.0.2.1:0"), to), Errno::ADDRNOTAVAIL),
        (connect(0, Some(&taken), to), Errno::ADDRINUSE),
        (connect(9, None, to), Errno::BADF),
        (connect(u32::MAX, None, to), Errno::BADF),
    ] {
        let mut ring = ring(2);
        ring.connect_all([case]);
        assert_eq!(next(&mut ring).outcome, Outcome::Done(Err(expected)), "{case:?}");
        ring.wait(1, Some(std::time::Duration::from_millis(1)));
        assert_eq!(ring.next_completion(), None, "{case:?}");
    }
}

#[test]
fn a_slot_is_used_again_at_once() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let to = listener.local_addr().unwrap();
    let mut ring = ring(1);
    for round in 0..10 {
        ring.connect_all([connect(0, Some("127.0.0.1:0"), to)]);
        assert_eq!(next(&mut ring).outcome, Outcome::Done(Ok(0)), "round {round}");
        let (mut peer, _) = listener.accept().unwrap();
        peer.set_read_timeout(Some(DEADLINE)).unwrap();
        ring.close(Slot(0));
        ring.flush();
        assert_eq!(peer.read(&mut [0]).unwrap(), 0, "round {round}");
    }
    assert_eq!(ring.counters().close_misses, 0);
}

#[test]
fn an_adopted_socket_lives_in_its_slot() {
    let mut host = Host::new();
    let (slot, client) = host.connect();
    let mut other = ring(3);
    other.adopt(Slot(2), client.into()).unwrap();
    let mut short = Vec::new();
    other.send_all([(Slot(2), Token::new(1), &b"adopted"[..])], &mut short);
    assert!(short.is_empty(), "{short:?}");
    let mut received = Vec::new();
    until(&mut host.ring, "the bytes do not arrive", |ring| {
        ring.receive_all([(slot, Token::new(2))], |_, bytes| {
            received.extend_from_slice(bytes.unwrap_or_default())
        });
        received == b"adopted"
    });
    let mut client = TcpStream::connect(host.address()).unwrap();
    client.write_all(b"x").unwrap();
    assert!(other.adopt(Slot(3), client.into()).is_err(), "a slot that the table does not have");
}

#[test]
fn a_thread_has_more_rings_than_registered_descriptors() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let to = listener.local_addr().unwrap();
    let mut rings: Vec<Ring> = (0..40).map(|_| ring(1)).collect();
    for ring in &mut rings {
        ring.connect_all([connect(0, None, to)]);
        assert_eq!(next(ring).outcome, Outcome::Done(Ok(0)));
    }
    drop(rings);
    let rings: Vec<Ring> = (0..16).map(|_| ring(1)).collect();
    assert!(rings.iter().all(|ring| ring.counters().cqes_dropped == 0), "their room is free again");
}
