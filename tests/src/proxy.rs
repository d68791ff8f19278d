//! A real proxy in front of a hub, run with the very file from `deploy/proxy/`.
//!
//! Invariant: of the file only ports, addresses and paths are replaced, and what a test names; what is to be replaced must
//! be there, so that a file that changes takes its tests along.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU16, Ordering};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::netns::{NEAR_ADDR, Namespace};
use crate::wait::{PATIENCE, eventually};

/// The name in the certificate, and of the site in the files.
pub const SITE: &str = "hub.example.org";

/// Below the ports that Linux gives to outgoing connections, which tests running beside make by the thousand.
const PORTS: std::ops::Range<u16> = 20_000..32_000;

/// Which proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// nginx with `nginx.conf`.
    Nginx,
    /// HAProxy with `haproxy.cfg`.
    Haproxy,
    /// Caddy with `Caddyfile`.
    Caddy,
}

impl Kind {
    /// All that have a file in `deploy/proxy/`.
    pub const ALL: [Self; 3] = [Self::Nginx, Self::Haproxy, Self::Caddy];

    /// Its file as shipped.
    ///
    /// # Panics
    /// If it is not there.
    #[must_use]
    pub fn shipped(self) -> String {
        let name = match self {
            Self::Nginx => "nginx.conf",
            Self::Haproxy => "haproxy.cfg",
            Self::Caddy => "Caddyfile",
        };
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/proxy").join(name);
        std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
    }

    /// What a test must put in place of the file's paths and ports.
    fn places(self, hub: SocketAddr, at: &Listeners, folder: &Path) -> Vec<(&'static str, String)> {
        let (plain, tls) = (at.plain.port(), at.tls);
        let path = |name: &str| folder.join(name).display().to_string();
        let own = match self {
            Self::Nginx => vec![
                ("listen 443 ", format!("listen {tls} ")),
                ("listen 127.0.0.1:8081", format!("listen 127.0.0.1:{plain}")),
                ("/run/nginx.pid", path("nginx.pid")),
                ("/var/log/nginx/error.log", "stderr".to_owned()),
                ("/etc/ssl/hub.crt", path("hub.crt")),
                ("/etc/ssl/hub.key", path("hub.key")),
            ],
            Self::Haproxy => vec![
                ("bind :443 ", format!("bind {tls} ")),
                ("bind 127.0.0.1:8081", format!("bind 127.0.0.1:{plain}")),
                ("/etc/haproxy/hub.pem", path("hub.pem")),
                // The machine of a test need not allow as many descriptors as the proxy of a full hub takes.
                ("maxconn 12000", "maxconn 2000".to_owned()),
            ],
            Self::Caddy => vec![
                ("https_port 443", format!("https_port {}", tls.port())),
                ("http_port 80\n", format!("http_port {}\n", at.unused[0].port())),
                ("admin 127.0.0.1:2019", format!("admin {}", at.unused[1])),
                ("http://:8081", format!("http://:{plain}")),
                ("/etc/caddy/hub.crt", path("hub.crt")),
                ("/etc/caddy/hub.key", path("hub.key")),
            ],
        };
        own.into_iter().chain([(" 127.0.0.1:8080", format!(" {hub}"))]).collect()
    }

    /// What runs it in the foreground; its configuration's path follows.
    fn command(self) -> &'static [&'static str] {
        match self {
            Self::Nginx => &["nginx", "-g", "daemon off;", "-c"],
            Self::Haproxy => &["haproxy", "-db", "-f"],
            Self::Caddy => &["caddy", "run", "--adapter", "caddyfile", "--config"],
        }
    }
}

/// Where a proxy listens, and ports that nobody is to meet.
#[derive(Debug)]
struct Listeners {
    plain: SocketAddr,
    tls: SocketAddr,
    unused: [SocketAddr; 2],
}

/// A proxy to be started.
#[derive(Debug)]
pub struct ProxyBuilder {
    kind: Kind,
    changes: Vec<(&'static str, String)>,
    namespace: Option<Namespace>,
}

impl ProxyBuilder {
    /// Starts it inside a network namespace, with browsers at the far end of its cable.
    #[must_use]
    pub fn inside(mut self, namespace: &Namespace) -> Self {
        self.namespace = Some(namespace.clone());
        self
    }

    /// Replaces a part of the file, such as a time-out that a test cannot wait for.
    #[must_use]
    pub fn with(mut self, shipped: &'static str, changed: &str) -> Self {
        self.changes.push((shipped, changed.to_owned()));
        self
    }

    /// Starts it in front of the hub and waits until it listens.
    ///
    /// # Panics
    /// If it does not come up.
    #[must_use]
    pub fn start(self, hub: SocketAddr) -> Proxy {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let at = self.listeners();
        make_certificate(folder.path());
        let places = self.kind.places(hub, &at, folder.path());
        let text =
            places.iter().chain(&self.changes).fold(self.kind.shipped(), |text, (shipped, changed)| {
                assert!(text.contains(shipped), "the file of {:?} has no {shipped:?}", self.kind);
                text.replace(shipped, changed)
            });
        let config = folder.path().join("proxy.conf");
        std::fs::write(&config, text).expect("the temporary folder can be written");
        let log = File::create(folder.path().join("log")).expect("the temporary folder can be written");
        let child = self
            .command()
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a descriptor to spare"))
            .stderr(log)
            // Caddy keeps its own files there.
            .env("HOME", folder.path())
            .env_remove("XDG_DATA_HOME")
            .env_remove("XDG_CONFIG_HOME")
            // A group of its own, so that the workers end with the test too.
            .process_group(0)
            .spawn()
            .unwrap_or_else(|e| panic!("{:?}: {e}; scripts/test installs it", self.kind));
        let mut proxy = Proxy { kind: self.kind, child, at, folder };
        match &self.namespace {
            Some(namespace) => namespace.run(|| proxy.wait_until_it_listens()),
            None => proxy.wait_until_it_listens(),
        }
        proxy
    }

    fn command(&self) -> Command {
        let prefix = self.namespace.iter().flat_map(|n| ["ip", "netns", "exec", n.name()]);
        let words: Vec<&str> = prefix.chain(self.kind.command().iter().copied()).collect();
        let mut command = Command::new(words[0]);
        command.args(&words[1..]);
        command
    }

    fn listeners(&self) -> Listeners {
        let find = || {
            let [plain, one, other] = free_addrs(Ipv4Addr::LOCALHOST);
            let [tls] = free_addrs(if self.namespace.is_some() { NEAR_ADDR } else { Ipv4Addr::LOCALHOST });
            Listeners { plain, tls, unused: [one, other] }
        };
        self.namespace.as_ref().map_or_else(find, |namespace| namespace.run(find))
    }
}

/// A running proxy.
#[derive(Debug)]
pub struct Proxy {
    kind: Kind,
    child: Child,
    at: Listeners,
    // Last: the files go when the process is gone.
    folder: tempfile::TempDir,
}

impl Proxy {
    /// A proxy with its file as shipped.
    #[must_use]
    pub fn builder(kind: Kind) -> ProxyBuilder {
        ProxyBuilder { kind, changes: Vec::new(), namespace: None }
    }

    /// Starts one with its file as shipped.
    #[must_use]
    pub fn start(kind: Kind, hub: SocketAddr) -> Self {
        Self::builder(kind).start(hub)
    }

    /// Where it takes HTTP/1.1 in the clear, on its own machine only.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.at.plain
    }

    /// A `curl` that speaks HTTP/2 to it as a browser does, without buffering, and ends at the latest after some time.
    #[must_use]
    pub fn curl_http2(&self) -> Command {
        let (host, port) = (self.at.tls.ip(), self.at.tls.port());
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--no-buffer", "--http2", "--header", "Accept: text/event-stream"])
            .args(["--max-time", &PATIENCE.as_secs().to_string()])
            .args(["--resolve", &format!("{SITE}:{port}:{host}"), "--cacert"])
            .arg(self.certificate())
            .stdin(Stdio::null());
        curl
    }

    /// The address of a path over HTTP/2.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("https://{SITE}:{}{path}", self.at.tls.port())
    }

    /// Its certificate, which is its own authority.
    #[must_use]
    pub fn certificate(&self) -> PathBuf {
        self.folder.path().join("hub.crt")
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    fn wait_until_it_listens(&mut self) {
        eventually(PATIENCE, "a proxy that listens", || {
            let ended = self.child.try_wait().expect("a child can be waited for");
            assert!(ended.is_none(), "{:?} ended: {}", self.kind, self.log());
            let is_up = [self.at.plain, self.at.tls].iter().all(|addr| TcpStream::connect(addr).is_ok());
            is_up.then_some(())
        });
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // Neither can fail in a way that matters: the process may be gone already.
        let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- log of {:?} ---\n{}--- end of the log ---", self.kind, self.log());
        }
    }
}

/// Addresses that nobody listens on, and that nobody else in this process is given: between the look and its own
/// `bind` another could take them.
pub(crate) fn free_addrs<const N: usize>(host: Ipv4Addr) -> [SocketAddr; N] {
    static GIVEN: OnceLock<AtomicU16> = OnceLock::new();
    let given = GIVEN.get_or_init(|| AtomicU16::new(fastrand::u16(..)));
    std::array::from_fn(|_| {
        (0..PORTS.len())
            .map(|_| PORTS.start + given.fetch_add(1, Ordering::Relaxed) % (PORTS.end - PORTS.start))
            .find(|port| TcpListener::bind((host, *port)).is_ok())
            .map(|port| SocketAddr::from((host, port)))
            .expect("one of 12,000 ports is free")
    })
}

/// A certificate for `SITE` that is its own authority, in the forms that the proxies want.
fn make_certificate(folder: &Path) {
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "2",
        ])
        .args(["-subj", &format!("/CN={SITE}"), "-addext", &format!("subjectAltName=DNS:{SITE}")])
        .args(["-keyout", "hub.key", "-out", "hub.crt"])
        .current_dir(folder)
        .output()
        .expect("openssl is installed; scripts/test installs it");
    assert!(made.status.success(), "openssl: {}", String::from_utf8_lossy(&made.stderr));
    let part = |name: &str| std::fs::read_to_string(folder.join(name)).expect("openssl has written it");
    let both = part("hub.crt") + &part("hub.key");
    std::fs::write(folder.join("hub.pem"), both).expect("the temporary folder can be written");
}
