//! The addresses of the hub: one listener for each shard on the same port, and the admin's.

use std::net::{SocketAddr, TcpListener};
use std::time::{Duration, Instant};

use corecast_ring::{Keepalive, ListenError, ListenOptions, Listener, listen};

use super::StartError;
use crate::config::{Config, StreamConfig};

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
    /// By shard.
    pub(super) hub: Vec<Listener>,
    pub(super) admin: TcpListener,
    hub_addr: SocketAddr,
    admin_addr: SocketAddr,
    backlog: u32,
}

impl Listeners {
    pub(super) fn bind(config: &Config, shards: u32) -> Result<Self, StartError> {
        let options = options(&config.stream);
        // Shards share the port; with whoever else has it they must not, so the first look is an exclusive one.
        let first = listen_patiently(config.hub.listen, &ListenOptions { reuse_port: false, ..options })?;
        let hub_addr = first.local_addr().map_err(StartError::Runtime)?;
        drop(first);
        let hub = (0..shards).map(|_| listen(hub_addr, &options)).collect::<Result<Vec<_>, _>>()?;
        let address = config.admin.listen;
        let failed = |source| StartError::AdminListen { address, source };
        let admin = TcpListener::bind(address).map_err(failed)?;
        let admin_addr = admin.local_addr().map_err(failed)?;
        Ok(Self { hub, admin, hub_addr, admin_addr, backlog: u32::from(options.backlog) })
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
