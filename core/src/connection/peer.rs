//! Where a connection comes from, in few bytes: every idle stream has one.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use crate::hash::HashSeed;

/// A peer's address and port. An IPv4 address is kept mapped into IPv6 (RFC 4291, section 2.5.5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    ip: [u8; 16],
    port: u16,
}

const _: () = assert!(size_of::<Peer>() == 18, "an idle stream has one");

impl Peer {
    /// For a slot that nobody has.
    pub(crate) const NOBODY: Self = Self { ip: [0; 16], port: 0 };

    /// The address without its port.
    #[must_use]
    pub fn ip(self) -> IpAddr {
        IpAddr::V6(Ipv6Addr::from(self.ip)).to_canonical()
    }

    /// The address with its port.
    #[must_use]
    pub fn address(self) -> SocketAddr {
        SocketAddr::new(self.ip(), self.port)
    }
}

impl From<SocketAddr> for Peer {
    fn from(address: SocketAddr) -> Self {
        let ip = match address.ip() {
            IpAddr::V4(ip) => ip.to_ipv6_mapped(),
            IpAddr::V6(ip) => ip,
        };
        Self { ip: ip.octets(), port: address.port() }
    }
}

/// An address in 8 bytes, under the engine's seed: all there is to ask is whether two are the same. Two addresses share
/// one with probability 2^-64; then they have one limit between them, and nothing worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PeerHash(u64);

impl PeerHash {
    /// The hash of `peer` under `seed`.
    #[must_use]
    pub fn of(seed: HashSeed, peer: IpAddr) -> Self {
        Self(seed.hash_of(peer))
    }

    /// Which of `parts` of a table it belongs into.
    #[must_use]
    pub const fn part(self, parts: usize) -> usize {
        // The high bits: a table that is itself keyed by the hash may go by the low ones.
        (self.0 >> 32) as usize % parts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_comes_out_as_it_went_in() {
        for address in ["192.0.2.1:80", "[2001:db8::1]:65535", "[::1]:0", "0.0.0.0:1"] {
            let address: SocketAddr = address.parse().unwrap();
            assert_eq!(Peer::from(address).address(), address);
        }
        let mapped: SocketAddr = "[::ffff:192.0.2.1]:80".parse().unwrap();
        assert_eq!(Peer::from(mapped).address().to_string(), "192.0.2.1:80");
    }
}
