//! Listening sockets, and the options that every accepted socket inherits from them.
//!
//! Set-up per connection costs no call at all (measured on 6.18 for every option here), so there is no face for setting
//! an option on a slot.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};

/// A socket that listens. Clones are the same socket; it closes when the last is gone and no accept is armed on it.
///
/// Connections that wait in the queue of a closing listener are reset, even where another listener shares the port.
#[derive(Clone, Debug)]
pub struct Listener(Arc<Socket>);

/// What a listener and its accepted sockets are set to. `None` leaves the kernel's default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListenOptions {
    /// Several sockets may listen on the address, and the kernel spreads connections over them (`SO_REUSEPORT`).
    pub reuse_port: bool,
    /// An IPv6 listener takes IPv6 only. Otherwise IPv4 peers come as IPv4-mapped addresses.
    pub only_v6: bool,
    /// Connections that may wait for an accept, up to the sysctl `net.core.somaxconn`.
    pub backlog: u16,
    /// Small sends go out at once (`TCP_NODELAY`).
    pub nodelay: bool,
    /// Bytes of the send buffer (`SO_SNDBUF`); the kernel accounts twice as many and caps it at `net.core.wmem_max`.
    /// Ends its own tuning.
    pub send_buffer_bytes: Option<u32>,
    /// Bytes of the receive buffer (`SO_RCVBUF`), likewise with `net.core.rmem_max`.
    pub receive_buffer_bytes: Option<u32>,
    /// Bytes not yet sent above which a socket counts as full (`TCP_NOTSENT_LOWAT`): a slow reader shows early.
    pub not_sent_bytes_max: Option<u32>,
    /// How long sent bytes may stay unacknowledged before the peer is given up (`TCP_USER_TIMEOUT`), to the millisecond.
    pub user_timeout: Option<Duration>,
    /// Probes of silent connections.
    pub keepalive: Option<Keepalive>,
}

/// When a silent connection is probed, to the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keepalive {
    /// Silence before the first probe, from 1 s.
    pub idle: Duration,
    /// Between probes, from 1 s.
    pub interval: Duration,
    /// Unanswered probes after which the peer is given up, 1 to 127. A shorter `user_timeout` rules instead.
    pub probes: u32,
}

impl Default for ListenOptions {
    fn default() -> Self {
        Self {
            reuse_port: false,
            only_v6: false,
            backlog: u16::MAX,
            nodelay: true,
            send_buffer_bytes: None,
            receive_buffer_bytes: None,
            not_sent_bytes_max: None,
            user_timeout: None,
            keepalive: None,
        }
    }
}

/// Why nothing listens, and what would help.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ListenError {
    /// `EADDRINUSE`.
    #[error(
        "cannot listen on {address}: the address is in use; `ss -ltnp 'sport = :{port}'` shows what, \
         so stop it or choose another port", port = address.port()
    )]
    Taken {
        /// Where.
        address: SocketAddr,
        /// The kernel's answer.
        source: io::Error,
    },
    /// `EACCES`, `EPERM`.
    #[error(
        "may not listen on {address}: ports below the sysctl net.ipv4.ip_unprivileged_port_start (1024) need \
         CAP_NET_BIND_SERVICE, so let a systemd socket unit listen there (ListenStream=), grant it (in a service unit \
         AmbientCapabilities=CAP_NET_BIND_SERVICE, CapabilityBoundingSet=CAP_NET_BIND_SERVICE and PrivateUsers=no), or \
         choose a higher port"
    )]
    Privileged {
        /// Where.
        address: SocketAddr,
        /// The kernel's answer.
        source: io::Error,
    },
    /// `EADDRNOTAVAIL`.
    #[error(
        "cannot listen on {address}: no interface of this machine has the address {ip}; `ip address` lists those there \
         are, and 0.0.0.0 or [::] means all", ip = address.ip()
    )]
    NotHere {
        /// Where.
        address: SocketAddr,
        /// The kernel's answer.
        source: io::Error,
    },
    /// `EAFNOSUPPORT`.
    #[error(
        "cannot listen on {address}: {source}; IPv6 may be switched off, or a systemd unit forbid it \
         (RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX allows it)"
    )]
    NoProtocol {
        /// Where.
        address: SocketAddr,
        /// The kernel's answer.
        source: io::Error,
    },
    /// Anything else.
    #[error("cannot listen on {address}: {step} failed: {source}")]
    Other {
        /// Where.
        address: SocketAddr,
        /// What was refused.
        step: &'static str,
        /// The kernel's answer.
        source: io::Error,
    },
}

/// Why a socket that was handed to this process is of no use as a listener.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AdoptError {
    /// It is of another kind.
    #[error("it is {0}, not a TCP socket that listens")]
    Kind(&'static str),
    /// The kernel refused something.
    #[error("{step} failed: {source}")]
    Other {
        /// What was refused.
        step: &'static str,
        /// The kernel's answer.
        source: io::Error,
    },
}

/// Listens on `address`, where port 0 lets the kernel choose one.
///
/// # Errors
///
/// [`ListenError`], which names the address, the cause and the remedy.
pub fn listen(address: SocketAddr, options: &ListenOptions) -> Result<Listener, ListenError> {
    let failed = |step| move |source| explain(address, step, source);
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))
        .map_err(failed("socket"))?;
    // A restart must not wait for the old connections' TIME_WAIT.
    socket.set_reuse_address(true).map_err(failed("SO_REUSEADDR"))?;
    socket.set_reuse_port(options.reuse_port).map_err(failed("SO_REUSEPORT"))?;
    if address.is_ipv6() {
        socket.set_only_v6(options.only_v6).map_err(failed("IPV6_V6ONLY"))?;
    }
    set_inherited(&socket, options).map_err(|(step, source)| explain(address, step, source))?;
    socket.bind(&address.into()).map_err(failed("bind"))?;
    socket.listen(options.backlog.into()).map_err(failed("listen"))?;
    Ok(Listener(Arc::new(socket)))
}

/// Sets what accepted sockets inherit. The buffers come before `listen`, since the window's scale is fixed with the SYN.
fn set_inherited(socket: &Socket, options: &ListenOptions) -> Result<(), (&'static str, io::Error)> {
    let named = |step| move |source| (step, source);
    socket.set_tcp_nodelay(options.nodelay).map_err(named("TCP_NODELAY"))?;
    if let Some(bytes) = options.send_buffer_bytes {
        socket.set_send_buffer_size(bytes as usize).map_err(named("SO_SNDBUF"))?;
    }
    if let Some(bytes) = options.receive_buffer_bytes {
        socket.set_recv_buffer_size(bytes as usize).map_err(named("SO_RCVBUF"))?;
    }
    if let Some(bytes) = options.not_sent_bytes_max {
        socket.set_tcp_notsent_lowat(bytes).map_err(named("TCP_NOTSENT_LOWAT"))?;
    }
    if let Some(timeout) = options.user_timeout {
        socket.set_tcp_user_timeout(Some(timeout)).map_err(named("TCP_USER_TIMEOUT"))?;
    }
    if let Some(Keepalive { idle, interval, probes }) = options.keepalive {
        let keepalive = TcpKeepalive::new().with_time(idle).with_interval(interval).with_retries(probes);
        socket.set_tcp_keepalive(&keepalive).map_err(named("SO_KEEPALIVE"))?;
    }
    Ok(())
}

fn explain(address: SocketAddr, step: &'static str, source: io::Error) -> ListenError {
    match source.kind() {
        io::ErrorKind::AddrInUse => ListenError::Taken { address, source },
        io::ErrorKind::PermissionDenied => ListenError::Privileged { address, source },
        io::ErrorKind::AddrNotAvailable => ListenError::NotHere { address, source },
        _ if crate::token::errno_of(&source) == crate::Errno::AFNOSUPPORT => {
            ListenError::NoProtocol { address, source }
        }
        _ => ListenError::Other { address, step, source },
    }
}

impl Listener {
    /// Takes over a socket that listens already: a service manager's, or that of another process which goes on using
    /// it. Connections that wait in its queue stay there. It is set to `options`, except for those that must be set
    /// before an address is bound (`reuse_port`, `only_v6`). Those that wait in the queue keep what they came with.
    ///
    /// # Errors
    ///
    /// [`AdoptError`]: what it is instead, or what could not be set.
    pub fn adopt(socket: OwnedFd, options: &ListenOptions) -> Result<Self, AdoptError> {
        check_listening(&socket)?;
        let socket = Socket::from(socket);
        let failed = |step| move |source| AdoptError::Other { step, source };
        set_inherited(&socket, options).map_err(|(step, source)| AdoptError::Other { step, source })?;
        // Without waiting, an accept through a ring would fail with EAGAIN instead of staying armed.
        socket.set_nonblocking(false).map_err(failed("F_SETFL"))?;
        socket.set_cloexec(true).map_err(failed("F_SETFD"))?;
        // On a socket that listens this changes the length of its queue, and nothing else.
        socket.listen(options.backlog.into()).map_err(failed("listen"))?;
        Ok(Self(Arc::new(socket)))
    }

    /// Lets others listen on the port from now on, if they ask for it with `reuse_port`. Whoever opens a port like this has
    /// had it alone before, which a listener that shares from the beginning cannot know.
    ///
    /// The kernel makes the group with the second listener (`reuseport_add_sock`, since Linux 4.6).
    ///
    /// # Errors
    ///
    /// None in practice.
    pub fn share_port(&self) -> io::Result<()> {
        self.0.set_reuse_port(true)
    }

    /// Where it listens: with the port the kernel chose, if it was asked to.
    ///
    /// # Errors
    ///
    /// None in practice: the socket is open and bound.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        let address = self.0.local_addr()?;
        address.as_socket().ok_or_else(|| crate::Errno::AFNOSUPPORT.into())
    }

    /// Sets how long sent bytes of sockets that are accepted from now on may stay unacknowledged.
    ///
    /// # Errors
    ///
    /// None in practice: the socket is open, and any time is allowed.
    pub fn set_user_timeout(&self, timeout: Duration) -> io::Result<()> {
        self.0.set_tcp_user_timeout(Some(timeout))
    }
}

/// Tells a listening TCP socket from everything else. Changes nothing about it: an open socket, with what is set on it, is
/// the same in every process that has it.
///
/// # Errors
///
/// What it is instead.
pub fn check_listening(socket: &impl AsFd) -> Result<(), AdoptError> {
    let socket = SockRef::from(socket);
    let failed = |source: io::Error| match crate::token::errno_of(&source) {
        crate::Errno::NOTSOCK => AdoptError::Kind("no socket"),
        crate::Errno::BADF => AdoptError::Kind("no open file"),
        _ => AdoptError::Other { step: "getsockopt", source },
    };
    let domain = socket.domain().map_err(failed)?;
    let kind = socket.r#type().map_err(failed)?;
    let other = match (domain, kind) {
        (Domain::IPV4 | Domain::IPV6, Type::STREAM) if socket.is_listener().map_err(failed)? => return Ok(()),
        (Domain::IPV4 | Domain::IPV6, Type::STREAM) => "a TCP socket that does not listen",
        (Domain::IPV4 | Domain::IPV6, Type::DGRAM) => "a UDP socket",
        (Domain::UNIX, _) => "a Unix socket",
        _ => "another kind of socket",
    };
    Err(AdoptError::Kind(other))
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loopback() -> SocketAddr {
        "127.0.0.1:0".parse().unwrap()
    }

    #[test]
    fn a_taken_port_is_named_with_its_remedy() {
        let first = listen(loopback(), &ListenOptions::default()).unwrap();
        let address = first.local_addr().unwrap();
        let error = listen(address, &ListenOptions::default()).unwrap_err();
        assert!(matches!(error, ListenError::Taken { .. }), "{error:?}");
        let text = error.to_string();
        assert!(
            text.contains(&address.to_string()) && text.contains(&format!("sport = :{}", address.port())),
            "{text}"
        );
    }

    #[test]
    fn listeners_share_a_port_when_all_agree() {
        let options = ListenOptions { reuse_port: true, ..ListenOptions::default() };
        let first = listen(loopback(), &options).unwrap();
        let second = listen(first.local_addr().unwrap(), &options).unwrap();
        assert_eq!(first.local_addr().unwrap(), second.local_addr().unwrap());
    }

    #[test]
    fn a_port_that_was_had_alone_can_be_opened_to_others() {
        let alone = listen(loopback(), &ListenOptions::default()).unwrap();
        let address = alone.local_addr().unwrap();
        let options = ListenOptions { reuse_port: true, ..ListenOptions::default() };
        assert!(matches!(listen(address, &options), Err(ListenError::Taken { .. })), "not yet");
        alone.share_port().unwrap();
        let second = listen(address, &options).unwrap();
        assert!(
            matches!(listen(address, &ListenOptions::default()), Err(ListenError::Taken { .. })),
            "it is taken"
        );
        // Both are given connections: out of so many, one that gets none has left the group, or never been in it.
        const CONNECTIONS: usize = 64;
        let _held: Vec<_> =
            (0..CONNECTIONS).map(|_| std::net::TcpStream::connect(address).unwrap()).collect();
        let accepted = [alone, second].map(|listener| {
            listener.0.set_nonblocking(true).unwrap();
            std::iter::from_fn(|| listener.0.accept().ok()).count()
        });
        assert_eq!(accepted.iter().sum::<usize>(), CONNECTIONS);
        assert!(accepted.iter().all(|&count| count > 0), "{accepted:?}");
    }

    #[test]
    fn looking_whether_a_socket_listens_changes_nothing_about_it() {
        let theirs = std::net::TcpListener::bind(loopback()).unwrap();
        theirs.set_nonblocking(true).unwrap();
        check_listening(&theirs).unwrap();
        assert!(SockRef::from(&theirs).nonblocking().unwrap());
    }

    #[test]
    fn a_listening_socket_is_adopted_with_what_waits_in_its_queue() {
        let theirs = std::net::TcpListener::bind(loopback()).unwrap();
        theirs.set_nonblocking(true).unwrap();
        let address = theirs.local_addr().unwrap();
        let waiting = std::net::TcpStream::connect(address).unwrap();
        let options = ListenOptions { not_sent_bytes_max: Some(16_384), ..ListenOptions::default() };
        let ours = Listener::adopt(theirs.into(), &options).unwrap();
        assert_eq!(ours.local_addr().unwrap(), address);
        assert!(!ours.0.nonblocking().unwrap());
        let later = std::net::TcpStream::connect(address).unwrap();
        // A socket inherits when its peer connects, not when it is accepted.
        for (client, inherited) in [(waiting, 0), (later, 16_384)] {
            let (accepted, peer) = ours.0.accept().unwrap();
            assert_eq!(peer.as_socket(), client.local_addr().ok());
            assert_eq!(accepted.tcp_notsent_lowat().unwrap(), inherited);
        }
    }

    #[test]
    fn whatever_does_not_listen_is_not_adopted_and_named() {
        let file = std::fs::File::open("/dev/null").unwrap();
        let idle = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let udp = std::net::UdpSocket::bind(loopback()).unwrap();
        let (unix, _other) = std::os::unix::net::UnixStream::pair().unwrap();
        let cases: [(OwnedFd, &str); 4] = [
            (file.into(), "no socket"),
            (idle.into(), "does not listen"),
            (udp.into(), "UDP"),
            (unix.into(), "Unix"),
        ];
        for (socket, kind) in cases {
            let text = Listener::adopt(socket, &ListenOptions::default()).unwrap_err().to_string();
            assert!(text.contains(kind) && text.contains("TCP socket that listens"), "{text}");
        }
    }

    #[test]
    fn an_address_of_another_machine_is_named() {
        let error = listen("192.0.2.1:0".parse().unwrap(), &ListenOptions::default()).unwrap_err();
        assert!(matches!(error, ListenError::NotHere { .. }), "{error:?}");
        assert!(error.to_string().contains("192.0.2.1"), "{error}");
    }

    #[test]
    fn a_privileged_port_is_explained() {
        let text = explain("0.0.0.0:80".parse().unwrap(), "bind", crate::Errno::ACCESS.into()).to_string();
        assert!(text.contains("0.0.0.0:80") && text.contains("CAP_NET_BIND_SERVICE"), "{text}");
    }

    #[test]
    fn an_option_out_of_range_is_named() {
        let keepalive =
            Keepalive { idle: Duration::from_secs(1), interval: Duration::from_secs(1), probes: 128 };
        let options = ListenOptions { keepalive: Some(keepalive), ..ListenOptions::default() };
        let text = listen(loopback(), &options).unwrap_err().to_string();
        assert!(text.contains("SO_KEEPALIVE"), "{text}");
    }
}
