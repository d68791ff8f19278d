//! What a service manager is told, and what it hands over: the notification protocol and socket activation.
//!
//! The other end of `NOTIFY_SOCKET` is the test's own. Not here: unit files.

use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::sync::Arc;
use std::time::{Duration, Instant};

use corecast_tests::exchange::Client;
use corecast_tests::hub::{Hub, HubBuilder};
use corecast_tests::publish::Publisher;
use corecast_tests::request::Subscribe;
use corecast_tests::stream::EventStream;
use corecast_tests::wait::PATIENCE;
use rustix::process::Signal;

const WITHIN: Duration = Duration::from_secs(30);

/// A service manager, as far as a hub can see of one.
struct Manager {
    socket: UnixDatagram,
    path: String,
    _folder: tempfile::TempDir,
}

impl Manager {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("notify").display().to_string();
        let socket = UnixDatagram::bind(&path).expect("a socket");
        socket.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        Self { socket, path, _folder: folder }
    }

    fn watching(&self, builder: HubBuilder) -> HubBuilder {
        builder.env("NOTIFY_SOCKET", &self.path)
    }

    /// The next notification with this line, or one that begins so; the whole of it.
    fn wait_for(&self, begin: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        let mut seen = Vec::new();
        while Instant::now() < deadline {
            let mut bytes = [0; 8192];
            let len =
                self.socket.recv(&mut bytes).unwrap_or_else(|e| panic!("no {begin:?} in {seen:?}: {e}"));
            let told = String::from_utf8(bytes[..len].to_vec()).expect("notifications are text");
            if told.lines().any(|line| line.starts_with(begin)) {
                return told;
            }
            seen.push(told);
        }
        panic!("no {begin:?} in {seen:?}")
    }
}

fn listening(addr: &str) -> Arc<OwnedFd> {
    Arc::new(TcpListener::bind(addr).expect("a port").into())
}

fn address(socket: &Arc<OwnedFd>) -> SocketAddr {
    TcpListener::from(socket.try_clone().expect("a copy")).local_addr().expect("an address")
}

#[test]
fn a_service_manager_is_told_from_the_start_to_the_end() {
    let manager = Manager::new();
    let mut hub = manager.watching(Hub::builder()).start();
    assert!(!manager.wait_for("READY=1").contains("MAINPID"), "it started this process itself");
    let _streams = [(); 2].map(|()| EventStream::open(hub.addr(), &Subscribe::to("t")));
    hub.wait_for_connections(2);
    manager.wait_for("STATUS=2 streams, 0 deliveries/s");
    hub.sigterm();
    manager.wait_for("STOPPING=1");
    manager.wait_for("STATUS=draining: 2 of 2 streams left");
    assert_eq!(hub.wait_for_exit(WITHIN).code(), Some(0));
}

#[test]
fn a_reload_is_told_with_its_moment_and_its_end() {
    let manager = Manager::new();
    let hub = manager.watching(Hub::builder()).start();
    manager.wait_for("READY=1");
    // Whether the new configuration is good or bad, the service is ready again.
    for broken in [false, true] {
        if broken {
            std::fs::write(hub.config(), "nonsense").unwrap();
        }
        hub.signal(Signal::HUP);
        let told = manager.wait_for("RELOADING=1");
        assert!(told.contains("\nMONOTONIC_USEC="), "{told}");
        manager.wait_for("READY=1");
    }
}

#[test]
fn a_watchdog_is_fed_for_as_long_as_the_hub_is_alive() {
    const TIMEOUT: Duration = Duration::from_millis(900);
    let manager = Manager::new();
    let folder = tempfile::tempdir().expect("a folder");
    let builder = manager.watching(Hub::builder()).log_in(folder.path());
    let hub = builder.env("WATCHDOG_USEC", &TIMEOUT.as_micros().to_string()).start();
    for _ in 0..5 {
        manager.wait_for("WATCHDOG=1");
    }
    // A hub at work is fed as well as one that sleeps.
    let mut publisher = Publisher::connect(hub.addr());
    (0..100).for_each(|n| drop(publisher.to_topic("t", &n.to_string())));
    manager.wait_for("WATCHDOG=1");
}

#[test]
fn a_watchdog_of_another_process_is_not_fed() {
    let manager = Manager::new();
    let mut hub =
        manager.watching(Hub::builder()).env("WATCHDOG_USEC", "3000").env("WATCHDOG_PID", "1").start();
    manager.wait_for("READY=1");
    hub.sigterm();
    let told = manager.wait_for("STOPPING=1");
    assert_eq!(hub.wait_for_exit(WITHIN).code(), Some(0));
    assert!(!told.contains("WATCHDOG"), "{told}");
}

#[test]
fn a_hub_that_cannot_start_tells_why() {
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = holder.local_addr().unwrap().to_string();
    let manager = Manager::new();
    let (status, _) = manager.watching(Hub::builder()).set("hub.listen", taken.as_str()).launch().refusal();
    assert_eq!(status.code(), Some(1));
    let told = manager.wait_for("STATUS=");
    assert!(told.contains(&taken) && told.contains("in use"), "{told}");
}

#[test]
fn sockets_of_a_service_manager_are_used_whatever_the_configuration_says() {
    for (sockets, shards) in [(1, 2), (2, 2), (3, 2)] {
        // Whoever connects before the hub is there waits for it.
        let hubs: Vec<_> = (0..sockets).map(|_| listening("127.0.0.1:0")).collect();
        let admin = listening("127.0.0.1:0");
        let early: Vec<TcpStream> =
            hubs.iter().map(|hub| TcpStream::connect(address(hub)).unwrap()).collect();
        let mut builder = Hub::builder().set("hub.shards", shards).set("hub.listen", "127.0.0.1:1");
        for hub in &hubs {
            builder = builder.socket("hub", hub);
        }
        let hub = builder.socket("admin", &admin).start();
        assert_eq!((hub.addr(), hub.admin()), (address(&hubs[0]), address(&admin)));
        hub.wait_for_log(&["hub.listen", "127.0.0.1:1", "instead"]);
        for early in early {
            assert_eq!(status_of(early), 200, "{sockets} sockets");
        }
        for socket in &hubs {
            // Several each: any shard that shares the socket may take them.
            let streams = [(); 4].map(|()| EventStream::open(address(socket), &Subscribe::to("t")));
            drop(streams);
        }
    }
}

#[test]
fn an_admin_socket_that_others_can_reach_wants_a_token() {
    let admin = listening("0.0.0.0:0");
    let builder = Hub::builder().socket("admin", &admin);
    let (status, said) = builder.clone().launch().refusal();
    assert_eq!(status.code(), Some(1), "{said}");
    for words in ["admin socket", "admin.token_file", "ListenStream="] {
        assert!(said.contains(words), "{words:?} is missing in: {said}");
    }
    let _with_token = builder.set("admin.token", "an.admin-token~of_thirty+two/bytes=").start();
}

/// What the hub answers over a connection that was there before it.
fn status_of(socket: TcpStream) -> u16 {
    let mut client = Client::over(socket);
    client.send(b"GET /healthz HTTP/1.1\r\nHost: hub\r\n\r\n");
    client.read_answer().status()
}

#[test]
fn the_socket_of_a_service_manager_outlives_the_hub() {
    let socket = listening("127.0.0.1:0");
    let builder = Hub::builder().socket("hub", &socket);
    let mut first = builder.clone().start();
    first.sigterm();
    assert_eq!(first.wait_for_exit(WITHIN).code(), Some(0));
    let waiting = TcpStream::connect(address(&socket)).expect("nobody is refused between two hubs");
    let _second = builder.start();
    assert_eq!(status_of(waiting), 200);
}

#[test]
fn a_socket_of_another_kind_is_an_error_that_names_it() {
    let idle = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    let udp: Arc<OwnedFd> = Arc::new(UdpSocket::bind("127.0.0.1:0").unwrap().into());
    let cases: [(&'static str, Arc<OwnedFd>, &str); 4] = [
        ("hub", Arc::new(idle.into()), "does not listen"),
        ("hub", udp.clone(), "tcp"),
        ("admin", udp, "tcp"),
        ("corecast.socket", listening("127.0.0.1:0"), "FileDescriptorName="),
    ];
    for (name, socket, cause) in cases {
        let (status, said) = Hub::builder().socket(name, &socket).launch().refusal();
        assert_eq!(status.code(), Some(1), "{said}");
        for words in ["socket 0 of LISTEN_FDS", name, cause] {
            assert!(said.contains(words), "{words:?} is missing in: {said}");
        }
    }
}
