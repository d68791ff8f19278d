//! Sockets and messages from ring to ring (io-uring.md, §5.4).

mod common;

use std::io::Write;
use std::sync::mpsc;
use std::thread;

use common::{Host, hears_the_end, next, read_exactly};
use corecast_ring::{Errno, Interest, Outcome, Ring, Setup, Slot, Token};

const ARRIVE: Token = Token::new(0xA0);
const FAILED: Token = Token::new(0xA1);

fn small() -> Setup {
    Setup { slots: 4, ..Setup::default() }
}

fn arrival(ring: &mut Ring) -> Slot {
    let completion = next(ring);
    let Outcome::Done(Ok(slot)) = completion.outcome else { panic!("{completion:?}") };
    assert_eq!(completion.token, ARRIVE);
    Slot(slot)
}

#[test]
fn a_passed_connection_lives_on_in_the_other_ring() {
    let mut host = Host::new();
    let mut home = Ring::new(&small()).unwrap();
    let (slot, mut client) = host.connect();
    host.ring.pass(slot, &home.address(), ARRIVE, FAILED);
    host.ring.close(slot);
    host.ring.flush();
    let moved = arrival(&mut home);

    let mut short = Vec::new();
    home.send_all([(moved, FAILED, &b"moved"[..])], &mut short);
    assert_eq!(short, []);
    assert_eq!(read_exactly(&mut client, 5), b"moved");
    client.write_all(b"still here").unwrap();
    home.poll(moved, Interest::Readable, ARRIVE);
    next(&mut home);
    let mut heard = Vec::new();
    home.receive_all([(moved, ARRIVE)], |_, bytes| heard.extend_from_slice(bytes.unwrap()));
    assert_eq!(heard, b"still here");

    home.close(moved);
    home.flush();
    assert!(hears_the_end(&mut client));
    assert_eq!(host.ring.next_completion(), None, "the sender hears nothing of a success");
}

#[test]
fn connections_are_passed_between_threads() {
    let mut host = Host::new();
    let (address, addresses) = mpsc::channel();
    let (done, dones) = mpsc::channel();
    let home = thread::spawn(move || {
        let mut home = Ring::new(&Setup { slots: 64, ..Setup::default() }).unwrap();
        address.send(home.address()).unwrap();
        for _ in 0..32 {
            let slot = arrival(&mut home);
            let mut short = Vec::new();
            home.send_all([(slot, ARRIVE, &b"hello"[..])], &mut short);
            assert_eq!(short, []);
        }
        // The sockets are open as long as this ring is.
        dones.recv().unwrap();
    });
    let to = addresses.recv().unwrap();
    let mut clients = Vec::new();
    for _ in 0..32 {
        let (slot, client) = host.connect();
        host.ring.pass(slot, &to, ARRIVE, FAILED);
        host.ring.close(slot);
        host.ring.flush();
        clients.push(client);
    }
    for client in &mut clients {
        assert_eq!(read_exactly(client, 5), b"hello");
    }
    done.send(()).unwrap();
    home.join().unwrap();
    for client in &mut clients {
        assert!(hears_the_end(client), "a ring that is dropped closes its sockets");
    }
    host.ring.wait(0, None);
    assert_eq!(host.ring.next_completion(), None);
}

#[test]
fn a_full_target_tells_the_sender_and_nobody_else() {
    let mut host = Host::new();
    let mut home = Ring::new(&Setup { slots: 1, ..Setup::default() }).unwrap();
    let (first, _first_client) = host.connect();
    let (second, mut client) = host.connect();
    for slot in [first, second] {
        host.ring.pass(slot, &home.address(), ARRIVE, FAILED);
    }
    host.ring.flush();
    arrival(&mut home);
    // The sender hears of it once the target's thread has tried.
    common::until(&mut home, "the target has tried", |_| {
        host.ring.wait(1, Some(std::time::Duration::from_millis(1)));
        host.ring.next_completion().is_some_and(|completion| {
            assert_eq!((completion.token, completion.outcome), (FAILED, Outcome::Done(Err(Errno::NFILE))));
            true
        })
    });
    assert_eq!(home.next_completion(), None);
    // It was not closed here, so it is still ours.
    assert_eq!(host.send(second, b"kept"), None);
    assert_eq!(read_exactly(&mut client, 4), b"kept");
}

#[test]
fn an_empty_slot_cannot_be_passed() {
    let mut host = Host::new();
    let home = Ring::new(&small()).unwrap();
    host.ring.pass(Slot(9), &home.address(), ARRIVE, FAILED);
    let completion = host.next();
    assert_eq!((completion.token, completion.outcome), (FAILED, Outcome::Done(Err(Errno::BADF))));
}

#[test]
fn a_ring_cannot_pass_to_itself() {
    let mut host = Host::new();
    let (slot, _client) = host.connect();
    host.ring.pass(slot, &host.ring.address(), ARRIVE, FAILED);
    let completion = host.next();
    assert_eq!((completion.token, completion.outcome), (FAILED, Outcome::Done(Err(Errno::INVAL))));
}

#[test]
fn a_ring_that_is_gone_answers_with_an_error() {
    let mut host = Host::new();
    let dropped = Ring::new(&small()).unwrap().address();
    let ended = thread::spawn(|| Ring::new(&small()).unwrap().address()).join().unwrap();
    for (to, errno) in [(dropped, Errno::NFILE), (ended, Errno::OWNERDEAD)] {
        let (slot, mut client) = host.connect();
        host.ring.pass(slot, &to, ARRIVE, FAILED);
        let completion = host.next();
        assert_eq!((completion.token, completion.outcome), (FAILED, Outcome::Done(Err(errno))));
        host.ring.close(slot);
        host.ring.flush();
        assert!(hears_the_end(&mut client), "nobody else holds it");
    }
}

#[test]
fn a_message_wakes_another_ring() {
    let mut host = Host::new();
    let mut home = Ring::new(&small()).unwrap();
    host.ring.notify(&home.address(), ARRIVE, FAILED);
    host.ring.flush();
    assert_eq!(arrival(&mut home), Slot(0), "a message carries 0");
    assert_eq!(host.ring.next_completion(), None);
}
