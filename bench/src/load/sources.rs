//! Where connections come from: many addresses of the loopback network, so that ports never run out.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// Connections from one address: well below the 28,232 ports of the kernel's default range, of which those that lately
/// closed are in TIME_WAIT, so a free one is found at the first look.
const PER_ADDRESS: u32 = 8192;

/// Addresses from 127.1.0.0 on, below 127.255.0.0.
const ADDRESSES: u32 = 254 << 16;

/// Hands out local addresses for connections to one target.
#[derive(Debug)]
pub(super) struct Sources {
    is_loopback: bool,
    address: u32,
    used: u32,
}

impl Sources {
    /// For connections to `to`. It begins anywhere, since the ports of a load before this one may be in TIME_WAIT.
    pub(super) fn new(to: SocketAddr) -> Self {
        let is_loopback = matches!(to.ip(), IpAddr::V4(ip) if ip.is_loopback());
        Self { is_loopback, address: fastrand::u32(..ADDRESSES), used: 0 }
    }

    /// The next local address, with a port of the kernel's choice; `None` leaves both to the kernel.
    pub(super) fn next(&mut self) -> Option<SocketAddr> {
        if !self.is_loopback {
            return None;
        }
        if self.used == PER_ADDRESS {
            (self.used, self.address) = (0, (self.address + 1) % ADDRESSES);
        }
        self.used += 1;
        let [_, high, middle, low] = (self.address + (1 << 16)).to_be_bytes();
        Some((Ipv4Addr::new(127, high, middle, low), 0).into())
    }
}

/// An address to connect to: that of a listener, or the loopback one if it listens on all.
pub(super) fn reachable(mut address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(std::net::Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    address
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_million_connections_come_from_many_loopback_addresses() {
        let mut sources = Sources::new("127.0.0.1:80".parse().unwrap());
        let mut by_address = std::collections::BTreeMap::new();
        for _ in 0..1_000_000 {
            let source = sources.next().unwrap();
            assert!(source.ip().is_loopback() && source.port() == 0, "{source}");
            *by_address.entry(source.ip()).or_insert(0) += 1;
        }
        assert_eq!(by_address.len(), 1_000_000_usize.div_ceil(PER_ADDRESS as usize));
        assert!(by_address.values().all(|&count| count <= PER_ADDRESS));
    }

    #[test]
    fn other_targets_are_left_to_the_kernel() {
        for target in ["192.0.2.1:80", "[::1]:80"] {
            assert_eq!(Sources::new(target.parse().unwrap()).next(), None, "{target}");
        }
    }

    #[test]
    fn a_listener_on_all_addresses_is_reached_on_loopback() {
        for (address, expected) in
            [("0.0.0.0:1", "127.0.0.1:1"), ("[::]:1", "[::1]:1"), ("127.0.0.9:1", "127.0.0.9:1")]
        {
            assert_eq!(reachable(address.parse().unwrap()), expected.parse().unwrap());
        }
    }
}
