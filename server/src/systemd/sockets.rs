//! Sockets that the service manager opened for the hub (socket activation, sd_listen_fds(3)).
//!
//! Not here: whether they listen (`corecast_ring::Listener::adopt`), and which shard accepts from which.

use std::os::fd::OwnedFd;

use listenfd::ListenFd;
use thiserror::Error;

/// `FileDescriptorName=` of the sockets that clients connect to.
pub const HUB: &str = "hub";

/// `FileDescriptorName=` of the socket that operators connect to.
pub const ADMIN: &str = "admin";

/// More than shards there can be, and `admin`.
const SOCKETS_MAX: usize = 1025;

/// The sockets that came with the start. Those that did not are opened by the hub itself.
#[derive(Debug, Default)]
pub struct Sockets {
    /// Where clients connect.
    pub hub: Vec<OwnedFd>,
    /// Where operators connect.
    pub admin: Option<OwnedFd>,
}

/// Why sockets that came with the start are of no use.
#[derive(Debug, Error)]
pub enum SocketFault {
    /// Nobody could say what it is for.
    #[error(
        "socket {number} of LISTEN_FDS has the name {name:?}; known are \"hub\" and \"admin\" (FileDescriptorName= in \
         the socket unit)"
    )]
    Name {
        /// From 0.
        number: usize,
        /// What it is called.
        name: String,
    },
    /// It is of another kind.
    #[error(
        "socket {number} of LISTEN_FDS, {name:?}, cannot be used: {cause}; a socket unit makes a TCP socket that listens of \
         ListenStream=ADDRESS:PORT with Accept=no"
    )]
    Kind {
        /// From 0.
        number: usize,
        /// What it is called.
        name: String,
        /// What is wrong with it.
        cause: String,
    },
    /// There is one admin listener.
    #[error("{count} sockets of LISTEN_FDS have the name \"admin\"; there can be one")]
    Admins {
        /// How many there are.
        count: usize,
    },
    /// More than any hub has shards.
    #[error("LISTEN_FDS = {count} is above the maximum {SOCKETS_MAX}")]
    Count {
        /// How many there are.
        count: usize,
    },
}

impl Sockets {
    /// Takes the sockets that this process was started with. To be asked once, before anything else is opened.
    ///
    /// # Errors
    /// Which of them is wrong, and what is.
    pub fn inherited() -> Result<Self, SocketFault> {
        let mut given = ListenFd::from_env();
        let count = given.len();
        if count > SOCKETS_MAX {
            return Err(SocketFault::Count { count });
        }
        let names = std::env::var("LISTEN_FDNAMES").ok();
        let mut sockets = Self::default();
        let mut admins = Vec::new();
        for number in 0..count {
            let name = name_of(number, names.as_deref());
            let taken = given.take_tcp_listener(number);
            let kind = |cause| SocketFault::Kind { number, name: name.to_owned(), cause };
            let Some(socket) = taken.map_err(|error| kind(error.to_string()))? else { continue };
            match name {
                HUB => sockets.hub.push(socket.into()),
                ADMIN => admins.push(OwnedFd::from(socket)),
                _ => return Err(SocketFault::Name { number, name: name.to_owned() }),
            }
        }
        if admins.len() > 1 {
            return Err(SocketFault::Admins { count: admins.len() });
        }
        sockets.admin = admins.pop();
        Ok(sockets)
    }
}

/// Names are optional; without any, all sockets are the clients'.
fn name_of(number: usize, names: Option<&str>) -> &str {
    match names {
        None | Some("") => HUB,
        Some(names) => names.split(':').nth(number).unwrap_or(""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_in_the_order_of_the_sockets() {
        let cases = [
            (0, None, HUB),
            (3, Some(""), HUB),
            (0, Some("hub:admin"), HUB),
            (1, Some("hub:admin"), ADMIN),
            (2, Some("hub:admin"), ""),
            (0, Some("corecast.socket"), "corecast.socket"),
        ];
        for (number, names, name) in cases {
            assert_eq!(name_of(number, names), name, "{number} of {names:?}");
        }
    }
}
