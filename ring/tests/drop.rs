//! The end of a ring with operations outstanding: nothing stays with the kernel, and every peer hears it.

mod common;

use common::{Host, client, hears_the_end};
use corecast_ring::{Interest, Outcome, Ring, Setup, Token, Wake, listen};

#[test]
fn a_dropped_ring_ends_its_accepts_and_closes_its_listener() {
    let mut ring = Ring::new(&Setup { slots: 8, accepts: 64, ..Setup::default() }).unwrap();
    let listener = listen("127.0.0.1:0".parse().unwrap(), &corecast_ring::ListenOptions::default()).unwrap();
    let address = listener.local_addr().unwrap();
    for n in 0..64 {
        ring.accept(&listener, Token::new(n)).unwrap();
    }
    ring.flush();
    drop(listener);
    drop(ring);
    // The address is free at once: the accepts, which held the listener, have ended.
    listen(address, &corecast_ring::ListenOptions::default()).unwrap();
}

#[test]
fn accepts_still_queued_when_the_ring_is_dropped_are_ended_as_well() {
    let mut host = Host::new();
    for n in 0..64 {
        host.ring.accept(&host.listener, Token::new(n)).unwrap();
    }
    let Host { ring, listener } = host;
    let address = listener.local_addr().unwrap();
    drop(ring);
    drop(listener);
    listen(address, &corecast_ring::ListenOptions::default()).unwrap();
}

#[test]
fn a_dropped_ring_closes_its_sockets_even_under_polls() {
    let mut host = Host::new();
    let mut clients: Vec<_> = (0..8)
        .map(|n| {
            let (slot, client) = host.connect();
            host.ring.poll(slot, Interest::Hangup, Token::new(n));
            client
        })
        .collect();
    host.ring.watch_wake(&Wake::new().unwrap(), Token::new(9));
    host.ring.flush();
    // Somebody who still has the ring's address does not keep its sockets open.
    let _address = host.ring.address();
    drop(host);
    for client in &mut clients {
        assert!(hears_the_end(client));
    }
}

#[test]
fn what_was_queued_when_the_ring_is_dropped_still_goes_out() {
    let mut host = Host::new();
    let mut other = Ring::new(&Setup { slots: 8, ..Setup::default() }).unwrap();
    host.ring.notify(&other.address(), Token::new(1), Token::new(2));
    drop(host);
    let completion = common::next(&mut other);
    assert_eq!((completion.token, completion.outcome), (Token::new(1), Outcome::Done(Ok(0))));
}

#[test]
fn many_rings_come_and_go_on_one_thread() {
    // A thread has 16 registered ring descriptors; a ring that kept its own would stop this.
    for _ in 0..40 {
        let mut host = Host::with(&Setup { slots: 8, sq_entries: 8, cq_entries: 16, ..Setup::default() });
        host.ring.accept(&host.listener, Token::new(1)).unwrap();
        let _client = client(host.address());
        host.next();
    }
}
