//! Behind trusted proxies a stream comes from whom they name; from elsewhere such names are only words.

use std::net::IpAddr;

use super::Harness;
use super::harness::{bearer, get};
use crate::settings::Settings;

const PROXY: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));
const STRANGER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 7));

fn trusting(change: impl FnOnce(&mut Settings)) -> Harness {
    Harness::with_shards(2, |settings| {
        settings.trusted_proxies = vec!["10.0.0.0/8".parse().unwrap()];
        settings.limits.per_ip = 1;
        change(settings);
    })
}

/// Whether a stream for `client`, told by `peer`, is let in.
fn is_let_in(hub: &mut Harness, peer: IpAddr, client: &str) -> bool {
    let stream = hub.connect_from(0, peer);
    hub.send(stream, get("/events?topic=a", &format!("X-Forwarded-For: {client}\r\n")));
    !hub.is_closed(stream)
}

#[test]
fn each_client_of_a_proxy_has_the_limit_of_its_own_address() {
    let mut hub = trusting(|_| {});
    assert!(is_let_in(&mut hub, PROXY, "192.0.2.1"));
    assert!(!is_let_in(&mut hub, PROXY, "192.0.2.1"));
    assert!(is_let_in(&mut hub, PROXY, "192.0.2.2"));
    assert!(
        !is_let_in(&mut hub, PROXY, "203.0.113.9, 192.0.2.2"),
        "what the client wrote before is not believed"
    );
}

#[test]
fn a_stranger_cannot_say_who_it_is() {
    let mut hub = trusting(|_| {});
    assert!(is_let_in(&mut hub, STRANGER, "192.0.2.1"));
    assert!(!is_let_in(&mut hub, STRANGER, "192.0.2.2"));
}

#[test]
fn an_address_is_counted_out_as_it_was_counted_in() {
    let mut hub = trusting(|_| {});
    let token = hub.token("alice");
    for round in 0..5 {
        let stream = hub.connect_from(round % 2, PROXY);
        let headers = format!("{}X-Forwarded-For: 192.0.2.1\r\n", bearer(&token));
        hub.send(stream, get("/events?topic=a", &headers));
        assert!(!hub.is_closed(stream), "round {round}");
        hub.hang_up(stream);
    }
    assert_eq!(hub.streams_counted(), 0);
}

#[test]
fn a_kept_connection_of_a_proxy_serves_one_client_after_the_other() {
    let mut hub = trusting(|settings| settings.anonymous = false);
    let kept = hub.connect_from(0, PROXY);
    hub.send(kept, get("/events?topic=a", "X-Forwarded-For: 192.0.2.1\r\n"));
    assert_eq!(hub.answer(kept).status, 401);
    let token = hub.token("alice");
    hub.send(kept, get("/events?topic=a", &format!("{}X-Forwarded-For: 192.0.2.2\r\n", bearer(&token))));
    assert_eq!(hub.status(kept), 200);
    let other = hub.connect_from(1, PROXY);
    let token = hub.token("bob");
    hub.send(other, get("/events?topic=a", &format!("{}X-Forwarded-For: 192.0.2.1\r\n", bearer(&token))));
    assert!(!hub.is_closed(other));
}

#[test]
fn the_table_of_connections_shows_the_client() {
    let mut hub = trusting(|_| {});
    let stream = hub.connect_from(0, PROXY);
    hub.send(stream, get("/events?topic=a", "Forwarded: for=\"192.0.2.1:4711\"\r\n"));
    let id = hub.id_of(stream);
    let shown = hub.engine().peers[id.index as usize].address();
    assert_eq!(shown.to_string(), "192.0.2.1:4711");
}
