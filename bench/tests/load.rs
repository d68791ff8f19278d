//! The load against small servers that behave and misbehave: everything that is wrong is noticed.
#![expect(clippy::unwrap_used, reason = "a server that cannot speak should say so and stop the test")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::channel;
use std::thread::JoinHandle;
use std::time::Duration;

use corecast_bench::load::{ANY, Fault, Load, LoadOptions, Protocol, PublisherId};
use corecast_bench::mark::{Mark, TO_ALL};

const WITHIN: Duration = Duration::from_secs(10);
const REQUEST: &[u8] = b"GET /events HTTP/1.1\r\nHost: hub\r\n\r\n";
const HEAD: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n:\n\n\r\n";

/// A server whose thread runs `serve` and ends with the test.
fn server<T: Send + 'static>(
    serve: impl FnOnce(TcpListener) -> T + Send + 'static,
) -> (SocketAddr, JoinHandle<T>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (address, std::thread::spawn(move || serve(listener)))
}

fn options(address: SocketAddr, subscribers: u32) -> LoadOptions {
    LoadOptions {
        subscribe: address,
        publish: address,
        protocol: Protocol::Http,
        subscribers,
        core: corecast_ring::cores().unwrap()[0],
    }
}

/// A load of which the first `subscribers` are connecting.
fn load(address: SocketAddr, subscribers: u32) -> Load {
    let mut load = Load::new(&options(address, subscribers), 0).unwrap();
    (0..subscribers).for_each(|subscriber| load.connect(subscriber, REQUEST.to_vec(), 0));
    load
}

fn accept(listener: &TcpListener) -> TcpStream {
    let (mut stream, _) = listener.accept().unwrap();
    stream.set_nodelay(true).unwrap();
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        request.push(byte[0]);
    }
    stream
}

fn subscriber(listener: &TcpListener) -> TcpStream {
    let mut stream = accept(listener);
    stream.write_all(HEAD).unwrap();
    stream
}

fn event(stream: u32, number: u32) -> Vec<u8> {
    let mut block = b"data: ".to_vec();
    Mark { stream, number, intended_ns: 1 }.write(64, &mut block);
    block.extend_from_slice(format!("\nid: {number:08x}-1\n\n").as_bytes());
    [format!("{:x}\r\n", block.len()).as_bytes(), &block, b"\r\n"].concat()
}

/// Waits until the other side has closed.
fn await_end(mut stream: TcpStream) {
    let _ = stream.read_to_end(&mut Vec::new());
}

#[test]
fn events_in_order_are_counted_once_each() {
    let (address, server) = server(|listener| {
        let mut streams = [subscriber(&listener), subscriber(&listener)];
        for number in 0..100 {
            streams.iter_mut().for_each(|stream| stream.write_all(&event(TO_ALL, number)).unwrap());
        }
        streams.into_iter().for_each(await_end);
    });
    let mut load = load(address, 2);
    load.remember_ids(0);
    load.drop_subscriber(0);
    load.connect(0, REQUEST.to_vec(), 0);
    load.run_until(WITHIN, "all events", |load| load.delivered_to_all() == 100).unwrap();
    let totals = load.totals();
    assert_eq!((totals.connected, totals.live, totals.deliveries, totals.ended), (2, 2, 200, 0));
    assert_eq!(load.last_event_id(0), Some("00000063-1"));
    assert_eq!(load.last_event_id(1), None);
    assert_eq!((load.take_latencies().len(), load.take_last_byte_times().len()), (200, 100));
    assert_eq!((load.take_latencies().len(), load.take_last_byte_times().len()), (0, 0));
    (0..2).for_each(|subscriber| load.drop_subscriber(subscriber));
    load.turn(Duration::ZERO).unwrap();
    server.join().unwrap();
}

#[test]
fn a_stream_may_be_cut_at_every_byte() {
    let stream: Vec<u8> = [HEAD, &event(TO_ALL, 0), &event(0, 0), &event(TO_ALL, 1)].concat();
    let (address, server) = server(move |listener| {
        let mut connection = accept(&listener);
        stream.chunks(1).for_each(|byte| connection.write_all(byte).unwrap());
        await_end(connection);
    });
    let mut load = load(address, 1);
    load.run_until(WITHIN, "all events", |load| load.totals().deliveries == 3).unwrap();
    drop(load);
    server.join().unwrap();
}

#[test]
fn whatever_is_wrong_with_a_stream_is_a_fault() {
    let two = |first: Vec<u8>, second: Vec<u8>| [HEAD, &first, &second].concat();
    let lost = |expected, got| Fault::OutOfOrder { subscriber: 0, stream: TO_ALL, expected, got };
    let refused = |head: &str| Fault::Refused { subscriber: 0, head: head.to_owned() };
    let cases: Vec<(&str, Vec<u8>, Fault)> = vec![
        ("lost", two(event(TO_ALL, 0), event(TO_ALL, 2)), lost(1, 2)),
        ("doubled", two(event(TO_ALL, 0), event(TO_ALL, 0)), lost(1, 0)),
        ("reordered", two(event(TO_ALL, 1), event(TO_ALL, 0)), lost(0, 1)),
        (
            "own event lost",
            two(event(0, 0), event(0, 2)),
            Fault::OutOfOrder { subscriber: 0, stream: 0, expected: 1, got: 2 },
        ),
        ("another's", two(event(TO_ALL, 0), event(9, 0)), Fault::Misdelivered { subscriber: 0, stream: 9 }),
        (
            "broken mark",
            two(Vec::new(), b"5\r\n~12g4\r\n".to_vec()),
            Fault::Garbage { subscriber: 0, bytes: "3\\r\\n:\\n\\n\\r\\n5\\r\\n~12g4\\r\\n".to_owned() },
        ),
        (
            "status",
            b"HTTP/1.1 503 Full\r\n\r\n".to_vec(),
            refused("the status is not 200: HTTP/1.1 503 Full\\r\\n\\r\\n"),
        ),
        (
            "type",
            b"HTTP/1.1 200 OK\r\n\r\n".to_vec(),
            refused("the answer is no text/event-stream: HTTP/1.1 200 OK\\r\\n\\r\\n"),
        ),
        ("no HTTP", b"SSH-2.0\r\n".to_vec(), refused("no HTTP answer (invalid HTTP version): SSH-2.0\\r\\n")),
    ];
    for (name, bytes, expected) in cases {
        let (address, server) = server(move |listener| {
            let mut connection = accept(&listener);
            connection.write_all(&bytes).unwrap();
            await_end(connection);
        });
        let mut load = load(address, 1);
        let fault = load.run_until(WITHIN, "nothing", |_| false).unwrap_err();
        assert_eq!(fault, expected, "{name}");
        assert_eq!(load.turn(Duration::ZERO), Err(expected), "{name}: the first fault stays");
        drop(load);
        server.join().unwrap();
    }
}

#[test]
fn an_end_is_a_fault_that_says_what_ended() {
    for (name, bytes, part) in [
        ("live", HEAD, "subscriber 0 was disconnected: the server closed the connection"),
        ("silent", b"", "subscriber 0 was disconnected: the server closed the connection"),
        ("half a head", b"HTTP/1.1 200", "subscriber 0 was refused: HTTP/1.1 200"),
    ] {
        let (address, server) = server(move |listener| accept(&listener).write_all(bytes).unwrap());
        let mut load = load(address, 1);
        let fault = load.run_until(WITHIN, "nothing", |_| false).unwrap_err();
        assert_eq!(fault.to_string(), part, "{name}");
        assert_eq!((load.totals().ended, load.totals().connected, load.totals().live), (1, 0, 0), "{name}");
        server.join().unwrap();
    }
}

#[test]
fn the_whole_stream_of_a_remembered_subscriber_is_checked() {
    let (address, server) = server(|listener| {
        let mut connection = subscriber(&listener);
        connection.write_all(b"7\r\n<html>\n\r\n").unwrap();
        await_end(connection);
    });
    let mut load = Load::new(&options(address, 1), 0).unwrap();
    load.remember_ids(0);
    load.connect(0, REQUEST.to_vec(), 0);
    let fault = load.run_until(WITHIN, "nothing", |_| false).unwrap_err();
    assert_eq!(fault, Fault::Garbage { subscriber: 0, bytes: "no field of an event: <html>".to_owned() });
    drop(load);
    server.join().unwrap();
}

#[test]
fn a_target_that_does_not_listen_is_named() {
    let (address, server) = server(drop);
    server.join().unwrap();
    let fault = load(address, 1).run_until(WITHIN, "nothing", |_| false).unwrap_err();
    let Fault::Connect { to, cause } = &fault else { panic!("{fault}") };
    assert_eq!(*to, address);
    assert!(cause.contains("nothing listens there"), "{cause}");
    let fault = Load::new(&options(address, 1), 1).err().unwrap();
    assert!(matches!(fault, Fault::Connect { to, .. } if to == address), "{fault}");
}

#[test]
fn what_does_not_happen_in_time_is_named() {
    let (address, server) = server(|listener| await_end(subscriber(&listener)));
    let mut load = load(address, 1);
    let within = Duration::from_millis(50);
    let fault = load.run_until(within, "an event", |load| load.totals().deliveries > 0).unwrap_err();
    let Fault::TooLate { what, state, .. } = &fault else { panic!("{fault}") };
    assert!(what == "an event" && state.contains("0 delivered to all"), "{fault}");
    drop(load);
    server.join().unwrap();
}

#[test]
fn a_stalled_subscriber_holds_the_server_up_and_then_gets_everything() {
    const EVENTS: u32 = 200_000;
    let (address, server) = server(|listener| {
        let mut connection = subscriber(&listener);
        // Once it is live, and told to be stalled, a first event shows that the receive is gone.
        let mut go = accept(&listener);
        connection.set_nonblocking(true).unwrap();
        let mut bytes: Vec<u8> = (0..EVENTS).flat_map(|number| event(TO_ALL, number)).collect();
        let total = bytes.len();
        while let Ok(len) = connection.write(&bytes) {
            bytes.drain(..len);
        }
        assert!(!bytes.is_empty(), "{total} bytes did not fill the socket");
        go.write_all(HEAD).unwrap();
        connection.set_nonblocking(false).unwrap();
        connection.write_all(&bytes).unwrap();
        await_end(connection);
    });
    let mut load = Load::new(&options(address, 2), 0).unwrap();
    load.connect(0, REQUEST.to_vec(), 0);
    load.run_until(WITHIN, "the first", |load| load.totals().live == 1).unwrap();
    load.stall(0);
    load.turn(Duration::ZERO).unwrap();
    load.connect(1, REQUEST.to_vec(), EVENTS);
    load.run_until(WITHIN, "a full socket", |load| load.totals().live == 2).unwrap();
    assert_eq!(load.totals().deliveries, 0);
    assert_eq!(load.delivered_to_all(), EVENTS, "who is stalled does not count");
    load.unstall(0);
    assert_eq!(load.delivered_to_all(), 0);
    load.run_until(WITHIN, "everything", |load| load.delivered_to_all() == EVENTS).unwrap();
    load.drop_subscriber(1);
    drop(load);
    server.join().unwrap();
}

#[test]
fn who_is_dropped_comes_back_where_it_left() {
    const ROUNDS: u32 = 50;
    let (address, server) = server(|listener| {
        let mut old = Vec::new();
        for round in 0..ROUNDS {
            let mut connection = subscriber(&listener);
            connection.write_all(&event(TO_ALL, round)).unwrap();
            old.push(connection);
        }
        old.into_iter().for_each(await_end);
    });
    let mut load = Load::new(&options(address, 1), 0).unwrap();
    for round in 0..ROUNDS {
        load.connect(0, REQUEST.to_vec(), round);
        load.run_until(WITHIN, "an event", |load| load.delivered_to_all() == round + 1).unwrap();
        load.drop_subscriber(0);
        load.drop_subscriber(0);
    }
    assert_eq!((load.totals().connected, load.totals().ended), (0, 0));
    load.turn(Duration::ZERO).unwrap();
    server.join().unwrap();
}

#[test]
fn who_expects_any_event_begins_with_the_first_and_then_misses_none() {
    for (numbers, expected) in [
        ([0, 40, 41], Ok(())),
        ([0, 40, 42], Err(Fault::OutOfOrder { subscriber: 1, stream: TO_ALL, expected: 41, got: 42 })),
    ] {
        let (address, server) = server(move |listener| {
            let mut resident = subscriber(&listener);
            let mut guest = subscriber(&listener);
            resident.write_all(&event(TO_ALL, numbers[0])).unwrap();
            numbers[1..].iter().for_each(|&number| guest.write_all(&event(TO_ALL, number)).unwrap());
            [resident, guest].into_iter().for_each(await_end);
        });
        let mut load = load(address, 2);
        load.drop_subscriber(1);
        load.run_until(WITHIN, "the resident", |load| load.totals().live == 1).unwrap();
        load.connect(1, REQUEST.to_vec(), ANY);
        let received = load.run_until(WITHIN, "all events", |load| load.totals().deliveries == 3);
        assert_eq!(received, expected);
        if expected.is_ok() {
            assert_eq!(load.delivered_to_all(), 1, "the resident waits for the second event");
        }
        drop(load);
        server.join().unwrap();
    }
}

#[test]
fn small_tables_take_more_rings() {
    const SUBSCRIBERS: u32 = 2_000;
    let (address, server) = server(|listener| {
        let mut streams: Vec<_> = (0..SUBSCRIBERS).map(|_| subscriber(&listener)).collect();
        for number in 0..3 {
            streams.iter_mut().for_each(|stream| stream.write_all(&event(TO_ALL, number)).unwrap());
        }
        streams.into_iter().for_each(await_end);
    });
    let mut load = Load::with_tables(&options(address, SUBSCRIBERS), 0, 1_000).unwrap();
    (0..SUBSCRIBERS).for_each(|subscriber| load.connect(subscriber, REQUEST.to_vec(), 0));
    load.run_until(WITHIN, "all live", |load| load.totals().live == SUBSCRIBERS).unwrap();
    load.run_until(WITHIN, "all events", |load| load.delivered_to_all() == 3).unwrap();
    assert_eq!(load.totals().deliveries, 3 * u64::from(SUBSCRIBERS));
    drop(load);
    server.join().unwrap();
}

const POST: &[u8] = b"POST /publish HTTP/1.1\r\nHost: hub\r\nContent-Length: 0\r\n\r\n";

/// A load with one publisher, whose requests are answered with `answers`, which are written in pieces of `piece` bytes.
fn publish(answers: &[u8], piece: usize, requests: u32) -> Result<u64, Fault> {
    let bytes = answers.to_vec();
    let (address, server) = server(move |listener| {
        let mut connection = accept(&listener);
        bytes.chunks(piece).for_each(|piece| connection.write_all(piece).unwrap());
        await_end(connection);
    });
    let mut load = Load::new(&options(address, 0), 1).unwrap();
    let publisher = PublisherId(0);
    load.publish(publisher, &POST.repeat(requests as usize), requests);
    assert_eq!(load.unanswered(publisher), requests);
    load.run_until(WITHIN, "all answers", |load| load.unanswered(publisher) == 0)?;
    assert_eq!(load.take_answer_times().len(), u64::from(requests));
    let published = load.totals().published;
    drop(load);
    server.join().unwrap();
    Ok(published)
}

#[test]
fn answers_to_publishers_are_read_whole_or_in_pieces() {
    let answers = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}\
        HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n\
        HTTP/1.1 204 No Content\r\n\r\n";
    for piece in [1, 7, answers.len()] {
        assert_eq!(publish(answers, piece, 3), Ok(3), "pieces of {piece}");
    }
}

#[test]
fn a_connection_that_was_closed_while_idle_is_opened_again() {
    let (closed, until_closed) = channel();
    let (address, server) = server(move |listener| {
        for _ in 0..2 {
            accept(&listener).write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").unwrap();
            closed.send(()).unwrap();
        }
    });
    let mut load = Load::new(&options(address, 0), 1).unwrap();
    for published in 1..=2 {
        load.publish(PublisherId(0), POST, 1);
        load.run_until(WITHIN, "the answer", |load| load.totals().published == published).unwrap();
        until_closed.recv_timeout(WITHIN).unwrap();
        // The end has arrived; these take it.
        (0..3).for_each(|_| load.turn(Duration::from_millis(10)).unwrap());
    }
    server.join().unwrap();
}

#[test]
fn an_answer_other_than_2xx_is_a_fault() {
    let refused = "HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n";
    let closing = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    let unasked = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".repeat(2);
    for (answers, part) in [
        (refused, "a publishing request was answered: HTTP/1.1 503 No"),
        (closing, "a publisher was disconnected: the server closes the connection behind its answer"),
        (&unasked, "an answer to no request"),
        ("nonsense\r\n", "no HTTP answer"),
    ] {
        let fault = publish(answers.as_bytes(), 1_000, 1).unwrap_err();
        assert!(fault.to_string().contains(part), "{fault}");
    }
}

#[test]
fn requests_that_do_not_fit_the_socket_are_sent_as_it_takes_them() {
    const BYTES: usize = 16 << 20;
    let (address, server) = server(|listener| {
        let (mut connection, _) = listener.accept().unwrap();
        let mut body = vec![0; BYTES];
        connection.read_exact(&mut body).unwrap();
        connection.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").unwrap();
        await_end(connection);
        body
    });
    let mut load = Load::new(&options(address, 0), 1).unwrap();
    let body: Vec<u8> = (0..BYTES).map(|index| (index % 251) as u8).collect();
    load.publish(PublisherId(0), &body, 1);
    load.run_until(WITHIN, "the answer", |load| load.unanswered(PublisherId(0)) == 0).unwrap();
    drop(load);
    assert!(server.join().unwrap() == body, "the bytes arrive as they were sent");
}
