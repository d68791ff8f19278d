//! Direct accepts: peer addresses, pacing, a full table, cancelling, and what accepted sockets inherit.

mod common;

use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd;
use std::time::Duration;

use common::{ACCEPT, DEADLINE, Host, client, next, next_within};
use corecast_ring::{
    AcceptsFull, Errno, Keepalive, ListenOptions, Outcome, Ring, Setup, Slot, Token, listen,
};
use socket2::SockRef;

#[test]
fn ipv4_and_ipv6_peers_are_named() {
    // Each connection checks the peer's address against the client's own idea of it.
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let mut host = Host::on(address, &Setup { slots: 8, ..Setup::default() });
        let (_, client) = host.connect();
        assert_eq!(client.local_addr().unwrap().is_ipv6(), address.starts_with('['));
    }
}

#[test]
fn an_ipv4_peer_of_a_dual_stack_listener_is_mapped() {
    let mut ring = Ring::new(&Setup { slots: 8, ..Setup::default() }).unwrap();
    let listener = listen("[::]:0".parse().unwrap(), &ListenOptions::default()).unwrap();
    ring.accept(&listener, ACCEPT).unwrap();
    let port = listener.local_addr().unwrap().port();
    let client = client(SocketAddr::from(([127, 0, 0, 1], port)));
    let Outcome::Accepted { peer, .. } = next(&mut ring).outcome else { panic!("not accepted") };
    assert_eq!(peer.port(), client.local_addr().unwrap().port());
    assert_eq!(peer.ip().to_canonical(), IpAddr::from([127, 0, 0, 1]));
}

#[test]
fn armed_accepts_each_take_one_connection_and_pace_the_rest() {
    let mut host = Host::with(&Setup { slots: 16, accepts: 4, ..Setup::default() });
    let address = host.address();
    for n in 0..4 {
        host.ring.accept(&host.listener, Token::new(n)).unwrap();
    }
    assert_eq!(host.ring.accept(&host.listener, Token::new(4)), Err(AcceptsFull));
    let clients: Vec<_> = (0..6).map(|_| client(address)).collect();
    let mut taken: Vec<(u64, Slot, SocketAddr)> = (0..4)
        .map(|_| match host.next() {
            corecast_ring::Completion { token, outcome: Outcome::Accepted { slot, peer } } => {
                (token.value(), slot, peer)
            }
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(
        next_within(&mut host.ring, Duration::from_millis(20)),
        None,
        "nothing is armed for the other two"
    );
    assert_eq!(host.ring.accepts_free(), 4);
    for n in 4..6 {
        host.ring.accept(&host.listener, Token::new(n)).unwrap();
        let completion = host.next();
        let Outcome::Accepted { slot, peer } = completion.outcome else { panic!("{completion:?}") };
        taken.push((completion.token.value(), slot, peer));
    }
    taken.sort_unstable_by_key(|(token, ..)| *token);
    assert!(taken.iter().map(|(token, ..)| *token).eq(0..6));
    let mut peers: Vec<_> = taken.iter().map(|(.., peer)| peer.to_string()).collect();
    let mut expected: Vec<_> =
        clients.iter().map(|client| client.local_addr().unwrap().to_string()).collect();
    peers.sort_unstable();
    expected.sort_unstable();
    assert_eq!(peers, expected);
}

#[test]
fn a_full_table_closes_the_connection_and_answers_enfile() {
    let mut host = Host::with(&Setup { slots: 1, ..Setup::default() });
    let (slot, _kept) = host.connect();
    host.ring.accept(&host.listener, ACCEPT).unwrap();
    let mut refused = client(host.address());
    assert_eq!(host.next().outcome, Outcome::AcceptFailed(Errno::NFILE));
    assert!(common::hears_the_end(&mut refused));
    // With a free slot it works again.
    host.ring.close(slot);
    host.connect();
}

#[test]
fn cancelled_accepts_end_and_give_their_addresses_back() {
    let mut host = Host::with(&Setup { slots: 8, accepts: 3, ..Setup::default() });
    for n in 0..3 {
        host.ring.accept(&host.listener, Token::new(n)).unwrap();
    }
    host.ring.cancel_accepts();
    let mut tokens: Vec<u64> = (0..3)
        .map(|_| {
            let completion = host.next();
            assert_eq!(completion.outcome, Outcome::AcceptFailed(Errno::CANCELED));
            completion.token.value()
        })
        .collect();
    tokens.sort_unstable();
    assert_eq!(tokens, [0, 1, 2]);
    assert_eq!(host.ring.accepts_free(), 3);
    host.connect();
}

/// The descriptor of a listener that is let go of must not come to name something else while an accept is armed.
#[test]
fn an_armed_accept_keeps_its_listener_open() {
    let mut ring = Ring::new(&Setup { slots: 8, ..Setup::default() }).unwrap();
    let listener = listen("127.0.0.1:0".parse().unwrap(), &ListenOptions::default()).unwrap();
    let address = listener.local_addr().unwrap();
    ring.accept(&listener, ACCEPT).unwrap();
    drop(listener);
    let _client = client(address);
    assert!(matches!(next(&mut ring).outcome, Outcome::Accepted { .. }));
    let refused = std::net::TcpStream::connect_timeout(&address, DEADLINE).unwrap_err();
    assert_eq!(
        refused.kind(),
        std::io::ErrorKind::ConnectionRefused,
        "with its last accept the listener is closed"
    );
}

/// What a listener is set to is what its accepted sockets have. Seen on an accepted plain descriptor, as a slot has no face
/// for options.
#[test]
fn accepted_sockets_inherit_every_option() {
    let second = Duration::from_secs(1);
    let options = ListenOptions {
        send_buffer_bytes: Some(32 * 1024),
        receive_buffer_bytes: Some(8 * 1024),
        not_sent_bytes_max: Some(16 * 1024),
        user_timeout: Some(15 * second),
        keepalive: Some(Keepalive { idle: 30 * second, interval: 10 * second, probes: 3 }),
        ..ListenOptions::default()
    };
    let listener = listen("127.0.0.1:0".parse().unwrap(), &options).unwrap();
    let _client = client(listener.local_addr().unwrap());
    let accepted = rustix::net::accept(listener.as_fd()).unwrap();
    for socket in [SockRef::from(&listener), SockRef::from(&accepted)] {
        assert!(socket.tcp_nodelay().unwrap());
        assert!(socket.keepalive().unwrap());
        assert_eq!(socket.send_buffer_size().unwrap(), 64 * 1024, "accounted twice");
        assert_eq!(socket.recv_buffer_size().unwrap(), 16 * 1024, "accounted twice");
        assert_eq!(socket.tcp_notsent_lowat().unwrap(), 16 * 1024);
        assert_eq!(socket.tcp_user_timeout().unwrap(), Some(15 * second));
        assert_eq!(socket.tcp_keepalive_time().unwrap(), 30 * second);
        assert_eq!(socket.tcp_keepalive_interval().unwrap(), 10 * second);
        assert_eq!(socket.tcp_keepalive_retries().unwrap(), 3);
    }
}
