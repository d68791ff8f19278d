//! The limit of open files bounds each ring's table, not the sum (io-uring.md, fact 6), and refusals explain themselves.

mod common;

use common::{Host, client};
use corecast_ring::{Outcome, Ring, Setup, SetupError, raise_nofile};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The soft limit the test lowers its process to, and the slots of each ring.
const SOFT: u64 = 128;

/// The only test of this file: the limit belongs to the process, which all tests of a file share.
#[test]
fn two_rings_hold_more_connections_than_the_limit_of_open_files() {
    let nofile = raise_nofile().unwrap();
    let hard = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: Some(SOFT), maximum: hard }).unwrap();

    let error = Ring::new(&Setup { slots: SOFT as u32 + 1, ..Setup::default() }).err().unwrap();
    let SetupError::TableAboveLimit { slots: 129, soft: SOFT, hard, .. } = error else { panic!("{error:?}") };
    assert_eq!(hard, nofile.hard);

    let setup = Setup { slots: SOFT as u32, ..Setup::default() };
    let mut hosts = [Host::with(&setup), Host::with(&setup)];
    // The clients' plain descriptors count, ours do not.
    setrlimit(Resource::Nofile, Rlimit { current: Some(nofile.hard), maximum: Some(nofile.hard) }).unwrap();
    let mut clients = Vec::new();
    for host in &mut hosts {
        for _ in 0..SOFT {
            host.ring.accept(&host.listener, common::ACCEPT).unwrap();
            clients.push(client(host.address()));
            assert!(matches!(host.next().outcome, Outcome::Accepted { .. }));
        }
    }
    // Now there are twice as many connections as the limit allows descriptors, and all of them work under it.
    setrlimit(Resource::Nofile, Rlimit { current: Some(SOFT), maximum: Some(nofile.hard) }).unwrap();
    for host in &mut hosts {
        for slot in 0..SOFT as u32 {
            assert_eq!(host.send(corecast_ring::Slot(slot), b"x"), None);
        }
    }
    raise_nofile().unwrap();
    let text =
        SetupError::TableAboveLimit { slots: 129, soft: SOFT, hard, source: std::io::Error::other("x") }
            .to_string();
    assert!(text.contains("slots = 129") && text.contains("128") && text.contains("RLIMIT_NOFILE"), "{text}");
}
