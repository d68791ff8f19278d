//! Inline sends: whole, short, refused, more than the queue holds, and what they leave alone (io-uring.md, fact 1).

mod common;

use std::time::Duration;

use common::{Host, SEND, read_exactly, reset, unread, until};
use corecast_ring::{Errno, Interest, Outcome, Readiness, Setup, ShortSend, Slot, Token};

#[test]
fn a_whole_send_leaves_no_completion() {
    let mut host = Host::new();
    let (slot, mut client) = host.connect();
    let before = host.ring.counters();
    assert_eq!(host.send(slot, b"data: 1\n\n"), None);
    assert_eq!(host.ring.counters().cqes, before.cqes);
    assert_eq!(read_exactly(&mut client, 9), b"data: 1\n\n");
    assert_eq!(host.ring.next_completion(), None);
}

#[test]
fn a_short_send_says_how_many_bytes_went() {
    let mut host = Host::new();
    let (slot, mut client) = host.connect();
    let bytes: Vec<u8> = (0..1_u32 << 20).map(|n| n as u8).collect();
    let Some(ShortSend { token: SEND, taken: Ok(taken) }) = host.send(slot, &bytes) else {
        panic!("not short")
    };
    assert!((1..bytes.len()).contains(&(taken as usize)), "{taken}");
    assert!(
        read_exactly(&mut client, taken as usize) == bytes[..taken as usize],
        "the bytes reported are those sent"
    );
    assert_eq!(unread(&client), 0, "and no more");
}

#[test]
fn a_full_socket_answers_eagain_and_then_polls_writable() {
    let mut host = Host::new();
    let (slot, mut client) = host.connect();
    host.fill(slot);
    assert_eq!(host.send(slot, b"x"), Some(ShortSend { token: SEND, taken: Err(Errno::AGAIN) }));

    let writable = Token::new(7);
    host.ring.poll(slot, Interest::Writable, writable);
    host.ring.flush();
    assert_eq!(host.ring.next_completion(), None, "it is still full");
    client.set_nonblocking(true).unwrap();
    let mut sink = vec![0; 1 << 16];
    let mut found = None;
    until(&mut host.ring, "the socket never drains", |ring| {
        let _ = std::io::Read::read(&mut client, &mut sink);
        found = ring.next_completion();
        found.is_some()
    });
    let completion = found.unwrap();
    let Outcome::Done(Ok(bits)) = completion.outcome else { panic!("{completion:?}") };
    assert_eq!(completion.token, writable);
    assert!(Readiness::from_bits(bits).is_writable());
}

#[test]
fn a_reset_peer_answers_econnreset_and_then_epipe() {
    let mut host = Host::new();
    let (slot, client) = host.connect();
    let gone = Token::new(9);
    host.ring.poll(slot, Interest::Hangup, gone);
    host.ring.flush();
    reset(client);
    // The poll shows that the reset has arrived.
    let completion = host.next();
    let Outcome::Done(Ok(bits)) = completion.outcome else { panic!("{completion:?}") };
    assert!(Readiness::from_bits(bits).is_hangup());
    for errno in [Errno::CONNRESET, Errno::PIPE] {
        assert_eq!(host.send(slot, b"x"), Some(ShortSend { token: SEND, taken: Err(errno) }));
    }
}

#[test]
fn an_empty_slot_answers_ebadf() {
    let mut host = Host::new();
    for slot in [Slot(3), Slot(u32::MAX)] {
        assert_eq!(host.send(slot, b"x"), Some(ShortSend { token: SEND, taken: Err(Errno::BADF) }));
    }
}

#[test]
fn more_sends_than_the_queue_holds_all_go_out_in_order() {
    let mut host = Host::with(&Setup { slots: 8, sq_entries: 8, cq_entries: 16, ..Setup::default() });
    let (slot, mut client) = host.connect();
    let lines: Vec<String> = (0..1_000).map(|n| format!("{n:03}\n")).collect();
    let mut short = Vec::new();
    // One slot many times is against the advice of `send_all`; here nothing comes out short.
    let mut read = Vec::new();
    for part in lines.chunks(500) {
        host.ring.send_all(part.iter().map(|line| (slot, SEND, line.as_bytes())), &mut short);
        read.extend(read_exactly(&mut client, 2_000));
    }
    assert_eq!(short, []);
    assert!(read == lines.concat().into_bytes(), "order was lost");
}

#[test]
fn failures_beyond_the_completion_queue_are_all_reported() {
    let setup = Setup { slots: 8, sq_entries: 8, cq_entries: 16, ..Setup::default() };
    let mut host = Host::with(&setup);
    let mut short = Vec::new();
    host.ring.send_all((0..1_000).map(|n| (Slot(5), Token::new(n), &b"x"[..])), &mut short);
    let expected: Vec<_> =
        (0..1_000).map(|n| ShortSend { token: Token::new(n), taken: Err(Errno::BADF) }).collect();
    assert!(short == expected, "{} of 1000", short.len());
    assert_eq!(host.ring.counters().cqes_stale, 0);
}

/// A backlog beyond the completion queue is where order and reports could be lost.
#[test]
fn a_failure_behind_a_backlog_of_completions_is_reported_at_once() {
    let setup = Setup { slots: 128, sq_entries: 8, cq_entries: 16, ..Setup::default() };
    let mut host = Host::with(&setup);
    let polls = 100;
    let pairs: Vec<_> = (0..polls).map(|_| host.connect()).collect();
    for (n, (slot, _)) in (0..).zip(&pairs) {
        host.ring.poll(*slot, Interest::Hangup, Token::new(n));
    }
    host.ring.flush();
    drop(pairs);
    host.ring.wait(polls as usize, Some(Duration::from_secs(1)));
    assert_eq!(host.send(Slot(127), b"x"), Some(ShortSend { token: SEND, taken: Err(Errno::BADF) }));
    assert!(host.ring.counters().cq_backlogs > 0, "the test made no backlog");

    let mut tokens: Vec<u64> = (0..polls).map(|_| host.next().token.value()).collect();
    tokens.sort_unstable();
    assert!(tokens.into_iter().eq(0..polls), "each poll ends once");
    assert_eq!(host.ring.counters().cqes_dropped, 0);
}

#[test]
fn completions_seen_while_sending_keep_their_order() {
    let mut host = Host::new();
    let (slot, mut client) = host.connect();
    let other = host.ring.address();
    // Messages to itself complete in the order they were queued, with the sends' enters.
    for n in 0..40 {
        host.ring.notify(&other, Token::new(n), Token::new(1_000));
        assert_eq!(host.send(slot, b"x"), None);
        assert_eq!(host.send(Slot(60), b"x"), Some(ShortSend { token: SEND, taken: Err(Errno::BADF) }));
    }
    for n in 0..40 {
        assert_eq!(host.next().token, Token::new(n));
    }
    assert_eq!(host.ring.next_completion(), None);
    assert_eq!(read_exactly(&mut client, 40), [b'x'; 40]);
}

#[test]
fn an_iterator_that_panics_leaves_a_ring_that_works() {
    let mut host = Host::new();
    let (slot, mut client) = host.connect();
    let mut short = Vec::new();
    let lent = String::from("lent");
    let sends = (0..300).map(|n| {
        assert!(n < 280, "the iterator gives up");
        (slot, SEND, lent.as_bytes())
    });
    let outcome =
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| host.ring.send_all(sends, &mut short)));
    assert!(outcome.is_err());
    drop(lent);
    assert_eq!(host.send(slot, b"end"), None);
    // The first batch went out whole, of the second nothing.
    let bytes = read_exactly(&mut client, 256 * 4 + 3);
    assert_eq!(&bytes[256 * 4..], b"end");
    assert_eq!(unread(&client), 0);
}

#[test]
fn an_empty_send_is_whole() {
    let mut host = Host::new();
    let (slot, _client) = host.connect();
    assert_eq!(host.send(slot, b""), None);
}
