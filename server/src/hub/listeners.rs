//! The addresses of the hub: one listener for each shard on the same port, and the admin's. Or whatever sockets came with
//! the start, shared out among the shards.

use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use corecast_ring::{AdoptError, Keepalive, ListenError, ListenOptions, Listener, check_listening, listen};

use super::StartError;
use crate::config::{Config, StreamConfig};
use crate::driver;
use crate::systemd::sockets::{ADMIN, HUB};
use crate::systemd::{SocketFault, Sockets};

/// Bytes of a send buffer: twice an event of the largest size fits, since the kernel accounts twice as many; and a
/// stalled reader costs no more.
const SEND_BUFFER_BYTES: u32 = 32 * 1024;

/// Subscribers send only a head; publishers send events.
const RECEIVE_BUFFER_BYTES: u32 = 16 * 1024;

/// A slow reader shows when so much waits (io-uring.md §5.1).
const NOT_SENT_BYTES_MAX: u32 = 16 * 1024;

/// A net for sockets without heartbeats: where there are any, these find a dead peer first.
const KEEPALIVE: Keepalive =
    Keepalive { idle: Duration::from_secs(30), interval: Duration::from_secs(10), probes: 3 };

/// Below this a lost packet and its retransmission would already count as death.
const USER_TIMEOUT_MIN: Duration = Duration::from_secs(1);

/// How late the kernel may notice.
const RETRANSMIT_SLACK: Duration = Duration::from_secs(1);

/// A hub that was killed keeps its port until the kernel has taken its rings down: a moment, not more.
const TAKEN_PATIENCE: Duration = Duration::from_secs(1);
const TAKEN_RETRY: Duration = Duration::from_millis(20);

/// See the module.
pub(super) struct Listeners {
    hub: Vec<Listener>,
    admin: TcpListener,
    hub_addr: SocketAddr,
    admin_addr: SocketAddr,
    backlog: u32,
}

impl Listeners {
    /// Takes the sockets that came with the start, and opens those that did not.
    pub(super) fn open(config: &Config, shards: u32, sockets: Sockets) -> Result<Self, StartError> {
        let options = options(&config.stream);
        let hub = match sockets.hub.is_empty() {
            true => bind(config.hub.listen, shards, &options)?,
            false => adopt(sockets.hub, &options)?,
        };
        let hub_addr = hub[0].local_addr().map_err(StartError::Runtime)?;
        let address = config.admin.listen;
        let failed = |source| StartError::AdminListen { address, source };
        let admin = match sockets.admin {
            None => TcpListener::bind(address).map_err(failed)?,
            // The admin listener wants nothing of its socket but that it listens; and whoever handed it over still accepts
            // from it.
            Some(socket) => {
                check_listening(&socket).map_err(|error| unusable(0, ADMIN, &error))?;
                TcpListener::from(socket)
            }
        };
        let admin_addr = admin.local_addr().map_err(failed)?;
        for (setting, configured, inherited) in
            [("hub.listen", config.hub.listen, hub_addr), ("admin.listen", address, admin_addr)]
        {
            if is_other(configured, inherited) {
                tracing::warn!(setting, %configured, %inherited, "the socket that came with the start is used instead");
            }
        }
        Ok(Self { hub, admin, hub_addr, admin_addr, backlog: u32::from(options.backlog) })
    }

    /// Which shard accepts from which sockets: as evenly as it goes. With fewer sockets than shards some share one; with
    /// more, some have several, since connections wait in each.
    pub(super) fn deal(&self, shards: u32) -> Vec<Vec<Listener>> {
        (0..shards as usize)
            .map(|shard| {
                let own = self.hub.iter().skip(shard).step_by(shards as usize).cloned();
                let own: Vec<Listener> = own.collect();
                if own.is_empty() { vec![self.hub[shard % self.hub.len()].clone()] } else { own }
            })
            .collect()
    }

    /// The admin's, to be served.
    pub(super) fn admin(&self) -> Result<TcpListener, StartError> {
        self.admin.try_clone().map_err(StartError::Runtime)
    }

    /// The same sockets for another process.
    pub(super) fn copy(&self) -> std::io::Result<Sockets> {
        let copy = |listener: &Listener| listener.as_fd().try_clone_to_owned();
        let hub = self.hub.iter().map(copy).collect::<std::io::Result<Vec<OwnedFd>>>()?;
        Ok(Sockets { hub, admin: Some(self.admin.as_fd().try_clone_to_owned()?) })
    }

    /// Sets what the configuration says of connections that are accepted from now on.
    pub(super) fn set_for(&self, stream: &StreamConfig) {
        driver::set_user_timeout(&self.hub, user_timeout(stream));
    }

    pub(super) fn hub_addr(&self) -> SocketAddr {
        self.hub_addr
    }

    pub(super) fn admin_addr(&self) -> SocketAddr {
        self.admin_addr
    }

    pub(super) fn backlog(&self) -> u32 {
        self.backlog
    }
}

/// Listens as often as there are shards. They share the port with each other; with whoever else has it they must not, so
/// the first has it alone before it is opened to the others.
fn bind(address: SocketAddr, shards: u32, options: &ListenOptions) -> Result<Vec<Listener>, StartError> {
    let first = listen_patiently(address, &ListenOptions { reuse_port: false, ..*options })?;
    let address = first.local_addr().map_err(StartError::Runtime)?;
    first.share_port().map_err(StartError::Runtime)?;
    let mut listeners = vec![first];
    for _ in 1..shards {
        listeners.push(listen(address, options)?);
    }
    Ok(listeners)
}

fn adopt(sockets: Vec<OwnedFd>, options: &ListenOptions) -> Result<Vec<Listener>, StartError> {
    let adopt =
        |(number, socket)| Listener::adopt(socket, options).map_err(|error| unusable(number, HUB, &error));
    sockets.into_iter().enumerate().map(adopt).collect()
}

fn unusable(number: usize, name: &str, error: &AdoptError) -> StartError {
    SocketFault::Kind { number, name: name.to_owned(), cause: error.to_string() }.into()
}

/// Whether a socket is not where the configuration says. Port 0 is any.
fn is_other(configured: SocketAddr, inherited: SocketAddr) -> bool {
    configured.ip() != inherited.ip() || (configured.port() != 0 && configured.port() != inherited.port())
}

/// Listens, giving a predecessor that has just been killed time to be gone.
fn listen_patiently(address: SocketAddr, options: &ListenOptions) -> Result<Listener, ListenError> {
    let begun = Instant::now();
    loop {
        match listen(address, options) {
            Err(ListenError::Taken { .. }) if begun.elapsed() < TAKEN_PATIENCE => {
                std::thread::park_timeout(TAKEN_RETRY);
            }
            done => return done,
        }
    }
}

/// When the kernel gives a peer up. The clock of a cut network starts with the heartbeat that is not acknowledged, and is
/// read when the kernel retransmits, which is up to a second late.
pub(super) fn user_timeout(stream: &StreamConfig) -> Duration {
    let heartbeat = stream.heartbeat.unwrap_or_default();
    stream.dead_peer.saturating_sub(heartbeat + RETRANSMIT_SLACK).max(USER_TIMEOUT_MIN)
}

/// Accepted sockets inherit all of it: no call for each connection (io-uring.md, fact 7).
fn options(stream: &StreamConfig) -> ListenOptions {
    ListenOptions {
        reuse_port: true,
        only_v6: false,
        backlog: u16::MAX,
        nodelay: true,
        send_buffer_bytes: Some(SEND_BUFFER_BYTES),
        receive_buffer_bytes: Some(RECEIVE_BUFFER_BYTES),
        not_sent_bytes_max: Some(NOT_SENT_BYTES_MAX),
        user_timeout: Some(user_timeout(stream)),
        keepalive: Some(KEEPALIVE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listeners(count: u32) -> Listeners {
        let hub = bind("127.0.0.1:0".parse().unwrap(), 1, &options(&StreamConfig::default())).unwrap();
        let hub: Vec<Listener> = (0..count).flat_map(|_| hub.clone()).collect();
        let admin = TcpListener::bind("127.0.0.1:0").unwrap();
        let (hub_addr, admin_addr) = (hub[0].local_addr().unwrap(), admin.local_addr().unwrap());
        Listeners { hub, admin, hub_addr, admin_addr, backlog: 1 }
    }

    #[test]
    fn every_shard_has_a_socket_and_every_socket_a_shard() {
        for (sockets, shards, dealt) in
            [(1, 1, &[1][..]), (1, 3, &[1, 1, 1]), (3, 3, &[1, 1, 1]), (2, 3, &[1, 1, 1]), (5, 2, &[3, 2])]
        {
            let each: Vec<usize> = listeners(sockets).deal(shards).iter().map(Vec::len).collect();
            assert_eq!(each, dealt, "{sockets} sockets, {shards} shards");
        }
    }

    #[test]
    fn two_hubs_that_start_at_the_same_moment_do_not_get_the_same_port() {
        let address = listeners(1).hub_addr();
        let options = options(&StreamConfig::default());
        let bound = std::thread::scope(|scope| {
            let starts = [(); 2].map(|()| scope.spawn(|| bind(address, 2, &options)));
            starts.map(|start| start.join().unwrap())
        });
        assert!(bound.iter().filter(|bound| bound.is_ok()).count() == 1, "one has it");
    }

    #[test]
    fn any_port_is_where_it_should_be() {
        let inherited = "127.0.0.1:8080".parse().unwrap();
        for (configured, other) in [
            ("127.0.0.1:8080", false),
            ("127.0.0.1:0", false),
            ("127.0.0.1:81", true),
            ("0.0.0.0:8080", true),
        ] {
            assert_eq!(is_other(configured.parse().unwrap(), inherited), other, "{configured}");
        }
    }
}
