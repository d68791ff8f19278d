//! Polls, cancels and closes: who hears what (io-uring.md, facts 3 and 5).

mod common;

use std::io::{ErrorKind, Read};
use std::time::Duration;

use common::{Host, hears_the_end, next_within, until};
use corecast_ring::{Errno, Interest, Outcome, Readiness, Setup, Slot, Token};

const HUP: Token = Token::new(0x11);

#[test]
fn a_peer_that_leaves_ends_the_hangup_poll() {
    let mut host = Host::new();
    let (slot, client) = host.connect();
    host.ring.poll(slot, Interest::Hangup, HUP);
    host.ring.flush();
    drop(client);
    let completion = host.next();
    let Outcome::Done(Ok(bits)) = completion.outcome else { panic!("{completion:?}") };
    assert_eq!((completion.token, bits), (HUP, 0x2000));
    assert!(Readiness::from_bits(bits).is_hangup());
}

#[test]
fn bytes_do_not_end_the_hangup_poll() {
    let mut host = Host::new();
    let (slot, mut client) = host.connect();
    host.ring.poll(slot, Interest::Hangup, HUP);
    std::io::Write::write_all(&mut client, b"noise").unwrap();
    assert_eq!(next_within(&mut host.ring, Duration::from_millis(20)), None);
}

#[test]
fn close_alone_under_an_armed_poll_sends_no_fin() {
    let mut host = Host::new();
    let (slot, mut client) = host.connect();
    host.ring.poll(slot, Interest::Hangup, HUP);
    host.ring.flush();
    host.ring.close(slot);
    host.ring.flush();
    client.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    let heard = client.read(&mut [0]).unwrap_err();
    assert_eq!(heard.kind(), ErrorKind::WouldBlock);
    // The poll holds the connection; its end ends that.
    host.ring.cancel(HUP);
    assert_eq!(host.next().outcome, Outcome::Done(Err(Errno::CANCELED)));
    client.set_read_timeout(Some(common::DEADLINE)).unwrap();
    assert!(hears_the_end(&mut client));
}

#[test]
fn cancel_and_close_in_one_batch_send_a_fin() {
    let mut host = Host::new();
    let (slot, mut client) = host.connect();
    host.ring.poll(slot, Interest::Hangup, HUP);
    host.ring.flush();
    host.ring.cancel(HUP);
    host.ring.close(slot);
    host.ring.flush();
    let completion = host.next();
    assert_eq!((completion.token, completion.outcome), (HUP, Outcome::Done(Err(Errno::CANCELED))));
    assert!(hears_the_end(&mut client));
    assert_eq!(host.ring.next_completion(), None, "cancel and close succeed silently");
    let counters = host.ring.counters();
    assert_eq!((counters.cancel_misses, counters.close_misses), (0, 0));
}

#[test]
fn a_close_without_a_poll_sends_a_fin_and_frees_the_slot_at_once() {
    let mut host = Host::with(&Setup { slots: 1, ..Setup::default() });
    for _ in 0..3 {
        let (slot, mut client) = host.connect();
        host.ring.close(slot);
        host.ring.flush();
        assert!(hears_the_end(&mut client));
        assert_eq!(slot, Slot(0));
    }
}

#[test]
fn a_close_can_be_a_reset() {
    let mut host = Host::new();
    let (slot, mut client) = host.connect();
    host.ring.reset_on_close(slot);
    host.ring.close(slot);
    host.ring.flush();
    let error = client.read(&mut [0; 1]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    assert_eq!(host.ring.counters().reset_misses, 0);
}

#[test]
fn misses_are_counted_and_not_reported() {
    let mut host = Host::new();
    host.ring.cancel(HUP);
    host.ring.close(Slot(63));
    host.ring.close(Slot(1 << 20));
    until(&mut host.ring, "the misses are not counted", |ring| {
        assert_eq!(ring.next_completion(), None);
        let counters = ring.counters();
        (counters.cancel_misses, counters.close_misses) == (1, 2)
    });
}

/// Without the right `want` the kernel stops after about 20 (6.13 and later).
#[test]
fn one_wait_with_a_large_want_takes_everything_that_is_ready() {
    const POLLS: u64 = 200;
    let mut host = Host::with(&Setup { slots: 256, ..Setup::default() });
    let pairs: Vec<_> = (0..POLLS).map(|_| host.connect()).collect();
    for (n, (slot, _)) in (0..).zip(&pairs) {
        host.ring.poll(*slot, Interest::Hangup, Token::new(n));
    }
    host.ring.flush();
    drop(pairs);
    until(&mut host.ring, "the kernel has nothing to do", |ring| ring.taskrun_pending());
    let before = host.ring.counters().enters;
    let mut seen = 0;
    // What was found while waiting for the flag counts as well.
    while seen < POLLS && host.ring.counters().enters - before < 3 {
        seen += host.ring.completions().count() as u64;
        host.ring.wait(512, Some(Duration::ZERO));
    }
    assert_eq!(seen, POLLS);
}

#[test]
fn a_wait_with_nothing_to_do_does_not_enter_the_kernel() {
    let mut host = Host::new();
    let before = host.ring.counters().enters;
    host.ring.wait(0, Some(Duration::ZERO));
    host.ring.flush();
    assert_eq!(host.ring.counters().enters, before);
}

#[test]
fn a_wait_ends_with_its_timeout() {
    let mut host = Host::new();
    let start = std::time::Instant::now();
    host.ring.wait(1, Some(Duration::from_millis(10)));
    assert!(start.elapsed() >= Duration::from_millis(10));
    assert_eq!(host.ring.next_completion(), None);
}
