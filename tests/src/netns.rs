//! Network namespaces of a test's own, joined by a cable it can cut.
//!
//! Invariant: the machine's own interfaces are never touched; a namespace is removed with its last handle.

use std::fs::File;
use std::net::Ipv4Addr;
use std::os::fd::AsFd;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

const REMEDY: &str = "network namespaces need root (or CAP_SYS_ADMIN and CAP_NET_ADMIN) and iproute2: \
                      run the tests as root, in a container with --privileged";

/// A network namespace.
#[derive(Clone, Debug)]
pub struct Namespace(Arc<Owned>);

#[derive(Debug)]
struct Owned {
    name: String,
}

impl Namespace {
    /// Makes one, with its loopback interface up.
    ///
    /// # Panics
    /// With the remedy, where the machine does not allow it.
    #[must_use]
    pub fn create() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("corecast-{}-{number}", std::process::id());
        ip(&["netns", "add", &name]);
        let namespace = Self(Arc::new(Owned { name }));
        ip(&["-n", namespace.name(), "link", "set", "lo", "up"]);
        namespace
    }

    /// Its name, as `ip netns` knows it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Runs `work` on a thread inside. Sockets made there stay inside, whoever uses them later.
    ///
    /// # Panics
    /// If `work` does.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let enter = || {
            let namespace =
                File::open(format!("/run/netns/{}", self.name())).expect("ip netns keeps it here");
            move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))
                .unwrap_or_else(|e| panic!("enter {}: {e}; {REMEDY}", self.name()));
        };
        thread::scope(|scope| {
            let inside = scope.spawn(|| {
                enter();
                work()
            });
            inside.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        // What fails here leaves an empty namespace behind, which harms nobody.
        let _ = Command::new("ip").args(["netns", "del", &self.name]).status();
    }
}

/// A cable between two namespaces.
#[derive(Debug)]
pub struct Cable {
    far: Namespace,
}

/// The address at the near end of a cable.
pub const NEAR_ADDR: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);

/// The address at the far end of a cable.
pub const FAR_ADDR: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 2);

impl Cable {
    /// Lays one. Each namespace takes one cable.
    ///
    /// # Panics
    /// As `Namespace::create`.
    #[must_use]
    pub fn between(near: &Namespace, far: &Namespace) -> Self {
        let (near_name, far_name) = (near.name(), far.name());
        ip(&[
            "link", "add", "cable", "netns", near_name, "type", "veth", "peer", "name", "cable", "netns",
            far_name,
        ]);
        for (name, addr) in [(near_name, NEAR_ADDR), (far_name, FAR_ADDR)] {
            ip(&["-n", name, "addr", "add", &format!("{addr}/24"), "dev", "cable"]);
            ip(&["-n", name, "link", "set", "cable", "up"]);
        }
        Self { far: far.clone() }
    }

    /// Cuts it at the far end. Near the cut nobody is told: packets vanish, as in a network that is lost.
    pub fn cut(&self) {
        ip(&["-n", self.far.name(), "link", "set", "cable", "down"]);
    }
}

fn ip(arguments: &[&str]) {
    let output = Command::new("ip").args(arguments).output().unwrap_or_else(|e| panic!("ip: {e}; {REMEDY}"));
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ip {arguments:?}: {complaint}; {REMEDY}");
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn two_namespaces_reach_each_other_and_nobody_else() {
        let (near, far) = (Namespace::create(), Namespace::create());
        let _cable = Cable::between(&near, &far);
        let listener = near.run(|| TcpListener::bind((NEAR_ADDR, 0)).unwrap());
        let port = listener.local_addr().unwrap().port();
        let stream = far.run(|| TcpStream::connect((NEAR_ADDR, port)).unwrap());
        assert_eq!(stream.peer_addr().unwrap().ip(), NEAR_ADDR);
        assert_eq!(listener.accept().unwrap().1.ip(), FAR_ADDR);
    }
}
